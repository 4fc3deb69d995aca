// Where the numbers come from: the manifest, every run's summary, and what was reduced for this page.
function drawOrigin() {
  bodyOf("origin").append(
    el("details", {}, el("summary", {}, "Command, version, seeds, inputs, machine"), originList(REPORT.origin)),
    el("details", {}, el("summary", {}, `All measures of every run (${number(REPORT.runs.length)})`), runsTable()),
    el("details", { open: true }, el("summary", {}, "What this page left out"), el("ul", { class: "limits" }, limits().map((text) => el("li", {}, text)))));
}

function originList(entries) {
  return el("dl", { class: "origin" }, entries.map(([title, value]) => [el("dt", {}, named(title)), el("dd", {}, originValue(value))]));
}

function originValue(value) {
  if (value === null) return NOTHING;
  if (Array.isArray(value)) return named(value.map((item) => (typeof item === "object" ? JSON.stringify(item) : String(item))).join(", "));
  if (typeof value === "object") return originList(Object.entries(value));
  return named(String(value));
}

function runsTable() {
  const fields = [...new Set(REPORT.runs.flatMap((run) => Object.keys(run.summary)))];
  const columns = [{ title: "Policy" }, { title: "Window", low: true }, { title: "Seed", low: true }, ...fields.map((title) => ({ title }))];
  const rows = REPORT.runs.map((run) => ({ cells: [
    { value: policyName(run.policy), node: policyLabel(run.policy) },
    { value: DIMENSIONS.windows[run.window], node: named(DIMENSIONS.windows[run.window]) },
    { value: DIMENSIONS.seeds[run.seed], text: String(DIMENSIONS.seeds[run.seed]) },
    ...fields.map((field) => summaryCell(field, run.summary[field]))] }));
  return sortableTable({ id: "runs-table", caption: "All measures of every run", columns, rows });
}

function summaryCell(field, value) {
  const plain = value !== null && typeof value === "object" ? JSON.stringify(value) : value;
  return { value: plain ?? null, node: named(typeof plain === "number" ? byUnit(field, plain) : String(plain ?? NOTHING)) };
}

function limits() {
  const { points, buckets, bars } = REPORT.limits;
  const charts = REPORT.runs.filter((run) => run.occupancy).length;
  return [
    "Sums and means are exact, over every job of every run, unfinished jobs included where a column says so.",
    `Distributions and percentiles: every value where a gang size in a partition has up to ${points} jobs in a run; beyond that ${points} of its values at even ranks, the smallest and the largest among them.`,
    `Charts over time: ${buckets} buckets per run. A bucket's mean keeps the integral of its quantity; its peak is the highest value that held for some time.`,
    `Chart of nodes: kept for ${number(charts)} of ${number(REPORT.runs.length)} runs, up to ${number(bars)} bars each; beyond that those with most GPU time, and the chart says what share is shown. Bars thinner than a pixel blend.`,
    "A user table names the users with most work and adds up the others; a partition table likewise.",
  ];
}
