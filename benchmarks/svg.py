"""Pictures for the docs as SVG: axes with ticks, lines, marks, legends; and tables between marks of a page.

Text is dark on a white ground of the picture's own, so a picture reads the same in a light and in a dark theme. What is
drawn, and from which results, is for whoever draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

STYLE = "text{font:11px system-ui,sans-serif;fill:#445} .t{font-weight:600;font-size:13px}"
TEXT, GRID, MUTED = "#445", "#e4e6ea", "#8a8f98"
PALETTE = ("#3b6fd4", "#c98a1b", "#2f9e6e", "#7a3fb8", "#c2413b")
STEPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Between ticks: the first of these, times a power of ten, with at most five of them."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Span:
    """What an axis shows; logarithmic where `log`, and then with `low` above 0."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Axes:
    """A plot: the pixels of its upper left corner and of its sides, what its axes show."""

    left: float
    top: float
    width: float
    height: float
    x: Span
    y: Span

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a point."""
        return self.left + self.x.share(x) * self.width, self.top + self.height - self.y.share(y) * self.height

    def tick_x(self, value: float, label: str) -> str:
        """A number below the plot."""
        x, y = self.place(value, self.y.low)
        return f'<text x="{x:.1f}" y="{y + 14:.1f}" text-anchor="middle">{label}</text>'

    def tick_y(self, value: float, label: str) -> str:
        """A number beside the plot, and a line across it."""
        x, y = self.place(self.x.low, value)
        line = f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x + self.width:.1f}" y2="{y:.1f}" stroke="{GRID}"/>'
        return f'{line}<text x="{x - 5:.1f}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'

    def line(self, points: Points, colour: str, *, dashed: bool = False, width: float = 1.8) -> str:
        """A line through points."""
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        through = " ".join("{:.1f},{:.1f}".format(*self.place(x, y)) for x, y in points)
        return f'<polyline points="{through}" fill="none" stroke="{colour}" stroke-width="{width}"{dash}/>'

    def steps(self, points: Points, colour: str, *, dashed: bool = False) -> str:
        """A line on which each value holds until the next."""
        corners = [point for (_, before), (x, y) in pairwise(points) for point in ((x, before), (x, y))]
        return self.line([points[0], *corners], colour, dashed=dashed, width=1.4)

    def level(self, y: float, colour: str = TEXT) -> str:
        """A dashed line at one height."""
        return self.line([(self.x.low, y), (self.x.high, y)], colour, dashed=True, width=1.0)


def numbers_x(axes: Axes, values: Iterable[float], form: str = "{:g}") -> list[str]:
    """Ticks with their numbers."""
    return [axes.tick_x(value, form.format(value)) for value in values]


def numbers_y(axes: Axes, values: Iterable[float], form: str = "{:g}") -> list[str]:
    """Ticks with their numbers."""
    return [axes.tick_y(value, form.format(value)) for value in values]


def span_of(values: Sequence[float]) -> Span:
    """All values, with some room."""
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.05
    return Span(low - margin, high + margin)


def ticks(span: Span) -> list[float]:
    """Round numbers on a linear axis."""
    wide = span.high - span.low
    power = 10.0 ** max(0, math.floor(math.log10(wide / 5.0)) + 1)
    step = power * next(s for s in STEPS if wide / (s * power) <= 5 or s == 1.0)
    return [i * step for i in range(math.ceil(span.low / step), math.floor(span.high / step) + 1)]


def shape(name: str, x: float, y: float, paint: str) -> str:
    """A mark: circle, square, diamond, or a triangle."""
    if name == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" {paint}/>'
    if name == "square":
        return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" {paint}/>'
    if name == "diamond":
        return f'<path d="M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z" {paint}/>'
    return f'<path d="M{x:.1f} {y - 5:.1f}l5.2 9h-10.4z" {paint}/>'


def text(x: float, y: float, what: str, *, anchor: str = "start", title: bool = False) -> str:
    """Words."""
    kind = ' class="t"' if title else ""
    placed = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text{kind} x="{x:g}" y="{y:g}"{placed}>{escape(what, quote=False)}</text>'


def legend(x: float, y: float, entries: Iterable[tuple[str, str, bool]]) -> str:
    """Lines and what they are: name, colour, dashed."""
    parts = []
    for name, colour, dashed in entries:
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        line = (
            f'<line x1="{x:g}" y1="{y - 4:g}" x2="{x + 18:g}" y2="{y - 4:g}" stroke="{colour}" stroke-width="2"{dash}/>'
        )
        parts.append(line + text(x + 23, y, name))
        x += 42 + 6.2 * len(name)
    return "\n".join(parts)


def write_picture(path: Path, width: float, height: float, parts: Iterable[str]) -> None:
    """The parts as one picture of so many pixels."""
    body = "\n".join(parts)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}">'
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n',
        encoding="utf-8",
    )


def write_table(page: Path, mark: str, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """A table between `<!-- MARK -->` and `<!-- end of the MARK -->` of a page; ends the program where they are not."""
    begin, end = f"<!-- {mark} -->", f"<!-- end of the {mark} -->"
    before, begun, rest = page.read_text(encoding="utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise SystemExit(f"{page}: expected the marks {begin} and {end}")
    rows = ["| " + " | ".join(cells) + " |" for cells in (columns, *lines)]
    rows.insert(1, "|" + "---|" * len(columns))
    page.write_text(before + begin + "\n\n" + "\n".join(rows) + "\n\n" + end + after, encoding="utf-8")
