"""How long a workload's kernels are: under MPS long ones starve short ones, so this decides who yields to whom.

Known where somebody traced the kernels. Else it is read off PCIe: a job that moves no bulk data over it sends commands
only, `BYTES_PER_LAUNCH` for each kernel (h200_measured). Where neither tells, a typical length is taken.
"""

from __future__ import annotations

from goodwatt.power.colocation.interference_constants import (
    BYTES_PER_LAUNCH,
    COMMAND_TRAFFIC_GBPS,
    LONGEST_KERNEL_US,
    SHORTEST_KERNEL_US,
    TYPICAL_KERNEL_US,
)
from goodwatt.power.workloads.demand import Demand


def kernel_length_us(demand: Demand) -> float:
    """Mean length of a kernel in microseconds: as known, else from the traffic on PCIe, else a typical one."""
    return demand.kernel_us or length_from_traffic_us(demand.duty, demand.pcie_gbps) or TYPICAL_KERNEL_US


def length_from_traffic_us(duty: float, pcie_gbps: float) -> float:
    """Mean length of a kernel of a job that is on the GPU for a share `duty` of wall time and moves `pcie_gbps`.

    0 where the traffic does not tell: none is known, or so much that it must be bulk data.
    """
    if not 0.0 < pcie_gbps <= COMMAND_TRAFFIC_GBPS:
        return 0.0
    return min(max(duty * BYTES_PER_LAUNCH / (pcie_gbps * 1e3), SHORTEST_KERNEL_US), LONGEST_KERNEL_US)
