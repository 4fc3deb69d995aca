// The bar of filters above everything it governs.
function drawFilters() {
  const parts = [
    DIMENSIONS.policies.length > 1 && checks("Policies", "policies", DIMENSIONS.policies.map((_, i) => policyLabel(i))),
    DIMENSIONS.gangs.length > 1 && checks("GPUs per job", "gangs", DIMENSIONS.gangs),
    choice("Window", "window", DIMENSIONS.windows),
    choice("Seed", "seed", DIMENSIONS.seeds.map(String)),
    choice("Partition", "partition", DIMENSIONS.partitions),
  ].filter(Boolean);
  const status = el("span", { class: "status" });
  const reset = el("button", { type: "button", class: "quiet", id: "reset", onclick: resetFilters }, "Show all");
  const wide = window.matchMedia("(min-width: 760px)").matches;
  document.getElementById("filters").append(
    el("details", { open: wide }, el("summary", {}, el("b", {}, "Filter"), " ", status), el("div", { class: "controls" }, parts, reset)));
  const report = () => { status.textContent = filterStatus(); };
  onSelection(JOB_FIELDS, report);
  report();
}

/** Checkboxes of which at least one stays ticked. */
function checks(title, field, labels) {
  const boxes = labels.map((label, i) => {
    const box = el("input", { type: "checkbox", name: field, value: i, checked: true });
    box.addEventListener("change", () => tick(field, boxes));
    return box;
  });
  onSelection([field], () => boxes.forEach((box, i) => { box.checked = selection[field].has(i); }));
  const chips = labels.map((label, i) => el("label", { class: "chip" }, boxes[i], typeof label === "string" ? named(label) : label));
  return el("fieldset", {}, el("legend", {}, title), chips);
}

function tick(field, boxes) {
  const chosen = new Set(boxes.filter((box) => box.checked).map((box) => Number(box.value)));
  select({ [field]: chosen.size ? chosen : selection[field] });
}

function choice(title, field, labels) {
  if (labels.length < 2) return null;
  const menu = el("select", { name: field }, el("option", { value: "" }, "all"), labels.map((label, i) => el("option", { value: i }, label)));
  menu.addEventListener("change", () => select({ [field]: menu.value === "" ? null : Number(menu.value), ...(field === "window" ? { span: null } : {}) }));
  onSelection([field], () => { menu.value = selection[field] === null ? "" : String(selection[field]); });
  return el("label", { class: "choice" }, title, menu);
}

function resetFilters() {
  select({
    policies: everyIndex(DIMENSIONS.policies), gangs: everyIndex(DIMENSIONS.gangs),
    partition: null, window: null, seed: null, span: null,
  });
}

function filterStatus() {
  const said = [];
  const { policies, gangs } = selection;
  if (policies.size < DIMENSIONS.policies.length) said.push(`${policies.size} of ${DIMENSIONS.policies.length} policies`);
  if (gangs.size < DIMENSIONS.gangs.length) said.push(`jobs of ${[...gangs].map((g) => DIMENSIONS.gangs[g]).join(", ")} GPUs`);
  if (selection.partition !== null) said.push(`partition ${DIMENSIONS.partitions[selection.partition]}`);
  if (selection.window !== null) said.push(`window ${DIMENSIONS.windows[selection.window]}`);
  if (selection.seed !== null) said.push(`seed ${DIMENSIONS.seeds[selection.seed]}`);
  return said.length ? `showing ${said.join(" · ")}` : "showing everything";
}
