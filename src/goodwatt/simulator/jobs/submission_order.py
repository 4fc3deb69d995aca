"""The order of jobs that were submitted in the same second.

A trace is sorted by submission and keeps the file's order within a second. Simulators that load their jobs with
`pandas.sort_values` do not: its default is numpy's introsort, which is unstable, and their published results depend
on what it does to ties. An engine that reproduces such results names the passes; each is given by the number of
later rows that the table had when it was sorted, because they move the pivots.

The algorithm: median of three, insertion sort for up to 16 elements (Musser, "Introspective sorting and selection
algorithms", 1997, as numpy implements `argsort(kind="quicksort")` without vector instructions). Its fallback to heap
sort is left out: sorted input never comes near its depth limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from goodwatt.cluster.job import Job
from goodwatt.errors import InputError

SMALL = 16


def check_jobs(jobs: Sequence[Job]) -> None:
    """Jobs come by submission and have names of their own; readers see to it, others may forget. InputError if not."""
    seen: set[str] = set()
    last_s = -math.inf
    for job in jobs:
        if job.job_id in seen:
            raise InputError(f"a job_id stands for one job, got {job.job_id!r} twice")
        if not job.submit_s >= last_s:
            raise InputError(f"expected jobs by submit_s, got job {job.job_id!r} at {job.submit_s:g} after {last_s:g}")
        seen.add(job.job_id)
        last_s = job.submit_s


def submission_order(jobs: Sequence[Job], later_rows: Sequence[int], partitions: Sequence[str]) -> Sequence[Job]:
    """The jobs as those passes leave them; each partition's table is sorted by itself. No passes: unchanged."""
    if not later_rows:
        return jobs
    tables: dict[str | None, list[Job]] = {}
    for job in jobs:
        tables.setdefault(job.partition if partitions else None, []).append(job)
    for name, table in tables.items():
        for rows in later_rows:
            times = [job.submit_s for job in table]
            times += [times[-1] + 1 + i for i in range(rows)]
            table = [table[i] for i in introsort(times) if i < len(table)]  # noqa: PLW2901 - sorted again and again
        tables[name] = table
    return sorted((job for table in tables.values() for job in table), key=lambda job: job.submit_s)


def introsort(keys: Sequence[float]) -> list[int]:
    """Indices that sort `keys`, with ties as numpy's introsort leaves them."""
    order = list(range(len(keys)))
    stack = [(0, len(keys) - 1)]
    while stack:
        low, high = stack.pop()
        while high - low > SMALL:
            middle = _partition(order, keys, low, high)
            if middle - low < high - middle:
                stack.append((middle + 1, high))
                high = middle - 1
            else:
                stack.append((low, middle - 1))
                low = middle + 1
        order[low : high + 1] = sorted(order[low : high + 1], key=keys.__getitem__)
    return order


def _partition(order: list[int], keys: Sequence[float], low: int, high: int) -> int:
    """Put the median of three where it belongs and return its place."""
    middle = low + (high - low >> 1)
    for a, b in ((low, middle), (middle, high), (low, middle)):
        if keys[order[b]] < keys[order[a]]:
            order[a], order[b] = order[b], order[a]
    pivot = keys[order[middle]]
    i, j = low, high - 1
    order[middle], order[j] = order[j], order[middle]
    while True:
        i += 1
        while keys[order[i]] < pivot:
            i += 1
        j -= 1
        while pivot < keys[order[j]]:
            j -= 1
        if i >= j:
            break
        order[i], order[j] = order[j], order[i]
    order[i], order[high - 1] = order[high - 1], order[i]
    return i
