// One service over time: what comes, who answers, at which clocks and watts, and latencies against the promise.
const servicesOf = (run) => run.services || [];
const SERVICE_NAMES = [...new Set(REPORT.runs.flatMap((run) => servicesOf(run).map(({ name }) => name)))];
const LATE = (title, of) => ({ title, late: true, peaks: false, unit: (v) => shortTime(v),
  how: `p99 of the requests that were answered in each minute, ${of}. Dashed: what is promised. Values far above it are cut off.` });
const SERVICE_CHARTS = [
  { id: "service-rate", field: "rate_per_s", title: "Requests per second", unit: rounded, peaks: true,
    how: "What came. Line: mean of each bucket of time; the shade above it reaches the highest minute." },
  { id: "service-instances", field: "instances", title: "Instances", unit: (v) => number(v, 1),
    how: "Instances that hold GPUs, those that start or finish their last requests among them." },
  { id: "service-clock", field: "clock_mhz", title: "Clock, MHz", unit: (v) => number(v),
    how: "The clock that the GPUs of instances may reach, mean over instances." },
  { id: "service-power", field: "power_w", title: "Power of its GPUs", unit: watts, how: "All GPUs that its instances hold." },
  { id: "service-ttft", field: "ttft_p99_s", ...LATE("Time to the first token", "from arrival to the first token") },
  { id: "service-tpot", field: "tpot_p99_s", ...LATE("Time per output token", "after the first token") },
  { id: "service-latency", field: "latency_p99_s", ...LATE("Latency", "from arrival to the last token") },
  { id: "service-on-time", field: "on_time", title: "On time", unit: (v) => percent(v), most: 1,
    how: "Share of the requests that came which kept every limit of the promise." },
];
const CUT_AT = 4; // times the promise: what is later is drawn at the top
let chosenService = SERVICE_NAMES[0];

function shortTime(seconds) {
  if (!known(seconds)) return NOTHING;
  return Math.abs(seconds) < 1 ? `${rounded(seconds * 1e3)} ms` : `${rounded(seconds)} s`;
}

function drawServices() {
  if (!SERVICE_NAMES.length) return;
  const charts = SERVICE_CHARTS.map((chart) => ({ ...chart, ...figure(chart.id, chart.title, chart.how) }));
  const how = el("p", { class: "how" }, "Drag across a chart to look closer, double-click to see all; the time axis is that of the cluster below.");
  const redraw = () => charts.forEach(drawServiceChart);
  const table = el("div", { id: "services-table-box" });
  const menu = SERVICE_NAMES.length > 1 ? [serviceMenu(redraw)] : [];
  bodyOf("services").append(table, ...menu, how, ...charts.map((chart) => chart.node));
  document.getElementById("services").hidden = false;
  onSelection(JOB_FIELDS, () => drawServicesTable(table));
  drawServicesTable(table);
  onSelection(TIME_FIELDS, redraw);
  charts.forEach((chart) => onWidth(chart.canvas, () => drawServiceChart(chart)));
}

function serviceMenu(onchange) {
  const menu = el("select", { id: "service" }, SERVICE_NAMES.map((name) => el("option", { value: name }, name)));
  menu.addEventListener("change", () => { chosenService = menu.value; onchange(); });
  return el("p", {}, el("label", { class: "choice" }, "Service", menu));
}

const SERVICE_FACTS = [
  ["Requests", "requests", (v) => number(v)], ["On time", "attainment", (v) => percent(v, 2)],
  ["Minutes kept", "minutes_kept", (v) => percent(v, 2)], ["p99 first token", "p99_ttft_s", shortTime],
  ["p99 per token", "p99_tpot_s", shortTime], ["p99 latency", "p99_latency_s", shortTime],
  ["Instances", "mean_replicas", (v) => number(v, 2)], ["Clock, MHz", "mean_clock_mhz", (v) => number(v)],
  ["GPU energy", "gpu_energy_j", wattHours], ["Tokens per joule, IT", "tokens_per_joule_it", rounded],
];

/** A row per policy and service: means over the chosen windows and seeds. */
function drawServicesTable(box) {
  const rows = shownPolicies().flatMap((policy) => SERVICE_NAMES.map((name) => {
    const found = runsOf(policy).map((run) => (run.summary.services || {})[name]).filter(Boolean);
    const mean = (field) => ratio(found.reduce((sum, facts) => sum + facts[field], 0), found.length);
    return { cells: [{ value: policyName(policy), node: policyLabel(policy) }, { value: name, node: named(name) },
      ...SERVICE_FACTS.map(([, field, text]) => {
        const value = found.every((facts) => known(facts[field])) ? mean(field) : null;
        return { value, text: text(value) };
      })] };
  }));
  const columns = [{ title: "Policy" }, { title: "Service" }, ...SERVICE_FACTS.map(([title]) => ({ title }))];
  box.replaceChildren(sortableTable({ id: "services-table", caption: "Services, by policy", columns, rows }));
}

function drawServiceChart(chart) {
  const shown = shownRunsOverTime().map((run) => [run, servicesOf(run).find(({ name }) => name === chosenService)]).filter(([, service]) => service);
  if (!shown.length) {
    chart.canvas.replaceChildren(el("p", { class: "empty" }, "No run in the selection has this service."));
    return;
  }
  const [[run, { step_s: step, limits_s: limits }]] = shown;
  const limit = chart.late ? limits[chart.field] : null;
  chart.node.hidden = Boolean(chart.late) && !known(limit);
  if (chart.node.hidden) return;
  const [low, high] = viewedSpan(run);
  const series = shown.map(([one, service]) => timeSeries(chart, { ...one, timeline: service.series }, step, low, high));
  const highest = Math.max(...series.flatMap((s) => (s.peaks || s.points).map(([, y]) => (known(y) ? y : 0))), 0);
  const top = known(limit) ? Math.min(Math.max(highest, limit), CUT_AT * limit) * 1.04 : chart.most || highest * 1.04 || 1;
  setNote(chart.note, [onlyOneRunNote(run), `One point stands for ${duration(step)}.`].filter(Boolean).join(" "));
  lineChart(chart, {
    height: 190, series, onSpan: chooseSpan,
    x: { kind: "time", low, high, label: "time since the start of the window" },
    y: { high: top, exact: Boolean(chart.most) || known(limit), text: chart.unit },
    rules: known(limit) ? [{ y: limit, text: `promised ${chart.unit(limit)}` }] : [],
    summary: series.map((s) => `${policyName(s.policy)}: mean ${chart.unit(meanOf(s.points))}.`).join(" "),
    readout: (time) => ({ title: moment(time), rows: series.map((s) => readRow(chart, s, time, step)) }),
  });
}
