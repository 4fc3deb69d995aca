"""Cluster files of users: YAML, checked against `cluster_schema`, with messages that name file, line, key."""

from __future__ import annotations

from pathlib import Path

from goodwatt.cluster.cluster import Cluster


def read_cluster(path: Path) -> Cluster:
    """The cluster that the file describes."""
    raise NotImplementedError(path)
