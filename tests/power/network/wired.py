"""Small clusters by the wires they have, for tests of collectives and layouts."""

from __future__ import annotations

from typing import Any

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster


def wired(gpu: str, nodes: int, gpus: int = 8, network: dict[str, Any] | None = None, **more: Any) -> Cluster:
    """Equal nodes."""
    group = {"gpu": gpu, "count": nodes, "gpus": gpus, **more}
    return build_cluster({"nodes": [group], "network": network or {}})


def whole(nodes: int, gpus: int = 8, first: int = 0) -> list[tuple[int, int]]:
    """All GPUs of the nodes from `first` on."""
    return [(first + node, (1 << gpus) - 1) for node in range(nodes)]
