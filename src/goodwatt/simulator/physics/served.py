"""An instance of a service as the physics of GPUs sees it: what it asks of its GPUs, and what they draw.

It is not a job whose phases are known: what it does follows its requests. So it is told anew from time to time, with
the means over the time since it was told last (`FullPhysics.serve`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.gpu.point import GpuPoint
from goodwatt.power.workloads.demand import Demand
from goodwatt.power.workloads.workload import Phase

HOST_CORES = 2.0
"""CPU cores for each GPU of an instance: assumed, as the serving classes of the catalogue."""
NOTHING = Demand(u=0.0, m=0.0, kappa=0.0, host_cores=HOST_CORES)


class Served(NamedTuple):
    """Takes the place of `job_facts.OnKind` for an instance: its demand, and its point where it has a GPU for itself.

    It is never told again of itself, so forks share it.
    """

    demand: Demand
    clock_mhz: float
    sm_w: float
    dram_w: float
    speed: float = 1.0
    phases: tuple[Phase, ...] = ()

    @property
    def waiting(self) -> Demand:
        """It waits for nobody."""
        return NOTHING

    def default_slowdown(self, model: GpuModel) -> float:  # noqa: ARG002 - as of a job
        """Its own matter: latencies say what a clock costs it."""
        return 1.0

    def alone(self, model: GpuModel, clock_mhz: float | None, cap_w: float | None, chip: float) -> GpuPoint:  # noqa: ARG002
        """What its GPUs drew since it was told last; clock, cap and chip were its own then."""
        return GpuPoint(
            clock_mhz=self.clock_mhz,
            watts=model.context_w + self.sm_w + self.dram_w,
            speeds=(1.0,),
            bound_by="none",
            idle_w=model.idle_w,
            context_w=model.context_w - model.idle_w,
            sm_w=self.sm_w,
            dram_w=self.dram_w,
        )


def starting(model: GpuModel, memory_mib: int) -> Served:
    """An instance that has not served anybody yet, but takes its memory."""
    return Served(replace(NOTHING, memory_mib=memory_mib), model.top_mhz, 0.0, 0.0)
