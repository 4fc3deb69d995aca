"""Workload classes against the measurements they stand on, and how far they carry to kinds where nobody measured them.

    PYTHONPATH=benchmarks python benchmarks/fidelity/workloads.py

Fits the classes again from the public data with the package's model of each GPU kind. Prints one table, by source or
family, and writes benchmarks/results/fidelity_workloads.json.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from calibration.workload_entry import Entry
from calibration.workloads import GainFit, all_entries, reproduced, speed_cases, watts_cases
from measured import SHARED, need, report

from goodwatt.power.workloads.catalogue import class_from

Row = dict[str, Any]
Errors = Iterable[tuple[str, float]]
"""What each error is counted under, and the error, relative and signed."""


def rows() -> list[Row]:
    """Every line of the table."""
    need(SHARED / "data")
    entries = all_entries()
    return [
        *lines("watts at the default setting", _watts(entries), "in sample: fitted to them"),
        *lines("time under caps", _sweeps(entries, "time_error"), "fitted to every second cap, the others predicted"),
        *lines("power under caps", _sweeps(entries, "power_error"), "fitted to every second cap, the others predicted"),
        *lines("speed on another kind", _speeds(entries), "rule with gains of other classes only"),
        *lines("watts on another kind", _carried(entries), "demand of the reference kind only"),
    ]


def lines(what: str, errors: Errors, split: str) -> list[Row]:
    """One line per source or family, then all together; the bias of errors that carry no sign is theirs."""
    groups: dict[str, list[float]] = defaultdict(list)
    for group, error in errors:
        groups[group].append(error)
    everything = [error for found in groups.values() for error in found]
    named = [*sorted(groups.items()), ("all", everything)]
    return [_line(what, group, found, split) for group, found in named]


def _line(what: str, group: str, errors: Sequence[float], split: str) -> Row:
    sizes = [abs(error) for error in errors]
    return {
        "what": what,
        "of": group,
        "n": len(sizes),
        "median %": 100 * statistics.median(sizes),
        "mean %": 100 * statistics.fmean(sizes),
        "bias %": 100 * statistics.fmean(errors),
        "split": split,
    }


def _watts(entries: Sequence[Entry]) -> Errors:
    for entry, _, watts, drawn in reproduced(entries):
        yield entry.origin, drawn / watts - 1.0


def _sweeps(entries: Sequence[Entry], which: str) -> Errors:
    """Each class's mean error on a kind counts once."""
    for entry in entries:
        for kind, fit in entry.sweeps.items():
            yield f"zeus_power {kind}", getattr(fit, which)


def _speeds(entries: Sequence[Entry]) -> Errors:
    cases = speed_cases([class_from(entry.content()) for entry in entries])
    for case, speed in GainFit(cases).left_out():
        yield case.workload.family, speed / case.speed - 1.0


def _carried(entries: Sequence[Entry]) -> Errors:
    for entry, _, watts, carried in watts_cases(entries):
        yield entry.family, carried / watts - 1.0


if __name__ == "__main__":
    report("fidelity_workloads", "Workload classes: model against measurement", rows())
