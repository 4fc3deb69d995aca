"""What packing remembers: what telemetry has shown, and of each job that it looks at what decides on pairs."""

from __future__ import annotations

import math
from operator import attrgetter
from typing import NamedTuple

from goodwatt.cluster.job import JobRequest
from goodwatt.policies.power_memory import PowerMemory
from goodwatt.power.demand import Demand
from goodwatt.power.estimator import Estimate
from goodwatt.power.kernel_length import kernel_length_us

STEP = 0.05
STEPS_PER_OCTAVE = 4
"""Steps in which estimates are rounded: shares, lengths of kernels."""
_shares = attrgetter("u", "m", "kappa", "duty", "sm", "occupancy", "tensor")

_MOST_SHAPES = 256

Shape = tuple[int, ...]
"""A demand in steps: u, m, kappa, duty, sm, occupancy, tensor, and the length of kernels as a power of 2."""


class Candidate(NamedTuple):
    """A job as one of a pair: as `estimate` has it. `need_mib`: device memory, 0 if nothing is known of it."""

    estimate: Estimate
    known: bool
    uses_sms: bool
    need_mib: int
    shape: Shape


class PairMemory(PowerMemory):
    """With candidates by job, kept until the estimate is another."""

    def __init__(self) -> None:
        super().__init__()
        self._candidates: dict[str, Candidate] = {}
        self._shapes: dict[int, tuple[Estimate, Shape]] = {}
        """Of the last estimates, by their id: jobs of which nothing is known share one."""

    def candidate(self, job: JobRequest, kind: str) -> Candidate | None:
        """The job on a kind of GPU; None if nothing like it has been seen there."""
        estimate = self.demands.estimate(job, kind)
        if estimate is None:
            return None
        found = self._candidates.get(job.job_id)
        if found is None or found.estimate is not estimate:
            demand = estimate.demand
            # what was seen, or what the job asks for if that is more
            need_mib = max(demand.memory_mib, job.gpu_memory_mib)
            found = Candidate(estimate, estimate.known, demand.sm > 0.0, need_mib, self._shape(estimate))
            self._candidates[job.job_id] = found
        return found

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """Learn, and forget the candidate."""
        super().job_ended(job, ran_s, now_s)
        self._candidates.pop(job.job_id, None)

    def _shape(self, estimate: Estimate) -> Shape:
        known = self._shapes.get(id(estimate))
        if known is None or known[0] is not estimate:
            if len(self._shapes) >= _MOST_SHAPES:
                self._shapes.clear()
            known = self._shapes[id(estimate)] = estimate, _shape_of(estimate.demand)
        return known[1]


def _shape_of(demand: Demand) -> Shape:
    octaves = round(STEPS_PER_OCTAVE * math.log2(kernel_length_us(demand)))
    return *(round(share / STEP) for share in _shares(demand)), octaves
