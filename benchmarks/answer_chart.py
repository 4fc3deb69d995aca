"""The picture and the table of the first answer: energy per work against completion time, one panel a cluster.

python benchmarks/answer_chart.py     reads benchmarks/results/answer.json, writes docs/images/answer.svg and the
                                      table in docs/design/first-answer.md
"""

from __future__ import annotations

import json
from html import escape
from typing import Any

from measured import RESULTS, ROOT
from svg import Axes, numbers_x, numbers_y, shape, span_of, text, ticks, write_picture, write_table

WIDTH, HEIGHT, MARGIN, GAP = 300, 250, 46, 14
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
    parts = [*panels, _legend(width, height)]
    write_picture(ROOT / "docs" / "images" / "answer.svg", width, height, parts)
    write_table(ROOT / "docs" / "design" / "first-answer.md", "table", COLUMNS, map(_cells, rows))


def _cells(row: dict[str, Any]) -> list[str]:
    gains = [_unsigned_zero(f"{row[name]:+.1f}% {row[f'{name} range']}") for name in GAINS]
    bound = row["% of bound"] if isinstance(row["% of bound"], str) else f"{row['% of bound']:.0f}%"
    hours = [f"{row[name]:.2f}" for name in ("JCT h", "p99 wait h", "stretch")]
    facts = [row["cluster"], row["scheduler"], row["power"], f"{row['MWh IT']:.1f}", f"{row['work/kJ']:.2f}"]
    kept = [row["matched FIFO"], "" if row["power"] == "default" else row["matched own"]]
    return [*facts, *gains, bound, *hours, *kept]


def _unsigned_zero(text: str) -> str:
    return text.replace("-0.0", "0.0").replace("+0.0", "0.0")


def _panel(index: int, name: str, rows: list[dict[str, Any]]) -> str:
    """One cluster: x is mean JCT, y kWh of IT for each GPU-hour of work, both relative to FIFO at default clocks."""
    first = rows[0]
    points = [(r["JCT h"] / first["JCT h"], first["work/kJ"] / r["work/kJ"], r) for r in rows]
    across, up = span_of([x for x, _, _ in points]), span_of([y for _, y, _ in points])
    left = GAP + index * (WIDTH + GAP) + MARGIN
    axes = Axes(left, 36, WIDTH - MARGIN - 10, HEIGHT - 70, across, up)
    marks = [_mark(*axes.place(x, y), row) for x, y, row in points]
    numbers = [*numbers_x(axes, ticks(across), "{:.2f}"), *numbers_y(axes, ticks(up), "{:.2f}")]
    label = text(left, HEIGHT - 4, "mean JCT, FIFO at default clocks = 1")
    side = text(left, 30, "energy per work, same = 1")
    return "\n".join([text(left, 16, name, title=True), label, side, *numbers, *marks])


def _power(spec: str) -> str:
    return "+".join(part.split(":")[0] for part in spec.split("+"))


def _mark(x: float, y: float, row: dict[str, Any]) -> str:
    """Filled where the service matches that of the same scheduler at default clocks, else hollow."""
    colour = COLOURS[_power(row["power"])]
    paint = f'fill="{colour}"' if row["matched own"] == "yes" else f'fill="none" stroke="{colour}" stroke-width="1.6"'
    title = f"<title>{escape(row['scheduler'])} / {escape(row['power'])}</title>"
    return f"<g>{title}{shape(SHAPES[row['scheduler']], x, y, paint)}</g>"


def _legend(width: int, height: int) -> str:
    parts, x = [], MARGIN
    for name, mark in SHAPES.items():
        parts.append(shape(mark, x, height - 36, 'fill="#445"') + text(x + 9, height - 32, name))
        x += 40 + 7 * len(name)
    x = MARGIN
    for name, colour in COLOURS.items():
        parts.append(f'<circle cx="{x}" cy="{height - 14}" r="4.5" fill="{colour}"/>')
        parts.append(text(x + 9, height - 10, name))
        x += 40 + 7 * len(name)
    note = "hollow: service worse than the same scheduler's at default clocks"
    parts.append(text(width - GAP, height - 32, note, anchor="end"))
    return "\n".join(parts)


if __name__ == "__main__":
    main()
