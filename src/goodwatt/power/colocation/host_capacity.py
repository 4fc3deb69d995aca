"""What the hosts of GPU nodes have to share out where the cluster file does not say: CPU cores and PCIe.

Figures are of NVIDIA's own system with the kind, per GPU; a kind that is in none of them has 0, which limits nobody.
How jobs share them is `host_contention`.
"""

from __future__ import annotations

from collections.abc import Mapping

from goodwatt.cluster.cluster import Node
from goodwatt.cluster.gpu_kind import GpuKind

CORES_PER_GPU: Mapping[str, float] = {
    "V100-SXM2": 5.0,
    "V100-SXM2-32GB": 5.0,
    "A100-SXM4-40GB": 16.0,
    "A100-SXM4-80GB": 16.0,
    "A800-SXM4-80GB": 16.0,
    "H100-SXM": 14.0,
    "H800-SXM": 14.0,
    "H200-SXM": 14.0,
    "B200-SXM": 14.0,
    "B300-SXM": 16.0,
    "GB200": 36.0,
}
"""Physical cores: DGX-1 2 x 20 for eight, DGX A100 2 x 64, DGX H100, H200 and B200 2 x 56, DGX B300 2 x 64, GB200 one
Grace of 72 for two (NVIDIA's data sheets and user guides; A800 and H800 as A100 and H100)."""

PCIE_GBPS: Mapping[str, float] = {
    "Kepler": 31.5,
    "Pascal": 31.5,
    "Volta": 31.5,
    "Turing": 31.5,
    "Ampere": 63.0,
    "Hopper": 126.0,
    "Blackwell": 126.0,
}
"""GB/s both ways of sixteen lanes: generation 3 up to Turing, 4 for Ampere, 5 for Hopper and Blackwell (PCI-SIG:
8, 16, 32 GT/s and lane, 128b/130b). Every GPU is taken to have lanes of its own."""


def node_cores(node: Node, kind: GpuKind) -> float:
    """CPU cores of a node: as the cluster file says, else by its GPUs; 0 if nobody knows."""
    if node.cpu_milli:
        return node.cpu_milli / 1000.0
    return CORES_PER_GPU.get(kind.name, 0.0) * node.gpus


def node_pcie_gbps(node: Node, kind: GpuKind) -> float:
    """GB/s, both ways, that all GPUs of a node can move over PCIe together; 0 if nobody knows."""
    return PCIE_GBPS.get(kind.architecture, 0.0) * node.gpus
