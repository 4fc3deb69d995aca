"""What is written down of services during a run: readings of their meters, minute by minute, and at marks.

A reading holds integrals since the beginning, so what happened between two of them is their difference. How many
instances there are, at which clocks, is looked at every control and taken to have held since the last; joules and
tokens are exact. What a run leaves of it is for `simulator.service_summary`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from goodwatt.simulator.services.latency_book import MINUTE_S, WINDOW_S, LatencyBook, percentile_s
from goodwatt.simulator.services.promise import PERCENTILE

if TYPE_CHECKING:
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.services.services_state import Census, Services

Counts = NDArray[np.int64]
Latencies = tuple[float | None, float | None, float | None]
"""TTFT, TPOT and latency that 99% of the requests kept which were answered in a minute; None where none was."""


class Integrals(NamedTuple):
    """Over time since the beginning, of one service.

    `serving_s`, `starting_s`, `draining_s`: instances in that state; `gpu_s`: GPUs that instances hold; `busy_s`:
    instances with something to do; `clock_mhz_s`: the clocks that instances with requests may reach; `queued_s`:
    requests of which nothing has been computed yet.
    """

    serving_s: float = 0.0
    starting_s: float = 0.0
    draining_s: float = 0.0
    gpu_s: float = 0.0
    busy_s: float = 0.0
    clock_mhz_s: float = 0.0
    queued_s: float = 0.0

    @property
    def answering_s(self) -> float:
        """Instances that have requests, or could."""
        return self.serving_s + self.draining_s

    def plus(self, now: Integrals, span_s: float) -> Integrals:
        """With what holds now for so long."""
        return Integrals(*[total + value * span_s for total, value in zip(self, now, strict=True)])

    def since(self, before: Integrals) -> Integrals:
        """What has come to it."""
        return Integrals(*[total - earlier for total, earlier in zip(self, before, strict=True)])


class Reading(NamedTuple):
    """The meters of one service at `time_s`, all counted from the beginning; tokens of requests that are done."""

    time_s: float
    integrals: Integrals
    arrived: int
    done: int
    energy_j: float
    prompt_tokens: float
    output_tokens: float
    on_time_prompt_tokens: float
    on_time_output_tokens: float


class ServiceRecord:
    """`minutes[service]`: readings at the beginning and after each minute; `latencies[service]` one for each minute.

    `marks[name]`: readings of all services at a mark of the run, see `Recorder.mark`. `most`: the most instances that
    held GPUs at once, by service.
    """

    def __init__(self, services: int, start_s: float) -> None:
        zero = Reading(start_s, Integrals(), 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0)
        self.start_s = self.last_s = start_s
        self.minutes: list[list[Reading]] = [[zero] for _ in range(services)]
        self.latencies: list[list[Latencies]] = [[] for _ in range(services)]
        self.marks: dict[str, list[Reading]] = {}
        self.most = [0] * services
        self._sums = [Integrals()] * services
        self._fresh = [_Fresh(0, np.zeros(0, dtype=np.int64))] * services

    def control(self, services: Services, now_s: float) -> None:
        """A control has been made."""
        self._add(services, now_s)
        if now_s >= self.start_s + MINUTE_S * len(self.minutes[0]):
            self._end_minute(services, now_s)

    def mark(self, services: Services, name: str, now_s: float) -> None:
        """Keep the readings as they are now; the end of the run ends the last minute."""
        self._add(services, now_s)
        if name == "end" and now_s > self.minutes[0][-1].time_s:
            self._end_minute(services, now_s)
        self.marks[name] = self._readings(services, now_s)

    def copy(self) -> ServiceRecord:
        """An independent copy."""
        twin = object.__new__(ServiceRecord)
        twin.__dict__.update(self.__dict__)
        twin.minutes = [column[:] for column in self.minutes]
        twin.latencies = [column[:] for column in self.latencies]
        twin.marks, twin.most = dict(self.marks), self.most[:]
        twin._sums, twin._fresh = self._sums[:], self._fresh[:]
        return twin

    def _add(self, services: Services, now_s: float) -> None:
        """What holds now has held since the last control."""
        span_s = now_s - self.last_s
        self.last_s = now_s
        for number, census in enumerate(services.census):
            self.most[number] = max(self.most[number], census.holding)
            if span_s > 0.0:
                self._sums[number] = self._sums[number].plus(_held(services, number, census), span_s)

    def _end_minute(self, services: Services, now_s: float) -> None:
        for number, reading in enumerate(self._readings(services, now_s)):
            self.minutes[number].append(reading)
            self._fresh[number], counts = self._fresh[number].next(services.fleet.books[number])
            ttft_s, tpot_s, latency_s = (percentile_s(row, PERCENTILE) for row in counts)
            self.latencies[number].append((ttft_s, tpot_s, latency_s))

    def _readings(self, services: Services, now_s: float) -> list[Reading]:
        return [_reading(services, number, self._sums[number], now_s) for number in range(len(self._sums))]


class _Fresh(NamedTuple):
    """What a book had counted of windows from number `window` on: the rest has come since."""

    window: int
    counted: Counts

    def next(self, book: LatencyBook) -> tuple[_Fresh, Counts]:
        """What it has counted by now, and what came between, by measure and latency.

        No request ends later that arrived in a window before those of which requests are still out.
        """
        counts = book.counts[:, self.window :].sum(axis=1)
        came = counts - self.counted if self.counted.size else counts
        open_ = np.flatnonzero(book.arrived > book.done)
        minute = int(open_[0]) if len(open_) else int(np.flatnonzero(book.arrived)[-1]) if book.arrived.any() else 0
        window = max(self.window, int(minute * MINUTE_S // WINDOW_S))
        return _Fresh(window, book.counts[:, window:].sum(axis=1)), came


def energy_j(run: JobRun, now_s: float) -> float:
    """What the GPUs of an instance have drawn until now."""
    truth = run._truth
    since_s = now_s - run.since_s if run.placement else 0.0
    return (truth.energy_j or 0.0) + (truth.power_w or 0.0) * since_s


def _reading(services: Services, number: int, sums: Integrals, now_s: float) -> Reading:
    book = services.fleet.books[number]
    return Reading(
        time_s=now_s,
        integrals=sums,
        arrived=int(book.arrived.sum()),
        done=int(book.done.sum()),
        energy_j=math.fsum(energy_j(instance.run, now_s) for instance in services.of(number)),
        prompt_tokens=book.prompt_tokens,
        output_tokens=book.output_tokens,
        on_time_prompt_tokens=book.on_time_prompt_tokens,
        on_time_output_tokens=book.on_time_output_tokens,
    )


def _held(services: Services, number: int, census: Census) -> Integrals:
    """What holds of a service now."""
    instances = services.of(number)
    return Integrals(
        serving_s=census.serving,
        starting_s=census.starting,
        draining_s=census.draining,
        gpu_s=census.holding * services.servings[number].service.tensor_parallel,
        busy_s=math.fsum([instance.busy for instance in instances]),
        clock_mhz_s=math.fsum([instance.clock_mhz for instance in instances if instance.slot is not None]),
        queued_s=services.fleet.queued(number),
    )
