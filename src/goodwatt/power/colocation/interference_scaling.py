"""What a smaller share of a GPU costs a workload that has that share to itself: MIG slices, MPS thread limits.

MIG: t = ((1 + (s / S)^q + (d / B)^q) / (1 + s^q + d^q))^(1/q), with S the share of SMs, B that of the memory system,
s and d how hard the workload presses on either, in units of the time that neither of them explains (the host, launch
gaps). s is the dynamic power at the greatest clock as a share of what the board may draw: power counts work done on
the SMs, utilisation does not. Thread limit S: t = 1 + duty h (1 / S - 1), h the share of the SMs' capacity in use.
"""

from __future__ import annotations

from dataclasses import dataclass

from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.workloads.demand import Demand


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceLaw:
    """Constants of the MIG law: `sm` per share of the board's dynamic watts, `dram` per share of its bandwidth."""

    sm: float
    dram: float
    power: float
    source: str


def slice_stretch(watts_share: float, dram_share: float, sms: float, memory: float, law: SliceLaw) -> float:
    """Time on a slice with shares `sms` and `memory` of a GPU relative to the whole GPU, 1 or more.

    `watts_share`: dynamic watts alone over those the board may draw; `dram_share`: bandwidth alone, both means over
    wall time.
    """
    if watts_share <= 0.0 and dram_share <= 0.0:
        return 1.0
    q = law.power
    s, d = (law.sm * watts_share) ** q, (law.dram * dram_share) ** q
    return float(((1.0 + s / sms**q + d / memory**q) / (1.0 + s + d)) ** (1.0 / q))


def watts_share(model: GpuModel, demand: Demand) -> float:
    """Dynamic watts at the greatest clock, gaps included, over those between context and rated power; may exceed 1."""
    return (model.watts(demand, model.top_mhz) - model.context_w) / (model.default_cap_w - model.context_w)


def thread_limit_stretch(model: GpuModel, demand: Demand, threads: float) -> float:
    """Time under an MPS active-thread share `threads` of (0, 1] relative to no limit, 1 or more."""
    if threads >= 1.0:
        return 1.0
    return 1.0 + capacity_used(model, demand) * (1.0 / threads - 1.0)


def capacity_used(model: GpuModel, demand: Demand) -> float:
    """Share of the SMs' capacity in use, mean over wall time: warps and tensor pipes, watts where neither is known."""
    used = demand.occupancy + demand.tensor
    return demand.duty * min(1.0, used) if used > 0.0 else min(1.0, watts_share(model, demand))
