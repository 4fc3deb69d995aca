"""The jobs of a trace as numpy columns, for what looks at all of them at once: statistics, enriching, fitting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goodwatt.cluster.job import Job
from goodwatt.errors import InputError
from goodwatt.traces.trace import Trace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOUR_S = 3600.0
DAY_S = 86400.0
HOURS_PER_WEEK = 168


@dataclass(frozen=True, slots=True)
class Labels:
    """A text column as codes: `names[codes[i]]` is the text of job i, code -1 means the job has none."""

    names: tuple[str, ...]
    codes: Ints

    @property
    def known(self) -> bool:
        """Whether any job has a value."""
        return bool(self.names)


@dataclass(frozen=True, slots=True)
class TraceColumns:
    """One array per field, all of the length of the trace; `gpus` counts a fraction of a GPU as such."""

    submit_s: Floats
    num_gpus: Ints
    gpu_milli: Ints
    duration_s: Floats
    user: Labels
    partition: Labels
    name: Labels
    status: Labels

    @property
    def gpus(self) -> Floats:
        """GPUs in use while each job runs."""
        return self.num_gpus * self.gpu_milli / 1000.0

    @property
    def gpu_s(self) -> Floats:
        """GPU-seconds of each job."""
        return self.gpus * self.duration_s

    @property
    def span_s(self) -> float:
        """From the first submission to the last."""
        return float(self.submit_s[-1] - self.submit_s[0])

    def __len__(self) -> int:
        return len(self.submit_s)


def columns_of(trace: Trace) -> TraceColumns:
    """The columns of a trace; raises InputError where it has no job."""
    jobs = trace.jobs
    if not jobs:
        raise InputError(f"trace {trace.name!r} has no jobs: expected at least one")
    return TraceColumns(
        submit_s=_numbers(jobs, lambda job: job.submit_s),
        num_gpus=_numbers(jobs, lambda job: job.num_gpus).astype(np.int64),
        gpu_milli=_numbers(jobs, lambda job: job.gpu_milli).astype(np.int64),
        duration_s=_numbers(jobs, lambda job: job.duration_s),
        user=labels_of([job.user for job in jobs]),
        partition=labels_of([job.partition for job in jobs]),
        name=labels_of([job.name for job in jobs]),
        status=labels_of([job.status.value for job in jobs]),
    )


def labels_of(values: Sequence[str | None]) -> Labels:
    """Codes in order of first appearance."""
    known: dict[str | None, int] = {None: -1}
    codes = np.fromiter((known.setdefault(v, len(known) - 1) for v in values), np.int64, len(values))
    return Labels(tuple(v for v in known if v is not None), codes)


def normal_scores(values: Floats) -> Floats:
    """Standard normal quantiles of the ranks, ties in order of appearance."""
    ranks = np.empty(len(values), np.int64)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    table_z = np.linspace(-6, 6, 4001)
    normal = NormalDist()
    table_p = np.array([normal.cdf(z) for z in table_z])
    return np.interp((ranks + 0.5) / len(values), table_p, table_z)


def week_counts(submit_s: Floats, origin_s: float) -> tuple[Ints, Ints]:
    """Jobs submitted in each hour of the week, Monday 00:00 first, and how often the span holds that hour.

    submit_s 0 is `origin_s` seconds after a Monday's midnight.
    """
    hours = np.floor((submit_s + origin_s) / HOUR_S).astype(np.int64)
    covered = np.arange(hours[0], hours[-1] + 1)
    jobs = np.bincount(hours % HOURS_PER_WEEK, minlength=HOURS_PER_WEEK)
    return jobs, np.bincount(covered % HOURS_PER_WEEK, minlength=HOURS_PER_WEEK)


def _numbers(jobs: Sequence[Job], field: Callable[[Job], Any]) -> Floats:
    return np.fromiter(map(field, jobs), np.float64, len(jobs))
