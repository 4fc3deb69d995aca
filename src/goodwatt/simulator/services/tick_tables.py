"""Requests on their way through instances, instances, and stretches of time with prompts, as rows of tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

INSTANCE = np.dtype(
    [(name, np.int64) for name in ("service", "first", "last", "member", "next_end", "last_end")]
    + [
        (name, np.float64)
        for names in (
            "batch held count last_due reserved opened begin_s end_s x moving_w moved_s",
            "kv_tokens most budget",
            "context_w memory_w core_w knee rise kept_w top sharing",
            "context wall_s gpu_s scaled_s sm_s dram_s joules",
            "piled room inside line_budget used",
            "total carried_s",
        )
        for name in names.split()
    ]
)
"""One number for each instance.

State: `batch` sequences decode; `held`: see ROW; `count` of iterations; `last_due`: the greatest count with which one
of them ends; `reserved` cache tokens of those being computed, who are `opened`. `begin_s`, `end_s`: the last iteration
with prompts. `x`: the clock of decoding relative to the greatest; `moving_w`: the moving mean of the
board's power at `moved_s`. Room: as in `Batching`.
Board: `kept_w` is what it keeps of its cap, `top` the greatest clock allowed, `sharing` by co-runners. Pace: `context`
tokens in the cache of those who decode at the beginning of the tick; the cost of an iteration that only decodes.
Prompts: see `tick_prompts`; `first`, `last` of an instance's stretches; the last iteration has `used` of its budget,
and its prompts begin with row `member`; who may end in the tick stands at `next_end` to `last_end` among `Ends`.
Decoding: see `tick_decode`.
"""
STRETCH = np.dtype([("begin_s", np.float64), ("end_s", np.float64), ("iterations", np.float64)])
"""A part of a tick in which an instance computes prompts, and the iterations that it makes in it."""
ROW = np.dtype(
    [
        ("position", np.int64),
        ("arrival_s", np.float64),
        ("first_s", np.float64),
        ("prompt", np.float64),
        ("output", np.float64),
        ("left", np.float64),
        ("computed", np.float64),
        ("owed", np.float64),
        ("due", np.float64),
        ("held", np.float64),
    ]
)
"""A request: the position of its instance, arrival and first token (NaN before), its tokens; tokens `left` to be
computed and `computed` before it decodes, output tokens `owed`. `due`: when its prompt is done, or the instance's count
of iterations with which its last token comes. `held`: tokens in the cache when it began to decode, less that count
then: with the count added, tokens in the cache now."""
Rows = NDArray[np.void]
Ints = NDArray[np.int64]
Table = Any
"""A table in compiled functions: its entries have the fields of its type."""


def no_rows() -> Rows:
    """Nobody."""
    return np.zeros(0, dtype=ROW)


def together(*tables: Rows) -> Rows:
    """One after the other. `np.concatenate` would look at every field of the type in Python first."""
    size = sum(len(table) for table in tables)
    rows = np.empty(size, dtype=ROW)
    at = 0
    for table in tables:
        rows[at : at + len(table)] = table
        at += len(table)
    return rows


def fresh_rows(position: int, arrival_s: ArrayLike, prompt: ArrayLike, output: ArrayLike) -> Rows:
    """Requests that come."""
    rows = np.zeros(len(np.asarray(arrival_s)), dtype=ROW)
    rows["position"], rows["arrival_s"], rows["first_s"] = position, arrival_s, np.nan
    rows["prompt"] = rows["left"] = prompt
    rows["output"] = rows["owed"] = output
    return rows


def restarted(tables: Sequence[Rows], position: int) -> Rows:
    """The same as if nothing of them had been done, in order of arrival."""
    rows = together(*tables)
    rows = rows[np.argsort(rows["arrival_s"], kind="stable")]
    return fresh_rows(position, rows["arrival_s"], rows["prompt"], rows["output"])


class Ends(NamedTuple):
    """Sequences that may end in a tick, by instance and in the order in which they do: with which count of iterations,
    and how many tokens of the cache are free then."""

    due: NDArray[np.float64]
    tokens: NDArray[np.float64]


class Decoding:
    """Those that decode. Positions and ends stand apart, because every tick looks through them."""

    def __init__(self) -> None:
        self.size = self._gone = 0
        self._rows = np.zeros(256, dtype=ROW)
        self._positions = np.zeros(256, dtype=np.int64)
        self._due = np.zeros(256)

    @property
    def rows(self) -> Rows:
        """All of them, in order of joining."""
        return self._rows[: self.size][self._due[: self.size] < np.inf]

    def copy(self) -> Decoding:
        """An independent copy."""
        twin = Decoding()
        twin.add(self.rows)
        return twin

    def add(self, rows: Rows) -> None:
        """Some begin to decode."""
        self._reserve(len(rows))
        new = slice(self.size, self.size + len(rows))
        self._rows[new], self._positions[new], self._due[new] = rows, rows["position"], rows["due"]
        self.size += len(rows)

    def take_ended(self, count: NDArray[np.float64]) -> Rows:
        """Those whose last token has come, by each instance's count of iterations, leave."""
        return self._take(np.flatnonzero(self._due[: self.size] <= count[self._positions[: self.size]]))

    def ends(self, table: Rows, span_s: float) -> Ends:
        """Of those that have ended when their instance has decoded for so long; entries get where theirs stand."""
        most, positions = table["count"] + span_s / table["wall_s"], self._positions[: self.size]
        here = np.flatnonzero(self._due[: self.size] <= most[positions])
        here = here[np.lexsort((self._due[here], positions[here]))]
        edges = positions[here].searchsorted(np.arange(len(table) + 1))
        table["next_end"], table["last_end"] = edges[:-1], edges[1:]
        return Ends(self._due[here], self._rows["held"][here] + self._due[here])

    def take_of(self, positions: NDArray[np.bool_]) -> Rows:
        """Those of some instances leave."""
        here = positions[self._positions[: self.size]] & (self._due[: self.size] < np.inf)
        return self._take(np.flatnonzero(here))

    def take_rows(self, which: NDArray[np.int64]) -> Rows:
        """Some leave, by their place in `rows`."""
        return self._take(np.flatnonzero(self._due[: self.size] < np.inf)[which])

    def move(self, to: NDArray[np.int64]) -> None:
        """Instances have other positions: `to[old]`."""
        self._compact()
        self._positions[: self.size] = to[self._positions[: self.size]]
        self._rows["position"][: self.size] = self._positions[: self.size]

    def _take(self, places: NDArray[np.int64]) -> Rows:
        taken = self._rows[places]
        self._due[places] = np.inf
        self._gone += len(places)
        return taken

    def _reserve(self, more: int) -> None:
        if self.size + more <= len(self._due) and self._gone < max(256, self.size // 4):
            return
        self._compact()
        room = max(256, 2 * (self.size + more))
        for name in ("_rows", "_positions", "_due"):
            old = getattr(self, name)
            grown = np.zeros(room, dtype=old.dtype)
            grown[: self.size] = old[: self.size]
            setattr(self, name, grown)

    def _compact(self) -> None:
        here = self._due[: self.size] < np.inf
        left = int(here.sum())
        for column in (self._rows, self._positions, self._due):
            column[:left] = column[: self.size][here]
        self.size, self._gone = left, 0
