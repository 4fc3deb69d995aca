// Where each joule and each GPU-second went: a bar per policy, divided, and the same as a table.
const DIVISIONS = [
  { id: "joules", title: "Where each joule went", suffix: "energy_j", text: wattHours,
    how: "Energy of the whole site within the window, mean over the chosen windows and seeds. GPUs held: idle and context power of GPUs that jobs hold; SMs and DRAM: what their work adds.",
    parts: [["idle", "idle GPUs"], ["held", "GPUs held"], ["sm", "SMs"], ["dram", "DRAM"], ["host", "hosts"],
      ["loss", "supplies"], ["asleep", "asleep nodes"], ["cooling", "cooling"]] },
  { id: "gpu-time", title: "What the GPUs that jobs held did", suffix: "gpu_s", text: (v) => `${gpuHours(v)} GPU-h`,
    how: "Useful: the time that the work takes alone at full clock; the rest of the time was lost to what is named.",
    parts: [["productive", "useful"], ["restart", "restarts"], ["redone", "work done again"], ["checkpoint", "checkpoints"],
      ["slow_clock", "slow clocks"], ["interference", "neighbours"], ["communication", "network"], ["straggler", "stragglers"]] },
];

function drawDivisions() {
  const shown = DIVISIONS.filter((division) => REPORT.runs.some((run) => known(run.summary[`${division.parts[0][0]}_${division.suffix}`])));
  if (!shown.length) return;
  document.getElementById("divisions").hidden = false;
  const figures = shown.map((division) => ({ ...division, ...figure(division.id, division.title, division.how) }));
  bodyOf("divisions").append(...figures.map((chart) => chart.node));
  const draw = () => figures.forEach(drawDivision);
  onSelection(JOB_FIELDS, draw);
  draw();
}

function drawDivision(chart) {
  const rows = shownPolicies().map((policy) => divided(chart, policy)).filter((row) => row.total > 0);
  const used = chart.parts.map((_, i) => i).filter((i) => rows.some((row) => row.values[i] > 0));
  const most = Math.max(...rows.map((row) => row.total), 0);
  chart.legend.replaceChildren(...used.map((i) => el("span", { class: "part-name" }, partBox(i), chart.parts[i][1])));
  chart.canvas.replaceChildren(...rows.map((row) => dividedBar(chart, row, used, most)), divisionTable(chart, rows, used));
}

/** Means over the chosen runs of one policy. */
function divided(chart, policy) {
  const runs = runsOf(policy).filter((run) => known(run.summary[`${chart.parts[0][0]}_${chart.suffix}`]));
  const mean = (part) => ratio(runs.reduce((sum, run) => sum + Math.max(run.summary[`${part}_${chart.suffix}`], 0), 0), runs.length) || 0;
  const values = chart.parts.map(([part]) => mean(part));
  return { policy, values, total: values.reduce((sum, value) => sum + value, 0) };
}

const partBox = (i) => svg("svg", { class: "part-box", viewBox: "0 0 12 12", "aria-hidden": "true" },
  svg("rect", { width: 12, height: 12, class: `part-${i}` }));

function dividedBar(chart, { policy, values, total }, used, most) {
  let from = 0;
  const pieces = used.map((i) => {
    const width = 100 * values[i] / most, x = from;
    from += width;
    return [svg("rect", { x: `${x}%`, width: `${width}%`, y: 0, height: 24, class: `part-${i}` },
      svg("title", {}, `${chart.parts[i][1]}: ${chart.text(values[i])}, ${percent(values[i] / total, 1)}`)),
    width > 5 ? svg("text", { x: `${x + width / 2}%`, y: 16, "text-anchor": "middle", class: `part-ink-${i}` }, percent(values[i] / total)) : null];
  });
  const said = used.map((i) => `${chart.parts[i][1]} ${percent(values[i] / total, 1)}`).join(", ");
  const bar = svg("svg", { class: "divided", role: "img", "aria-label": `${policyName(policy)}: ${said}` }, pieces);
  return el("div", { class: "divided-row" }, el("p", {}, policyLabel(policy), ` ${chart.text(total)}`), bar);
}

function divisionTable(chart, rows, used) {
  const columns = [{ title: "Policy" }, { title: "All" }, ...used.map((i) => ({ title: chart.parts[i][1] }))];
  const cells = ({ policy, values, total }) => [
    { value: policyName(policy), node: policyLabel(policy) }, { value: total, text: chart.text(total) },
    ...used.map((i) => ({ value: values[i], text: chart.text(values[i]) }))];
  const table = sortableTable({ id: `${chart.id}-table`, caption: chart.title, columns, rows: rows.map((row) => ({ cells: cells(row) })) });
  return el("details", {}, el("summary", {}, "As a table"), table);
}
