// The table of the comparison: made from all jobs by paired runs, so job filters do not touch it.
const COMPARISON = REPORT.comparison;

function drawComparison() {
  if (!COMPARISON) return;
  document.getElementById("comparison").hidden = false;
  const body = bodyOf("comparison");
  const show = () => body.replaceChildren(comparisonHow(), comparisonTable(), comparisonLegend());
  onSelection(["policies"], show);
  show();
}

function comparisonHow() {
  const to = COMPARISON.reference ? [" Differences are to ", named(COMPARISON.reference), " on the same windows and seeds, with bootstrap 95% intervals; grey ones may be noise."] : [];
  return el("p", { class: "how" }, "Means over windows and seeds, over all jobs whatever is filtered.", to);
}

function comparisonTable() {
  const columns = [{ title: "Policy" }, ...COMPARISON.metrics.map((metric) => ({
    title: metric.title, unit: metricUnit(metric), low: metric.better === "low" }))];
  const rows = COMPARISON.rows.filter((row) => comparisonShows(row.label)).map(comparisonRow);
  return sortableTable({ id: "comparison-table", caption: "Comparison of policies", columns, rows });
}

const metricUnit = ({ unit, better }) => [unit, { low: "lower is better", high: "higher is better" }[better]].filter(Boolean).join(", ");

const policyIndex = (label) => DIMENSIONS.policies.findIndex((policy) => policy.label === label);

function comparisonShows(label) {
  const policy = policyIndex(label);
  return policy < 0 || selection.policies.has(policy);
}

function comparisonRow(row) {
  const policy = policyIndex(row.label);
  const name = policy < 0 ? named(row.label) : policyLabel(policy);
  const marks = row.marks.map((mark) => el("small", { class: "mark" }, "▲ ", named(mark)));
  const reference = row.reference ? el("small", { class: "reference" }, "reference") : null;
  const service = ["strict", "relaxed"].includes(row.service) ? el("small", { class: "reference" }, `service ${row.service}`) : null;
  const front = row.front ? el("span", { class: "on-front", title: "on the front of IT energy and mean JCT" }, " ◇") : null;
  return {
    kind: row.reference ? "is-reference" : null,
    cells: [{ value: row.label, node: el("span", { class: "row-name" }, name, front, reference, service, marks) }, ...row.cells.map(comparisonCell)],
  };
}

function comparisonCell({ value, text, best, difference, interval, verdict }) {
  const said = best ? el("strong", { class: "best" }, el("span", { title: "best of the policies without † or ▲" }, "● "), text) : text;
  const against = difference ? el("small", { class: `difference ${verdict || "unclear"}` }, el("span", {}, difference), " ", el("span", {}, interval)) : null;
  return { value, node: el("span", {}, said, against) };
}

function comparisonLegend() {
  const { rows } = COMPARISON;
  const entries = ["● best of the policies without † or ▲"];
  if (rows.some((row) => row.oracle)) entries.push("† oracle: it saw what no scheduler knows");
  if (rows.some((row) => row.marks.length)) entries.push("▲ its gains do not count, for the reason given");
  if (rows.some((row) => row.front)) entries.push("◇ no other policy draws less without being slower, or is faster without drawing more");
  if (rows.some((row) => ["strict", "relaxed"].includes(row.service))) entries.push("service strict: within 1.02x of the reference's; relaxed: within 1.25x");
  return el("p", { class: "legend" }, entries.join(" · "));
}
