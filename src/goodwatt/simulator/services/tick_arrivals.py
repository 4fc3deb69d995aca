"""The requests that come, as rows: looked up for a while ahead, because asking a source costs the same for any time."""

from __future__ import annotations

from collections.abc import Sequence

from goodwatt.simulator.services.service import Service
from goodwatt.simulator.services.tick_tables import Rows, fresh_rows

AHEAD_S = 60.0


class TickArrivals:
    """What the sources of services say; nothing but a memory of it."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._sources = [service.requests for service in services]
        self._from_s = self._until_s = 0.0
        self._rows: list[Rows] = []

    def between(self, service: int, from_s: float, until_s: float) -> Rows:
        """Those of a service that come from a time until before another."""
        if not (self._rows and self._from_s <= from_s and until_s <= self._until_s):
            self._look(from_s, max(until_s, from_s + AHEAD_S))
        rows = self._rows[service]
        low, high = rows["arrival_s"].searchsorted([from_s, until_s]).tolist()
        return rows[low:high].copy()

    def _look(self, from_s: float, until_s: float) -> None:
        self._from_s, self._until_s = from_s, until_s
        came = [source.between(from_s, until_s) for source in self._sources]
        self._rows = [
            fresh_rows(number, one.arrival_s, one.prompt_tokens, one.output_tokens) for number, one in enumerate(came)
        ]
