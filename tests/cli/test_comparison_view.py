"""The table on terminals of several widths and abilities."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest
from rich.cells import cell_len
from rich.console import Console

from goodwatt.cli.comparison_view import comparison_json, comparison_panel
from goodwatt.policies.comparison_table import Cell, ComparisonTable, Estimate, Metric, PolicyRow
from tests.cli.report.made_runs import made_comparison, made_row


def printed(width: int, encoding: str = "utf-8", table: ComparisonTable | None = None, **console: Any) -> str:
    buffer = io.BytesIO()
    file = io.TextIOWrapper(buffer, encoding=encoding)
    Console(file=file, width=width, **console).print(comparison_panel(table or made_comparison()))
    file.flush()
    return buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 160, 240])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(width: int) -> None:
    text = printed(width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for number in ("12.35", "● 10.83", "0.864", "[-17.0, -7.6]"):
        assert number in text


def test_a_wide_terminal_shows_all_metrics_side_by_side() -> None:
    assert sum(line.startswith("policy") for line in printed(160).splitlines()) == 1
    assert sum(line.startswith("policy") for line in printed(80).splitlines()) > 1


def test_signs_have_a_legend_and_the_origin_is_told() -> None:
    text = printed(120)
    assert "srtf †" in text
    assert "† oracle" in text
    assert "▲ 12 unfinished jobs" in text
    assert "windows 1/2, 2/2 · seeds 0, 1" in " ".join(text.split())


def test_marked_and_oracle_policies_are_never_the_best() -> None:
    lines = printed(200).splitlines()
    assert any("fifo" in line and "● 1.234" in line for line in lines)
    assert not any("●" in line for line in lines if line.startswith(("srtf", "largest-first")))


def test_a_terminal_without_unicode_gets_plain_signs() -> None:
    text = printed(100, encoding="ascii")
    assert "srtf ^" in text
    assert "* 10.83" in text
    assert "! 12 unfinished jobs" in text


def test_without_colour_nothing_but_colour_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = printed(120, force_terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = printed(120, force_terminal=True)
    assert "\x1b[1;32m" in coloured
    assert "\x1b[1;32m" not in plain
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b[" not in printed(120)


def test_a_difference_without_percent_is_shown_in_its_unit() -> None:
    metric = Metric("over_budget_s", "above budget", "min", "low", ",.1f", 1 / 60)
    rows = (
        PolicyRow("a", {"over_budget_s": Cell(0.0)}, reference=True),
        PolicyRow("b", {"over_budget_s": Cell(120.0, Estimate(120.0, (60.0, 180.0)))}),
        PolicyRow("c", {}),
    )
    text = printed(80, table=ComparisonTable(rows, (metric,)))
    assert "+2.0 [+1.0, +3.0]" in text
    assert any(line.startswith("c ") and line.rstrip().endswith("-") for line in text.splitlines())


def test_zero_has_no_minus() -> None:
    assert Metric("x", "x", "", "low", ",.1f").text(-0.01) == "0.0"


@pytest.mark.parametrize(
    ("better", "estimate", "verdict"),
    [
        ("low", Estimate(-1.0, (-2.0, -0.5)), "better"),
        ("high", Estimate(-1.0, (-2.0, -0.5)), "worse"),
        ("low", Estimate(-1.0, (-2.0, 0.5)), "unclear"),
        ("low", Estimate(-1.0), "unclear"),
        (None, Estimate(-1.0, (-2.0, -0.5)), None),
    ],
)
def test_verdicts(better: str, estimate: Estimate, verdict: str) -> None:
    metric = Metric("x", "x", "", better)  # type: ignore[arg-type]
    assert metric.verdict(Cell(1.0, estimate)) == verdict


def test_json_holds_every_cell_unscaled() -> None:
    data = orjson.loads(orjson.dumps(comparison_json(made_comparison())))
    assert data["policies"][0]["label"] == "fifo"
    assert data["policies"][0]["cells"]["mean_jct_s"]["value"] == 44_444.0
    assert data["policies"][1]["cells"]["mean_jct_s"]["percent"]["interval"][0] < -7.6
    assert data["policies"][3]["oracle"] is True


def test_level_policies_have_no_best() -> None:
    table = ComparisonTable((made_row("a", 1.0), made_row("b", 1.0)), made_comparison().metrics)
    assert "●" not in printed(120, table=table)
