// What part of the nodes' chart is in view: a stretch of time, shared with the charts over time, and rows of nodes.
const SHORTEST_VIEW_S = 2;

class GanttView {
  constructor() {
    this.rows = null;
    this.length = 1;
    this.nodes = 1;
  }

  /** A new run to look at: keep the view where it still makes sense. */
  fit(length, nodes) {
    this.length = length;
    if (nodes !== this.nodes) this.rows = null;
    this.nodes = nodes;
  }

  get span() {
    return selection.span || [0, this.length];
  }

  get shownRows() {
    return this.rows || [0, this.nodes];
  }

  get whole() {
    return selection.span === null && this.rows === null;
  }

  set(span, rows) {
    const [from, to] = clamped(rows, this.nodes, Math.min(1, this.nodes));
    this.rows = from <= 0 && to >= this.nodes ? null : [from, to];
    const [low, high] = clamped(span, this.length, Math.min(SHORTEST_VIEW_S, this.length));
    select({ span: low <= 0 && high >= this.length ? null : [low, high] });
  }

  /** Scale time around a fixed point, given as a share of the view. */
  zoomTime(factor, at = 0.5) {
    const [low, high] = this.span;
    const size = Math.min((high - low) * factor, this.length);
    const fixed = low + at * (high - low);
    this.set([fixed - at * size, fixed + (1 - at) * size], this.shownRows);
  }

  zoomRows(factor) {
    const [low, high] = this.shownRows;
    const middle = (low + high) / 2, size = Math.max((high - low) * factor, 1) / 2;
    this.set(this.span, [middle - size, middle + size]);
  }

  /** Move by shares of the view. */
  pan(time, rows) {
    const [low, high] = this.span, [from, to] = this.shownRows;
    const dt = time * (high - low), dn = rows * (to - from);
    this.set([low + dt, high + dt], [from + dn, to + dn]);
  }

  reset() {
    this.rows = null;
    select({ span: null });
  }
}

/** A stretch moved and, if it must be, shortened into [0, whole], at least `least` long. */
function clamped([low, high], whole, least) {
  const size = within(high - low, least, whole);
  const start = within(low + (high - low - size) / 2, 0, whole - size);
  return [start, start + size];
}
