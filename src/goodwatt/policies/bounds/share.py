"""A run against the bounds of its trace: how much of what is possible it reached. No NumPy, no SciPy.

Bounds are lines: joules >= slope x work + intercept. At the work that a run did, the greatest of them is the least
energy of any schedule; over the energy that the run took it is the run's share of the bound, 1 for nobody better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Lines = Sequence[Sequence[float]]
SCOPES = ("it", "gpu")
KILO = 1000.0
SAME_SPAN_S = 1.0
"""Spans of a run and of its bounds may differ by so much."""


def share_of_bound(summary: Mapping[str, Any], bounds: Mapping[str, Any]) -> dict[str, float | None] | None:
    """Shares of a run by its summary: `floor_it`, `floor_gpu`, `relaxation_it`, `relaxation_gpu`: the least energy for
    the work that it did over the energy that it took; `work`: its work over the most possible.

    None where the two do not belong together: another span, other GPUs, or a budget that the run did not keep. Whoever
    calls sees to it that trace, physics, truth and seed are the same, and that the run did neither sleep nor share
    where the bounds forbid it. Entries are None where energy is unknown.
    """
    if not comparable(summary, bounds):
        return None
    work, most = summary["work_gpu_s"], bounds["most_work_gpu_s"]
    found: dict[str, float | None] = {"work": work / most if most > 0.0 else None}
    for scope in SCOPES:
        drawn_j = summary[f"{scope}_energy_j"]
        for name in ("floor", "relaxation"):
            least_j = least_energy_j(bounds, name, scope, work)
            found[f"{name}_{scope}"] = least_j / drawn_j if least_j is not None and drawn_j > 0.0 else None
    return found


def comparable(summary: Mapping[str, Any], bounds: Mapping[str, Any]) -> bool:
    """Whether a summary is of a run that these bounds are about, as far as a summary tells."""
    if bounds["budget_w"] is not None and summary["over_budget_s"] > 0.0:
        return False
    same_end = abs(summary["horizon_s"] - bounds["horizon_s"]) <= SAME_SPAN_S
    same_span = abs(summary["span_s"] - bounds["span_s"]) <= SAME_SPAN_S
    return bool(same_end and same_span and summary["gpus"] == bounds["gpus"])


def least_energy_j(bounds: Mapping[str, Any], name: str, scope: str, work: float) -> float | None:
    """Joules that so much work takes at least, `name` being floor or relaxation; None where energy is unknown.

    What the floor says holds for the relaxation too.
    """
    if bounds["gpus_without_energy"]:
        return None
    lines = list(bounds["floor"][scope]["lines"])
    if name == "relaxation":
        lines += bounds["relaxation"][scope]["lines"]
    return least_j(lines, work)


def least_j(lines: Lines, work: float) -> float:
    """The greatest of the lines at this work, at least 0."""
    return max([slope * work + intercept for slope, intercept in lines], default=0.0)


def best_goodput(lines: Lines, most: float) -> float | None:
    """Most work per kJ that lines allow at any amount of work up to `most`; None where no energy need be drawn.

    The greatest line is convex in work, so work over joules is best where two lines cross, or at the end.
    """
    places = {most}
    for i, (slope, intercept) in enumerate(lines):
        for other, base in lines[:i]:
            if slope != other and 0.0 < (at := (base - intercept) / (slope - other)) < most:
                places.add(at)
    needed = [(work, least_j(lines, work)) for work in places if work > 0.0]
    if not needed or any(joules <= 0.0 for _, joules in needed):
        return None
    return max(KILO * work / joules for work, joules in needed)
