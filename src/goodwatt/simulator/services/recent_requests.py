"""The requests of a service that were done lately, for whoever controls it: how long they took, how long they were."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
KEPT_S = 120.0
"""Back from the last one that was done."""

MANY = 8192
"""Of so many a percentile is known well enough."""


class Recent(NamedTuple):
    """Columns of one length: when it was done, TTFT, TPOT and latency in seconds, prompt and output tokens."""

    end_s: Floats
    ttft_s: Floats
    tpot_s: Floats
    latency_s: Floats
    prompt_tokens: Floats
    output_tokens: Floats


NOBODY = Recent(*[np.zeros(0)] * len(Recent._fields))


class RecentRequests:
    """In the pieces in which they were noted; pieces are not written to, so copies share them."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[float, Recent]] = deque()

    def copy(self) -> RecentRequests:
        """An independent copy."""
        twin = RecentRequests()
        twin._pieces = self._pieces.copy()
        return twin

    def add(self, recent: Recent) -> None:
        """These are done; those of long ago are forgotten."""
        last_s = float(recent.end_s.max())
        self._pieces.append((last_s, recent))
        while self._pieces[0][0] < last_s - KEPT_S:
            self._pieces.popleft()

    def since(self, from_s: float) -> Recent:
        """Those that were done after this time; of more than `MANY` the latest, about so many."""
        pieces, count = list[Recent](), 0
        for last_s, recent in reversed(self._pieces):
            if last_s <= from_s or count >= MANY:
                break
            pieces.append(recent)
            count += len(recent.end_s)
        if not pieces:
            return NOBODY
        columns = [np.concatenate(column[::-1]) for column in zip(*pieces, strict=True)]
        later = columns[0] > from_s
        return Recent(*[column[later] for column in columns])
