"""Trying things out on the state of a cluster: a block in which changes are logged, and undone at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goodwatt.cluster.state import ClusterState


class WhatIf:
    """The block of `ClusterState.what_if`."""

    __slots__ = ("_mark", "_outer", "_state")

    def __init__(self, state: ClusterState) -> None:
        self._state = state

    def __enter__(self) -> ClusterState:
        state = self._state
        self._outer = state._log
        if self._outer is None:
            state._log = []
        self._mark = 0 if self._outer is None else len(self._outer)
        return state

    def __exit__(self, *_: object) -> None:
        state = self._state
        if state._log:
            state.rollback(self._mark)
        state._log = self._outer
