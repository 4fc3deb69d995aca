"""An instance of a service as the physics of GPUs sees it: what it asks of its GPUs, and what they draw.

It is not a job whose phases are known: what it does follows its requests. So it is told anew from time to time, with
the means over the time since it was told last (`FullPhysics.serve`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.gpu.point import GpuPoint
from goodwatt.power.workloads.demand import Demand
from goodwatt.power.workloads.workload import Phase

HOST_CORES = 2.0
"""CPU cores for each GPU of an instance: assumed, as the serving classes of the catalogue."""
NOTHING = Demand(u=0.0, m=0.0, kappa=0.0, host_cores=HOST_CORES)
DIGITS = 2
LEAST_DUTY = 0.01
SM_SHARE, OCCUPANCY = 0.9, 0.1
"""Of SMs with work and of warp slots in use while kernels run: h200_measured, large decode batches and prompts."""
DECODE_KERNEL_US, PROMPT_KERNEL_US = 22.0, 150.0
"""Mean length of kernels: those of llm_decode and llm_prefill in the catalogue."""


class InstanceFacts(NamedTuple):
    """Takes the place of `job_facts.OnKind` for an instance; it is never changed, so forks share it.

    `clock_mhz`, `sm_w`, `dram_w`: means, where it has a GPU for itself. `duty`, `u`, `m`, `kappa`, `memory_mib`: what
    its `Demand` is made of, which is only asked for where it shares a GPU. `least_sm_w`, `least_dram_w`: the most that
    its GPUs draw at the lowest clock, below which no cap brings them.
    """

    clock_mhz: float
    memory_mib: int
    sm_w: float = 0.0
    dram_w: float = 0.0
    duty: float = 0.0
    u: float = 0.0
    m: float = 0.0
    kappa: float = 0.0
    speed: float = 1.0
    phases: tuple[Phase, ...] = ()
    least_sm_w: float = 0.0
    least_dram_w: float = 0.0

    @property
    def demand(self) -> Demand:
        """Rounded, so that instances that are alike share what is computed for one."""
        u, kappa = round(self.u, DIGITS), round(min(1.0, self.kappa), DIGITS)
        return Demand(
            u=u,
            m=round(min(1.0, self.m), DIGITS),
            kappa=kappa,
            duty=round(min(1.0, max(self.duty, LEAST_DUTY)), DIGITS),
            sm=SM_SHARE,
            occupancy=OCCUPANCY,
            tensor=min(1.0, u),
            host_cores=HOST_CORES,
            memory_mib=self.memory_mib,
            kernel_us=DECODE_KERNEL_US + kappa * (PROMPT_KERNEL_US - DECODE_KERNEL_US),
        )

    @property
    def waiting(self) -> Demand:
        """It waits for nobody."""
        return NOTHING

    def default_slowdown(self, model: GpuModel) -> float:  # noqa: ARG002 - as of a job
        """Its own matter: latencies say what a clock costs it."""
        return 1.0

    def busiest(self, model: GpuModel, chip: float) -> InstanceFacts:
        """One that does nothing but what draws the most at the lowest clock: whatever this one did last."""
        return self._replace(
            clock_mhz=model.clocks_mhz[0],
            sm_w=self.least_sm_w * chip,
            dram_w=self.least_dram_w,
            duty=1.0,
            u=_up(self.least_sm_w / model.core_w[0]),
            m=_up(self.least_dram_w / model.memory_w),
            kappa=0.0,
        )

    def least_w(self, model: GpuModel, chip: float) -> float:
        """No cap is kept below."""
        return model.context_w + self.least_sm_w * chip + self.least_dram_w

    def most_w(self, model: GpuModel, cap_w: float | None, chip: float) -> float:
        """What a GPU draws at most under a cap."""
        return max(model.default_cap_w if cap_w is None else cap_w, self.least_w(model, chip))

    def under(self, model: GpuModel, cap_w: float | None, chip: float) -> InstanceFacts:
        """As far as its GPUs can draw it under a cap: the mean reaches back to before the cap was set."""
        sm_w = self.most_w(model, cap_w, chip) - model.context_w - self.dram_w
        return self if self.sm_w <= sm_w else self._replace(sm_w=max(0.0, sm_w))

    def alone(self, model: GpuModel, clock_mhz: float | None, cap_w: float | None, chip: float) -> GpuPoint:  # noqa: ARG002
        """What its GPUs drew since it was told last; clock and chip were its own then."""
        sm_w = self.under(model, cap_w, chip).sm_w
        return GpuPoint(
            clock_mhz=self.clock_mhz,
            watts=model.context_w + sm_w + self.dram_w,
            speeds=(1.0,),
            bound_by="none",
            idle_w=model.idle_w,
            context_w=model.context_w - model.idle_w,
            sm_w=sm_w,
            dram_w=self.dram_w,
        )


def _up(share: float) -> float:
    return math.ceil(share * 10.0**DIGITS) / 10.0**DIGITS
