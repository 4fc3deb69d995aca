// What the reader chose to see. Charts and tables register what they depend on and are redrawn once per frame.
const everyIndex = (labels) => new Set(labels.map((_, i) => i));

/** Until the last horizon, because what follows only lets the last jobs end; everything where there is none. */
function firstSpan() {
  const horizons = Object.values(REPORT.grids).map((grid) => grid.horizon_s);
  return horizons.length && horizons.every((horizon) => horizon !== null) ? [0, Math.max(...horizons)] : null;
}

const selection = {
  policies: everyIndex(DIMENSIONS.policies),
  gangs: everyIndex(DIMENSIONS.gangs),
  partition: null,
  window: null,
  seed: null,
  span: firstSpan(), // the stretch of time that the charts over time show, null for all of it
};

const watchers = [];
let pending = null;

/** Call `draw` after any of the fields changed. */
function onSelection(fields, draw) {
  watchers.push({ fields, draw });
}

function select(change) {
  Object.assign(selection, change);
  if (pending) {
    Object.keys(change).forEach((field) => pending.add(field));
    return;
  }
  pending = new Set(Object.keys(change));
  window.requestAnimationFrame(redraw);
}

function redraw() {
  const changed = pending;
  pending = null;
  for (const { fields, draw } of watchers) {
    if (fields.some((field) => changed.has(field))) draw();
  }
}

const JOB_FIELDS = ["policies", "gangs", "partition", "window", "seed"];
const TIME_FIELDS = ["policies", "window", "seed", "span"];

const shownPolicies = () => DIMENSIONS.policies.map((_, i) => i).filter((i) => selection.policies.has(i));

const jobsFiltered = () => selection.gangs.size < DIMENSIONS.gangs.length || selection.partition !== null;

const keepsGroup = (gang, partition) =>
  selection.gangs.has(gang) && (selection.partition === null || selection.partition === partition);

function runsOf(policy) {
  return REPORT.runs.filter((run) => run.policy === policy
    && (selection.window === null || run.window === selection.window)
    && (selection.seed === null || run.seed === selection.seed));
}

/** Times of different windows do not lie on top of each other: charts over time show one run per policy. */
function runOverTime(policy) {
  return runsOf(policy).find((run) => run.timeline) || null;
}

function shownRunsOverTime() {
  const runs = shownPolicies().map(runOverTime).filter(Boolean);
  return runs.filter((run) => run.window === runs[0].window && run.seed === runs[0].seed);
}

function runTitle(run) {
  const several = DIMENSIONS.windows.length > 1 || DIMENSIONS.seeds.length > 1;
  return several ? `window ${DIMENSIONS.windows[run.window]}, seed ${DIMENSIONS.seeds[run.seed]}` : "";
}

function onlyOneRunNote(run) {
  const several = selection.window === null && DIMENSIONS.windows.length > 1
    || selection.seed === null && DIMENSIONS.seeds.length > 1;
  return run && several ? `Shows ${runTitle(run)}; choose another above.` : "";
}
