// From values to pixels, and where the ticks stand.
const DURATION_TICKS = [[1, "1 s"], [10, "10 s"], [60, "1 min"], [600, "10 min"], [3600, "1 h"], [6 * HOUR, "6 h"],
  [DAY, "1 d"], [7 * DAY, "7 d"], [30 * DAY, "30 d"], [365 * DAY, "1 y"]];
const TIME_STEPS = [1, 5, 15, 60, 300, 900, 1800, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY,
  30 * DAY, 90 * DAY];

function linearScale(low, high, from, to) {
  const size = high - low || 1;
  return { at: (value) => from + ((value - low) / size) * (to - from), invert: (x) => low + ((x - from) / (to - from)) * size };
}

function logScale(low, high, from, to) {
  const inner = linearScale(Math.log(low), Math.log(high), from, to);
  return { at: (value) => inner.at(Math.log(Math.max(value, low))), invert: (x) => Math.exp(inner.invert(x)) };
}

/** Round steps of 1, 2 or 5 from zero to at least `high`. */
function linearTicks(high, most) {
  const rough = Math.max(high, 1e-9) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const count = Math.ceil(high / step - 1e-9) || 1;
  return Array.from({ length: count + 1 }, (_, i) => i * step);
}

/** Ticks of durations within a span, no closer than `gap` pixels. */
function durationTicks(low, high, scale, gap) {
  let last = -Infinity;
  return DURATION_TICKS.filter(([value]) => {
    const fits = value >= low * 0.999 && value <= high * 1.001 && scale.at(value) - last >= gap;
    if (fits) last = scale.at(value);
    return fits;
  });
}

/** Ticks of time since the start: as fine as the room allows, in days and hours. */
function timeTicks(low, high, most) {
  const step = TIME_STEPS.find((size) => (high - low) / size <= most) || (high - low) / most;
  const ticks = [];
  for (let t = Math.ceil(low / step - 1e-9) * step + 0; t <= high + 1e-6; t += step) ticks.push([t, tickText(t, step)]);
  return ticks;
}

function tickText(seconds, step) {
  if (step >= DAY) return `${number(seconds / DAY)} d`;
  const days = Math.floor(seconds / DAY + 1e-9);
  const rest = seconds - days * DAY;
  const hours = Math.round(rest / HOUR);
  if (step >= HOUR && days) return hours ? `${days} d ${hours} h` : `${days} d`;
  if (step >= HOUR) return `${hours} h`;
  return moment(seconds).replace(/^0 d /, "");
}
