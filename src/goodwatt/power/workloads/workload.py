"""Workload classes: what a job is made of, phase by phase, and what its gangs say to each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

from goodwatt.power.workloads.demand import Demand


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a job that repeats: `share` of its wall time alone at default clocks, `length_s` at a time."""

    name: str
    share: float
    length_s: float
    demand: Demand


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a gang: `compute_s` on the reference kind, then a collective over all its GPUs.

    `exchange_bytes` is the size of the buffer that an all-reduce adds up, `calls` in how many pieces, `overlap` the
    share of the computation behind which it hides.
    """

    compute_s: float
    exchange_bytes: float = 0.0
    calls: int = 1
    overlap: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadClass:
    """An entry of the catalogue.

    `phases` by GPU kind, those of `reference_gpu` at least; `speeds`: work done per second on a kind relative to
    `reference_gpu`, both alone at default clocks. Kinds not named are derived, see `workloads.catalogue`.
    `math`: its arithmetic, `half` in 16 bits or fewer, `tf32` large products of matrices in 32 bits, else `fp32`.
    `gpus`: smallest and largest gang that is usual; `weight`: how often it occurs where nobody says what runs.
    `checkpoint_mib`: size of one checkpoint of the whole job. `sources`: where each part comes from.
    """

    name: str
    about: str
    family: str
    reference_gpu: str
    phases: Mapping[str, tuple[Phase, ...]] = field(hash=False)
    step: Step
    speeds: Mapping[str, float] = field(default_factory=dict, hash=False)
    math: Literal["fp32", "tf32", "half"] = "fp32"
    gpus: tuple[int, int] = (1, 1)
    weight: float = 1.0
    checkpoint_mib: float = 0.0
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def memory_mib(self) -> int:
        """Device memory that it holds on each GPU of its reference kind."""
        return max(phase.demand.memory_mib for phase in self.phases[self.reference_gpu])


def mean_demand(phases: tuple[Phase, ...]) -> Demand:
    """One demand that draws what the phases draw on average at the greatest clock.

    Activity averages over time on the GPU, `kappa` too (its time splits into a part that scales and one that does
    not), use of the host over wall time, lengths of kernels over the phases that know them; memory is the most that
    any phase holds.
    """
    if len(phases) == 1:
        return phases[0].demand
    on_gpu = [phase.share * phase.demand.duty for phase in phases]
    total, wall = math.fsum(on_gpu), math.fsum(phase.share for phase in phases)
    if total <= 0.0:
        return phases[0].demand
    averaged = {name: _mean(phases, name, on_gpu) for name in _ON_GPU}
    averaged |= {name: _mean(phases, name, [phase.share for phase in phases]) for name in _OF_HOST}
    told = [w if phase.demand.kernel_us > 0.0 else 0.0 for w, phase in zip(on_gpu, phases, strict=True)]
    memory = max(phase.demand.memory_mib for phase in phases)
    kernel_us = _mean(phases, "kernel_us", told)
    return Demand(**averaged, duty=min(1.0, total / wall), memory_mib=memory, kernel_us=kernel_us)


_OF_HOST = ("host_cores", "pcie_gbps")
_ON_GPU = tuple(f.name for f in fields(Demand) if f.name not in {*_OF_HOST, "duty", "memory_mib", "kernel_us"})


def _mean(phases: tuple[Phase, ...], name: str, weights: list[float]) -> float:
    told = math.fsum(w * getattr(p.demand, name) for w, p in zip(weights, phases, strict=True))
    return told / math.fsum(weights) if told else 0.0
