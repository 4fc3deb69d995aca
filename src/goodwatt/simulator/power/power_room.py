"""What policies see of the power book: limits, what is granted below them, and whether there is room for a start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goodwatt.simulator.power.power_book import PowerBook
    from goodwatt.simulator.power.power_plan import PowerPlan


class PowerRoom:
    """A book to be read. Levels, nodes and units as in `PowerBook`; every answer is a copy of what holds now."""

    __slots__ = ("_book",)

    def __init__(self, book: PowerBook) -> None:
        self._book = book

    @property
    def names(self) -> tuple[str, ...]:
        """Of the levels: site, rows, racks."""
        return self._book.names

    @property
    def path(self) -> tuple[tuple[int, ...], ...]:
        """The levels above each node."""
        return self._book.path

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return self._book.limited

    @property
    def limit_uw(self) -> tuple[int, ...]:
        """Microwatts that may be drawn below each level, at the feed."""
        return tuple(self._book.limit_uw)

    @property
    def granted_uw(self) -> tuple[int, ...]:
        """Microwatts that may be being drawn below each level, by what has been granted."""
        return tuple(self._book.granted_uw)

    @property
    def over(self) -> tuple[str, ...]:
        """Levels below which more may be drawn than their limit, until enough has come down."""
        return self._book.over

    @property
    def held(self) -> tuple[int, ...]:
        """GPUs of each node that jobs hold."""
        return tuple(self._book.held)

    def plan(self, leaving: Iterable[str] = ()) -> PowerPlan:
        """To try starts on idle GPUs, these running jobs gone; the book stays as it is."""
        return self._book.plan(leaving)
