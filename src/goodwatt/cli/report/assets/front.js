// Energy against mean JCT, a point per policy: what nobody beats in both lies on the front.
const FRONT_X = "mean_jct_s", FRONT_Y = "it_energy_j";

function drawFront() {
  if (!COMPARISON) return;
  const [x, y] = [FRONT_X, FRONT_Y].map((key) => COMPARISON.metrics.findIndex((metric) => metric.key === key));
  const points = x < 0 || y < 0 ? [] : COMPARISON.rows.filter((row) => known(row.cells[x].value) && known(row.cells[y].value))
    .map((row) => ({ row, policy: policyIndex(row.label), x: row.cells[x].value / HOUR, y: row.cells[y].value / 3.6e6 }));
  if (points.length < 2) return;
  document.getElementById("front").hidden = false;
  const chart = figure("front-chart", "Energy against completion time",
    "Further left is faster, further down draws less. The line joins the policies that no other one, oracles aside, beats in one without losing in the other. Hollow points: their gains do not count (▲) or they saw the truth (†).");
  bodyOf("front").append(chart.node);
  const draw = () => drawFrontChart(chart, points.filter(({ policy }) => policy < 0 || selection.policies.has(policy)));
  onSelection(["policies"], draw);
  onWidth(chart.canvas, draw);
}

/** The span of values with a margin, and round ticks inside. */
function frontScale(values, from, to) {
  const low = Math.min(...values), high = Math.max(...values), room = (high - low) * 0.12 || high * 0.05 || 1;
  const span = [Math.max(low - room, 0), high + room];
  const step = linearTicks(span[1] - span[0], 5)[1];
  const first = Math.ceil(span[0] / step - 1e-9);
  const ticks = Array.from({ length: Math.floor(span[1] / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
  return { ...linearScale(span[0], span[1], from, to), ticks };
}

function drawFrontChart(chart, points) {
  const area = { width: Math.max(chart.canvas.clientWidth, 260), height: 320, left: 64, right: 18, top: 28, bottom: 44 };
  const xs = frontScale(points.map((point) => point.x), area.left, area.width - area.right);
  const ys = frontScale(points.map((point) => point.y), area.height - area.bottom, area.top);
  const said = points.map(({ row, x, y }) => `${row.label}: ${rounded(x)} h, ${rounded(y)} kWh${row.front ? ", on the front" : ""}`);
  const root = svg("svg", { class: "plot", role: "img", tabindex: 0, viewBox: `0 0 ${area.width} ${area.height}`,
    width: area.width, height: area.height, "aria-label": `${chart.title}. ${said.join("; ")}.` },
  frontAxes(xs, ys, area), frontLine(points, xs, ys), points.map((point) => frontPoint(point, xs, ys, area)));
  onLeave(root, () => hideTooltip(root));
  chart.canvas.replaceChildren(root);
  chart.legend.replaceChildren(...points.map(({ row, policy }) => (policy < 0 ? named(row.label) : policyLabel(policy))));
}

function frontAxes(xs, ys, area) {
  const bottom = area.height - area.bottom, right = area.width - area.right;
  return svg("g", { class: "axes" },
    ys.ticks.map((tick) => svg("g", {},
      svg("line", { class: "grid", x1: area.left, x2: right, y1: ys.at(tick), y2: ys.at(tick) }),
      svg("text", { x: area.left - 7, y: ys.at(tick) + 4, "text-anchor": "end" }, rounded(tick)))),
    xs.ticks.map((tick) => svg("g", {},
      svg("line", { class: "tick", x1: xs.at(tick), x2: xs.at(tick), y1: area.top, y2: bottom }),
      svg("text", { x: xs.at(tick), y: bottom + 16, "text-anchor": "middle" }, rounded(tick)))),
    svg("text", { class: "axis-title", x: (area.left + right) / 2, y: area.height - 6, "text-anchor": "middle" }, "mean JCT, h"),
    svg("text", { class: "axis-title", x: 4, y: 14 }, "IT energy, kWh"));
}

/** A staircase: between two policies of the front nothing better has been seen. */
function frontLine(points, xs, ys) {
  const front = points.filter(({ row }) => row.front).sort((a, b) => a.x - b.x);
  if (front.length < 2) return null;
  const path = front.map(({ x, y }, i) => (i ? `H${xs.at(x).toFixed(1)}V${ys.at(y).toFixed(1)}` : `M${xs.at(x).toFixed(1)},${ys.at(y).toFixed(1)}`));
  return svg("path", { class: "front-line", d: path.join("") });
}

function frontPoint({ row, policy, x, y }, xs, ys, area) {
  const colour = policy < 0 ? "var(--ink)" : policyColour(policy);
  const hollow = row.oracle || row.marks.length;
  const left = xs.at(x) > area.width * 0.7;
  const point = svg("g", { class: "front-point", "data-front": row.front || null },
    svg("circle", { cx: xs.at(x), cy: ys.at(y), r: row.front ? 7 : 5, stroke: colour, fill: hollow ? "var(--page)" : colour }),
    svg("text", { x: xs.at(x) + (left ? -11 : 11), y: ys.at(y) + 4, "text-anchor": left ? "end" : "start" }, row.label));
  point.addEventListener("pointermove", (event) => showTooltip(point.ownerSVGElement, event.clientX, event.clientY, named(row.label), [
    ["mean JCT", `${rounded(x)} h`], ["IT energy", `${rounded(y)} kWh`], ["service", row.service || "reference"]]));
  return point;
}
