// One box near the pointer that says what lies under it.
let tooltipOwner = null;
const tooltip = document.getElementById("tooltip");

function showTooltip(owner, x, y, title, rows) {
  tooltipOwner = owner;
  tooltip.replaceChildren(el("p", { class: "tooltip-title" }, title), el("dl", {}, rows.map(([name, value]) => [
    el("dt", {}, name), el("dd", {}, value)])));
  tooltip.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = tooltip;
  const room = document.documentElement.clientWidth;
  const left = x + 14 + width > room ? x - width - 14 : x + 14;
  const top = y + 14 + height > window.innerHeight ? y - height - 14 : y + 14;
  tooltip.style.left = `${Math.max(4, Math.min(left, room - width - 4))}px`;
  tooltip.style.top = `${Math.max(4, top)}px`;
}

/** A drawing takes away only what it said itself: it may lose the focus after another one has spoken. */
function hideTooltip(owner) {
  if (owner === tooltipOwner) tooltip.hidden = true;
}

function hideAnyTooltip() {
  tooltip.hidden = true;
}

/** When a mouse leaves; a finger has always left, so what it read stays until the next touch elsewhere. */
function onLeave(node, act) {
  node.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") act(); });
}

document.addEventListener("pointerdown", hideAnyTooltip, { capture: true });
window.addEventListener("scroll", hideAnyTooltip, { passive: true });
