// GPU utilisation, queue and power over time, policies on top of each other, on one time axis with the nodes' chart.
const TIME_CHARTS = [
  { id: "utilisation", field: "busy_gpus", title: "GPU utilisation", unit: (v) => percent(v), share: true, most: 1,
    how: "Share of the cluster's GPUs that held a job. Line: mean of each bucket of time." },
  { id: "queue", field: "queued", title: "Queue length", unit: (v) => rounded(v), peaks: true,
    how: "Jobs waiting. Line: mean of each bucket of time; the shade above it reaches the longest queue in the bucket." },
  { id: "power", field: "power_w", title: "Power", unit: watts, peaks: true, budget: true,
    how: "Power drawn. Line: mean of each bucket of time; the shade above it reaches the highest draw in the bucket." },
];

function drawOverTime() {
  const body = bodyOf("over-time");
  const charts = TIME_CHARTS.map((chart) => ({ ...chart, ...figure(chart.id, chart.title, chart.how) }));
  const how = el("p", { class: "how" }, "Cluster-wide, whatever jobs are filtered. Drag across a chart to look closer, double-click to see all, the time after the window too in which the last jobs end; the charts and the nodes below keep one time axis.");
  body.append(how, ...charts.map((chart) => chart.node));
  onSelection(TIME_FIELDS, () => charts.forEach(drawTimeChart));
  charts.forEach((chart) => onWidth(chart.canvas, () => drawTimeChart(chart)));
}

/** The stretch of time in view, in seconds since the start of the window. */
function viewedSpan(run) {
  return selection.span || [0, gridOf(run).length_s];
}

function chooseSpan(low, high) {
  select({ span: low === null ? null : [low, high] });
}

function drawTimeChart(chart) {
  const runs = shownRunsOverTime();
  if (!runs.length) {
    chart.canvas.replaceChildren(el("p", { class: "empty" }, "No run in the selection recorded its time."));
    return;
  }
  const [low, high] = viewedSpan(runs[0]);
  const step = gridOf(runs[0]).step_s;
  const series = runs.map((run) => timeSeries(chart, run, step, low, high));
  const budgets = chart.budget ? [...new Set(runs.flatMap((run) => run.timeline.budgets_w))] : [];
  const highest = Math.max(...series.flatMap((s) => (s.peaks || s.points).map(([, y]) => (known(y) ? y : 0))), ...budgets, 0);
  setNote(chart.note, [onlyOneRunNote(runs[0]), `One point stands for ${duration(step)}.`].filter(Boolean).join(" "));
  lineChart(chart, {
    height: 210, series, onSpan: chooseSpan,
    x: { kind: "time", low, high, label: "time since the start of the window" },
    y: { high: chart.most || highest * 1.04 || 1, exact: Boolean(chart.most), text: chart.unit },
    rules: budgets.map((budget) => ({ y: budget, text: `budget ${watts(budget)}` })),
    summary: series.map((s) => `${policyName(s.policy)}: mean ${chart.unit(meanOf(s.points))}.`).join(" "),
    readout: (time) => ({ title: moment(time), rows: series.map((s) => readRow(chart, s, time, step)) }),
  });
}

function timeSeries(chart, run, step, low, high) {
  const divide = chart.share ? run.gpus || 1 : 1;
  const from = Math.max(0, Math.floor(low / step) - 1);
  const points = (values) => Array.from(values.subarray(from, Math.ceil(high / step) + 1), (value, i) => [
    (from + i + 0.5) * step, Number.isNaN(value) ? null : value / divide]);
  const { mean, peak } = run.timeline[chart.field];
  return { policy: run.policy, from, points: points(column(mean)), peaks: chart.peaks ? points(column(peak)) : null };
}

function meanOf(points) {
  const values = points.map(([, y]) => y).filter(known);
  return ratio(values.reduce((sum, y) => sum + y, 0), values.length);
}

function readRow(chart, series, time, step) {
  const i = within(Math.floor(time / step) - series.from, 0, series.points.length - 1);
  const mean = chart.unit(series.points[i][1]);
  return [policyLabel(series.policy), series.peaks ? `${mean}, peak ${chart.unit(series.peaks[i][1])}` : mean];
}
