"""Cluster files of users: YAML, checked against `cluster_schema`."""

from __future__ import annotations

from pathlib import Path

from goodwatt.checked_yaml import Models, build_checked, read_text
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.cluster_schema import (
    ClusterFile,
    CoolingEntry,
    NetworkEntry,
    NodeGroup,
    Power,
    QuotaTable,
    RackEntry,
    RowEntry,
)

SECTIONS: Models = {
    "nodes": NodeGroup,
    "racks": RackEntry,
    "rows": RowEntry,
    "power": Power,
    "cooling": CoolingEntry,
    "quotas": QuotaTable,
    "network": NetworkEntry,
}


def read_cluster(path: Path) -> Cluster:
    """The cluster that the file describes. Raises InputError, with a line for each problem."""
    return cluster_from_text(read_text(path, "cluster file"), str(path))


def cluster_from_text(text: str, source: str) -> Cluster:
    """The cluster that `text` describes; `source` names it in messages. Raises InputError."""
    return build_checked(
        text, source, "a cluster", ClusterFile, SECTIONS, lambda content: build_cluster(content, Path(source).stem)
    )
