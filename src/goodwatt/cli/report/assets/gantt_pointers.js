// Pointers on the chart of nodes: a box to zoom with the mouse, fingers to move and pinch, hovering to read.
const REACH = { mouse: 2, touch: 16 };
const fingers = new Map();
let dragged = null;

function ganttPoint(event) {
  const box = gantt.parts.canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function watchGanttPointers(canvas) {
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    if (event.pointerType === "touch") fingers.set(event.pointerId, ganttPoint(event));
    else if (event.button === 0) dragged = { from: ganttPoint(event), to: ganttPoint(event), move: event.shiftKey };
  });
  canvas.addEventListener("pointermove", ganttMove);
  canvas.addEventListener("pointerup", ganttRelease);
  canvas.addEventListener("pointercancel", ganttRelease);
  onLeave(canvas, () => { hideTooltip(gantt); mark(null); });
}

function ganttMove(event) {
  if (!gantt.frame) return;
  if (fingers.has(event.pointerId)) moveFinger(event);
  else if (dragged?.move) slide(event);
  else if (dragged) stretch(event);
  else readBar(event);
}

function ganttRelease(event) {
  fingers.delete(event.pointerId);
  const box = dragged;
  dragged = null;
  if (event.pointerType === "touch" || !box || box.move) {
    if (event.type === "pointerup" && event.pointerType === "touch") readBar(event);
    return;
  }
  mark(null);
  zoomToBox(box);
}

/** One finger moves the view; two scale time around the point between them. */
function moveFinger(event) {
  const before = [...fingers.values()];
  fingers.set(event.pointerId, ganttPoint(event));
  const after = [...fingers.values()];
  const width = gantt.frame.right - gantt.frame.left;
  if (after.length === 1) return gantt.view.pan((before[0][0] - after[0][0]) / width, 0);
  const gap = ([a, b]) => Math.max(Math.abs(a[0] - b[0]), 12);
  return gantt.view.zoomTime(gap(before) / gap(after), shareOfTime((after[0][0] + after[1][0]) / 2));
}

function slide(event) {
  const [x, y] = ganttPoint(event);
  const { left, right, top, bottom } = gantt.frame;
  gantt.view.pan((dragged.to[0] - x) / (right - left), (dragged.to[1] - y) / (bottom - top));
  dragged.to = [x, y];
}

function stretch(event) {
  hideTooltip(gantt);
  dragged.to = ganttPoint(event);
  const [[x1, y1], [x2, y2]] = [dragged.from, dragged.to];
  mark({ x: Math.min(x1, x2), y: Math.min(y1, y2), width: Math.abs(x2 - x1), height: Math.abs(y2 - y1) }, "brush");
}

/** A flat box zooms time only, a narrow one rows only, a click nothing. */
function zoomToBox({ from, to }) {
  const { frame, view } = gantt;
  const xs = [from[0], to[0]].sort((a, b) => a - b), ys = [from[1], to[1]].sort((a, b) => a - b);
  const wide = xs[1] - xs[0] > 6, tall = ys[1] - ys[0] > Math.max(14, frame.row * 0.6);
  if (!wide && !tall) return;
  view.set(wide ? xs.map((x) => frame.x.invert(x)) : view.span,
    tall ? [Math.floor(frame.y.invert(ys[0])), Math.ceil(frame.y.invert(ys[1]))] : view.shownRows);
}

function readBar(event) {
  const [x, y] = ganttPoint(event);
  const i = barAt(gantt.model, gantt.frame, x, y, REACH[event.pointerType] || REACH.mouse);
  if (i < 0) {
    hideTooltip(gantt);
    mark(null);
    return;
  }
  const bar = barBox(gantt.model, gantt.frame, i);
  mark({ ...bar, width: Math.max(bar.width, 2), height: Math.max(bar.height, 2) }, "hovered");
  showTooltip(gantt, event.clientX, event.clientY, ...barText(i));
}

function barText(i) {
  const { jobs, job, node, first, count, start, end, names } = gantt.model;
  const k = job[i];
  const lane = count[i] > 1 ? `GPUs ${first[i]} to ${first[i] + count[i] - 1}` : `GPU ${first[i]}`;
  const rows = [["Node", `${names[node[i]]}, ${lane}`], ["Held", `${moment(start[i])} to ${moment(end[i])} (${duration(end[i] - start[i])})`]];
  if (!jobs) return [`Job ${k}`, rows];
  const user = jobs.users[jobs.user[k]];
  if (user !== null) rows.unshift(["User", named(user)]);
  rows.unshift(["Job size", `${number(jobs.gpus[k])} GPU${jobs.gpus[k] === 1 ? "" : "s"}`]);
  if (k < jobs.id.length - jobs.instances) rows.push(["Submitted", moment(jobs.submit[k])]);
  else rows.push(["What", "instance of a service"]);
  return [named(jobs.id[k]), rows];
}

function mark(box, kind) {
  const { marker } = gantt.parts;
  marker.hidden = !box;
  if (!box) return;
  marker.className = `marker ${kind}`;
  Object.assign(marker.style, { left: `${box.x}px`, top: `${box.y}px`, width: `${box.width}px`, height: `${box.height}px` });
}
