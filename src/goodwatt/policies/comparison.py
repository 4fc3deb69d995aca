"""Compare policies: each beside each service policy, under each power policy, on the same windows with the same seeds.

A window is a stretch of submissions; its run begins empty, counts energy, work and unfinished jobs up to the end of
the window and goes on until the last job has ended, so that completion times are known for all. What the numbers
mean is in `simulator.summary`, which differences are more than noise in `bootstrap`.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.policies.power_registry import DEFAULT_POWER, with_power
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.policies.side_by_side import side_by_side
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.records.result import RunResult
from goodwatt.simulator.run import run
from goodwatt.simulator.settings.engine import Engine
from goodwatt.simulator.settings.run_options import DEFAULTS, RunOptions

if TYPE_CHECKING:
    from goodwatt.simulator.services.service import Service

NO_SERVICES = ("",)
"""Service policies where there are no services."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What all policies are run on; of the `options` each run has its own seed and window.

    `services` by seed: their requests are drawn from it. `span_s`: what is cut into windows; None: from the first
    submission to the last. `drain`: jobs go on after a window until the last has ended, so that all completion times
    are known; without, what is open then stays so, and tables tell of no completion times.
    """

    jobs: Sequence[Job]
    cluster: Cluster
    engine: Engine
    options: RunOptions = DEFAULTS
    services: Mapping[int, Sequence[Service]] = field(default_factory=dict)
    span_s: tuple[float, float] | None = None
    drain: bool = True

    def windows(self, count: int) -> tuple[Window, ...]:
        """So many equal ones."""
        return split(self.jobs, count) if self.span_s is None else cut(*self.span_s, count)


@dataclass(frozen=True, slots=True)
class Window:
    """Submissions from `from_s` up to, not including, `until_s`."""

    label: str
    from_s: float
    until_s: float

    def jobs(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Those of sorted `jobs` that are submitted inside."""
        first = bisect_left(jobs, self.from_s, key=lambda job: job.submit_s)
        last = bisect_left(jobs, self.until_s, key=lambda job: job.submit_s)
        return jobs[first:last]


@dataclass(frozen=True, slots=True)
class Case:
    """One run of a comparison."""

    policy: str
    power: str
    window: Window
    seed: int
    service_policy: str = ""

    @property
    def label(self) -> str:
        """The policies in a few words."""
        power = "" if self.power == DEFAULT_POWER else self.power
        return " / ".join(part for part in (self.policy, self.service_policy, power) if part)

    def make(self) -> Policy:
        """The policy. Raises InputError or UnknownNameError."""
        return with_power(with_services(make_policy(self.policy), self.service_policy), self.power)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The runs that were finished, in the order policy, service policy, power policy, window, seed; `partial` if some,
    or some of their bounds, were not.

    `reference` is a scheduling policy; with the first of the service policies, under the first of the power policies it
    is what others are held against. `drained`: whether jobs ran to their ends.
    """

    results: list[RunResult]
    policies: tuple[str, ...]
    windows: tuple[Window, ...]
    seeds: tuple[int, ...]
    reference: str
    partial: bool = field(default=False)
    powers: tuple[str, ...] = (DEFAULT_POWER,)
    service_policies: tuple[str, ...] = NO_SERVICES
    drained: bool = True


def split(jobs: Sequence[Job], windows: int) -> tuple[Window, ...]:
    """Equal windows over the span of the submissions, the last one including its end."""
    if not jobs:
        return ()
    return cut(jobs[0].submit_s, jobs[-1].submit_s + 1.0, windows)


def cut(first: float, last: float, windows: int) -> tuple[Window, ...]:
    """Equal windows from one time up to another."""
    edges = [first + (last - first) * i / windows for i in range(windows)] + [last]
    return tuple(Window(f"{i + 1}/{windows}", a, b) for i, (a, b) in enumerate(itertools.pairwise(edges)))


def run_case(scenario: Scenario, case: Case) -> RunResult:
    """Run one policy on one window with one seed. A run that is interrupted says nothing: KeyboardInterrupt."""
    options = replace(
        scenario.options,
        seed=case.seed,
        start_s=case.window.from_s,
        horizon_s=case.window.until_s,
        drain=scenario.drain,
        services=tuple(scenario.services.get(case.seed, ())),
    )
    jobs = case.window.jobs(scenario.jobs)
    result = run(jobs, scenario.cluster, case.make(), scenario.engine, options, case.window.label)
    if result.summary.get("partial"):
        raise KeyboardInterrupt
    services = {"service_policy": case.service_policy} if case.service_policy else {}
    summary = {**result.summary, "policy": case.policy, "power": case.power, **services}
    return replace(result, policy=case.policy, power=case.power, service_policy=case.service_policy, summary=summary)


def compare(
    scenario: Scenario,
    policies: Sequence[str],
    windows: int,
    seeds: Sequence[int],
    workers: int,
    done: Callable[[Case], None] = lambda _: None,
    powers: Sequence[str] = (DEFAULT_POWER,),
    service_policies: Sequence[str] = NO_SERVICES,
) -> Comparison:
    """Run everything; `done` is told of each run that ends. Ctrl-C leaves what is finished, marked as partial."""
    parts = scenario.windows(windows)
    crossed = itertools.product(policies, service_policies, powers, parts, seeds)
    cases = [Case(policy, power, part, seed, services) for policy, services, power, part, seed in crossed]
    for case in cases:
        case.make()
    results: dict[Case, RunResult] = {}
    partial = False
    try:
        with closing(_results(scenario, cases, min(workers, len(cases)))) as finished:
            for case, result in finished:
                results[case] = result
                done(case)
    except KeyboardInterrupt:
        partial = True
    ordered = [results[case] for case in cases if case in results]
    named = tuple(powers), tuple(service_policies)
    return Comparison(ordered, tuple(policies), parts, tuple(seeds), policies[0], partial, *named, scenario.drain)


def _results(scenario: Scenario, cases: list[Case], workers: int) -> Generator[tuple[Case, RunResult], None, None]:
    if workers <= 1:
        return ((case, run_case(scenario, case)) for case in cases)
    return side_by_side(_run_here, cases, workers, (_set_scenario, scenario))


_here: dict[str, Any] = {}
"""The scenario of this worker process: sent once, used by all its runs."""


def _set_scenario(scenario: Scenario) -> None:
    _here["scenario"] = scenario


def _run_here(case: Case) -> RunResult:
    return run_case(_here["scenario"], case)
