// Building the page. Text goes in as text nodes only, so that a name can never become markup.
const SVG = "http://www.w3.org/2000/svg";

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const el = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => build(document.createElementNS(SVG, tag), attributes, children);

/** A name from the data, kept apart from its surroundings whatever its writing direction. */
const named = (text) => el("bdi", {}, text);

const bodyOf = (id) => document.querySelector(`#${id} .body`);

function announce(text) {
  document.getElementById("announcement").textContent = text;
}

/** A box that scrolls sideways by itself, with the keyboard too, so that the page never has to. */
function scroller(label, ...children) {
  return el("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": label }, ...children);
}

/** A chart with its title, how to read it, and a place to draw. */
function figure(id, title, how) {
  const canvas = el("div", { class: "drawing" });
  const legend = el("p", { class: "legend policies" });
  const note = el("p", { class: "note", hidden: true });
  const node = el("figure", { id, class: "chart" }, el("figcaption", {}, el("h3", {}, title), el("p", {}, how), legend), canvas, note);
  return { node, canvas, note, title, legend };
}

function setNote(note, text) {
  note.textContent = text;
  note.hidden = !text;
}

/** Colours and dashes of a policy, the same in every chart. */
const policyColour = (policy) => `var(--policy-${policy % 8})`;
const policyDash = (policy) => ["", "7 3", "2 3"][Math.floor(policy / 4) % 3] || null;

function policyName(policy) {
  const { label, oracle } = DIMENSIONS.policies[policy];
  return oracle ? `${label} †` : label;
}

function swatch(policy) {
  const line = svg("line", { x1: 1, y1: 5, x2: 21, y2: 5, stroke: policyColour(policy), "stroke-width": 3, "stroke-dasharray": policyDash(policy) });
  return svg("svg", { class: "swatch", viewBox: "0 0 22 10", "aria-hidden": "true" }, line);
}

const policyLabel = (policy) => el("span", { class: "policy" }, swatch(policy), named(policyName(policy)));

/** Redraw when the width changes; the first call is the first drawing. */
function onWidth(node, draw) {
  let width = 0;
  const watch = new ResizeObserver(() => {
    if (node.clientWidth !== width && node.clientWidth > 0) {
      width = node.clientWidth;
      draw();
    }
  });
  watch.observe(node);
}
