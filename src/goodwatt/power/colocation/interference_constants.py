"""Fitted constants of the interference laws, by mode, each with its source; benchmarks/calibration/h200_pairs.py,
h200_beside.py and miso_mig.py print the fits that they come from beside what stands here.

They were fitted on one kind per mode, the newest that was measured, and hold for every kind: what differs between kinds
reaches the laws through the demands, which are shares of the kind's own SMs, bandwidth and watts.
"""

from __future__ import annotations

from dataclasses import dataclass

from goodwatt.power.colocation.interference_law import ModeLaw
from goodwatt.power.colocation.interference_scaling import SliceLaw
from goodwatt.power.colocation.interference_tail import TailLaw

NEVER_YIELDS_US = 1e9


@dataclass(frozen=True, slots=True)
class Laws:
    """The law of each mode, as a fit that leaves something out passes them.

    `mps` holds where nobody is limited, `mps_limited` where limits leave no SM to two; between them `interference_law`.
    `tail`: of iterations under MPS.
    """

    timeslice: ModeLaw
    mps: ModeLaw
    mps_limited: ModeLaw
    mig: SliceLaw
    tail: TailLaw


TIMESLICE = ModeLaw(
    overhead=0.0,
    slice_loss=0.1896,
    turn=0.0,
    long_kernel_us=NEVER_YIELDS_US,
    overlap=0.0,
    dram=0.0,
    switch=0.677,
    source="h200_measured/apps_alone_timeslice.json and colocation.json, 29 pairs",
)
MPS = ModeLaw(
    overhead=0.0539,
    slice_loss=0.0,
    turn=1.2762,
    long_kernel_us=775.1,
    overlap=0.0344,
    dram=0.0,
    switch=0.0,
    source="h200_measured/apps_mps.json and colocation.json, 29 pairs",
)
MPS_LIMITED = ModeLaw(
    overhead=0.0846,
    slice_loss=0.0,
    turn=1.2762,
    long_kernel_us=775.1,
    overlap=0.0344,
    dram=1.5396,
    switch=0.0,
    source="h200_measured/apps_mps50.json, 21 pairs; turn, long_kernel_us and overlap as for MPS",
)
MIG = SliceLaw(sm=0.999, dram=1.888, power=2.522, source="miso_mig_a100, 8 models on 4 slices of an A100")
TAIL = TailLaw(
    apart=0.485,
    common=0.57,
    lengths=3.112,
    kernel=0.763,
    source="benchmarks/results/h200_serving.json, part beside, 45 runs of an instance and a batch job",
)

LAWS = Laws(timeslice=TIMESLICE, mps=MPS, mps_limited=MPS_LIMITED, mig=MIG, tail=TAIL)

BYTES_PER_LAUNCH = 4200.0
"""PCIe bytes, both ways, for each kernel launched."""
COMMAND_TRAFFIC_GBPS = 0.3
"""Up to here traffic on PCIe is commands; the six applications of h200_measured send 0.03 to 0.19 GB/s."""
TYPICAL_KERNEL_US = 45.0
"""Median of h200_measured's six applications, where the length cannot be told."""
SHORTEST_KERNEL_US, LONGEST_KERNEL_US = 1.0, 2000.0
"""Bounds of what is read off the traffic: a launch that does nothing, an 8192^3 matmul."""
TYPICAL_SM = 0.86
"""Median of the share of SMs in use while on the GPU over h200_measured's six applications."""
LEAST_SM = 0.005
"""Less than one SM of any kind in use cannot be."""

PAIR_ERRORS = {"timeslice": 0.081, "mps": 0.078, "mig": 0.087}
"""By mode: see `sharing.pair_error`; root mean square over all runs that calibration left out (MIG: over models)."""

TAIL_ERROR = 0.113
"""Root mean square error of p99 over mean of an iteration, runs that the fit had left out."""

WATTS_ERRORS = {"timeslice": 0.044, "mps": 0.034, "mps_limited": 0.113}
"""By law: root mean square of the relative error of a shared GPU's watts over the same runs, all on H200."""
