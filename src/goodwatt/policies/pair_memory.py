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

    def candidate(self, job: JobRequest, kind: str) -> Candidate | None:
        """The job on a kind of GPU; None if nothing like it has been seen there."""
        estimate = self.demands.estimate(job, kind)
        if estimate is None:
            return None
        found = self._candidates.get(job.job_id)
        if found is None or found.estimate is not estimate:
            found = self._candidates[job.job_id] = _candidate(estimate, job)
        return found

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """Learn, and forget the candidate."""
        super().job_ended(job, ran_s, now_s)
        self._candidates.pop(job.job_id, None)


def _candidate(estimate: Estimate, job: JobRequest) -> Candidate:
    demand = estimate.demand
    # what was seen, or what the job asks for if that is more
    need_mib = max(demand.memory_mib, job.gpu_memory_mib)
    return Candidate(estimate, estimate.known, demand.sm > 0.0, need_mib, _shape(demand))


def _shape(demand: Demand) -> Shape:
    octaves = round(STEPS_PER_OCTAVE * math.log2(kernel_length_us(demand)))
    return *(round(share / STEP) for share in _shares(demand)), octaves
