"""Draws traces from a fitted model: the same rhythm, sizes, durations and habits, any length, any load.

The counts of sizes and the quantiles of durations are stratified, not independent: a short trace has the mix of the
model too, and the load that was asked for. Arrivals, who submits what and when, are random.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace

import numpy as np

from goodwatt.cluster.job import Job, JobStatus
from goodwatt.errors import InputError
from goodwatt.traces.generate_model import TraceModel
from goodwatt.traces.generate_parts import (
    Streams,
    draw_bursts,
    draw_durations,
    draw_habits,
    draw_sizes,
    draw_statuses,
    draw_submissions,
)
from goodwatt.traces.statistics_columns import DAY_S, Ints
from goodwatt.traces.trace import Trace

DEFAULT_DAYS = 14.0
MAX_JOBS = 20_000_000
DEMAND_TOLERANCE = 0.01
CORRECTIONS = 5  # of the number of jobs, until a few large ones no longer move the demand away from what was asked


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawn trace as columns in order of submission; `template` numbers are the names, `partition` -1 is none."""

    model: TraceModel
    seed: int
    span_s: float
    submit_s: Ints
    num_gpus: Ints
    gpu_milli: Ints
    duration_s: Ints
    user: Ints
    template: Ints
    partition: Ints
    status: Ints

    def __len__(self) -> int:
        return len(self.submit_s)

    @property
    def mean_demand_gpus(self) -> float:
        """GPUs busy on average over the span if nothing ever waited."""
        return float((self.num_gpus * self.gpu_milli / 1000.0 * self.duration_s).sum() / self.span_s)

    def trace(self) -> Trace:
        """The jobs, marked as synthetic altogether."""
        label = f"all: generate {self.model.name} seed {self.seed}"
        lines = array("L", bytes(array("L").itemsize * len(self)))
        return Trace(f"{self.model.name}-{self.seed}", self._jobs(), lines=lines, synthetic=(label,))

    def _jobs(self) -> list[Job]:
        users = [f"u{i:04d}" for i in range(int(self.user.max()) + 1)]
        names = [f"run{i:05d}" for i in range(int(self.template.max()) + 1)]
        partitions: list[str | None] = [*self.model.partitions, None]
        statuses = [JobStatus(s) for s in self.model.statuses or ("unknown",)]
        columns = (self.submit_s, self.num_gpus, self.gpu_milli, self.duration_s)
        codes = (self.user, self.template, self.partition, self.status)
        rows = zip(*(c.tolist() for c in columns + codes), strict=True)
        return [
            Job(
                job_id=str(number),
                submit_s=float(submit_s),
                num_gpus=num_gpus,
                gpu_milli=gpu_milli,
                duration_s=float(duration_s),
                user=users[user],
                name=names[template],
                partition=partitions[partition],
                status=statuses[status],
            )
            for number, (submit_s, num_gpus, gpu_milli, duration_s, user, template, partition, status) in enumerate(
                rows, start=1
            )
        ]


def draw(
    model: TraceModel,
    seed: int,
    *,
    jobs: int | None = None,
    days: float | None = None,
    load: float | None = None,
    gpus: float | None = None,
) -> Drawn:
    """Draw `jobs` jobs, or those of `days` days (default 14).

    With `gpus`, the mean demand is `load` (default 1) times `gpus` and gangs larger than that are left out; without,
    it is `load` times the demand of the fitted trace. The arrival rate follows from that: durations and sizes stay
    as fitted. Raises InputError where the wishes contradict each other.
    """
    _check(jobs, days, load, gpus)
    if gpus is not None:
        model = without_gangs_above(model, gpus)
    target = (1.0 if load is None else load) * (model.mean_demand_gpus if gpus is None else gpus)
    per_day = target * DAY_S / model.gpu_s_per_job
    if jobs is not None:
        return _draw(model, seed, _checked(jobs), jobs / per_day * DAY_S, target)
    span_s = (days or DEFAULT_DAYS) * DAY_S
    drawn = best = _draw(model, seed, _checked(round(per_day * span_s / DAY_S)), span_s)
    for _ in range(CORRECTIONS):
        reached = drawn.mean_demand_gpus / target
        if abs(reached - 1) < DEMAND_TOLERANCE:
            return drawn
        drawn = _draw(model, seed, _checked(round(len(drawn) / reached)), span_s)
        best = min(best, drawn, key=lambda d: abs(d.mean_demand_gpus - target))
    return best


def _checked(count: int) -> int:
    if count > MAX_JOBS:
        raise InputError(f"expected at most {MAX_JOBS:,} jobs, got {count:,}: ask for fewer days or less load")
    return max(1, count)


def _draw(model: TraceModel, seed: int, count: int, span_s: float, target: float | None = None) -> Drawn:
    """Sizes, then who and when, then durations; with a target, the span follows from the GPU-seconds drawn."""
    streams = Streams.of(seed)
    sizes = draw_sizes(model, count, streams.sizes)
    bursts = draw_bursts(model, sizes, streams.bursts)
    habits = draw_habits(model, sizes.group[bursts.first], span_s, streams)
    duration_s, tenth = draw_durations(model, sizes, habits.score[bursts.of_job], streams.durations)
    if target is not None:
        span_s = float((sizes.gpus * duration_s).sum()) / target
    submit_s = draw_submissions(model, habits, bursts, duration_s, span_s, streams)
    order = np.argsort(submit_s, kind="stable")
    burst = bursts.of_job[order]
    return Drawn(
        model=model,
        seed=seed,
        span_s=span_s,
        submit_s=submit_s[order],
        num_gpus=sizes.num_gpus[order],
        gpu_milli=sizes.gpu_milli[order],
        duration_s=duration_s[order],
        user=habits.user[burst],
        template=habits.template[burst],
        partition=habits.partition[burst],
        status=draw_statuses(model, tenth, streams.statuses)[order],
    )


def without_gangs_above(model: TraceModel, gpus: float) -> TraceModel:
    """The model less the shapes that need more GPUs than there are."""
    kept = [(g, [i for i, (n, milli) in enumerate(g.shapes) if n * milli / 1000 <= gpus]) for g in model.groups]
    shares = [g.share * sum(g.shape_shares[i] for i in fits) for g, fits in kept]
    if not sum(shares):
        raise InputError(f"model {model.name!r} has no job that fits into {gpus:g} GPUs")
    groups = tuple(
        replace(
            group,
            shapes=tuple(group.shapes[i] for i in fits),
            shape_shares=normalised([group.shape_shares[i] for i in fits]),
            share=share / sum(shares),
        )
        for (group, fits), share in zip(kept, shares, strict=True)
        if share > 0
    )
    return replace(model, groups=groups, jobs_per_day=model.jobs_per_day * sum(shares))


def normalised(shares: list[float]) -> tuple[float, ...]:
    """Shares that sum to one."""
    return tuple(share / sum(shares) for share in shares)


def _check(jobs: int | None, days: float | None, load: float | None, gpus: float | None) -> None:
    if jobs is not None and days is not None:
        raise InputError("expected a number of jobs or of days, got both: one follows from the other and the load")
    for what, value in (("jobs", jobs), ("days", days), ("load", load), ("gpus", gpus)):
        if value is not None and not 0 < value < float("inf"):
            raise InputError(f"expected {what} above 0, got {value:g}")
