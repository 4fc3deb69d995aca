"""The simulated truth: how a job, a pair and a chip really behave, off the model by as much as the model errs.

Every residual is a function of the seed and of names, drawn from a hash and not from a stream, so forks, subsets and
repeated runs agree. Errors come from measurements that the models were not fitted on: of time and power from the
kind's `PowerModel`, of shared speeds from `sharing.pair_error`, of speeds on other kinds from `kind_rates`, of services
from `services.service_truth`. `NO_RESIDUAL` is the model itself (`--truth model`). Stragglers are failures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.workloads.catalogue import measured_on
from goodwatt.power.workloads.demand import Demand
from goodwatt.power.workloads.kind_rates import speed_error
from goodwatt.power.workloads.workload import Phase, WorkloadClass

if TYPE_CHECKING:
    from goodwatt.simulator.settings.run_options import RunOptions

TYPICAL_STRETCH = 1.4
"""f_max / f at which a residual of `kappa` shows as the time error: in the middle of the clocks that policies lock."""
WIDEST = 2.5
"""Residuals are cut off at so many standard deviations."""
_SPREAD = 1.0 / 0.9546
"""Puts the standard deviation of a normal distribution cut off at `WIDEST` back to 1."""
LEAST_FACTOR = 0.2
MOST_OFF = 0.6
"""No part of a demand is off by more than this, however small a part of the watts it is."""

OWN_PART = 0.2
"""Assumed: batch sizes and variants of a model differ within a class."""

Residual = tuple[float, float, float]
"""Standard normal residuals of kappa, u and m."""


class Truth:
    """Residuals of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._key = str(seed).encode()
        self._chips: dict[tuple[str, int], float] = {}

    def job_residual(self, job_id: str) -> Residual:
        """What is drawn for a job, once and for every kind it runs on."""
        return *self._normals(f"job\x1f{job_id}"), self._normals(f"dram\x1f{job_id}")[0]

    def phases(self, phases: tuple[Phase, ...], residual: Residual, model: GpuModel) -> tuple[Phase, ...]:
        """The true phases of a job on a kind: kappa, u and m off by as much as the kind's model errs."""
        return tuple(_truly(phase, residual, model) for phase in phases)

    def pair_factors(self, job_a: str, job_b: str, error: float) -> tuple[float, float]:
        """Factors on the speeds of two jobs that share a GPU, in the order given; symmetric in the pair."""
        low, high = (job_a, job_b) if job_a <= job_b else (job_b, job_a)
        first, second = self._normals(f"pair\x1f{low}\x1f{high}")
        factors = _factor(first, error), _factor(second, error)
        return factors if low is job_a else factors[::-1]

    def resident_factors(self, job_ids: Sequence[str], error: float) -> tuple[float, ...]:
        """Factors on the speeds of all residents of a GPU: each one's pairs together err as much as one pair."""
        if len(job_ids) < 2:
            return (1.0,) * len(job_ids)
        if len(job_ids) == 2:
            return self.pair_factors(job_ids[0], job_ids[1], error)
        scaled = error / math.sqrt(len(job_ids) - 1)
        return tuple(
            math.prod(self.pair_factors(job, other, scaled)[0] for other in job_ids if other != job) for job in job_ids
        )

    def chip_factor(self, node: str, gpu: int, spread: float) -> float:
        """How much more or less than nominal the SMs of one board draw; `spread`: `PowerModel.chip_spread`."""
        place = node, gpu
        drawn = self._chips.get(place)
        if drawn is None:
            drawn = self._chips[place] = self._normals(f"chip\x1f{node}\x1f{gpu}")[0]
        return _factor(drawn, spread)

    def speed_factor(self, job_id: str, workload: WorkloadClass, kind: str) -> float:
        """Factor on the speed of a job on a kind where nobody measured its class; 1 where somebody did.

        The rule's error was measured between classes, so most of it is shared by the jobs of a class, and whoever
        watches them learns it; `OWN_PART` of its variance is the job's own.
        """
        if measured_on(workload, kind):
            return 1.0
        shared, own = (self._normals(f"speed\x1f{name}\x1f{kind}")[0] for name in (workload.name, f"job {job_id}"))
        return math.exp(speed_error() * (math.sqrt(1.0 - OWN_PART) * shared + math.sqrt(OWN_PART) * own))

    def service_factors(self, name: str, kind: str, time_error: float, joules_error: float) -> tuple[float, float]:
        """Factors on the time of a service's iterations on a kind, and on their watts above the context's."""
        time, joules = self._normals(f"service\x1f{name}\x1f{kind}")
        return _factor(time, time_error), _factor(joules, joules_error)

    def _normals(self, name: str) -> tuple[float, float]:
        """Two independent standard normals, cut off at `WIDEST`, that belong to a name (Box-Muller)."""
        digest = blake2b(name.encode(errors="surrogatepass"), key=self._key, digest_size=16).digest()
        radius = math.sqrt(-2.0 * math.log((int.from_bytes(digest[:8], "big") + 1) / 2**64))
        angle = 2.0 * math.pi * int.from_bytes(digest[8:], "big") / 2**64
        return _cut(radius * math.cos(angle)), _cut(radius * math.sin(angle))


class NoResidual(Truth):
    """The model is the truth: an oracle."""

    def __init__(self) -> None:
        super().__init__(0)

    def _normals(self, name: str) -> tuple[float, float]:  # noqa: ARG002 - nothing is off
        return 0.0, 0.0


NO_RESIDUAL: Truth = NoResidual()


def truth_of(options: RunOptions) -> Truth:
    """What a run's options ask for."""
    return NO_RESIDUAL if options.truth == "model" else Truth(options.seed)


def greatest_factor(error: float, residents: int = 2) -> float:
    """What no factor of `Truth.resident_factors` exceeds, for up to so many residents of a GPU."""
    others = max(residents - 1, 1)
    return float((1.0 + error / math.sqrt(others) * WIDEST * _SPREAD) ** others)


def _cut(drawn: float) -> float:
    return max(-WIDEST, min(WIDEST, drawn)) * _SPREAD


def _factor(drawn: float, error: float) -> float:
    return max(LEAST_FACTOR, 1.0 + error * drawn)


def _truly(phase: Phase, residual: Residual, model: GpuModel) -> Phase:
    if residual == (0.0, 0.0, 0.0):
        return phase
    demand = phase.demand
    kappa_off = residual[0] * model.power.time_error * kappa_per_time(demand)
    off = model.power.power_error * parts_per_power(demand, model)
    kappa = min(1.0, max(0.0, demand.kappa + kappa_off))
    u, m = (1.0 + max(-MOST_OFF, min(MOST_OFF, off * drawn)) for drawn in residual[1:])
    return Phase(phase.name, phase.share, phase.length_s, demand.acting(demand.u * u, min(1.0, demand.m * m), kappa))


def kappa_per_time(demand: Demand) -> float:
    """By how much kappa must be off for the wall time at `TYPICAL_STRETCH` to be off by the whole of itself."""
    wall = 1.0 + demand.duty * demand.kappa * (TYPICAL_STRETCH - 1.0)
    return wall / (demand.duty * (TYPICAL_STRETCH - 1.0))


def parts_per_power(demand: Demand, model: GpuModel) -> float:
    """By how much u and m, each for itself, must be off for the mean watts to be off by the whole of themselves."""
    sm_w = demand.duty * demand.u * model.core_w[-1]
    dram_w = demand.duty * demand.m * model.memory_w
    drawn_w = math.hypot(sm_w, dram_w)
    return (model.context_w + sm_w + dram_w) / drawn_w if drawn_w > 0.0 else 0.0
