"""Tells which nodes of a state changed since it was last asked, whatever happened in between.

The state replaces a node's entries and never changes them in place, so an entry that is the same object is the same
value. Comparing identities runs at the speed of C, and what-ifs, rollbacks and copies need no bookkeeping.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, count
from operator import is_not
from typing import Any

from goodwatt.cluster.state import ClusterState


class NodeWatch:
    """Remembers what it saw; the first answer is all nodes."""

    def __init__(self) -> None:
        self._seen: list[list[Any]] = []

    def __call__(self, state: ClusterState) -> Sequence[int]:
        """Nodes whose free GPUs, shares, CPU or memory may be others than at the last call, ascending."""
        columns: list[list[Any]] = [state.free_mask, state.shares]
        if state.limits_hosts:
            columns += [state.free_cpu_milli, state.free_memory_mib]
        seen, self._seen = self._seen, [column[:] for column in columns]
        if not seen:
            return range(len(state.free_mask))
        pairs = zip(columns, seen, strict=True)
        return sorted({node for new, old in pairs for node in compress(count(), map(is_not, new, old))})
