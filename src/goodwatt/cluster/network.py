"""What joins the nodes of a cluster, and what may differ from the usual inside them, as facts of the cluster file.

What is None follows from the GPU kind, see `power.network.board`; how long a collective takes over it is left to
`power.network.collectives`.
"""

from __future__ import annotations

from dataclasses import dataclass

LATENCY_US = 18.0
"""Of a step of a ring between nodes: NCCL's own model (src/graph/tuning.cc) has 9.6 times 1.9 for large buffers; over
two nodes of A100 that Vidur measured the fit finds about the same (benchmarks/calibration/vidur_collectives.py)."""


@dataclass(frozen=True, slots=True)
class Network:
    """The scale-out network, and paths inside a node where they are not those of the GPU kind.

    `node_gbps`: GB/s per direction of all network cards of a node together, as on their labels; `nics`: how many
    cards it has, of which a gang uses at most one per GPU. `latency_us`: of one step of a ring that leaves the node.
    `oversubscription`: what the nodes of a rack can send over what the rack's uplinks carry, 1 for a network that
    does not block. `pcie_gbps`: GB/s per direction between two GPUs of a node without NVLink between them;
    `host_gbps`: what all such transfers of a node share, where they go through the main memory. `nvls`: whether
    NVSwitches add up on the way (NVLink SHARP).
    """

    node_gbps: float | None = None
    nics: int | None = None
    latency_us: float = LATENCY_US
    oversubscription: float = 1.0
    pcie_gbps: float | None = None
    host_gbps: float | None = None
    nvls: bool = False
