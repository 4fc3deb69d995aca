"""Both bounds of a trace on a cluster over a horizon: an energy floor, and a linear relaxation.

The floor (`floor`) knows neither queues nor fragments; the relaxation (`program`) also knows when work arrives and that
GPUs are limited. Both are curves of joules against work, kept as lines below them, so that any run finds its own place
on them (`share`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.eligibility import EligibilityIndex
from goodwatt.cluster.gang import Feasibility
from goodwatt.cluster.job import WHOLE_GPU_MILLI, Job
from goodwatt.cluster.state import ClusterState
from goodwatt.errors import InputError
from goodwatt.policies.bounds.floor import floor_lines
from goodwatt.policies.bounds.groups import Needy, group_jobs
from goodwatt.policies.bounds.operating import FullNeeds, Needs, ideal_needs
from goodwatt.policies.bounds.pools import Pool, full_pools, ideal_pools
from goodwatt.policies.bounds.program import Program, Site
from goodwatt.policies.bounds.share import SCOPES, best_goodput, least_j
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.simulator.jobs.elastic import elastic_range
from goodwatt.simulator.physics.job_facts import JobFacts
from goodwatt.simulator.physics.truth import NO_RESIDUAL, Truth
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.world import jobs_of

Lines = list[tuple[float, float]]
Curves = dict[str, dict[str, Any]]
"""By `floor` and `relaxation`, by scope."""

PROGRAM_AT = (0.999, 0.95, 0.85, 0.7, 0.5)
"""Shares of the most work at which lines touch the curve of the relaxation."""
JOB_STEPS = 20
"""Parts of the jobs after which progress is told."""
BOUND_STEPS = JOB_STEPS + 1 + 2 * len(SCOPES) * len(PROGRAM_AT)
"""Parts of the jobs, then programs: the most work, and each place on each curve."""
TOLERANCE, ROUNDING = 1e-6, 1e-9
"""Relative: what a solver may be off, and what sums may be, is taken off every bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundOptions:
    """What is bounded.

    `start_s` to `horizon_s`: the span in which work and energy count, by default from the first submission to a second
    after the last, as `compare` has it. `physics`, `truth`, `seed`: of the runs; with truth `residual` the bound knows
    what the seed has drawn for every job and chip. `residents`: the most jobs that may hold a GPU whole at once; jobs
    that ask for shares of GPUs share them anyway. `budget_w`: IT power that no run exceeds on average over a slot.
    `slots`, `groups`, `chip_bins`: how finely time, jobs and chips are told apart: more make the bound tighter and
    slower, never wrong.
    """

    start_s: float | None = None
    horizon_s: float | None = None
    physics: str = "full"
    truth: str = "residual"
    seed: int = 0
    residents: int = 1
    budget_w: float | None = None
    slots: int = 24
    groups: int = 96
    chip_bins: int = 3


Told = Callable[[int], None]
"""Told how many of `BOUND_STEPS` are done."""


def energy_bounds(
    jobs: Sequence[Job], cluster: Cluster, options: BoundOptions, told: Told = lambda _done: None
) -> dict[str, Any]:
    """Both bounds as plain content: the JSON of `goodwatt bounds`. Raises InputError, RunError."""
    began_s = time.process_time()
    steps = _Steps(told)
    start_s, end_s = _span(jobs, options)
    truth = NO_RESIDUAL if options.truth == "model" else Truth(options.seed)
    pools = ideal_pools(cluster) if options.physics == "ideal" else full_pools(cluster, truth, options.chip_bins)
    sites = [Site(i, chips.gpus, _prices(pool)) for i, pool in enumerate(pools) for chips in pool.chips if chips.gpus]
    wanted = [job for job in jobs if start_s <= job.submit_s < end_s]
    needy = _needy(wanted, cluster, pools, truth, options, steps)
    offered = math.fsum(job.done_by(end_s) for job in needy)
    edges_s = np.linspace(start_s, end_s, options.slots + 1)
    grouping = group_jobs(needy, edges_s[1:], options.groups)
    program = Program(pools, sites, grouping.groups, np.diff(edges_s).tolist(), options.budget_w)
    most = min((program.most_work(sleep=True) or 0.0) * (1.0 + TOLERANCE), offered * (1.0 + ROUNDING))
    steps.one_more()
    found = _Found(needy, pools, sites, program, (start_s, end_s), steps)
    sleeping = found.curves(True, most, most, None)
    awake = found.curves(False, most, most if options.budget_w is None else program.most_work(sleep=False), sleeping)
    return {
        **_facts(cluster, options, start_s, end_s),
        "jobs": len(needy),
        "offered_work_gpu_s": offered,
        "most_work_gpu_s": most,
        "awake": awake,
        "sleeping": sleeping,
        "slots": options.slots,
        "groups": len(grouping.groups),
        "given_away_by_groups": grouping.given_away,
        "bound_cpu_s": round(time.process_time() - began_s, 3),
    }


class _Steps:
    """Counts what has been done: parts of the jobs, then programs."""

    def __init__(self, told: Told) -> None:
        self._told, self._done = told, 0

    def one_more(self) -> None:
        """One step is done."""
        self._done += 1
        self._told(self._done)


@dataclass(frozen=True, slots=True)
class _Found:
    """All that the curves are made from."""

    jobs: Sequence[Needy]
    pools: Sequence[Pool]
    sites: Sequence[Site]
    program: Program
    span: tuple[float, float]
    steps: _Steps

    def curves(self, sleep: bool, most: float, reached: float | None, wider: Curves | None) -> Curves:
        """Floor and relaxation, each for the energy of IT and of GPUs alone, for any work up to `most`.

        `reached`: the most work that this program can do, None where it can do none. `wider`: curves of whoever may do
        all that these runs may and more; they hold here too. Where more work is asked for than GPUs can do, or between
        the places where lines touch, they say more than lines that cannot make use of sleep.
        """
        content: dict[str, dict[str, Any]] = {"floor": {}, "relaxation": {}}
        for scope in SCOPES:
            floor = floor_lines(self.jobs, self.pools, self.sites, scope, sleep, *self.span)
            found = [*self._program_lines(scope, sleep, reached or 0.0), *floor]
            for name, lines in (("floor", floor), ("relaxation", found)):
                content[name][scope] = _curve(lines, most, () if wider is None else wider[name][scope]["lines"])
        return content

    def _program_lines(self, scope: str, sleep: bool, most: float) -> Lines:
        """Lines below the least energy of the relaxation, one for each amount of work at which it was solved."""
        found = {}
        for share in PROGRAM_AT if most > 0.0 else ():
            best = self.program.least_energy(scope, share * most / (1.0 + TOLERANCE), sleep)
            found[best.slope] = best.value - best.slope * share * most - TOLERANCE * abs(best.value)
            self.steps.one_more()
        return list(found.items())


def _span(jobs: Sequence[Job], options: BoundOptions) -> tuple[float, float]:
    if not jobs:
        raise InputError("expected jobs, got none")
    submitted = [job.submit_s for job in jobs]
    start_s = min(submitted) if options.start_s is None else options.start_s
    end_s = max(submitted) + 1.0 if options.horizon_s is None else options.horizon_s
    if not start_s < end_s:
        raise InputError(f"expected a horizon after the start at {start_s:g} s, got {end_s:g} s")
    return start_s, end_s


def _facts(cluster: Cluster, options: BoundOptions, start_s: float, end_s: float) -> dict[str, Any]:
    return {
        "cluster": cluster.name,
        "gpus": cluster.num_gpus,
        "physics": options.physics,
        "truth": options.truth if options.physics == "full" else None,
        "seed": options.seed,
        "residents": options.residents,
        "budget_w": options.budget_w,
        "start_s": start_s,
        "horizon_s": end_s,
        "span_s": end_s - start_s,
        "gpus_without_energy": _gpus_without_energy(cluster, options.physics),
    }


def _gpus_without_energy(cluster: Cluster, physics: str) -> int:
    known = {
        name: kind.has_energy if physics == "ideal" else kind.power_model is not None
        for name, kind in cluster.kinds.items()
    }
    return sum(node.gpus for node in cluster.nodes if not known[node.gpu_kind])


def _prices(pool: Pool) -> tuple[float, ...]:
    """Prices of a second of a GPU, in watts, at which the needs of jobs are told: those that decide, and above."""
    hold = max(pool.hold_w, 1.0)
    awake = max(pool.awake_price_w, 1.5 * hold)
    return 0.0, hold, awake, 3.0 * awake, 10.0 * awake


# jobs ----------------------------------------------------------------------------------------------------------------


def _needy(
    jobs: Sequence[Job], cluster: Cluster, pools: Sequence[Pool], truth: Truth, options: BoundOptions, steps: _Steps
) -> list[Needy]:
    """What each job needs at least, without those that use no GPU or can never run here."""
    run_options = RunOptions(physics=options.physics, seed=options.seed)
    never_fits = Feasibility(ClusterState(cluster))
    placed = [job for job in jobs_of(jobs, cluster, run_options) if job.gpus * job.duration_s and not never_fits(job)]
    describe = _Ideal(cluster) if options.physics == "ideal" else _Full(cluster, placed, truth, options.residents)
    eligible = EligibilityIndex(cluster)
    found: list[Needy] = []
    for i in range(JOB_STEPS):
        first, last = (len(placed) * step // JOB_STEPS for step in (i, i + 1))
        found += _needy_part(placed[first:last], pools, eligible, describe)
        steps.one_more()
    return found


def _needy_part(
    jobs: Sequence[Job], pools: Sequence[Pool], eligible: EligibilityIndex, describe: _Ideal | _Full
) -> list[Needy]:
    found = []
    for job in jobs:
        nodes = eligible(job).nodes
        usable = [i for i, pool in enumerate(pools) if pool.gpus and pool.members & nodes]
        found.append(_with_sites(job, usable, pools, describe))
    return found


def _with_sites(job: Job, usable: Sequence[int], pools: Sequence[Pool], describe: _Ideal | _Full) -> Needy:
    sites: list[int] = []
    needs: list[Needs] = []
    at = 0
    for i, pool in enumerate(pools):
        chips = [one for one in pool.chips if one.gpus]
        if i in usable:
            sites += range(at, at + len(chips))
            needs += [describe(job, pool, one.factor) for one in chips]
        at += len(chips)
    return Needy(
        submit_s=job.submit_s,
        work=job.duration_s * job.gpus,
        rate=max(need.rate for need in needs) * job.gpus,
        sites=tuple(sites),
        joules=tuple(need.joules for need in needs),
        held_s=tuple(need.held_s for need in needs),
    )


class _Ideal:
    """Needs under ideal physics."""

    def __init__(self, cluster: Cluster) -> None:
        self._kinds = cluster.kinds

    def __call__(self, job: Job, pool: Pool, chip: float) -> Needs:  # noqa: ARG002 - the contract
        """Of a job in a pool."""
        kind = self._kinds[pool.kind]
        active_w = 0.0 if kind.active_w is None or kind.idle_w is None else kind.active_w - kind.idle_w
        return ideal_needs(job, active_w, np.array(_prices(pool)))


class _Full:
    """Needs under full physics; without residuals jobs of a class and size are alike and looked up."""

    def __init__(self, cluster: Cluster, jobs: Sequence[Job], truth: Truth, residents: int) -> None:
        least_milli = min((job.gpu_milli for job in jobs), default=WHOLE_GPU_MILLI)
        self._needs = FullNeeds(cluster, truth, residents, least_milli)
        self._alike = truth is NO_RESIDUAL
        self._models: dict[str, GpuModel | None] = {
            n: None if k.power_model is None else gpu_model(k) for n, k in cluster.kinds.items()
        }
        self._known: dict[tuple[object, ...], Needs] = {}
        self._last: tuple[Job, JobFacts] | None = None
        """The job asked for last and what is true of it: it is asked for on every kind of chip in turn."""

    def _facts(self, job: Job) -> JobFacts:
        if self._last is None or self._last[0] is not job:
            self._last = job, self._needs.facts(job)
        return self._last[1]

    def __call__(self, job: Job, pool: Pool, chip: float) -> Needs:
        """Of a job in a pool, on chips of this factor."""
        who = (
            (job.workload, job.reference_gpu, job.num_gpus, job.gpu_milli, job.partition, elastic_range(job))
            if self._alike
            else (job.job_id,)
        )
        key = (*who, pool.kind, pool.hold_w, pool.awake_price_w, chip)
        known = self._known.get(key)
        if known is None:
            model = self._models[pool.kind]
            known = self._needs.needs(job, self._facts(job), model, chip, np.array(_prices(pool)))
            if self._alike:
                self._known[key] = known
        return known


# curves --------------------------------------------------------------------------------------------------------------


def _curve(lines: Lines, most: float, wider: Sequence[Sequence[float]]) -> dict[str, Any]:
    """What the JSON says of a curve: its lines, joules of the most work, most work per kJ at any amount of work."""
    kept = [[slope, intercept - ROUNDING * least_j(lines, most)] for slope, intercept in lines]
    kept += [list(line) for line in wider]
    return {
        "lines": kept,
        "energy_j": least_j(kept, most),
        "goodput_per_watt": best_goodput(kept, most) if most > 0.0 else None,
    }
