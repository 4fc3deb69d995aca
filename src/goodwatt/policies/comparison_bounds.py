"""How near the runs of a comparison come to what is possible: each held against the bounds of its window and seed.

Bounds are made with few slots of time and groups of jobs, which costs IT energy less than a thousandth and saves most
of the time. They know nothing of a budget, so they hold with one too.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from goodwatt.policies.bounds.share import share_of_bound
from goodwatt.policies.comparison import Comparison, Scenario, Window
from goodwatt.policies.side_by_side import side_by_side
from goodwatt.simulator.records.result import RunResult

SLOTS, GROUPS = 8, 48
IT, GPU = "share_of_bound_it", "share_of_bound_gpu"
"""Least energy of any schedule for a run's work over what the run took."""
FEW_JOBS = 25_000
"""Times seeds; bounds of more take as long as a run. Where the truth has residuals every job is looked at by itself."""

Bounded = tuple[Window, int, int]
"""A window, a seed, how many jobs hold a GPU at most."""
_Case = tuple[Scenario, Window, int, int]
"""A window's jobs, and what is bounded."""


def are_cheap(scenario: Scenario, seeds: int) -> bool:
    """Whether the bounds of a scenario take seconds."""
    options = scenario.options
    alike = options.physics == "ideal" or options.truth == "model"
    return len(scenario.jobs) * seeds <= (10 if alike else 1) * FEW_JOBS


def with_shares(
    comparison: Comparison, scenario: Scenario, workers: int, told: Callable[[int], None] = lambda _done: None
) -> Comparison:
    """The comparison with `share_of_bound_it` and `share_of_bound_gpu` in all summaries.

    A run is held against the bounds for as many jobs on a GPU as it had itself; None where bounds do not cover it, see
    `share.comparable`. `told`: how many bounds are done. Ctrl-C leaves the shares that are known, marked as partial.
    Raises InputError, RunError.
    """
    windows = {window.label: window for window in comparison.windows if window.jobs(scenario.jobs)}
    about = dict.fromkeys(_about(run) for run in comparison.results)
    wanted = [(windows[label], seed, residents) for label, seed, residents in about if label in windows]
    bounds: dict[tuple[str, int, int], Mapping[str, Any]] = {}
    partial = False
    try:
        with closing(_bounds(scenario, wanted, min(workers, len(wanted)))) as found:
            for (_, window, seed, residents), lines in found:
                bounds[window.label, seed, residents] = lines
                told(len(bounds))
    except KeyboardInterrupt:
        partial = True
    results = [_with_share(run, bounds.get(_about(run))) for run in comparison.results]
    return replace(comparison, results=results, partial=comparison.partial or partial)


def _about(run: RunResult) -> tuple[str, int, int]:
    return run.window, run.seed, run.summary["most_jobs_per_gpu"]


def _bounds(
    scenario: Scenario, wanted: Sequence[Bounded], workers: int
) -> Generator[tuple[_Case, Mapping[str, Any]], None, None]:
    cases = [(replace(scenario, jobs=w.jobs(scenario.jobs)), w, seed, residents) for w, seed, residents in wanted]
    if workers <= 1:
        return ((case, _bounds_of(case)) for case in cases)
    return side_by_side(_bounds_of, cases, workers)


def _bounds_of(case: _Case) -> Mapping[str, Any]:
    from goodwatt.policies.bounds.energy_bounds import BoundOptions, energy_bounds  # NumPy and SciPy

    scenario, window, seed, residents = case
    physics, truth = scenario.options.physics, scenario.options.truth
    about = BoundOptions(
        start_s=window.from_s,
        horizon_s=window.until_s,
        physics=physics,
        truth=truth,
        seed=seed,
        residents=residents,
        slots=SLOTS,
        groups=GROUPS,
    )
    return energy_bounds(scenario.jobs, scenario.cluster, about)


def _with_share(run: RunResult, bounds: Mapping[str, Any] | None) -> RunResult:
    share = None if bounds is None else share_of_bound(run.summary, bounds)
    found = {IT: share and share["relaxation_it"], GPU: share and share["relaxation_gpu"]}
    return replace(run, summary={**run.summary, **found})
