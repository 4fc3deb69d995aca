"""Which instance gets a request: in turn, who has least to do, or by the length of the prompt."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from goodwatt.simulator.services.service import Service

LoadOf = Callable[[int], float]
"""What an instance has to do, in tokens."""


class Router:
    """Chooses among the instances of one service that take requests, given in a fixed order."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.turn = 0

    def copy(self) -> Router:
        """An independent copy."""
        twin = Router(self._service)
        twin.turn = self.turn
        return twin

    def choose(self, slots: Sequence[int], prompt_tokens: int, load_of: LoadOf) -> int:
        """One of the instances; `slots` is not empty."""
        if self._service.routing == "round_robin":
            self.turn += 1
            return slots[self.turn % len(slots)]
        return min(self.among(slots, prompt_tokens), key=load_of)

    def among(self, slots: Sequence[int], prompt_tokens: int) -> Sequence[int]:
        """Those that are for prompts of this length: the last ones for the long, where there are several."""
        if self._service.routing != "by_length" or len(slots) < 2:
            return slots
        long = min(len(slots) - 1, max(1, math.floor(self._service.long_share * len(slots) + 0.5)))
        return slots[-long:] if prompt_tokens >= self._service.long_tokens else slots[:-long]
