// Numbers as people read them. A missing value is an en dash everywhere.
const NOTHING = "–";
const MINUTE = 60, HOUR = 3600, DAY = 86400;

/** "50.0 kW" as "50 kW": for ticks, which are round. */
const withoutZeros = (text) => text.replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");

const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

function number(value, digits = 0) {
  if (!known(value)) return NOTHING;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Three significant digits, thousands in full. */
function rounded(value) {
  if (!known(value)) return NOTHING;
  const size = Math.abs(value);
  return number(value, size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

function duration(seconds) {
  if (!known(seconds)) return NOTHING;
  const size = Math.abs(seconds);
  if (size >= 2 * DAY) return `${rounded(seconds / DAY)} d`;
  if (size >= 2 * HOUR) return `${rounded(seconds / HOUR)} h`;
  if (size >= 2 * MINUTE) return `${rounded(seconds / MINUTE)} min`;
  return `${size > 0 && size < 10 ? number(seconds, 1) : number(seconds)} s`;
}

const DURATION_UNITS = [[DAY, "d"], [HOUR, "h"], [MINUTE, "min"], [1, "s"]];

/** One unit for all times of a table, the one that suits their median, so that they compare at a glance. */
function sharedDuration(values) {
  const times = values.filter((value) => known(value) && value > 0).sort((a, b) => a - b);
  const typical = times[times.length >> 1] || 0;
  const [size, unit] = DURATION_UNITS.find(([least]) => typical >= 2 * least) || [1, "s"];
  return (value) => (known(value) ? `${number(value / size, size === 1 ? 0 : 2)} ${unit}` : NOTHING);
}

/** A moment since the start of the window: "2 d 06:30". */
function moment(seconds) {
  const sign = seconds < 0 ? "-" : "";
  const whole = Math.round(Math.abs(seconds));
  const days = Math.floor(whole / DAY);
  const clock = [Math.floor((whole % DAY) / HOUR), Math.floor((whole % HOUR) / MINUTE)];
  const text = clock.map((part) => String(part).padStart(2, "0")).join(":");
  const fine = whole % MINUTE ? `:${String(whole % MINUTE).padStart(2, "0")}` : "";
  return `${sign}${days} d ${text}${fine}`;
}

function scaled(value, unit, steps) {
  if (!known(value)) return NOTHING;
  const [size, prefix] = steps.find(([least]) => Math.abs(value) >= least) || [1, ""];
  return `${rounded(value / size)} ${prefix}${unit}`;
}

const POWERS = [[1e6, "M"], [1e3, "k"]];
const watts = (value) => scaled(value, "W", POWERS);
const wattHours = (joules) => scaled(known(joules) ? joules / 3600 : null, "Wh", [[1e9, "G"], ...POWERS]);
const gpuHours = (gpuSeconds) => `${rounded(known(gpuSeconds) ? gpuSeconds / HOUR : null)}`;
const percent = (share, digits = 0) => (known(share) ? `${number(100 * share, digits)}%` : NOTHING);

/** A field of summary.json by the unit in its name. */
function byUnit(name, value) {
  if (!known(value)) return value === null || value === undefined ? NOTHING : String(value);
  if (/gpu_s(_|$)/.test(name)) return `${gpuHours(value)} GPU-h`;
  if (/_s$/.test(name) || /(jct|queueing)_s/.test(name)) return duration(value);
  if (/_j$/.test(name)) return wattHours(value);
  if (/_w$/.test(name)) return watts(value);
  return Number.isInteger(value) ? number(value) : rounded(value);
}
