// Jobs of the selection: a table of key numbers per policy, and the distributions of JCT and queueing delay.
const CHARTED_TIMES = [
  { id: "jct-cdf", measure: "jct_s", title: "Job completion time", what: "completed within", gap: "left unfinished" },
  { id: "queueing-cdf", measure: "queueing_s", title: "Queueing delay", what: "started within", gap: "never started" },
];

function drawDistributions() {
  const charts = CHARTED_TIMES.map((time) => ({ ...time, ...figure(time.id, time.title,
    `Height: share of jobs ${time.what} the time below. Further left is faster; a curve that ends below 100% ${time.gap} the rest. Logarithmic from 1 s; less counts as 1 s.`) }));
  bodyOf("distributions").append(...charts.map((chart) => chart.node));
  const draw = () => charts.forEach(drawDistribution);
  onSelection(JOB_FIELDS, () => { drawSelectionTable(); draw(); });
  drawSelectionTable();
  charts.forEach((chart) => onWidth(chart.canvas, () => drawDistribution(chart)));
}

const SELECTION_SHARES = [["Median JCT", "jct_s", 0.5], ["p95 JCT", "jct_s", 0.95], ["p99 JCT", "jct_s", 0.99],
  ["p95 queueing", "queueing_s", 0.95], ["p99 queueing", "queueing_s", 0.99]];

function drawSelectionTable() {
  const policies = shownPolicies().map((policy) => ({ policy, runs: runsOf(policy) }));
  const facts = selectionColumns().map((fact) => withValues(fact, policies));
  const columns = [{ title: "Policy" }, ...facts.map(({ title, unit, low }) => ({ title, unit, low }))];
  const rows = policies.map(({ policy }, i) => ({ cells: [
    { value: policyName(policy), node: policyLabel(policy) },
    ...facts.map(({ values, text, missing }) => ({ value: values[i], text: values[i] === null ? missing : text(values[i]), kind: values[i] === null ? "missing" : null }))] }));
  const how = el("p", { class: "how" }, `Pooled over the chosen windows and seeds, ${filterStatus()}. Mean JCT is over finished jobs, mean queueing over started ones; a percentile counts every job, and says so where fewer jobs got that far.`);
  bodyOf("selection").replaceChildren(how, sortableTable({ id: "selection-table", caption: "Jobs in the selection, by policy", columns, rows }));
}

function selectionColumns() {
  const names = ["jobs", "unfinished", "jct", "queueing", "work", ...(workWasLost ? ["lost"] : [])];
  const sums = names.map((name) => ({ ...MEASURES[name], missing: NOTHING, read: (runs) => MEASURES[name].of(totalOf(runs)) }));
  const shares = SELECTION_SHARES.map(([title, measure, share]) => ({
    title, time: true, missing: measure === "jct_s" ? "unfinished" : "not started",
    read: (runs) => quantile(distribution(runs, measure), share) }));
  return [...sums, ...shares];
}

function withValues(fact, policies) {
  const values = policies.map(({ runs }) => fact.read(runs));
  return { ...fact, values, low: fact.time, text: fact.time ? sharedDuration(values) : fact.text };
}

function drawDistribution(chart) {
  const series = shownPolicies().map((policy) => ({ policy, spread: distribution(runsOf(policy), chart.measure) }));
  const longest = Math.max(10, ...series.map(({ spread }) => spread.values[spread.values.length - 1] || 0));
  series.forEach((one) => { one.points = curveFromFloor(one.spread); });
  lineChart(chart, {
    x: { kind: "log", low: 1, high: longest * 1.05, label: "time (logarithmic)" },
    y: { high: 1, exact: true, text: (share) => percent(share) },
    series, steps: true,
    summary: series.map(({ policy, spread }) => `${policyName(policy)}: median ${duration(quantile(spread, 0.5))}.`).join(" "),
    readout: (time) => ({
      title: `${chart.what} ${duration(time)}`,
      rows: series.map(({ policy, spread }) => [policyLabel(policy), percent(shareWithin(spread, time), 1)]),
    }),
  });
}

/** The curve starts on the floor of the axis, so that instant jobs are seen as a step there. */
function curveFromFloor(spread) {
  const points = curve(spread);
  return points.length ? [[1, 0], ...points] : [];
}

function shareWithin({ values, ranks, jobs }, time) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= time) low = middle + 1;
    else high = middle;
  }
  return jobs ? (low ? ranks[low - 1] : 0) / jobs : null;
}
