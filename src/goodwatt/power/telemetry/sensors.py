"""What the counters of a GPU show of a workload at a clock: the way from a demand to telemetry, and its noise.

The way back, from telemetry to a demand, is `telemetry`. Averages are over a second and more, so that what the sensor
does inside one (`transient`) is over.
"""

from __future__ import annotations

from dataclasses import fields, replace
from random import Random

from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.telemetry.counters import Counters
from goodwatt.power.workloads.demand import Demand

NOISE = 0.02
"""Relative standard deviation of a reading. assumed: run-to-run spread of h200_measured's counters is 1 to 3%."""
WITHOUT_COUNTERS = frozenset({"Kepler", "Maxwell", "Pascal"})
"""Architectures before Volta have no profiling counters, only power, clocks and utilisation (DCGM user guide)."""
_EXACT = ("clock_mhz", "memory_mib")
_SHARES = frozenset({"sm_util", "occupancy", "tensor", "dram_bw", "duty"})
_NOISY = tuple(f.name for f in fields(Counters) if f.name not in _EXACT)


def of_gang(counters: Counters, busy: float, waits: float, waiting: Demand) -> Counters:
    """The counters of a GPU that computes a share `busy` of the time and for a share `waits` of it has a demand of its
    own, waiting for others of its gang or for the network; `counters`: while it computes. Power is measured anyway."""
    mixed = {
        name: busy * share + waits * there
        for name, there in (
            ("sm_util", waiting.sm),
            ("occupancy", waiting.occupancy),
            ("tensor", waiting.tensor),
            ("dram_bw", waiting.m),
            ("duty", waiting.duty),
        )
        if (share := getattr(counters, name)) is not None
    }
    return replace(counters, **{name: min(1.0, share) for name, share in mixed.items()})


def counters_at(model: GpuModel, demand: Demand, clock_mhz: float, power_w: float) -> Counters:
    """Counters of a workload that is alone at a clock, as means over wall time; what the kind has of them."""
    longer = 1.0 + demand.kappa * (model.top_mhz / clock_mhz - 1.0)
    wall = demand.duty * longer + 1.0 - demand.duty
    duty = min(1.0, demand.duty * longer / wall)
    if model.kind.architecture in WITHOUT_COUNTERS:
        return Counters(power_w=power_w, clock_mhz=clock_mhz, duty=duty, memory_mib=demand.memory_mib)
    per_wall = demand.duty / wall
    return Counters(
        sm_util=demand.sm * duty,
        occupancy=demand.occupancy * duty,
        tensor=min(1.0, demand.tensor * per_wall * model.top_mhz / clock_mhz),
        dram_bw=demand.m * per_wall,
        power_w=power_w,
        clock_mhz=clock_mhz,
        duty=duty,
        memory_mib=demand.memory_mib,
        pcie_gbps=demand.pcie_gbps / wall or None,
    )


def noisy(counters: Counters, dice: Random) -> Counters:
    """A reading: every figure off by the noise of the sensors, shares within 0 to 1; clock and memory are exact."""
    read = {name: getattr(counters, name) for name in _EXACT}
    for name in _NOISY:
        if (value := getattr(counters, name)) is not None:
            value *= 1.0 + NOISE * dice.gauss(0.0, 1.0)
            read[name] = min(1.0, max(0.0, value)) if name in _SHARES else value
    return Counters(**read)
