"""What a run leaves of its services: a row of facts for each, its timeline, and the totals of all.

Requests count that arrived between the end of the warm-up and the horizon (the end of the run, if none was set), in
whole minutes; how they ended is taken from the whole run. Energy, tokens and work are those between the two times.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from goodwatt.simulator.records.result import ServiceResult
from goodwatt.simulator.services.latency_book import MEASURES, MINUTE_S, WINDOW_S, LatencyBook, percentile_s
from goodwatt.simulator.services.service_work import token_prices

if TYPE_CHECKING:
    from goodwatt.simulator.services.service_record import Integrals, Latencies, Reading, ServiceRecord
    from goodwatt.simulator.simulation import Simulation

KILO = 1000.0
PERCENTS = (50, 95, 99)


def service_results(sim: Simulation, summary: Mapping[str, Any]) -> list[ServiceResult]:
    """One for each service, in their order; of `summary` the energy, the span and the GPUs of the cluster count.

    A GPU of the cluster bears an even share of what is drawn beside GPUs (hosts, supplies, sleeping nodes), for as long
    as it is held.
    """
    services = sim.services
    assert services is not None  # noqa: S101 - the caller has looked
    spread_w = _ratio(summary["it_energy_j"] - summary["gpu_energy_j"], summary["span_s"] * summary["gpus"]) or 0.0
    record = services.record
    found = []
    for number, serving in enumerate(services.servings):
        first, last = _span(record, number)
        book = services.fleet.books[number]
        prices, service = token_prices(serving), serving.service
        used = last.integrals.since(first.integrals)
        facts = {
            "service": service.name,
            "gpu": service.gpu,
            "tensor_parallel": service.tensor_parallel,
            **outcome(book, first.time_s, last.time_s, sim.now_s),
            **_latencies(book, first.time_s, last.time_s),
            **_tokens(first, last),
            "prompt_token_gpu_s": prices.prompt_gpu_s,
            "output_token_gpu_s": prices.output_gpu_s,
            "gpu_energy_j": last.energy_j - first.energy_j,
            "it_energy_j": last.energy_j - first.energy_j + spread_w * used.gpu_s,
            **_replicas(used, last.time_s - first.time_s),
            "most_replicas": record.most[number],
        }
        facts["work_gpu_s"] = prices.work_gpu_s(facts["on_time_prompt_tokens"], facts["on_time_output_tokens"])
        facts["tokens_per_joule_gpu"] = _ratio(facts["on_time_output_tokens"], facts["gpu_energy_j"])
        facts["tokens_per_joule_it"] = _ratio(facts["on_time_output_tokens"], facts["it_energy_j"])
        promise = service.promise
        limits_s = (promise.ttft_s, promise.tpot_s, promise.latency_s)
        timeline = _timeline(record.minutes[number], record.latencies[number], book)
        found.append(ServiceResult(service.name, facts, timeline, limits_s))
    return found


def totals(services: Sequence[ServiceResult], summary: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of summary.json about all services, and work per kJ with theirs in it."""
    facts = [service.facts for service in services]
    requests = sum(row["requests"] for row in facts)
    on_time = sum(row["on_time"] for row in facts)
    work = math.fsum(row["work_gpu_s"] for row in facts)
    tokens = math.fsum(row["on_time_output_tokens"] for row in facts)
    gpu_j, it_j = (math.fsum(row[key] for row in facts) for key in ("gpu_energy_j", "it_energy_j"))
    whole = summary["work_gpu_s"] + work
    known = not summary["gpus_without_energy"]
    return {
        "goodput_counts": "jobs and services",
        "service_work_gpu_s": work,
        "total_work_gpu_s": whole,
        "goodput_per_watt_gpu": _ratio(whole, summary["gpu_energy_j"] / KILO) if known else None,
        "goodput_per_watt_it": _ratio(whole, summary["it_energy_j"] / KILO) if known else None,
        "requests": requests,
        "requests_on_time": on_time,
        "attainment": _ratio(on_time, sum(row["decided"] for row in facts)),
        "minutes_kept": min((row["minutes_kept"] for row in facts if row["minutes_kept"] is not None), default=None),
        "on_time_output_tokens": tokens,
        "service_gpu_energy_j": gpu_j,
        "service_it_energy_j": it_j,
        "tokens_per_joule_gpu": _ratio(tokens, gpu_j),
        "tokens_per_joule_it": _ratio(tokens, it_j),
        "mean_replicas": math.fsum(row["mean_replicas"] or 0.0 for row in facts),
        "services": {row["service"]: {key: row[key] for key in row if key != "service"} for row in facts},
    }


# requests --------------------------------------------------------------------------------------------------------


def outcome(book: LatencyBook, from_s: float, until_s: float, end_s: float) -> dict[str, Any]:
    """What became of the requests that arrived between two times in a run that ended at `end_s`.

    Those unfinished then are late if they are older than their promise (`patience_s`); the others are not decided, and
    count neither for nor against.
    """
    begin, end = _minute(book, from_s, math.ceil), _minute(book, until_s, math.ceil)
    arrived, done, on_time = (column[begin:end] for column in (book.arrived, book.done, book.on_time))
    ended_s = book.start_s + MINUTE_S * (begin + 1.0 + np.arange(len(arrived)))
    undecided = np.where(ended_s + patience_s(book) > end_s, arrived - done, 0)
    decided = copy.copy(book)
    decided.arrived, decided.on_time = arrived - undecided, on_time
    return {
        "requests": int(arrived.sum()),
        "finished": int(done.sum()),
        "decided": int(decided.arrived.sum()),
        "on_time": int(on_time.sum()),
        "attainment": decided.attainment,
        "minutes_kept": decided.minutes_kept,
    }


def patience_s(book: LatencyBook) -> float:
    """After how long a request that is not finished is late, one of mean length.

    The latency promised, or else the TTFT promised and the TPOT promised for each of its tokens. What is not promised
    is taken as half of the requests had it.
    """
    promise, seen = book.promise, [book.percentile_s(measure, 50.0) or 0.0 for measure in MEASURES]
    tokens = book.output_tokens / max(1, int(book.done.sum()))
    first_s = seen[0] if promise.ttft_s is None else promise.ttft_s
    token_s = seen[1] if promise.tpot_s is None else promise.tpot_s
    by_tokens_s = first_s + token_s * tokens
    if promise.latency_s is None:
        return by_tokens_s
    return promise.latency_s if promise.ttft_s is None else min(promise.latency_s, by_tokens_s)


def _minute(book: LatencyBook, time_s: float, rounded: Any) -> int:
    return int(rounded((time_s - book.start_s) / MINUTE_S))


def _latencies(book: LatencyBook, from_s: float, until_s: float) -> dict[str, float | None]:
    """Percentiles over the quarters of an hour that begin before the end."""
    windows = [max(0.0, time_s - book.start_s) / WINDOW_S for time_s in (from_s, until_s)]
    counts = book.counts[:, math.floor(windows[0]) : math.ceil(windows[1])].sum(axis=1)
    return {
        f"p{percent}_{measure}": percentile_s(row, percent)
        for measure, row in zip(MEASURES, counts, strict=True)
        for percent in PERCENTS
    }


# meters ----------------------------------------------------------------------------------------------------------


def _span(record: ServiceRecord, number: int) -> tuple[Reading, Reading]:
    marks = record.marks
    first = marks["warm-up"][number] if "warm-up" in marks else record.minutes[number][0]
    return first, marks["horizon" if "horizon" in marks else "end"][number]


def _tokens(first: Reading, last: Reading) -> dict[str, float]:
    names = ("prompt_tokens", "output_tokens", "on_time_prompt_tokens", "on_time_output_tokens")
    return {name: getattr(last, name) - getattr(first, name) for name in names}


def _replicas(used: Integrals, span_s: float) -> dict[str, float | None]:
    return {
        "held_gpu_s": used.gpu_s,
        "mean_replicas": _ratio(used.answering_s + used.starting_s, span_s),
        "mean_clock_mhz": _ratio(used.clock_mhz_s, used.answering_s),
        "busy": _ratio(used.busy_s, used.answering_s),
    }


class _Minute(NamedTuple):
    """A row of the timeline, from `t_s` to the next one's; means over it.

    `rate_per_s`, `on_time`: of those that arrived in it; latencies: of those that were answered in it.
    """

    t_s: float
    rate_per_s: float
    serving: float
    starting: float
    draining: float
    clock_mhz: float | None
    power_w: float
    busy: float | None
    queued: float
    ttft_p99_s: float | None
    tpot_p99_s: float | None
    latency_p99_s: float | None
    on_time: float | None


SERVICE_TIMELINE = _Minute._fields


def _timeline(readings: Sequence[Reading], latencies: Sequence[Latencies], book: LatencyBook) -> dict[str, list[Any]]:
    rows = [
        _row(before, after, latency, book)
        for (before, after), latency in zip(pairwise(readings), latencies, strict=True)
    ]
    return {name: [row[place] for row in rows] for place, name in enumerate(SERVICE_TIMELINE)}


def _row(before: Reading, after: Reading, latency: Latencies, book: LatencyBook) -> _Minute:
    span_s = after.time_s - before.time_s
    used = after.integrals.since(before.integrals)
    begin, end = _minute(book, before.time_s, round), _minute(book, after.time_s, math.ceil)
    arrived = int(book.arrived[begin:end].sum())
    return _Minute(
        before.time_s,
        (after.arrived - before.arrived) / span_s,
        used.serving_s / span_s,
        used.starting_s / span_s,
        used.draining_s / span_s,
        _ratio(used.clock_mhz_s, used.answering_s),
        (after.energy_j - before.energy_j) / span_s,
        _ratio(used.busy_s, used.answering_s),
        used.queued_s / span_s,
        *latency,
        int(book.on_time[begin:end].sum()) / arrived if arrived else None,
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
