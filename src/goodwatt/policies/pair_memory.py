"""What packing remembers: what telemetry has shown, and of each job that it looks at what decides on pairs."""

from __future__ import annotations

import math
from operator import attrgetter
from typing import NamedTuple

from goodwatt.cluster.job import JobRequest
from goodwatt.policies.power_memory import PowerMemory
from goodwatt.power.colocation.kernel_length import kernel_length_us
from goodwatt.power.telemetry.counters import Counters
from goodwatt.power.telemetry.estimator import Estimate
from goodwatt.power.workloads.demand import Demand
from goodwatt.simulator.jobs.job_run import JobRun

STEP = 0.05
STEPS_PER_OCTAVE = 4
"""Steps in which estimates are rounded: shares, lengths of kernels."""
_shares = attrgetter("u", "m", "kappa", "duty", "sm", "occupancy", "tensor")

_MOST_SHAPES = 256

Shape = tuple[int, ...]
"""A demand in steps: u, m, kappa, duty, sm, occupancy, tensor, and the length of kernels as a power of 2."""


class Candidate(NamedTuple):
    """A job as one of a pair: as `estimate` has it. `need_mib`: device memory, 0 if nothing is known of it.

    `lasts`: the kind of GPU for which this holds until the job is seen again, because nobody else's readings count in.
    """

    estimate: Estimate
    known: bool
    uses_sms: bool
    need_mib: int
    shape: Shape
    lasts: str


class PairMemory(PowerMemory):
    """With `candidates` by job, each good as long as `Candidate.lasts` says."""

    def __init__(self) -> None:
        super().__init__()
        self.candidates: dict[str, Candidate] = {}
        self._shapes: dict[int, tuple[Estimate, Shape]] = {}
        """Of the last estimates, by their id: jobs of which nothing is known share one."""

    def candidate(self, job: JobRequest, kind: str) -> Candidate | None:
        """The job on a kind of GPU; None if nothing like it has been seen there."""
        found = self.candidates.get(job.job_id)
        if found is not None and found.lasts == kind:
            return found
        estimate = self.demands.estimate(job, kind)
        if estimate is None:
            return None
        if found is None or found.estimate is not estimate:
            demand = estimate.demand
            # what was seen, or what the job asks for if that is more
            need_mib = max(demand.memory_mib, job.gpu_memory_mib)
            lasts = kind if estimate.level == "job" and job.name is None else ""
            found = Candidate(estimate, estimate.known, demand.sm > 0.0, need_mib, self._shape(estimate), lasts)
            self.candidates[job.job_id] = found
        return found

    def job_observed(self, run: JobRun, kind: str, seen: Counters, now_s: float) -> None:
        """Learn, and look at the job anew."""
        super().job_observed(run, kind, seen, now_s)
        self.candidates.pop(run.spec.job_id, None)

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """Learn, and forget the candidate."""
        super().job_ended(job, ran_s, now_s)
        self.candidates.pop(job.job_id, None)

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
