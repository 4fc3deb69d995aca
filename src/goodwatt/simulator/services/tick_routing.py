"""Which instance gets a request of a tick; the rules are those of `routing`, the loads those at its beginning."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from goodwatt.simulator.services.compiled import compiled
from goodwatt.simulator.services.routing import Router
from goodwatt.simulator.services.service import Role, Service

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class TickRouting:
    """`accepts[position]`: what an instance takes; empty while it drains."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services
        self._routers = [Router(service) for service in services]
        self._turns: dict[tuple[int, Role], int] = defaultdict(int)
        self.accepts: list[tuple[Role, ...]] = []
        self._open: dict[tuple[int, Role], Ints] = {}
        self.change(np.zeros(0, dtype=np.int64))

    def copy(self) -> TickRouting:
        """An independent copy."""
        twin = TickRouting(self._services)
        twin._turns.update(self._turns)
        twin.accepts, twin._open = self.accepts[:], dict(self._open)
        return twin

    def change(self, service_of: Ints) -> None:
        """Instances have come, gone or begun to drain."""
        roles: tuple[Role, ...] = ("prefill", "decode")
        self._open = {
            (service, role): np.array(
                [at for at, taken in enumerate(self.accepts) if service_of[at] == service and role in taken],
                dtype=np.int64,
            )
            for service in range(len(self._services))
            for role in roles
        }

    def choose(self, service: int, role: Role, prompts: Floats, load: Floats) -> Ints | None:
        """The positions for requests in order of arrival, whose tokens are added to `load`; None where nobody is."""
        open_ones = self._open[service, role]
        if not len(open_ones):
            return None
        facts = self._services[service]
        if facts.routing == "by_length" and len(open_ones) > 1:
            chosen = np.empty(len(prompts), dtype=np.int64)
            long = prompts >= facts.long_tokens
            for which, tokens in ((long, facts.long_tokens), (~long, 0)):
                among = np.array(self._routers[service].among(open_ones.tolist(), tokens), dtype=np.int64)
                chosen[which] = _to_least(among, prompts[which], load)
            return chosen
        if facts.routing == "round_robin":
            turn = self._turns[service, role]
            self._turns[service, role] = turn + len(prompts)
            return open_ones[(turn + np.arange(len(prompts))) % len(open_ones)]
        return _to_least(open_ones, prompts, load)


@compiled
def _to_least(among: Ints, prompts: Floats, load: Floats) -> Ints:
    """Each to who has least to do, given what those before it have brought."""
    chosen = np.empty(len(prompts), dtype=np.int64)
    for number in range(len(prompts)):
        least = among[0]
        for position in among:
            if load[position] < load[least]:
                least = position
        load[least] += prompts[number]
        chosen[number] = least
    return chosen
