// Means and sums by gang size and by user: one policy shows every measure, several are compared in one.
const BREAKDOWNS = [
  { id: "by-gang", dimension: "gang", labels: DIMENSIONS.gangs, title: "By GPUs per job", first: "GPUs", nobody: "" },
  { id: "by-user", dimension: "user", labels: DIMENSIONS.users, title: "By user", first: "User",
    nobody: "The trace names no users." },
  { id: "by-partition", dimension: "partition", labels: DIMENSIONS.partitions, title: "By partition", first: "Partition", nobody: "" },
];
const COMPARED = ["jct", "queueing", "work", "energy", "unfinished", "preemptions"];
let comparedMeasure = "jct";

function drawBreakdown() {
  const menu = measureMenu(() => BREAKDOWNS.forEach(drawBreakdownTable));
  const how = el("p", { class: "how" }, "Pooled over the selection. Mean JCT is over finished jobs, mean queueing over started ones; work is in GPU-hours of the reference kind, done and not lost. A bar compares within its table.");
  for (const table of BREAKDOWNS) table.box = el("div", { id: `${table.id}-box` });
  bodyOf("breakdown").append(how, menu, ...BREAKDOWNS.map((table) => table.box));
  const draw = () => {
    menu.hidden = shownPolicies().length < 2;
    BREAKDOWNS.forEach(drawBreakdownTable);
  };
  onSelection(JOB_FIELDS, draw);
  draw();
}

function measureMenu(onchange) {
  const options = COMPARED.filter((name) => name !== "energy" || energyIsKnown);
  const menu = el("select", { id: "measure" }, options.map((name) => el("option", { value: name }, MEASURES[name].title)));
  menu.addEventListener("change", () => { comparedMeasure = menu.value; onchange(); });
  return el("label", { class: "choice" }, "Compare", menu);
}

function drawBreakdownTable(table) {
  if (!table.labels.length) {
    table.box.replaceChildren(...(table.nobody ? [el("h3", {}, table.title), el("p", { class: "note" }, table.nobody)] : []));
    return;
  }
  const policies = shownPolicies();
  const totals = policies.map((policy) => totalsBy(runsOf(policy), table.dimension));
  const columns = policies.length > 1 ? policyColumns(policies, totals) : measureColumns(totals[0]);
  const codes = table.labels.map((_, i) => i).filter((i) => totals.some((total) => total.has(i)));
  const rows = codes.map((code) => ({ cells: [
    { value: table.labels[code], node: named(table.labels[code]) }, ...columns.map((col) => breakdownCell(col, code))] }));
  const heads = [{ title: table.first, low: true }, ...columns.map(({ title, unit, name }) => ({ title, unit, name }))];
  table.box.replaceChildren(el("h3", {}, table.title), sortableTable({ id: table.id, caption: `${table.title}`, columns: heads, rows }));
}

function measureColumns(total) {
  const names = Object.keys(MEASURES).filter((name) => name !== "energy" || energyIsKnown);
  const barred = new Set(["jct", "queueing", "work", "energy"]);
  return names.map((name) => withHighest({ ...MEASURES[name], total, barred: barred.has(name) }, [total]));
}

/** How many jobs there are is the same under every policy; the chosen measure is not. */
function policyColumns(policies, totals) {
  const measure = MEASURES[comparedMeasure];
  const several = policies.map((policy, i) => withHighest({
    ...measure, policy, title: policyName(policy), name: policyLabel(policy), unit: measure.unit, total: totals[i], barred: true }, totals));
  return [{ ...MEASURES.jobs, total: totals[0] }, ...several];
}

function withHighest(col, totals) {
  const values = totals.flatMap((total) => [...total.values()].map(col.of)).filter(known);
  return { ...col, highest: Math.max(...values, 0), text: col.time ? sharedDuration(values) : col.text };
}

function breakdownCell({ of, text, total, barred, highest, policy }, code) {
  const value = total.has(code) ? of(total.get(code)) : null;
  return { value, text: text(value), policy, bar: barred && known(value) && highest > 0 ? value / highest : null };
}
