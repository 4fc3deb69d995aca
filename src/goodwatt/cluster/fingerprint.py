"""One short text that two clusters share exactly if every simulation treats them alike."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import Any

import orjson

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.gpu_kind import GpuKind

_PROSE = frozenset({"sources", "aliases", "product_labels"})


def fingerprint(cluster: Cluster) -> str:
    """SHA-256, in hexadecimal, of all facts of the cluster; its name, note and sources do not count."""
    content = {
        "nodes": cluster.nodes,
        "kinds": {name: _figures(kind) for name, kind in cluster.kinds.items()},
        "racks": dict(cluster.racks),
        "rows": dict(cluster.rows),
        "power": cluster.power,
        "network": cluster.network,
        "users": dict(cluster.quotas.users),
        "partitions": dict(cluster.quotas.partitions),
    }
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _figures(kind: GpuKind) -> dict[str, Any]:
    return {field.name: getattr(kind, field.name) for field in fields(kind) if field.name not in _PROSE}
