"""What the page knows of jobs: exact sums per small group, and order statistics of their times.

A group is (user, gang size, partition) for sums, (gang size, partition) for distributions, so that the page can
filter and pool without holding every job of every run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from goodwatt.cli.report.dimensions import Dimensions
from goodwatt.cli.report.reduction import Floats, Ints, packed, quantile_points
from goodwatt.simulator.records.result import JobColumns, RunResult

QUANTILE_POINTS = (400, 200, 100, 50, 25, 12)
POINTS_PER_PAGE = 500_000


@dataclass(frozen=True)
class JobArrays:
    """The jobs of one run as arrays, NaN where something never happened."""

    user: Ints
    gang: Ints
    partition: Ints
    jct_s: Floats
    queueing_s: Floats
    jobs: JobColumns

    @property
    def stratum(self) -> Ints:
        """One code per (gang size, partition)."""
        return self.gang * 1000 + self.partition


def job_arrays(run: RunResult, dimensions: Dimensions) -> JobArrays:
    """JCT is from submission to the end, queueing as the run measured it."""
    jobs = run.jobs
    return JobArrays(
        user=dimensions.users.of(jobs.user),
        gang=dimensions.gangs.of(jobs.num_gpus),
        partition=dimensions.partitions.of(jobs.partition),
        jct_s=floats(jobs.end_s) - floats(jobs.submit_s),
        queueing_s=floats(jobs.queueing_s),
        jobs=jobs,
    )


def floats(values: Sequence[float | None]) -> Floats:
    """A column with NaN for None."""
    return np.array(values, dtype=np.float64)


def group_sums(arrays: JobArrays) -> dict[str, list[float]]:
    """Exact sums, one column per measure, one entry per (user, gang size, partition) that occurs."""
    key = arrays.user * 1_000_000 + arrays.stratum
    groups, group = np.unique(key, return_inverse=True)
    columns = {"user": groups // 1_000_000, "gang": groups // 1000 % 1000, "partition": groups % 1000}
    sums = {name: np.bincount(group, column, len(groups)) for name, column in _measures(arrays)}
    return {name: _plain(column) for name, column in (columns | sums).items()}


def _measures(arrays: JobArrays) -> Iterable[tuple[str, Floats]]:
    jobs, energy = arrays.jobs, floats(arrays.jobs.energy_j)
    yield "jobs", np.ones(len(jobs.job_id))
    yield "finished", _known(arrays.jct_s)
    yield "started", _known(arrays.queueing_s)
    yield "refused", np.array([state == "refused" for state in jobs.state], dtype=np.float64)
    yield "jct_s", np.nan_to_num(arrays.jct_s)
    yield "queueing_s", np.nan_to_num(arrays.queueing_s)
    yield "work_gpu_s", floats(jobs.work_gpu_s)
    yield "lost_gpu_s", floats(jobs.lost_work_gpu_s)
    yield "energy_j", np.nan_to_num(energy)
    yield "energy_known", _known(energy)
    yield "preemptions", np.array(jobs.preemptions, dtype=np.float64)


def _known(values: Floats) -> Floats:
    return (~np.isnan(values)).astype(np.float64)


def _plain(column: Any) -> list[float]:
    """Whole numbers without a fraction, others to a thousandth: a page is no archive."""
    rounded = np.round(column, 3).tolist()
    return [int(value) if value == int(value) else value for value in rounded]


def points_per_stratum(runs: Sequence[JobArrays]) -> int:
    """The most order statistics per group that keep the page within its budget."""
    sizes = np.concatenate([np.unique(run.stratum, return_counts=True)[1] for run in runs])
    fitting = (n for n in QUANTILE_POINTS if 2 * int(np.minimum(sizes, n).sum()) <= POINTS_PER_PAGE)
    return next(fitting, QUANTILE_POINTS[-1])


def distributions(arrays: JobArrays, most: int) -> dict[str, Any]:
    """Per (gang size, partition): the number of jobs, and per time how many have one and up to `most` of them."""
    strata, counts = np.unique(arrays.stratum, return_counts=True)
    data: dict[str, Any] = {
        "gang": (strata // 1000).tolist(),
        "partition": (strata % 1000).tolist(),
        "jobs": counts.tolist(),
    }
    for name, values in (("jct_s", arrays.jct_s), ("queueing_s", arrays.queueing_s)):
        samples = [values[(arrays.stratum == s) & ~np.isnan(values)] for s in strata]
        points = [quantile_points(sample, most) for sample in samples]
        data[name] = {
            "counts": [len(s) for s in samples],
            "points": packed(np.concatenate([np.empty(0), *points]), "f32"),
        }
    return data
