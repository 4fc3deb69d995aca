"""What is worked out once for a cluster state and kept as long as the state is there.

A decision then costs what changed. What is kept follows from the state alone, so it is no memory of a policy: a fork,
which has a state of its own, works it out anew and finds the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from goodwatt.cluster.state import ClusterState

T = TypeVar("T")


class PerState(Generic[T]):
    """One value per state, made when it is first asked for."""

    def __init__(self, make: Callable[[ClusterState], T]) -> None:
        self._make = make
        self._of: WeakKeyDictionary[ClusterState, T] = WeakKeyDictionary()

    def __call__(self, state: ClusterState) -> T:
        """The value of a state."""
        found = self._of.get(state)
        if found is None:
            found = self._of[state] = self._make(state)
        return found
