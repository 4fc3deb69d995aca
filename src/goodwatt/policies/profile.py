"""How many GPUs will be free when: a step function that reservations are taken out of.

GPUs are counted in whole thousandths, so that shares add up to what they are whatever the order.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from goodwatt.cluster.job import JobRequest


def milli(job: JobRequest) -> int:
    """Thousandths of GPUs that a job holds."""
    return job.num_gpus * job.gpu_milli


class Profile:
    """Free GPUs from `now_s` on, as running jobs are expected to end."""

    def __init__(self, now_s: float, free: int, ends: Iterable[tuple[float, int]]) -> None:
        self._times = [now_s]
        self._free = [free]
        for end_s, gpus in sorted(ends):
            if end_s > self._times[-1]:
                self._times.append(end_s)
                self._free.append(self._free[-1])
            self._free[-1] += gpus

    def earliest(self, gpus: int, duration_s: float) -> float:
        """The first time from which so many GPUs are free for so long; infinite if they never are."""
        start = 0
        while start < len(self._times):
            end_s = self._times[start] + duration_s
            i = start
            while i < len(self._times) and self._times[i] < end_s and self._free[i] >= gpus:
                i += 1
            if i == len(self._times) or self._times[i] >= end_s:
                return self._times[start]
            start = i + 1
        return float("inf")

    def reserve(self, start_s: float, duration_s: float, gpus: int) -> None:
        """Take GPUs out from `start_s` on for `duration_s`."""
        first, last = self._cut(start_s), self._cut(start_s + duration_s)
        for i in range(first, last):
            self._free[i] -= gpus

    def _cut(self, time_s: float) -> int:
        """The index of the step that begins at this time, made if there is none."""
        i = bisect_right(self._times, time_s) - 1
        if self._times[i] != time_s:
            i += 1
            self._times.insert(i, time_s)
            self._free.insert(i, self._free[i - 1])
        return i
