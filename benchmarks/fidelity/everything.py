"""All fidelity tables in one go: printed, as one JSON, and on request as the page of the documentation.

    python benchmarks/fidelity [--docs]

Runs every part, which fits again what it holds out (two minutes). Writes benchmarks/results/fidelity.json; `--docs`
also puts the tables between the marks of docs/design/fidelity.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from fidelity import facts, network, one_gpu, scenarios, serving, sharing, step_serving, supply, workloads
from fidelity.row import Row
from measured import ROOT, SHARED, need, print_table, write_results

PAGE = ROOT / "docs" / "design" / "fidelity.md"
BEGIN, END = "<!-- tables: made by `python benchmarks/fidelity --docs` -->", "<!-- end of tables -->"
PARTS: dict[str, Callable[[], list[Row]]] = {
    "One GPU over clocks and caps": one_gpu.rows,
    "Shared GPUs": sharing.rows,
    "Collectives and gangs": network.rows,
    "Serving of language models": serving.rows,
    "Serving without tokens": step_serving.rows,
    "Facts of real boards": facts.rows,
}
BESIDE: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "Workload classes": workloads.rows,
    "Power above the GPU": supply.rows,
    **{title: partial(scenarios.table, title) for title in scenarios.TABLES},
}
"""Without bars, in columns of their own."""


def main() -> None:
    need(SHARED / "data")
    tables = {title: make() for title, make in PARTS.items()}
    contents: dict[str, Sequence[Mapping[str, Any]]] = {}
    for title, rows in tables.items():
        contents[title] = [row.content() for row in rows]
    for title, beside in BESIDE.items():
        contents[title] = beside()
    for title, lines in contents.items():
        print_table(title, lines)
    barred = [row for rows in tables.values() for row in rows if row.met is not None]
    missed = [row for row in barred if not row.met]
    print(f"{len(barred) - len(missed)} of {len(barred)} figures with a bar keep it; not kept:")
    for row in missed:
        print(f"  {row.what}: {row.figure}: {row.percent:.1f} ({row.bar})")
    write_results("fidelity", tables=contents)
    if "--docs" in sys.argv:
        write_page(tables)


def write_page(tables: dict[str, list[Row]]) -> None:
    """The tables in the page, details left out; caveats that rows share are told once below their table."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    body = "\n".join(
        f"## {title}\n\n{as_markdown([row for row in rows if not row.detail])}" for title, rows in tables.items()
    )
    PAGE.write_text(f"{head}{BEGIN}\n\n{body}\n{END}{tail}", encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


def as_markdown(rows: Sequence[Row]) -> str:
    """One table and its notes."""
    notes = list(dict.fromkeys(row.after for row in rows if row.after))
    lines = ["| what | figure | % | n | bar | met | split | source | note |", "|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        note = f"{notes.index(row.after) + 1}" if row.after else ""
        cells = (
            row.what,
            row.figure,
            f"{row.percent:.1f}",
            f"{row.n}",
            row.bar,
            row.verdict,
            row.split,
            row.source,
            note,
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |")
    return "\n".join([*lines, "", *(f"{i}. {note}." for i, note in enumerate(notes, 1)), ""])
