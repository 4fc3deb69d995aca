"""The picture and the table of the first answer: energy per work against completion time, one panel a cluster.

python benchmarks/answer_chart.py     reads benchmarks/results/answer.json, writes docs/images/answer.svg and the
                                      table in docs/design/first-answer.md
"""

from __future__ import annotations

import json
import math
from html import escape
from typing import Any

from measured import RESULTS, ROOT

WIDTH, HEIGHT, MARGIN, GAP = 300, 250, 46, 14
BEGIN, END = "<!-- table -->", "<!-- end of the table -->"
COLUMNS = (
    "cluster", "scheduler", "power", "MWh IT", "work/kJ", "gain over FIFO", "gain over its own default", "GPUs alone",
    "share of bound", "JCT h", "p99 wait h", "stretch", "FIFO's service", "own service",
)  # fmt: skip
GAINS = ("vs FIFO %", "vs own default %", "GPUs vs own default %")
COLOURS = {
    "default": "#8a8f98",
    "sleep": "#2f9e6e",
    "uniform-cap": "#c98a1b",
    "static": "#3b6fd4",
    "static+sleep": "#7a3fb8",
}
SHAPES = {"fifo": "circle", "easy-backfill": "square", "qssf": "diamond", "qssf+pack": "triangle"}


def main() -> None:
    rows = json.loads((RESULTS / "answer.json").read_text(encoding="utf-8"))["rows"]
    clusters = list(dict.fromkeys(row["cluster"] for row in rows))
    panels = [_panel(i, name, [r for r in rows if r["cluster"] == name]) for i, name in enumerate(clusters)]
    width, height = len(clusters) * (WIDTH + GAP) + GAP, HEIGHT + 60
    body = "\n".join([*panels, _legend(width, height)])
    style = "text{font:11px system-ui,sans-serif;fill:#445} .t{font-weight:600;font-size:13px}"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">'
        f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )
    (ROOT / "docs" / "images" / "answer.svg").write_text(svg, encoding="utf-8")
    _write_table(rows)


def _write_table(rows: list[dict[str, Any]]) -> None:
    page = ROOT / "docs" / "design" / "first-answer.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{page}: expected the marks {BEGIN} and {END}")
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS), *map(_line, rows)]
    page.write_text(before + BEGIN + "\n\n" + "\n".join(lines) + "\n\n" + end + after, encoding="utf-8")


def _line(row: dict[str, Any]) -> str:
    gains = [_unsigned_zero(f"{row[name]:+.1f}% {row[f'{name} range']}") for name in GAINS]
    bound = row["% of bound"] if isinstance(row["% of bound"], str) else f"{row['% of bound']:.0f}%"
    hours = [f"{row[name]:.2f}" for name in ("JCT h", "p99 wait h", "stretch")]
    facts = [row["cluster"], row["scheduler"], row["power"], f"{row['MWh IT']:.1f}", f"{row['work/kJ']:.2f}"]
    kept = [row["matched FIFO"], "" if row["power"] == "default" else row["matched own"]]
    return "| " + " | ".join([*facts, *gains, bound, *hours, *kept]) + " |"


def _unsigned_zero(text: str) -> str:
    return text.replace("-0.0", "0.0").replace("+0.0", "0.0")


def _panel(index: int, name: str, rows: list[dict[str, Any]]) -> str:
    """One cluster: x is mean JCT, y kWh of IT for each GPU-hour of work, both relative to FIFO at default clocks."""
    first = rows[0]
    points = [(r["JCT h"] / first["JCT h"], first["work/kJ"] / r["work/kJ"], r) for r in rows]
    xs, ys = [x for x, _, _ in points], [y for _, y, _ in points]
    left, right = _range(xs)
    low, high = _range(ys)
    origin = GAP + index * (WIDTH + GAP)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - left) / (right - left) * (WIDTH - MARGIN - 10)
        up = (y - low) / (high - low) * (HEIGHT - 70)
        return origin + MARGIN + across, HEIGHT - 34 - up

    marks = [_mark(*place(x, y), row) for x, y, row in points]
    ticks = [_tick_x(*place(x, low), x) for x in _ticks(left, right)]
    ticks += [_tick_y(*place(left, y), y) for y in _ticks(low, high)]
    title = f'<text class="t" x="{origin + MARGIN}" y="16">{escape(name)}</text>'
    label = f'<text x="{origin + MARGIN}" y="{HEIGHT - 4}">mean JCT, FIFO at default clocks = 1</text>'
    side = f'<text x="{origin + MARGIN}" y="30">energy per work, same = 1</text>'
    return "\n".join([title, label, side, *ticks, *marks])


def _range(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if (high - low) / s <= 5 or s == 1.0)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _tick_x(x: float, y: float, value: float) -> str:
    return f'<text x="{x:.1f}" y="{y + 14:.1f}" text-anchor="middle">{value:.2f}</text>'


def _tick_y(x: float, y: float, value: float) -> str:
    line = f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x + WIDTH - MARGIN - 10:.1f}" y2="{y:.1f}" stroke="#e4e6ea"/>'
    return f'{line}<text x="{x - 5:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>'


def _power(spec: str) -> str:
    return "+".join(part.split(":")[0] for part in spec.split("+"))


def _mark(x: float, y: float, row: dict[str, Any]) -> str:
    """Filled where the service matches that of the same scheduler at default clocks, else hollow."""
    colour = COLOURS[_power(row["power"])]
    paint = f'fill="{colour}"' if row["matched own"] == "yes" else f'fill="none" stroke="{colour}" stroke-width="1.6"'
    title = f"<title>{escape(row['scheduler'])} / {escape(row['power'])}</title>"
    return f"<g>{title}{_shape(SHAPES[row['scheduler']], x, y, paint)}</g>"


def _shape(shape: str, x: float, y: float, paint: str) -> str:
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" {paint}/>'
    if shape == "square":
        return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" {paint}/>'
    if shape == "diamond":
        return f'<path d="M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z" {paint}/>'
    return f'<path d="M{x:.1f} {y - 5:.1f}l5.2 9h-10.4z" {paint}/>'


def _legend(width: int, height: int) -> str:
    parts, x = [], MARGIN
    for name, shape in SHAPES.items():
        parts.append(
            _shape(shape, x, height - 36, 'fill="#445"') + f'<text x="{x + 9}" y="{height - 32}">{name}</text>'
        )
        x += 40 + 7 * len(name)
    x = MARGIN
    for name, colour in COLOURS.items():
        parts.append(f'<circle cx="{x}" cy="{height - 14}" r="4.5" fill="{colour}"/>')
        parts.append(f'<text x="{x + 9}" y="{height - 10}">{name}</text>')
        x += 40 + 7 * len(name)
    note = "hollow: service worse than the same scheduler's at default clocks"
    parts.append(f'<text x="{width - GAP}" y="{height - 32}" text-anchor="end">{note}</text>')
    return "\n".join(parts)


if __name__ == "__main__":
    main()
