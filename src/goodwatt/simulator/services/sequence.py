"""One request on its way through an instance."""

from __future__ import annotations

import math
from typing import NamedTuple


class Request(NamedTuple):
    """What came: `number` counts a service's requests in order of arrival."""

    number: int
    arrival_s: float
    prompt_tokens: int
    output_tokens: int


class Sequence:
    """A request while it is served.

    `left`: tokens to be computed before it decodes (its prompt; all its context once it was preempted), `computed`:
    those that are. `owed`: output tokens still to come. `first_s`: when the first came, NaN before. `ends`: the
    instance's count of iterations with which its last comes, while it decodes.
    """

    __slots__ = ("computed", "ends", "first_s", "left", "owed", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.restart()

    def restart(self) -> None:
        """As if nothing of it had been done."""
        self.left, self.computed = self.request.prompt_tokens, 0
        self.owed, self.ends = self.request.output_tokens, 0
        self.first_s = math.nan

    @property
    def whole(self) -> int:
        """Tokens of context that it has to have in the KV cache to decode."""
        return self.left + self.computed

    def copy(self) -> Sequence:
        """An independent copy."""
        twin = object.__new__(Sequence)
        for name in Sequence.__slots__:
            setattr(twin, name, getattr(self, name))
        return twin
