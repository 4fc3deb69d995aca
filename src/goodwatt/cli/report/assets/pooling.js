// Sums and distributions over the chosen runs and groups of jobs.
const SUMS = ["jobs", "finished", "started", "refused", "jct_s", "queueing_s", "work_gpu_s", "lost_gpu_s",
  "energy_j", "energy_known", "preemptions"];

const noSums = () => Object.fromEntries(SUMS.map((name) => [name, 0]));

function addGroup(total, groups, i) {
  for (const name of SUMS) total[name] += groups[name][i];
}

/** Sums of the chosen jobs per code of a dimension ("user", "gang"), or all under 0 if none is named. */
function totalsBy(runs, dimension) {
  const totals = new Map();
  for (const { groups } of runs) {
    for (let i = 0; i < groups.jobs.length; i++) {
      if (!keepsGroup(groups.gang[i], groups.partition[i])) continue;
      const code = dimension ? groups[dimension][i] : 0;
      if (!totals.has(code)) totals.set(code, noSums());
      addGroup(totals.get(code), groups, i);
    }
  }
  return totals;
}

const totalOf = (runs) => totalsBy(runs, null).get(0) || noSums();

const ratio = (sum, count) => (count > 0 ? sum / count : null);

/** What the tables show of a group of jobs. */
const MEASURES = {
  jobs: { title: "Jobs", of: (t) => t.jobs, text: (v) => number(v) },
  unfinished: { title: "Unfinished", of: (t) => t.jobs - t.finished, text: (v) => number(v) },
  jct: { title: "Mean JCT", of: (t) => ratio(t.jct_s, t.finished), text: duration, time: true },
  queueing: { title: "Mean queueing", of: (t) => ratio(t.queueing_s, t.started), text: duration, time: true },
  work: { title: "Work", unit: "GPU-h", of: (t) => t.work_gpu_s, text: gpuHours },
  lost: { title: "Lost work", unit: "GPU-h", of: (t) => t.lost_gpu_s, text: gpuHours },
  energy: { title: "Energy", of: (t) => (t.energy_known > 0 ? t.energy_j : null), text: wattHours },
  preemptions: { title: "Preemptions", of: (t) => t.preemptions, text: (v) => number(v) },
};

const workWasLost = REPORT.runs.some((run) => run.groups.lost_gpu_s.some((n) => n > 0));
const energyIsKnown = REPORT.runs.some((run) => run.groups.energy_known.some((n) => n > 0));

/** How many sorted values a kept one stands for: the same arithmetic as where they were chosen. */
function keptRank(i, count, kept) {
  return kept === count ? i : Math.floor((2 * i * (count - 1) + kept - 1) / (2 * (kept - 1)));
}

function addStratum(points, offset, count, kept, into) {
  let before = -1;
  for (let i = 0; i < kept; i++) {
    const rank = keptRank(i, count, kept);
    into.push([points[offset + i], rank - before]);
    before = rank;
  }
}

/** The distribution of a time over all chosen jobs, unfinished ones included in `jobs` but without a value. */
function distribution(runs, measure) {
  const weighted = [];
  let jobs = 0;
  for (const { times } of runs) {
    const { counts, points } = times[measure];
    const values = column(points);
    let offset = 0;
    counts.forEach((count, k) => {
      const kept = Math.min(count, REPORT.limits.points);
      if (keepsGroup(times.gang[k], times.partition[k])) {
        addStratum(values, offset, count, kept, weighted);
        jobs += times.jobs[k];
      }
      offset += kept;
    });
  }
  return cumulative(weighted, jobs);
}

function cumulative(weighted, jobs) {
  weighted.sort((a, b) => a[0] - b[0]);
  let sum = 0;
  const ranks = weighted.map(([, weight]) => (sum += weight));
  return { values: weighted.map(([value]) => value), ranks, jobs, known: sum };
}

/** The time that a share of all jobs stayed within; null if fewer jobs ever got there. */
function quantile({ values, ranks, jobs }, share) {
  const rank = share * jobs;
  const i = ranks.findIndex((r) => r >= rank - 1e-9);
  return i < 0 ? null : values[i];
}

/** The curve as [time, share of all jobs], thinned to what a screen can show. */
function curve({ values, ranks, jobs }, most = 400) {
  const step = Math.max(1, (values.length - 1) / most);
  const points = [];
  for (let k = 0; k < values.length - 1; k += step) points.push(Math.round(k));
  if (values.length) points.push(values.length - 1);
  return points.map((i) => [values[i], ranks[i] / jobs]);
}
