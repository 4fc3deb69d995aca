"""Whether the promises of services are at risk: what the guard acts on, from what has been seen of the last minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goodwatt.simulator.services.promise import ENOUGH, PERCENTILE

if TYPE_CHECKING:
    from goodwatt.simulator.services.latency_book import LatencyBook

WINDOW_S = 60.0
LATER_S, MOST_LATER_S = 120.0, 3_600.0
"""A promise counts as at risk for so long after it last was: a burst is rarely alone. Twice as long, up to the most,
each time that it is again soon afterwards: then whoever decides has not learnt from it. Assumed."""


@dataclass(slots=True)
class _Seen:
    time_s: float
    finished: int
    tight: int


class PromiseWatch:
    """`until_s[service]`: its promise counts as at risk until then; `since_s`: since when without a break."""

    def __init__(self, services: int) -> None:
        self.until_s = [float("-inf")] * services
        self.since_s = [float("inf")] * services
        self._later_s = [LATER_S] * services
        self._seen: list[deque[_Seen]] = [deque([_Seen(float("-inf"), 0, 0)]) for _ in range(services)]

    def at_risk(self, service: int, now_s: float) -> bool:
        """Whether the promise of a service is."""
        return now_s < self.until_s[service]

    def look(self, books: Sequence[LatencyBook], waiting_since_s: Sequence[float], now_s: float) -> None:
        """A control has been made."""
        for service, book in enumerate(books):
            if self._near(service, book, now_s - waiting_since_s[service], now_s):
                if not self.at_risk(service, now_s):
                    self._begin(service, now_s)
                self.until_s[service] = now_s + self._later_s[service]

    def _begin(self, service: int, now_s: float) -> None:
        self.since_s[service] = now_s
        again = now_s - self.until_s[service] < self._later_s[service]
        self._later_s[service] = min(2.0 * self._later_s[service], MOST_LATER_S) if again else LATER_S

    def copy(self) -> PromiseWatch:
        """An independent copy."""
        twin = PromiseWatch(len(self.until_s))
        twin.until_s, twin.since_s, twin._later_s = self.until_s[:], self.since_s[:], self._later_s[:]
        twin._seen = [deque(seen) for seen in self._seen]  # what has been seen is never changed
        return twin

    def _near(self, service: int, book: LatencyBook, waited_s: float, now_s: float) -> bool:
        """Whether more requests of the last minute came near a limit than may pass it, or one waits too long now."""
        seen = self._seen[service]
        while len(seen) > 1 and seen[1].time_s <= now_s - WINDOW_S:
            seen.popleft()
        before = seen[0]
        seen.append(_Seen(now_s, book.finished_in_all, book.tight_in_all))
        finished, tight = book.finished_in_all - before.finished, book.tight_in_all - before.tight
        share = (100.0 - PERCENTILE) / 100.0
        return waited_s > book.promise.first_s or tight > max(share * finished, 1.0 if finished >= ENOUGH else 2.0)
