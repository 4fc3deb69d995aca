"""The contract of a fleet: instances of services, whoever simulates them, and the choice between the two that ship."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from goodwatt.simulator.services.board import SPENT
from goodwatt.simulator.settings.serving_settings import Resolution

if TYPE_CHECKING:
    from goodwatt.simulator.services.board import Board, Spent
    from goodwatt.simulator.services.latency_book import LatencyBook
    from goodwatt.simulator.services.service import Role
    from goodwatt.simulator.services.serving import Serving


class Report(NamedTuple):
    """What instances did since they were last asked, by slot: `spent[i]` in the columns of `board.SPENT`, and the
    requests that they have not finished."""

    slots: list[int]
    spent: NDArray[np.float64]
    outstanding: list[int]

    @property
    def requests(self) -> tuple[list[int], list[float]]:
        """Of each instance those that it has not finished, and for how many seconds it had some to do."""
        return self.outstanding, self.spent[:, SPENT.index("wall_s")].tolist()


class Fleet(Protocol):
    """Instances are known by slot, a number never given twice. `now_s`: up to when requests have come."""

    now_s: float

    @property
    def books(self) -> list[LatencyBook]:
        """What became of the requests, by service in their order."""
        ...

    def start(self, service: int, board: Board, role: Role = "both") -> int:
        """An instance takes requests from now on; its slot."""

    def drain(self, slot: int) -> None:
        """An instance gets no more requests; it finishes those that it has."""

    def evict(self, slot: int) -> None:
        """An instance is gone, and its requests begin anew elsewhere."""

    def outstanding(self, slot: int) -> int:
        """Requests that an instance has not finished."""

    def queued(self, service: int) -> int:
        """Requests of a service of which nothing has been computed yet."""

    def waiting_since_s(self, service: int) -> float:
        """When the first of those came who have had no token yet; infinite if there is nobody."""

    def board(self, slot: int) -> Board:
        """To set its clock, its cap and what co-runners do to it."""

    def board_as_set(self, slot: int) -> Board:
        """The same to be read only."""

    def take_spent(self, slot: int) -> Spent:
        """What its iterations took since this was last asked."""

    def report(self) -> Report:
        """The same of all, and what they have to do."""

    def advance(self, until_s: float) -> None:
        """Requests come up to this time."""

    def copy(self) -> Self:
        """An independent copy."""


def new_fleet(resolution: Resolution, servings: Sequence[Serving], now_s: float) -> Fleet:
    """Request by request, or in steps of a tick."""
    if resolution == "requests":
        from goodwatt.simulator.services.request_fleet import RequestFleet

        return RequestFleet(servings, now_s)
    from goodwatt.simulator.services.tick_fleet import TickFleet

    return TickFleet(servings, now_s)
