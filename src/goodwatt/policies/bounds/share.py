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

    Runs whose nodes never slept are held against bounds without sleep. None where the two do not belong together, see
    `comparable`; whoever calls sees to it that the trace is the same. Entries are None where energy is unknown.
    """
    if not comparable(summary, bounds):
        return None
    work, most = summary["work_gpu_s"], bounds["most_work_gpu_s"]
    found: dict[str, float | None] = {"work": work / most if most > 0.0 else None}
    nodes = "sleeping" if slept(summary) else "awake"
    for scope in SCOPES:
        drawn_j = summary[f"{scope}_energy_j"]
        known = not bounds["gpus_without_energy"] and drawn_j > 0.0
        for name in ("floor", "relaxation"):
            lines = bounds[nodes][name][scope]["lines"]
            found[f"{name}_{scope}"] = least_j(lines, work) / drawn_j if known else None
    return found


def comparable(summary: Mapping[str, Any], bounds: Mapping[str, Any]) -> bool:
    """Whether a summary is of a run that these bounds are about, as far as a summary tells.

    Not so with another span, cluster, physics, truth or seed, with more jobs on a GPU than the bounds know of, with a
    budget that the run did not keep, or with failures (what is down draws nothing).
    """
    same = all(summary[name] == bounds[name] for name in ("gpus", "physics", "truth"))
    same_seed = bounds["physics"] == "ideal" or summary["seed"] == bounds["seed"]  # it draws classes of jobs too
    same_span = all(abs(summary[name] - bounds[name]) <= SAME_SPAN_S for name in ("horizon_s", "span_s"))
    kept = bounds["budget_w"] is None or not summary["over_budget_s"]
    alone = summary["most_jobs_per_gpu"] <= bounds["residents"]
    return same and same_seed and same_span and alone and kept and not summary["component_failures"]


def slept(summary: Mapping[str, Any]) -> bool:
    """Whether nodes slept, or were on the way there or back."""
    return bool(summary["asleep_node_s"])


def least_j(lines: Lines, work: float) -> float:
    """The greatest of the lines at this work, at least 0."""
    return max(0.0, *(slope * work + intercept for slope, intercept in lines))


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
