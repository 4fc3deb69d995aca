// Tables that sort by any column, by mouse and keyboard, and remember the order when they are drawn anew.
const tableOrders = new Map();

/**
 * `columns`: [{title, unit, hint, low}] (the first names the rows; `low` sorts ascending first), `rows`:
 * [{cells: [{value, text or node, kind, bar}], kind}]. A missing value sorts last in both directions.
 */
function sortableTable({ id, caption, columns, rows }) {
  const body = el("tbody");
  const heads = columns.map((head, i) => headCell(head, i, () => reorder(i)));
  const order = () => tableOrders.get(id) || { column: null, down: false };
  function reorder(i) {
    const { column: before, down } = order();
    tableOrders.set(id, { column: i, down: before === i ? !down : i > 0 && !columns[i].low });
    fill();
    announce(`Sorted by ${columns[i].title}, ${order().down ? "descending" : "ascending"}.`);
  }
  function fill() {
    const { column: by, down } = order();
    heads.forEach((th, i) => th.setAttribute("aria-sort", by !== i ? "none" : down ? "descending" : "ascending"));
    body.replaceChildren(...sorted(rows, by, down).map(tableRow));
  }
  fill();
  const table = el("table", { id }, el("caption", { class: "unseen" }, caption), el("thead", {}, el("tr", {}, heads)), body);
  return scroller(caption, table);
}

function headCell({ title, unit, hint, name }, i, onclick) {
  const text = el("span", { class: "head" }, name || title, unit ? el("small", {}, unit) : null);
  const button = el("button", { type: "button", onclick, title: hint || null }, text, el("span", { class: "arrow", "aria-hidden": "true" }));
  return el("th", { scope: "col", class: i ? "numeric" : null }, button);
}

function sorted(rows, by, down) {
  if (by === null) return rows;
  const factor = down ? -1 : 1;
  return [...rows].sort((a, b) => compare(a.cells[by].value, b.cells[by].value, factor));
}

function compare(a, b, factor) {
  const missing = (value) => value === null || value === undefined || Number.isNaN(value);
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  return factor * (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
}

function tableRow({ cells, kind }) {
  return el("tr", { class: kind }, cells.map((cell, i) => tableCell(cell, i)));
}

function tableCell({ text, node, kind, bar, policy }, i) {
  const content = node || text;
  if (i === 0) return el("th", { scope: "row" }, content);
  const cell = el("td", { class: ["numeric", kind].filter(Boolean).join(" ") }, content);
  if (known(bar)) {
    cell.classList.add("barred");
    cell.style.setProperty("--share", bar.toFixed(4));
    if (policy !== undefined) cell.style.setProperty("--colour", policyColour(policy));
  }
  return cell;
}
