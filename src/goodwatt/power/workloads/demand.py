"""What a workload asks of a GPU: the few numbers from which speed and power follow.

They are measured with the workload alone on the GPU at the greatest clock that it holds there. Counters in shares
(0 to 1) are those of the GPU performance monitor (GPM): they average over the time on the GPU and its gaps alike.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Demand on one GPU of one kind.

    `u`: SM activity as the power model counts it: dynamic SM watts in units of the kind's `core_w`. That is told at the
    floor of the voltage, so u = 1 draws `core_w * voltage_rise**2` at the greatest clock. `m`: DRAM bandwidth as a
    share of the kind's greatest. Both hold while the workload is on the GPU, gaps excluded. `kappa`: sensitivity of the
    time on the GPU to the SM clock, 0 (memory bound) to 1. `duty`: share of wall time on the GPU; in the gaps it waits
    for the host.
    `sm`, `occupancy`, `tensor`: share of SMs with work, of warp slots in use, of tensor pipes busy, also while on
    the GPU; they decide who yields to whom when workloads share it. `host_cores`: CPU cores kept busy for each
    GPU. `pcie_gbps`: host to device and back, GB/s of wall time, 0 where unknown. `memory_mib`: device memory held.
    `kernel_us`: mean length of a kernel, which decides who starves whom under MPS; 0 where unknown, see
    `kernel_length`.
    """

    u: float
    m: float
    kappa: float
    duty: float = 1.0
    sm: float = 0.0
    occupancy: float = 0.0
    tensor: float = 0.0
    host_cores: float = 0.0
    pcie_gbps: float = 0.0
    memory_mib: int = 0
    kernel_us: float = 0.0

    def acting(self, u: float, m: float, kappa: float) -> Demand:
        """The same with another activity and sensitivity; `dataclasses.replace` takes twice as long."""
        return Demand(
            u=u,
            m=m,
            kappa=kappa,
            duty=self.duty,
            sm=self.sm,
            occupancy=self.occupancy,
            tensor=self.tensor,
            host_cores=self.host_cores,
            pcie_gbps=self.pcie_gbps,
            memory_mib=self.memory_mib,
            kernel_us=self.kernel_us,
        )


@dataclass(frozen=True, slots=True)
class Setting:
    """What is asked of one physical GPU: a locked SM clock, a power cap; None leaves the kind's default."""

    clock_mhz: float | None = None
    cap_w: float | None = None


DEFAULT_SETTING = Setting()
