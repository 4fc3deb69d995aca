"""What became of the requests of a service: on time or late, minute by minute, and how latencies were distributed.

Requests are counted in the minute in which they arrived. Latencies are kept as counts in steps of 2%, so a percentile
is right to 1% however many requests there are, and two books add up.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goodwatt.simulator.services.promise import ENOUGH, PERCENTILE, Promise
from goodwatt.simulator.services.recent_requests import Recent, RecentRequests

Floats = NDArray[np.float64]
MINUTE_S = 60.0
WINDOW_S = 900.0
"""Distributions are kept for stretches of so long."""
LEAST_S, STEP = 1e-4, math.log(1.02)
BINS = math.ceil(math.log(1e9) / STEP)
"""From 0.1 ms to more than a day."""
TIGHT = 0.9
"""Of a limit: from here on it is near. Chosen: at 0.8 careless policies break as many minutes, and clocks that follow
the load with a fifth of the promise to spare are taken back all day."""
MEASURES = ("ttft_s", "tpot_s", "latency_s")


class Finished(NamedTuple):
    """Requests that are done, as columns of one length.

    `first_s`, `end_s`: when the first token and the last one came.
    """

    arrival_s: Floats
    first_s: Floats
    end_s: Floats
    prompt_tokens: Floats
    output_tokens: Floats

    @property
    def measures(self) -> tuple[Floats, Floats, Floats]:
        """TTFT, TPOT and latency of each, in seconds."""
        after_first = np.maximum(self.output_tokens - 1.0, 1.0)
        latency = self.end_s - self.arrival_s
        return self.first_s - self.arrival_s, (self.end_s - self.first_s) / after_first, latency


class LatencyBook:
    """Counts by minute since `start_s`: `arrived`, `done`, `on_time`; tokens of those on time, in all.

    `counts[measure, window, bin]`: finished requests by latency. `finished_in_all`, and of these `tight_in_all` that
    came nearer to a limit than `TIGHT`, or passed it.
    """

    def __init__(self, promise: Promise, start_s: float) -> None:
        self.promise, self.start_s = promise, start_s
        self._tight = promise.within(TIGHT)
        self.finished_in_all = self.tight_in_all = 0
        self.arrived, self.done, self.on_time = (np.zeros(0, dtype=np.int64) for _ in range(3))
        self.counts = np.zeros((len(MEASURES), 0, BINS), dtype=np.int64)
        self.prompt_tokens = self.output_tokens = 0.0
        self.on_time_prompt_tokens = self.on_time_output_tokens = 0.0
        self.recent = RecentRequests()

    def copy(self) -> LatencyBook:
        """An independent copy."""
        twin = object.__new__(LatencyBook)
        arrays = {name: value.copy() for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        twin.__dict__.update(self.__dict__, **arrays, recent=self.recent.copy())
        return twin

    def arrive(self, arrival_s: Floats) -> None:
        """Requests have come."""
        if len(arrival_s):
            minutes = self._minutes(arrival_s)
            self._reach(int(minutes[-1]))
            np.add.at(self.arrived, minutes, 1)

    def finish(self, finished: Finished) -> None:
        """Requests are done."""
        if not len(finished.arrival_s):
            return
        minutes = self._minutes(finished.arrival_s)
        self._reach(int(minutes.max()))
        measures = finished.measures
        kept = self.promise.kept(*measures)
        self.finished_in_all += len(kept)
        self.tight_in_all += len(kept) - int(np.count_nonzero(self._tight.kept(*measures)))
        np.add.at(self.done, minutes, 1)
        np.add.at(self.on_time, minutes[kept], 1)
        windows = (minutes * MINUTE_S // WINDOW_S).astype(np.int64)
        for measure, values in enumerate(measures):
            np.add.at(self.counts[measure], (windows, _bins(values)), 1)
        self.recent.add(Recent(finished.end_s, *measures, finished.prompt_tokens, finished.output_tokens))
        self.prompt_tokens += float(finished.prompt_tokens.sum())
        self.output_tokens += float(finished.output_tokens.sum())
        self.on_time_prompt_tokens += float(finished.prompt_tokens[kept].sum())
        self.on_time_output_tokens += float(finished.output_tokens[kept].sum())

    def percentile_s(self, measure: str, percent: float = PERCENTILE, window: int | None = None) -> float | None:
        """Of a latency, over all time or one window; None where nobody finished."""
        counts = self.counts[MEASURES.index(measure)]
        return percentile_s(counts.sum(axis=0) if window is None else counts[window], percent)

    @property
    def arrived_in_all(self) -> int:
        """Requests that have come."""
        return int(self.arrived.sum())

    @property
    def attainment(self) -> float | None:
        """Share of the requests that arrived and were served on time."""
        arrived = int(self.arrived.sum())
        return int(self.on_time.sum()) / arrived if arrived else None

    @property
    def minutes_kept(self) -> float | None:
        """Share of the minutes with requests in which no more were late than the promise leaves room for.

        Of `ENOUGH` to 100 requests one may be late: they are too few to tell a percent.
        """
        asked = self.arrived > 0
        if not asked.any():
            return None
        allowed = np.floor((1.0 - PERCENTILE / 100.0) * self.arrived[asked] + 1e-9)
        allowed = np.maximum(allowed, self.arrived[asked] >= ENOUGH)
        return float((self.arrived[asked] - self.on_time[asked] <= allowed).mean())

    def _minutes(self, arrival_s: Floats) -> NDArray[np.int64]:
        return np.maximum(((arrival_s - self.start_s) // MINUTE_S), 0.0).astype(np.int64)

    def _reach(self, minute: int) -> None:
        if minute < len(self.arrived):
            return
        size = max(64, 2 * minute)
        more = size - len(self.arrived)
        self.arrived, self.done, self.on_time = (
            np.concatenate([column, np.zeros(more, dtype=np.int64)])
            for column in (self.arrived, self.done, self.on_time)
        )
        windows = math.ceil(size * MINUTE_S / WINDOW_S) + 1
        fresh = np.zeros((len(MEASURES), windows - self.counts.shape[1], BINS), dtype=np.int64)
        self.counts = np.concatenate([self.counts, fresh], axis=1)


def percentile_s(counts: NDArray[np.int64], percent: float) -> float | None:
    """The latency below which so many per cent of the counted ones lie, in the middle of its step."""
    total = int(counts.sum())
    if not total:
        return None
    place = int(np.searchsorted(np.cumsum(counts), percent / 100.0 * (total - 1) + 1.0 - 1e-9))
    return LEAST_S * math.exp((place + 0.5) * STEP)


def _bins(values: Floats) -> NDArray[np.int64]:
    places = np.log(np.maximum(values, LEAST_S) / LEAST_S) / STEP
    return np.minimum(places, BINS - 1).astype(np.int64)
