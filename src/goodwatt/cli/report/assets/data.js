// The data of the page: columns of numbers are base64 of little-endian arrays.
const REPORT = JSON.parse(document.getElementById("data").textContent);
const DIMENSIONS = REPORT.dimensions;
const COLUMN_TYPES = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, f32: Float32Array };

const decoded = new WeakMap();

/** The typed array of a packed column, decoded on first use. */
function column(packed) {
  if (!decoded.has(packed)) decoded.set(packed, decode(packed));
  return decoded.get(packed);
}

function decode({ type, base64 }) {
  const text = window.atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new COLUMN_TYPES[type](bytes.buffer);
}

/** The buckets of time that the runs of one window and seed share. */
const gridOf = (run) => REPORT.grids[`${run.window}/${run.seed}`];

const jobLists = new Map();

/** The facts of the jobs of one window and seed, as columns; null where no chart of nodes needs them. */
function jobFacts(run) {
  const key = `${run.window}/${run.seed}`;
  const packed = REPORT.jobs[key];
  if (!packed) return null;
  if (!jobLists.has(key)) {
    jobLists.set(key, {
      id: packed.id, users: packed.users, user: column(packed.user), gang: column(packed.gang),
      partition: column(packed.partition), gpus: column(packed.num_gpus), submit: column(packed.submit_s),
      instances: packed.instances,
    });
  }
  return jobLists.get(key);
}
