// A line per policy in SVG: crisp on paper, coloured by the style sheet, readable by keyboard.
const MARGIN = { left: 56, right: 14, top: 10, bottom: 40 };

/**
 * Draw into a figure. `spec`: x {kind, low, high, label}, y {high, text, label}, series [{policy, points, peaks}],
 * rules [{y, text}], summary (text for screen readers), readout(x) -> {title, rows}, onSpan(low, high) or none.
 */
function lineChart(chart, spec) {
  const width = Math.max(chart.canvas.clientWidth, 260);
  const area = { width, height: spec.height || 260, ...MARGIN };
  const frame = chartScales(spec, area);
  const root = svg("svg", {
    viewBox: `0 0 ${area.width} ${area.height}`, width: area.width, height: area.height, tabindex: 0, role: "img",
    "aria-label": `${chart.title}. ${spec.summary} Arrow keys read values.`, class: spec.onSpan ? "plot spannable" : "plot",
  });
  root.append(axes(spec, frame, area), ruleLines(spec, frame, area), seriesLines(chart, spec, frame, area));
  const cross = crosshair(spec, frame, area, root);
  watchPointer(root, spec, frame, area, cross);
  watchKeys(root, spec, frame, cross);
  chart.canvas.replaceChildren(root);
  chart.legend.replaceChildren(...(DIMENSIONS.policies.length > 1 ? spec.series.map(({ policy }) => policyLabel(policy)) : []));
}

function chartScales(spec, area) {
  const scale = spec.x.kind === "log" ? logScale : linearScale;
  const ticks = linearTicks(spec.y.high, 5);
  const top = ticks[ticks.length - 1];
  return {
    x: scale(spec.x.low, spec.x.high, area.left, area.width - area.right),
    y: linearScale(0, spec.y.exact ? spec.y.high : top, area.height - area.bottom, area.top),
    yTicks: spec.y.exact ? ticks.filter((t) => t <= spec.y.high + 1e-9) : ticks,
  };
}

function axes(spec, frame, area) {
  const room = area.width - area.left - area.right;
  const xTicks = spec.x.kind === "log" ? durationTicks(spec.x.low, spec.x.high, frame.x, 46)
    : timeTicks(spec.x.low, spec.x.high, room / 76);
  return svg("g", { class: "axes" },
    frame.yTicks.map((tick) => gridLine(tick, spec, frame, area)),
    xTicks.map(([value, text]) => svg("g", {},
      svg("line", { class: "tick", x1: frame.x.at(value), x2: frame.x.at(value), y1: area.top, y2: area.height - area.bottom }),
      svg("text", { x: frame.x.at(value), y: area.height - area.bottom + 16, "text-anchor": "middle" }, text))),
    svg("text", { class: "axis-title", x: area.left + room / 2, y: area.height - 4, "text-anchor": "middle" }, spec.x.label));
}

function gridLine(tick, spec, frame, area) {
  const y = frame.y.at(tick);
  return svg("g", {},
    svg("line", { class: tick === 0 ? "base" : "grid", x1: area.left, x2: area.width - area.right, y1: y, y2: y }),
    svg("text", { x: area.left - 7, y: y + 4, "text-anchor": "end" }, withoutZeros(spec.y.text(tick))));
}

function ruleLines(spec, frame, area) {
  return svg("g", {}, (spec.rules || []).map(({ y, text }) => svg("g", { class: "rule" },
    svg("line", { x1: area.left, x2: area.width - area.right, y1: frame.y.at(y), y2: frame.y.at(y) }),
    svg("text", { x: area.width - area.right - 4, y: frame.y.at(y) - 5, "text-anchor": "end" }, text))));
}

function seriesLines(chart, spec, frame, area) {
  const clip = `clip-${chart.node.id}`;
  const room = { x: area.left, y: 0, width: area.width - area.left - area.right, height: area.height - area.bottom + 1 };
  return svg("g", {},
    svg("clipPath", { id: clip }, svg("rect", room)),
    svg("g", { "clip-path": `url(#${clip})` },
      spec.series.map((series) => series.peaks && svg("path", {
        class: "peaks", fill: policyColour(series.policy), d: bandPath(series, frame) })),
      spec.series.map((series) => svg("path", {
        class: "line", stroke: policyColour(series.policy), "stroke-dasharray": policyDash(series.policy),
        "data-policy": series.policy, d: linePath(series.points, frame, spec.steps) }))));
}

/** The stretches of points without a gap in between. */
function stretches(points) {
  const found = [[]];
  for (const point of points) {
    if (known(point[1])) found[found.length - 1].push(point);
    else if (found[found.length - 1].length) found.push([]);
  }
  return found.filter((stretch) => stretch.length);
}

const place = (frame, [x, y]) => `${frame.x.at(x).toFixed(1)},${frame.y.at(y).toFixed(1)}`;

function linePath(points, frame, steps) {
  return stretches(points).map((stretch) => stretch.map((point, i) => {
    if (i === 0) return `M${place(frame, point)}`;
    return steps ? `H${frame.x.at(point[0]).toFixed(1)}V${frame.y.at(point[1]).toFixed(1)}` : `L${place(frame, point)}`;
  }).join("")).join("");
}

function bandPath({ points, peaks }, frame) {
  const both = points.map(([x, y], i) => [x, known(peaks[i][1]) ? y : null, peaks[i][1]]);
  return stretches(both).map((stretch) => {
    const there = stretch.map(([x, , peak]) => place(frame, [x, peak]));
    const back = stretch.map(([x, mean]) => place(frame, [x, mean])).reverse();
    return `M${there.concat(back).join("L")}Z`;
  }).join("");
}

function crosshair(spec, frame, area, root) {
  const line = svg("line", { class: "crosshair", y1: area.top, y2: area.height - area.bottom, visibility: "hidden" });
  root.append(line);
  return {
    show(x, clientX, clientY) {
      line.setAttribute("x1", frame.x.at(x));
      line.setAttribute("x2", frame.x.at(x));
      line.setAttribute("visibility", "visible");
      const { title, rows } = spec.readout(x);
      showTooltip(root, clientX, clientY, title, rows);
      return `${title}: ${rows.map(([name, value]) => `${name.textContent || name} ${value}`).join(", ")}`;
    },
    hide() {
      line.setAttribute("visibility", "hidden");
      hideTooltip(root);
    },
  };
}

const within = (value, low, high) => Math.min(Math.max(value, low), high);

function watchPointer(root, spec, frame, area, cross) {
  const at = (event) => event.clientX - root.getBoundingClientRect().left;
  const valueAt = (x) => within(frame.x.invert(x), spec.x.low, spec.x.high);
  const drag = spec.onSpan ? spanDrag(root, area) : null;
  const read = (event) => cross.show(valueAt(at(event)), event.clientX, event.clientY);
  root.addEventListener("pointermove", (event) => {
    read(event);
    drag?.move(at(event));
  });
  root.addEventListener("pointerup", read);
  onLeave(root, () => cross.hide());
  if (!drag) return;
  root.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    root.setPointerCapture(event.pointerId);
    drag.start(at(event));
  });
  root.addEventListener("pointerup", () => {
    const range = drag.end();
    if (range) spec.onSpan(valueAt(range[0]), valueAt(range[1]));
  });
  root.addEventListener("dblclick", () => spec.onSpan(null, null));
}

/** The rectangle that a drag draws; `end` gives its edges in pixels, null if it was no more than a click. */
function spanDrag(root, area) {
  const box = svg("rect", { class: "brush", y: area.top, height: area.height - area.top - area.bottom, visibility: "hidden" });
  root.append(box);
  let from = null, to = null;
  return {
    start(x) { from = to = x; },
    move(x) {
      if (from === null) return;
      to = x;
      box.setAttribute("x", Math.min(from, to));
      box.setAttribute("width", Math.abs(to - from));
      box.setAttribute("visibility", "visible");
    },
    end() {
      const range = from !== null && Math.abs(to - from) > 4 ? [Math.min(from, to), Math.max(from, to)] : null;
      from = null;
      box.setAttribute("visibility", "hidden");
      return range;
    },
  };
}

function watchKeys(root, spec, frame, cross) {
  let share = 0.5;
  root.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (event.key === "Escape") cross.hide();
    if (!step) return;
    event.preventDefault();
    share = within(share + step, 0, 1);
    const from = frame.x.at(spec.x.low), to = frame.x.at(spec.x.high);
    const x = from + share * (to - from);
    const box = root.getBoundingClientRect();
    announce(cross.show(frame.x.invert(x), box.left + x, box.top + 20));
  });
  root.addEventListener("blur", () => cross.hide());
}
