// One run: its most important numbers side by side.
const KEY_FIELDS = [
  ["requests", "Requests of services", (v) => number(v)], ["attainment", "On time", (v) => percent(v, 2)],
  ["minutes_kept", "Minutes that kept the promise", (v) => percent(v, 2)],
  ["tokens_per_joule_it", "Tokens on time per joule, IT", rounded],
  ["gpu_energy_j", "GPU energy", wattHours], ["it_energy_j", "IT energy", wattHours],
  ["facility_energy_j", "Energy of the site", wattHours], ["energy_cost", "Energy cost", rounded], ["co2_kg", "CO2, kg", rounded],
  ["goodput_per_watt_gpu", "Work per kJ of GPU energy", rounded], ["work_weighted_stretch", "Stretch", (v) => number(v, 3)],
  ["mean_clock_mhz", "Mean clock, MHz", rounded], ["mean_power_w", "Mean power", watts],
  ["peak_power_w", "Peak power", watts], ["over_budget_s", "Above the budget", duration],
  ["preemptions", "Preemptions", (v) => number(v)], ["makespan_s", "Makespan", duration],
];

function drawKeyNumbers() {
  if (REPORT.runs.length !== 1) return;
  const [run] = REPORT.runs;
  const total = totalOf([run]);
  const ofJobs = [
    ["Jobs finished", `${number(total.finished)} of ${number(total.jobs)}`],
    ["Mean JCT", MEASURES.jct.text(MEASURES.jct.of(total))],
    ["Mean queueing", MEASURES.queueing.text(MEASURES.queueing.of(total))],
  ];
  const tiles = [
    ...(total.jobs ? ofJobs : []),
    ...KEY_FIELDS.filter(([field]) => known(run.summary[field])).map(([field, title, text]) => [title, text(run.summary[field])]),
  ];
  bodyOf("key-numbers").append(el("dl", { class: "tiles" }, tiles.map(([title, text]) => el("div", {}, el("dt", {}, title), el("dd", {}, text)))));
  document.getElementById("key-numbers").hidden = false;
}
