"""What service policies remember of each service: its load over time, how long its requests are, and what an instance
carries of such requests (`service_capacity`), computed anew when they have become others.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from goodwatt.cluster.job import JobRequest
from goodwatt.policies.service_capacity import Capacity, capacity
from goodwatt.policies.service_queueing import ALONE, Beside, Lengths
from goodwatt.simulator.services.service import Role
from goodwatt.simulator.services.serving import Serving
from goodwatt.simulator.view import View

Floats = NDArray[np.float64]
RATES_KEPT_S = 900.0
MINUTE_S = 60.0
SHORT_S = 20.0
"""A rise of the load counts after so long."""
DAY_S = 86400.0
REQUESTS = 16384
"""So many of the latest say how long requests are."""
FEWEST = 64
"""Before so many have been done nobody knows how long they are."""
CHANGED = 0.1
"""By so much the mean length of prompts or outputs changes before capacity is computed anew."""
AGAIN_S = 1800.0
"""Nor is it before, unless twice as many requests have been seen as then."""
ALIKE = (1, 2, 4)
"""Numbers of instances for which it is computed; with four, sharing a queue has done nearly all that it does."""


class ServiceMemory:
    """`seen`: one for each service, up to now when a policy has called `look`."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def look(self, view: View) -> list[Seen]:
        """What has become known since the last control."""
        services = view.services
        assert services is not None  # noqa: S101 - a service policy is asked where there are services
        if not self.seen:
            self.seen = [Seen() for _ in services.servings]
        for number, seen in enumerate(self.seen):
            if view.now_s > seen.now_s:
                seen.note(view.now_s, services.rate(number), *services.done_since(number, seen.now_s)[-2:])
        return self.seen

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """Jobs are others' matter."""

    def copy(self) -> Self:
        """An independent copy."""
        twin = type(self)()
        twin.seen = [seen.copy() for seen in self.seen]
        return twin

    def to_plain(self) -> Any:
        """What was seen of each service."""
        return [seen.to_plain() for seen in self.seen]

    def load_plain(self, plain: Any) -> None:
        """Take over what `to_plain` gave."""
        self.seen = [Seen.of_plain(content) for content in plain]


class Seen:
    """One service. `rates`: (time, requests a second since the control before); `minutes`: requests a second by minute
    since `began_s`; `wanted`: what policies wanted lately, by what it is about: (time, number); `marks`: what else they
    note, by name.
    """

    def __init__(self) -> None:
        self.now_s = self.began_s = -np.inf
        self.rates: deque[tuple[float, float]] = deque()
        self.minutes: list[float] = []
        self.wanted: dict[str, list[tuple[float, float]]] = {}
        self.marks: dict[str, float] = {}
        self._prompt, self._output = np.zeros(0), np.zeros(0)
        self._typical: Lengths | None = None
        self._typical_of = (0, -np.inf)
        self._known: dict[tuple[str, float, int, Beside], Capacity] = {}

    def note(self, now_s: float, rate_per_s: float, prompt_tokens: Floats, output_tokens: Floats) -> None:
        """Requests came since the control before at this rate, and those of these lengths were done."""
        if self.began_s == -np.inf:
            self.began_s = now_s
        else:
            self.rates.append((now_s, rate_per_s))
        self.now_s = now_s
        while self.rates and self.rates[0][0] <= now_s - RATES_KEPT_S:
            self.rates.popleft()
        if now_s - self.began_s >= MINUTE_S * (len(self.minutes) + 1):
            self.minutes.append(self.rate(MINUTE_S))
        self._prompt = np.append(self._prompt, prompt_tokens)[-REQUESTS:]
        self._output = np.append(self._output, output_tokens)[-REQUESTS:]
        self._compare()

    def rate(self, span_s: float, until_s: float | None = None) -> float:
        """Mean requests a second over so long before a time, of the last quarter of an hour; by default up to now."""
        end_s = self.now_s if until_s is None else until_s
        rates = [rate for time_s, rate in self.rates if end_s - span_s < time_s <= end_s]
        return sum(rates) / len(rates) if rates else 0.0

    @property
    def load(self) -> float:
        """Requests a second of the last minute, or of its last part if that had more."""
        return max(self.rate(MINUTE_S), self.rate(SHORT_S))

    def capacity(
        self, serving: Serving, role: Role, margin: float, instances: int, beside: Beside = ALONE
    ) -> Capacity | None:
        """What one of so many instances carries beside a co-runner; None while nobody knows how long requests are."""
        if self._typical is None:
            return None
        alike = max(number for number in ALIKE if number <= max(1, instances))
        key = (role, margin, alike, beside)
        if key not in self._known:
            self._known[key] = capacity(serving, self._typical, role, margin, alike, beside)
        return self._known[key]

    @property
    def typical(self) -> Lengths | None:
        """How long requests are; None while nobody knows."""
        return self._typical

    def most_wanted(self, what: str, number: float, span_s: float) -> float:
        """The most that was wanted within this time, now included."""
        kept = [entry for entry in self.wanted.get(what, []) if entry[0] > self.now_s - span_s and entry[1] > number]
        self.wanted[what] = [*kept, (self.now_s, number)]  # falling: who was more than all after him is kept
        return self.wanted[what][0][1]

    def last_wanted(self, what: str, default: float) -> float:
        """What `most_wanted` last gave."""
        wanted = self.wanted.get(what)
        return wanted[0][1] if wanted else default

    def copy(self) -> Seen:
        """An independent copy; tables are never written to."""
        twin = Seen()
        twin.__dict__.update(self.__dict__)
        twin.rates, twin.minutes, twin._known = self.rates.copy(), self.minutes[:], dict(self._known)
        twin.wanted, twin.marks = {what: entries[:] for what, entries in self.wanted.items()}, dict(self.marks)
        return twin

    def to_plain(self) -> Any:
        """All but what can be computed."""
        return {
            "now_s": self.now_s, "began_s": self.began_s, "rates": [list(entry) for entry in self.rates],
            "minutes": self.minutes, "wanted": {k: [list(e) for e in v] for k, v in self.wanted.items()},
            "marks": self.marks, "prompt": self._prompt.tolist(), "output": self._output.tolist(),
            "typical_of": list(self._typical_of),
            "typical": self._typical and [column.tolist() for column in self._typical],
        }  # fmt: skip

    @classmethod
    def of_plain(cls, plain: Any) -> Seen:
        """What `to_plain` gave."""
        seen = cls()
        seen.now_s, seen.began_s, seen.minutes = plain["now_s"], plain["began_s"], list(plain["minutes"])
        seen.rates = deque((time_s, rate) for time_s, rate in plain["rates"])
        seen.wanted = {what: [(time_s, number) for time_s, number in v] for what, v in plain["wanted"].items()}
        seen.marks = dict(plain["marks"])
        seen._prompt, seen._output = np.array(plain["prompt"]), np.array(plain["output"])
        seen._typical_of = (plain["typical_of"][0], plain["typical_of"][1])
        if plain["typical"] is not None:
            seen._typical = Lengths(*(np.array(column) for column in plain["typical"]))
        return seen

    def _compare(self) -> None:
        """Forget what an instance carries if requests have become longer or shorter since it was computed."""
        count, since_s = self._typical_of
        if len(self._prompt) < max(FEWEST, 2 * count) and (not count or self.now_s < since_s + AGAIN_S):
            return
        pairs = zip((self._prompt, self._output), self._typical or (), strict=False)
        if self._typical is None or any(abs(a.mean() - b.mean()) > CHANGED * b.mean() for a, b in pairs):
            self._typical, self._known = Lengths.typical(self._prompt, self._output), {}
            self._typical_of = len(self._prompt), self.now_s


def service_memory(view: View) -> ServiceMemory:
    """The memory of the service policy that is asked."""
    assert isinstance(view.memory, ServiceMemory)  # noqa: S101 - its new_memory made it
    return view.memory
