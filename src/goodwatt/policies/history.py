"""Predicts how long a job will run from jobs that have ended: same user and name, same user, same size, all.

Each level keeps a mean of durations whose weights fade with age. The prediction starts from the mean of all jobs and
moves towards each more specific level by n / (n + prior), n being the weight seen there: many similar jobs decide,
few only lean (empirical Bayes). It is the memory of the policies that predict; nothing of the future enters.
"""

from __future__ import annotations

import math
from typing import Any, Self

from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.likeness import Key, levels

DAY_S = 86_400.0
UNKNOWN_S = 3_600.0
"""Predicted when nothing has ended yet."""


class History:
    """Durations of ended jobs by how similar they are; weights fade by 1/e in `days`."""

    def __init__(self, days: float = 30.0, prior: float = 1.0) -> None:
        self._fade_s = days * DAY_S
        self._prior = prior
        self._seen: dict[Key, tuple[float, float, float]] = {}

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """Learn from a job that ended now."""
        for key in levels(job):
            weight, mean, at_s = self._seen.get(key, (0.0, 0.0, now_s))
            weight = weight * math.exp((at_s - now_s) / self._fade_s) + 1.0
            self._seen[key] = weight, mean + (ran_s - mean) / weight, now_s

    def predict_s(self, job: JobRequest, now_s: float) -> float:
        """Expected duration of a job, seconds."""
        predicted = UNKNOWN_S
        for key in levels(job):
            seen = self._seen.get(key)
            if seen is not None:
                weight = seen[0] * math.exp((seen[2] - now_s) / self._fade_s)
                predicted += (seen[1] - predicted) * weight / (weight + self._prior)
        return predicted

    def copy(self) -> Self:
        """An independent copy."""
        twin = type(self)(self._fade_s / DAY_S, self._prior)
        twin._seen = dict(self._seen)
        return twin

    def to_plain(self) -> list[Any]:
        """(key, weight, mean, time) of everything seen."""
        return [[list(key), *seen] for key, seen in self._seen.items()]

    def load_plain(self, plain: list[Any]) -> None:
        """Take over what `to_plain` gave."""
        self._seen = {tuple(key): (weight, mean, at_s) for key, weight, mean, at_s in plain}
