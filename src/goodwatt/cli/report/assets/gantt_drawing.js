// Painting bars on a canvas: tens of thousands of them in a few milliseconds, colour by gang size.
const GANTT_MARGIN = { top: 4, right: 8, bottom: 26 };

/** The colours of the page at this moment, as the canvas needs them. */
function ganttColours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    gangs: DIMENSIONS.gangs.map((_, i) => read(`--gang-${gangShade(i)}`)), muted: read("--bar-muted"), text: read("--muted"),
    grid: read("--grid"), ground: read("--plot"), ink: read("--ink"), font: style.fontFamily || "sans-serif",
    labels: DIMENSIONS.gangs.map((_, i) => read(`--gang-ink-${gangShade(i)}`)),
  };
}

/** Spread the shades over the sizes there are: 0 the smallest, 8 the largest. */
function gangShade(i) {
  const count = DIMENSIONS.gangs.length;
  return count < 2 ? 3 : Math.round((i * 8) / (count - 1));
}

/** The bars of a run as columns, with where each node's bars begin. */
function ganttModel(run) {
  const data = run.occupancy;
  const model = {
    run, names: data.nodes, gpus: data.gpus, jobs: jobFacts(run), job: column(data.job), node: column(data.node),
    first: column(data.first), count: column(data.count), start: column(data.start_s), end: column(data.end_s),
  };
  model.offsets = new Uint32Array(data.nodes.length + 1);
  for (const node of model.node) model.offsets[node + 1]++;
  for (let i = 0; i < data.nodes.length; i++) model.offsets[i + 1] += model.offsets[i];
  return model;
}

/** Where things stand on a canvas of this size. */
function ganttFrame(model, view, width, height) {
  const left = width < 520 ? 62 : 104;
  const [low, high] = view.span, [from, to] = view.shownRows;
  const right = width - GANTT_MARGIN.right, bottom = height - GANTT_MARGIN.bottom;
  return {
    width, height, left, right, bottom, top: GANTT_MARGIN.top, low, high, from, to,
    row: (bottom - GANTT_MARGIN.top) / (to - from),
    x: linearScale(low, high, left, right), y: linearScale(from, to, GANTT_MARGIN.top, bottom),
  };
}

/** Paint everything; gives the number of bars in view. */
function paintGantt(pen, model, frame, colours) {
  pen.clearRect(0, 0, frame.width, frame.height);
  pen.fillStyle = colours.ground;
  pen.fillRect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
  paintTimeAxis(pen, frame, colours);
  paintNodeNames(pen, model, frame, colours);
  pen.save();
  pen.beginPath();
  pen.rect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
  pen.clip();
  const drawn = paintBars(pen, model, frame, colours);
  pen.restore();
  return drawn;
}

function paintTimeAxis(pen, frame, colours) {
  pen.font = `12px ${colours.font}`;
  pen.textAlign = "center";
  pen.textBaseline = "top";
  for (const [time, text] of timeTicks(frame.low, frame.high, (frame.right - frame.left) / 90)) {
    const x = Math.round(frame.x.at(time)) + 0.5;
    pen.fillStyle = colours.grid;
    pen.fillRect(x - 0.5, frame.top, 1, frame.bottom - frame.top + 4);
    pen.fillStyle = colours.text;
    pen.fillText(text, within(x, frame.left + 12, frame.right - 22), frame.bottom + 8);
  }
}

function paintNodeNames(pen, model, frame, colours) {
  pen.fillStyle = colours.text;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  const step = Math.max(1, Math.ceil(15 / frame.row));
  for (let node = Math.ceil(Math.floor(frame.from) / step) * step; node < frame.to; node += step) {
    const y = frame.y.at(node + 0.5);
    if (y > frame.top + 4 && y < frame.bottom - 2) pen.fillText(shortened(pen, model.names[node], frame.left - 9), frame.left - 7, y);
  }
}

/** The end of a name tells nodes apart, so a long one loses its start. */
function shortened(pen, name, room) {
  if (pen.measureText(name).width <= room) return name;
  let kept = name;
  while (kept.length > 1 && pen.measureText(`…${kept}`).width > room) kept = kept.slice(1);
  return `…${kept}`;
}

const keepsJob = ({ jobs }, job) => !jobs || keepsGroup(jobs.gang[job], jobs.partition[job]);

function paintBars(pen, model, frame, colours) {
  const { node, start, end, job, jobs } = model;
  const first = model.offsets[Math.max(0, Math.floor(frame.from))];
  const after = model.offsets[Math.min(model.names.length, Math.ceil(frame.to))];
  let drawn = 0, colour = null;
  for (let i = first; i < after; i++) {
    if (end[i] <= frame.low || start[i] >= frame.high) continue;
    const kept = keepsJob(model, job[i]);
    const wanted = kept ? colours.gangs[jobs ? jobs.gang[job[i]] : 0] : colours.muted;
    if (wanted !== colour) pen.fillStyle = colour = wanted;
    const bar = barBox(model, frame, i);
    pen.fillRect(bar.x, bar.y, bar.width, bar.height);
    if (kept && bar.width > 44 && bar.height > 12 && jobs) colour = paintJobId(pen, bar, jobs, job[i], colours);
    drawn++;
  }
  return drawn;
}

/** The box of a bar; wide ones leave a gap to the next, thin ones keep their exact width and blend. */
function barBox({ node, first, count, gpus, start, end }, frame, i) {
  const gap = frame.row >= 5 ? Math.min(2, frame.row * 0.14) : 0;
  const lane = (frame.row - gap) / (gpus[node[i]] || 1);
  const x = Math.max(frame.x.at(start[i]), frame.left - 2);
  const exact = Math.min(frame.x.at(end[i]), frame.right + 2) - x;
  const y = frame.y.at(node[i]) + gap / 2 + first[i] * lane;
  const apart = lane >= 5 ? 0.7 : 0;
  return { x, y, width: exact > 4 ? exact - 0.8 : exact, height: Math.max(count[i] * lane - apart, 0.3) };
}

function paintJobId(pen, bar, jobs, job, colours) {
  pen.save();
  pen.beginPath();
  pen.rect(bar.x, bar.y, bar.width - 4, bar.height);
  pen.clip();
  pen.fillStyle = colours.labels[jobs.gang[job]];
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillText(jobs.id[job], bar.x + 5, bar.y + bar.height / 2 + 0.5);
  pen.restore();
  return null;
}

/** The bar under a point, or the nearest on that node no further than `reach` pixels; -1 if there is none. */
function barAt(model, frame, x, y, reach) {
  const node = Math.floor(frame.y.invert(y));
  if (x < frame.left || node < 0 || node >= model.names.length) return -1;
  let best = -1, nearest = reach;
  for (let i = model.offsets[node]; i < model.offsets[node + 1]; i++) {
    const bar = barBox(model, frame, i);
    const away = Math.max(bar.x - x, x - bar.x - bar.width, bar.y - y, y - bar.y - bar.height, 0);
    if (away <= nearest) [best, nearest] = [i, away];
  }
  return best;
}
