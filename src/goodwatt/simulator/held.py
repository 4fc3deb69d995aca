"""Jobs that a power policy holds back, where it is easier to say who is not: `in` and union, as of a set."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AllBut:
    """All jobs but the `free` ones."""

    free: frozenset[str] = frozenset()

    def __contains__(self, job_id: str) -> bool:
        return job_id not in self.free

    def __or__(self, other: Held) -> AllBut:
        return AllBut(self.free & other.free if isinstance(other, AllBut) else self.free.difference(other))

    __ror__ = __or__


Held = AbstractSet[str] | AllBut
