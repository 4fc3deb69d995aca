// The chart of nodes: choose a policy, zoom by dragging, buttons, keys, wheel or fingers, read any bar.
const gantt = { policy: null, view: new GanttView(), model: null, frame: null, colours: null, parts: null };

function drawGantt() {
  const body = bodyOf("gantt");
  if (!REPORT.runs.some((run) => run.occupancy)) {
    body.append(el("p", { class: "note" }, "These runs were not recorded node by node, so there is nothing to draw here."));
    return;
  }
  gantt.parts = ganttParts();
  const { how, toolbar, stage, legend, status, note } = gantt.parts;
  body.append(how, toolbar, legend, stage, status, note);
  watchGantt();
  onSelection(["policies", "window", "seed"], chooseGanttRun);
  onSelection(["span", "gangs", "partition"], paint);
  window.addEventListener("themechange", () => { gantt.colours = null; paint(); });
  onWidth(stage, chooseGanttRun);
}

function ganttParts() {
  const canvas = el("canvas", { id: "gantt-canvas", tabindex: 0, role: "img", "aria-describedby": "gantt-status" });
  const marker = el("div", { class: "marker", hidden: true });
  const menu = el("select", { id: "gantt-policy" });
  menu.addEventListener("change", () => { gantt.policy = Number(menu.value); chooseGanttRun(); });
  return {
    canvas, marker, menu, stage: el("div", { class: "stage" }, canvas, marker), toolbar: ganttToolbar(menu), legend: ganttLegend(),
    status: el("p", { id: "gantt-status", class: "note status" }), note: el("p", { class: "note", hidden: true }),
    how: el("p", { class: "how" }, "One row per node, one lane per GPU, one bar per stay of a job; empty is idle. Drag a box to zoom, double-click to see all, Ctrl and wheel to zoom in time, Shift and drag to move; on the keyboard + and -, arrows, [ and ] for rows, 0 for all. One finger moves, two zoom. Jobs outside the filter are grey."),
  };
}

function ganttToolbar(menu) {
  const { view } = gantt;
  const button = (id, text, label, onclick) => el("button", { type: "button", id: `gantt-${id}`, class: "quiet", "aria-label": label, title: label, onclick }, text);
  return el("div", { class: "toolbar", role: "toolbar", "aria-label": "Chart of nodes" },
    el("label", { class: "choice" }, "Policy", menu),
    el("span", { class: "group" },
      button("in", "+", "Zoom in on time", () => view.zoomTime(0.5)), button("out", "−", "Zoom out in time", () => view.zoomTime(2)),
      button("left", "◀", "Earlier", () => view.pan(-0.5, 0)), button("right", "▶", "Later", () => view.pan(0.5, 0))),
    el("span", { class: "group" },
      button("fewer", "Fewer nodes", "Taller rows", () => view.zoomRows(0.5)), button("more", "More nodes", "Lower rows", () => view.zoomRows(2)),
      button("up", "▲", "Nodes above", () => view.pan(0, -0.5)), button("down", "▼", "Nodes below", () => view.pan(0, 0.5))),
    button("reset", "All", "See all", () => view.reset()));
}

function ganttLegend() {
  const entries = DIMENSIONS.gangs.map((label, i) => {
    const box = svg("svg", { class: "box", viewBox: "0 0 12 12", "aria-hidden": "true" }, svg("rect", { width: 12, height: 12, rx: 2, fill: `var(--gang-${gangShade(i)})` }));
    return el("span", {}, box, label);
  });
  return el("p", { class: "legend gang-legend" }, el("span", {}, "GPUs per job:"), entries);
}

/** The run to draw, as the filters and the menu of policies say. */
function chooseGanttRun() {
  const { menu, note, canvas } = gantt.parts;
  const policies = shownPolicies();
  if (!policies.includes(gantt.policy)) gantt.policy = policies[0];
  menu.replaceChildren(...policies.map((i) => el("option", { value: i, selected: i === gantt.policy }, policyName(i))));
  const run = runOverTime(gantt.policy);
  const same = run && gantt.model && gantt.model.run === run;
  gantt.model = same ? gantt.model : run && run.occupancy ? ganttModel(run) : null;
  canvas.hidden = !gantt.model;
  setNote(note, gantt.model ? ganttNote(run) : "This run is not drawn: it was not recorded node by node, or the page had no room left for it. Replay it alone to see it.");
  if (!gantt.model) {
    gantt.parts.status.textContent = "";
    return;
  }
  gantt.view.fit(gridOf(run).length_s, gantt.model.names.length);
  paint();
}

function ganttNote(run) {
  const { bars, share } = run.occupancy;
  const shown = gantt.model.job.length;
  const left = shown < bars ? `Shows the ${number(shown)} of ${number(bars)} bars with most GPU time, ${percent(share, 1)} of all of it.` : "";
  return [onlyOneRunNote(run), left].filter(Boolean).join(" ");
}

function paint() {
  if (!gantt.model) return;
  const { canvas, stage, status } = gantt.parts;
  const width = stage.clientWidth, density = window.devicePixelRatio || 1;
  const height = within(gantt.model.names.length * 12 + 30, 240, width < 520 ? 400 : 620);
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  canvas.style.height = `${height}px`;
  gantt.colours = gantt.colours || ganttColours();
  gantt.frame = ganttFrame(gantt.model, gantt.view, width, height);
  const pen = canvas.getContext("2d");
  pen.setTransform(density, 0, 0, density, 0, 0);
  const drawn = paintGantt(pen, gantt.model, gantt.frame, gantt.colours);
  status.textContent = ganttStatus(drawn);
  Object.assign(canvas.dataset, { bars: drawn, span: gantt.view.span.join(), rows: gantt.view.shownRows.join() });
  canvas.setAttribute("aria-label", `Nodes over time under ${policyName(gantt.policy)}. ${status.textContent}`);
}

function ganttStatus(drawn) {
  const { low, high, from, to } = gantt.frame;
  const nodes = `nodes ${number(Math.floor(from) + 1)} to ${number(Math.ceil(to))} of ${number(gantt.model.names.length)}`;
  return `${moment(low)} to ${moment(high)} · ${nodes} · ${number(drawn)} bars in view`;
}

function watchGantt() {
  const { canvas } = gantt.parts;
  canvas.addEventListener("keydown", ganttKey);
  canvas.addEventListener("dblclick", () => gantt.view.reset());
  canvas.addEventListener("wheel", ganttWheel, { passive: false });
  watchGanttPointers(canvas);
}

function ganttKey(event) {
  const { view } = gantt;
  const act = {
    "+": () => view.zoomTime(0.5), "=": () => view.zoomTime(0.5), "-": () => view.zoomTime(2), 0: () => view.reset(),
    ArrowLeft: () => view.pan(-0.2, 0), ArrowRight: () => view.pan(0.2, 0), ArrowUp: () => view.pan(0, -0.2), ArrowDown: () => view.pan(0, 0.2),
    "]": () => view.zoomRows(0.5), "[": () => view.zoomRows(2),
  }[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
}

function ganttWheel(event) {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  gantt.view.zoomTime(event.deltaY > 0 ? 1.25 : 0.8, shareOfTime(ganttPoint(event)[0]));
}

const shareOfTime = (x) => within((x - gantt.frame.left) / (gantt.frame.right - gantt.frame.left), 0, 1);
