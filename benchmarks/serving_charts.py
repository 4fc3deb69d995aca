"""Pictures and tables of docs/design/serving-results.md, from what the benchmarks of serving have left.

    python benchmarks/serving_charts.py

reads serving_classics.json, serving_classics_day.json and serving_day.json of benchmarks/results, writes
docs/images/serving-*.svg and the tables of the page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from measured import RESULTS, ROOT
from svg import (
    MUTED,
    PALETTE,
    Axes,
    Span,
    legend,
    numbers_x,
    numbers_y,
    shape,
    text,
    ticks,
    write_picture,
    write_table,
)

Row = dict[str, Any]
IMAGES, PAGE = ROOT / "docs" / "images", ROOT / "docs" / "design" / "serving-results.md"
WIDTH, HEIGHT, GAP, MARGIN = 300, 210, 16, 44
LOADS = dict(zip(("light", "medium", "heavy", "overload"), PALETTE, strict=False))
LOAD_NAMES = {
    "light": "light: 10%",
    "medium": "medium: 50%",
    "heavy": "heavy: 85%",
    "overload": "overload: always full",
}
SERVICES = {"True": "", "False": ", no guardrail"}


def main() -> None:
    found, days = _of("serving_classics"), _of("serving_classics_day")["rows"]
    clocks(found["clocks"])
    loads(found["loads"])
    pools(found["pools"])
    day(days)
    _bursts(found["bursts"])
    _days(_of("serving_day")["rows"], days)


def clocks(rows: Sequence[Row]) -> None:
    """Energy per token over that at the greatest clock, dashed where the promise is broken; and the table."""
    parts, lines = [], []
    for number, case in enumerate(_names(rows, "case")):
        own = [row for row in rows if row["case"] == case]
        axes = _axes(number, Span(0.0, max(row["MHz"] for row in own)), Span(0.3, 1.5))
        ground = [*numbers_x(axes, range(0, int(axes.x.high), 500)), *numbers_y(axes, (0.4, 0.6, 0.8, 1.0, 1.2, 1.4))]
        parts += [text(axes.left, 16, case, title=True), *ground]
        for load, colour in LOADS.items():
            line = [row for row in own if row["load"] == load]
            parts += _clock_line(axes, line, colour)
            lines.append(_clock_cells(case, load, line))
    parts.append(text(MARGIN, HEIGHT + 50, "MHz (across); J per output token, at the greatest clock = 1 (up)"))
    entries = [(LOAD_NAMES[load], colour, False) for load, colour in LOADS.items()]
    parts.append(legend(MARGIN, HEIGHT + 70, [*entries, ("promise broken", MUTED, True)]))
    write_picture(IMAGES / "serving-clocks.svg", 3 * (WIDTH + GAP), HEIGHT + 82, parts)
    columns = (
        "instance",
        "load",
        "/s",
        "J/token at full clock",
        "slowest clock that keeps the promise",
        "J/token there",
        "least of all",
        "at",
    )
    write_table(PAGE, "clocks", columns, lines)


def _clock_line(axes: Axes, rows: Sequence[Row], colour: str) -> list[str]:
    top_j = rows[-1]["J/token"]
    points = [(row["MHz"], row["J/token"] / top_j) for row in rows]
    first = next((place for place, row in enumerate(rows) if row["kept"]), None)
    if first is None:
        return [axes.line(points, colour, dashed=True)]
    kept, broken = points[first:], points[: first + 1]
    mark = shape("circle", *axes.place(*points[first]), f'fill="{colour}"')
    return [axes.line(kept, colour), *([axes.line(broken, colour, dashed=True)] if first else []), mark]


def _clock_cells(case: str, load: str, rows: Sequence[Row]) -> list[str]:
    kept = [row for row in rows if row["kept"]]
    least = min(rows, key=lambda row: row["J/token"])
    slow = kept[0] if kept else None
    saved = f" ({100 * (slow['J/token'] / rows[-1]['J/token'] - 1):+.0f}%)" if slow else ""
    return [
        case,
        load,
        f"{rows[0]['/s']:.2f}",
        f"{rows[-1]['J/token']:.3g}",
        f"{slow['MHz']:.0f} MHz" if slow else "none",
        f"{slow['J/token']:.3g}{saved}" if slow else "",
        f"{least['J/token']:.3g}",
        f"{least['MHz']:.0f} MHz",
    ]


def loads(rows: Sequence[Row]) -> None:
    """Energy per token against the load: at the greatest clock, at the best one."""
    parts, lines = [], []
    for number, case in enumerate(_names(rows, "case")):
        own = [row for row in rows if row["case"] == case]
        lowest, highest = min(row["best J/token"] for row in own), max(row["J/token"] for row in own)
        axes = _axes(number, Span(0.0, 1.0), Span(lowest * 0.9, highest * 1.1, log=True))
        marks = [value for value in (0.2, 0.5, 1, 2, 5, 10, 20, 50) if lowest * 0.9 <= value <= highest * 1.1]
        parts += [text(axes.left, 16, case, title=True), *numbers_x(axes, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "{:.0%}")]
        parts += numbers_y(axes, marks)
        parts.append(axes.line([(row["share"], row["J/token"]) for row in own], PALETTE[0]))
        parts.append(axes.line([(row["share"], row["best J/token"]) for row in own], PALETTE[2]))
        lines += [_load_cells(row) for row in own if row["share"] in {0.05, 0.2, 0.5, 0.8, 1.0}]
    parts.append(text(MARGIN, HEIGHT + 50, "share of the greatest load (across); J per output token (up)"))
    entries = [("greatest clock", PALETTE[0], False), ("best clock, promise kept with 10% to spare", PALETTE[2], False)]
    parts.append(legend(MARGIN, HEIGHT + 70, entries))
    write_picture(IMAGES / "serving-loads.svg", 3 * (WIDTH + GAP), HEIGHT + 82, parts)
    write_table(
        PAGE, "loads", ("instance", "share of the greatest load", "/s", "J/token", "best clock", "J/token there"), lines
    )


def _load_cells(row: Row) -> list[str]:
    change = 100 * (row["best J/token"] / row["J/token"] - 1)
    told = [f"{row['/s']:.2f}", f"{row['J/token']:.3g}", f"{row['best MHz']:.0f} MHz"]
    return [row["case"], f"{100 * row['share']:.0f}%", *told, f"{row['best J/token']:.3g} ({_signed(change)}%)"]


def pools(rows: Sequence[Row]) -> None:
    """Greatest load per GPU and energy per token by the length of prompts, for each promise."""
    parts = []
    for number, promise in enumerate(_names(rows, "TPOT ms")):
        own = [row for row in rows if row["TPOT ms"] == promise]
        lengths = Span(256, 16384, log=True)
        for place, (keys, high) in enumerate(((_GOODPUT, 5.0), (_JOULES, 100.0))):
            axes = _axes(2 * number + place, lengths, Span(high / 200.0, high, log=True))
            title = f"TPOT {promise:.0f} ms: " + ("requests/s a GPU" if place == 0 else "J per output token")
            parts += [text(axes.left, 16, title, title=True), *numbers_x(axes, (256, 1024, 4096, 16384))]
            parts += numbers_y(
                axes, [value for value in (0.03, 0.1, 0.3, 1, 3, 10, 30, 100) if high / 200 <= value <= high]
            )
            for key, colour, dashed in keys:
                line = [(row["prompt"], row[key]) for row in own if row[key]]
                if line:
                    parts.append(axes.line(line, colour, dashed=dashed))
    parts.append(text(MARGIN, HEIGHT + 50, "tokens of the prompt (across); energy at the same load for all four"))
    entries = [("mixed", PALETTE[0], False), ("pools", PALETTE[4], False), ("mixed, slowest clock", PALETTE[0], True)]
    parts.append(legend(MARGIN, HEIGHT + 70, [*entries, ("pools, slowest clock for each", PALETTE[4], True)]))
    write_picture(IMAGES / "serving-pools.svg", 4 * (WIDTH + GAP), HEIGHT + 82, parts)
    write_table(PAGE, "pools", _POOL_COLUMNS, map(_pool_cells, rows))


_GOODPUT = (("mixed /s GPU", PALETTE[0], False), ("pools /s GPU", PALETTE[4], False))
_JOULES = (
    ("mixed J", PALETTE[0], False),
    ("pools J", PALETTE[4], False),
    ("mixed J slow", PALETTE[0], True),
    ("pools J slow", PALETTE[4], True),
)
_POOL_COLUMNS = (
    "TPOT", "prompt", "TTFT", "mixed, /s a GPU", "chunk", "pools, /s a GPU", "prefill : decode", "pools / mixed",
    "J/token at its greatest load", "at an equal load", "and slowest clocks", "which are, MHz",
)  # fmt: skip


def _pool_cells(row: Row) -> list[str]:
    pair: Callable[[str], str] = lambda key: f"{_number(row[f'mixed {key}'])} : {_number(row[f'pools {key}'])}"  # noqa: E731
    return [
        f"{row['TPOT ms']:.0f} ms",
        f"{row['prompt']}",
        f"{row['TTFT s']:.2f} s",
        f"{row['mixed /s GPU']:.3f}",
        f"{row['chunk']}",
        f"{row['pools /s GPU']:.3f}",
        f"{row['prefill']} : {8 - row['prefill']}",
        _number(row["gain"]),
        pair("J full load"),
        pair("J"),
        pair("J slow"),
        f"{row['mixed MHz']} : {row['pools MHz']}",
    ]


def day(rows: Sequence[Row]) -> None:
    """A day of the 70B model: load, instances, clock, watts, p99 over its promise, one plot above the other."""
    own = [row for row in rows if row["load"] == "70b/chat"]
    fixed = next(row for row in own if row["services"] == "fixed")
    moved = next(row for row in own if (row["services"], row["power"]) == DRAWN)
    width, tall, parts = 860.0, 92.0, list[str]()
    for number, (key, title, high, factor) in enumerate(_DAY):
        axes = Axes(MARGIN + 10, 26 + number * (tall + 34), width, tall, Span(0.0, 24.0), Span(0.0, high))
        parts += [text(axes.left, axes.top - 8, title, title=True), *numbers_y(axes, ticks(axes.y))]
        for row, colour in ((fixed, MUTED), (moved, PALETTE[2])):
            points = list(zip(row["slots"]["hour"], [value * factor for value in row["slots"][key]], strict=False))
            if key != "per_s" or row is fixed:
                parts.append(axes.steps([point for point in points if point[1] == point[1]], colour))
        if key.endswith("p99_s"):
            parts.append(axes.level(1.0))
        if number == len(_DAY) - 1:
            parts += numbers_x(axes, range(0, 25, 3), "{}:00")
    low = 26 + len(_DAY) * (tall + 34)
    names = [("12 instances at full clocks", MUTED, False), (_told(moved), PALETTE[2], False)]
    parts.append(legend(MARGIN, low + 10, names))
    write_picture(IMAGES / "serving-day.svg", width + MARGIN + 30, low + 22, parts)


DRAWN = ("predictive+follow", "sleep")
_DAY = (
    ("per_s", "requests per second", 32.0, 1.0),
    ("instances", "instances, serving or starting", 13.0, 1.0),
    ("mhz", "MHz", 2100.0, 1.0),
    ("gpu_kw", "kW of all 48 GPUs", 32.0, 1.0),
    ("ttft_p99_s", "p99 of the time to first token over its promise, worst minute of five", 1.6, 1.0),
    ("tpot_p99_s", "p99 of the time per output token over its promise, worst minute of five", 1.6, 20.0),
)


def _told(row: Row) -> str:
    sleeps = ", nodes sleep" if row["power"] == "sleep" else ""
    return f"{row['services']}{sleeps}{SERVICES[row['guarded']]}"


def _bursts(rows: Sequence[Row]) -> None:
    columns = ("iteration on H200", "MHz", "J above context, measured", "change, measured", "change, model", "board")
    lines = [
        [
            row["iteration"],
            f"{row['burst MHz']:.0f} to {row['steady MHz']:.0f}",
            f"{row['burst J']:.2f} to {row['steady J']:.2f}",
            f"{_signed(row['measured change %'])}%",
            f"{_signed(row['model change %'])}%",
            f"{row['burst C']:.0f} to {row['steady C']:.0f} °C",
        ]
        for row in rows
    ]
    write_table(PAGE, "bursts", columns, lines)


def _days(known: Sequence[Row], own: Sequence[Row]) -> None:
    """All runs of a day, those of `serving_day.json` first."""
    base = {row["load"]: row for row in reversed(known)}
    known = [{"guarded": "True", **row} for row in known]
    listed = [(row["load"], row["services"], row["power"], row["guarded"]) for row in known]
    more = [row for row in own if (row["load"], row["services"], row["power"], row["guarded"]) not in listed]
    columns = (
        "load", "services", "on time", "minutes kept", "instances", "MHz", "GPU MJ", "GPU saved", "IT MJ", "IT saved",
    )  # fmt: skip
    write_table(PAGE, "day", columns, [_day_cells(row, base[row["load"]]) for row in [*known, *more]])


def _day_cells(row: Row, base: Row) -> list[str]:
    saved = [100.0 * (1.0 - row[key] / base[key]) for key in ("GPU MJ", "IT MJ")]
    return [
        row["load"],
        _told(row),
        f"{row['on time %']:.2f}%",
        f"{row['minutes %']:.2f}%",
        f"{row['instances']:.1f}",
        f"{row['MHz']:.0f}",
        f"{row['GPU MJ']:.0f}",
        f"{saved[0]:.1f}%",
        f"{row['IT MJ']:.0f}",
        f"{saved[1]:.1f}%",
    ]


def _axes(number: int, x: Span, y: Span) -> Axes:
    return Axes(GAP + number * (WIDTH + GAP) + MARGIN - GAP, 26, WIDTH - MARGIN - 6, HEIGHT - 20, x, y)


def _names(rows: Sequence[Row], key: str) -> list[Any]:
    return list(dict.fromkeys(row[key] for row in rows))


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


def _signed(value: float) -> str:
    return f"{value:+.0f}".replace("-0", "0") if abs(value) < 0.5 else f"{value:+.0f}"


def _of(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
