"""The files that a comparison leaves: comparison.json, comparison.csv with a row per run, manifest.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from goodwatt.cli.comparison_view import comparison_json
from goodwatt.policies.comparison import Comparison
from goodwatt.policies.comparison_table import ComparisonTable
from goodwatt.simulator.records.outputs import write_json, write_table
from goodwatt.simulator.records.result import RunResult


def write(folder: Path, table: ComparisonTable, comparison: Comparison, facts: Mapping[str, Any]) -> None:
    """Write them; the folder is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "manifest.json", facts)  # first: it says whose files the others are
    write_json(folder / "comparison.json", {**comparison_json(table), "partial": comparison.partial})
    rows = dict(zip(_finished(comparison), table.rows, strict=True))
    judged = {key: {"service": row.service, "front": row.front} for key, row in rows.items()}
    runs = [{"window": r.window, **r.summary, **judged[_key(r)]} for r in comparison.results]
    names = [name for name in (runs[0] if runs else {}) if name != "services"]  # a table of its own for each run
    write_table(folder / "comparison.csv", names, [[run.get(name) for run in runs] for name in names])


def _finished(comparison: Comparison) -> list[tuple[str, str, str]]:
    """The policies, service policies and power policies that have a row: those of which a run ended."""
    return list(dict.fromkeys(map(_key, comparison.results)))


def _key(run: RunResult) -> tuple[str, str, str]:
    return run.policy, run.service_policy, run.power
