"""What a person wants to know of a trace first: when jobs come, how long and large they are, whose, and the load.

Plain figures only; how they are shown is up to the command line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from goodwatt.cluster.cluster import Cluster
from goodwatt.errors import InputError
from goodwatt.traces.statistics_columns import (
    HOUR_S,
    Floats,
    Ints,
    Labels,
    TraceColumns,
    columns_of,
    week_counts,
)
from goodwatt.traces.trace import Trace

QUANTILES = (0.5, 0.9, 0.99)
TOP = 10
MAX_DEMAND_POINTS = 2000
_NOTED_ORIGIN = re.compile(r"0 s is (\d{4}-\d\d-\d\dT[0-9:.]+)")

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Durations:
    """Durations of one set of jobs, in seconds, and the GPU-hours they used."""

    label: str
    jobs: int
    mean_s: float
    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float
    gpu_hours: float


@dataclass(frozen=True, slots=True)
class Owner:
    """What one user or partition asked for."""

    name: str
    jobs: int
    gpu_hours: float


@dataclass(frozen=True, slots=True)
class Owners:
    """How many there are, and those with the most GPU-hours."""

    count: int
    top: tuple[Owner, ...]


@dataclass(frozen=True, slots=True)
class Demand:
    """GPUs in use if nothing ever waited: means over windows of `window_s` from the first submission to the last.

    `mean_gpus` counts all the work of the jobs, also what lies after the last submission, over the span.
    """

    window_s: float
    gpus: tuple[float, ...]
    mean_gpus: float
    peak_gpus: float


@dataclass(frozen=True, slots=True)
class Load:
    """The demand against a cluster: `load` is mean demand / GPUs, `above` the share of time demand exceeds them.

    `too_large` jobs ask for more GPUs than the cluster, or their partition of it, has.
    """

    cluster: str
    gpus: int
    load: float
    above: float
    too_large: int


@dataclass(frozen=True, slots=True)
class TraceStatistics:
    """The figures of one trace.

    `arrivals_per_hour` are mean jobs per hour for each hour of the day, `arrivals_per_day` mean jobs per day from
    Monday on. `origin` is the time of submit_s 0 (ISO); where the trace does not tell, it is taken to be a Monday's
    midnight and `origin_known` is false. `requested_over_duration` and `observed_wait_s` are (p50, p90, mean).
    """

    name: str
    format: str
    jobs: int
    span_s: float
    gpu_hours: float
    origin: str
    origin_known: bool
    arrivals_per_hour: tuple[float, ...]
    arrivals_per_day: tuple[float, ...]
    durations: tuple[Durations, ...]
    sizes: tuple[Durations, ...]
    users: Owners
    partitions: Owners
    demand: Demand
    load: Load | None
    requested_over_duration: tuple[float, float, float] | None
    observed_wait_s: tuple[float, float, float] | None
    synthetic: tuple[str, ...]


def summarise(trace: Trace, cluster: Cluster | None = None, origin: datetime | None = None) -> TraceStatistics:
    """The figures of a trace, with the load where a cluster is given; `origin` is the local time of submit_s 0."""
    columns = columns_of(trace)
    if origin is None:
        origin = noted_origin(trace)
    demand = _demand(columns)
    jobs, seen = week_counts(columns.submit_s, origin_s(origin))
    return TraceStatistics(
        name=trace.name,
        format=trace.format,
        jobs=len(columns),
        span_s=columns.span_s,
        gpu_hours=float(columns.gpu_s.sum() / HOUR_S),
        origin=(origin or datetime(2001, 1, 1)).isoformat(),  # noqa: DTZ001 - any Monday, in no time zone
        origin_known=origin is not None,
        arrivals_per_hour=_rates(jobs.reshape(7, 24).sum(0), seen.reshape(7, 24).sum(0), 1),
        arrivals_per_day=_rates(jobs.reshape(7, 24).sum(1), seen.reshape(7, 24).sum(1), 24),
        durations=_by_status(columns),
        sizes=_by_size(columns),
        users=_owners(columns, columns.user),
        partitions=_owners(columns, columns.partition),
        demand=demand,
        load=None if cluster is None else _load(columns, demand, cluster),
        requested_over_duration=_requested(trace),
        observed_wait_s=_waits(trace),
        synthetic=trace.synthetic,
    )


def noted_origin(trace: Trace) -> datetime | None:
    """The time of submit_s 0, where the reader noted it."""
    for note in trace.notes:
        if found := _NOTED_ORIGIN.search(note):
            return datetime.fromisoformat(found.group(1))
    return None


def parse_origin(text: str) -> datetime:
    """A time that a person typed; raises InputError."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise InputError(f"origin {text!r}: expected a time such as '2017-10-09 00:00:00'") from None


def origin_s(origin: datetime | None) -> float:
    """Seconds from the last Monday's midnight to `origin`; 0 where it is not known."""
    if origin is None:
        return 0.0
    midnight = origin.replace(hour=0, minute=0, second=0, microsecond=0)
    return (origin - (midnight - timedelta(days=origin.weekday()))).total_seconds()


def _rates(jobs: Ints, hours: Ints, per: int) -> tuple[float, ...]:
    return tuple((jobs / np.maximum(hours, 1) * per).tolist())


def _durations(label: str, columns: TraceColumns, members: Mask | slice) -> Durations:
    durations = columns.duration_s[members]
    p50, p90, p99 = np.quantile(durations, QUANTILES).tolist()
    gpu_hours = float(columns.gpu_s[members].sum() / HOUR_S)
    return Durations(label, len(durations), float(durations.mean()), p50, p90, p99, float(durations.max()), gpu_hours)


def _by_status(columns: TraceColumns) -> tuple[Durations, ...]:
    """All jobs first, then each outcome where the trace tells."""
    rows = [_durations("all", columns, slice(None))]
    if columns.status.names != ("unknown",):
        parts = enumerate(columns.status.names)
        rows += sorted((_durations(n, columns, columns.status.codes == i) for i, n in parts), key=lambda r: -r.jobs)
    return tuple(rows)


def _by_size(columns: TraceColumns) -> tuple[Durations, ...]:
    """Classes 0, below 1, 1, 2, 3-4, 5-8, ...: only those that occur, named by the sizes that do."""
    gpus = columns.gpus
    level = np.where(gpus >= 1, np.ceil(np.log2(np.maximum(gpus, 1))), np.where(gpus > 0, -1, -2))
    return tuple(_durations(_class_name(gpus[level == v]), columns, level == v) for v in np.unique(level))


def _class_name(gpus: Floats) -> str:
    low, high = float(gpus.min()), float(gpus.max())
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


def _owners(columns: TraceColumns, labels: Labels) -> Owners:
    if not labels.known:
        return Owners(0, ())
    named = labels.codes >= 0
    codes = labels.codes[named]
    jobs = np.bincount(codes, minlength=len(labels.names))
    hours = np.bincount(codes, columns.gpu_s[named] / HOUR_S, minlength=len(labels.names))
    top = sorted(range(len(labels.names)), key=lambda i: (-hours[i], labels.names[i]))[:TOP]
    return Owners(len(labels.names), tuple(Owner(labels.names[i], int(jobs[i]), float(hours[i])) for i in top))


def _demand(columns: TraceColumns) -> Demand:
    """Exact means: the integral of GPUs in use, read off at the edges of the windows."""
    span_s = columns.span_s or max(float(columns.duration_s.max()), 1.0)
    window_s = HOUR_S * max(1, int(np.ceil(span_s / HOUR_S / MAX_DEMAND_POINTS)))
    start = columns.submit_s - columns.submit_s[0]
    at = np.concatenate([start, start + columns.duration_s])
    order = np.argsort(at, kind="stable")
    change = np.concatenate([columns.gpus, -columns.gpus])[order]
    at = at[order]
    busy = np.cumsum(change)
    integral = np.concatenate([[0.0], np.cumsum(busy[:-1] * np.diff(at))])
    edges = np.minimum(np.arange(int(np.ceil(span_s / window_s)) + 1) * window_s, span_s)
    means = np.diff(np.interp(edges, at, integral)) / np.maximum(np.diff(edges), 1e-9)
    last_of_instant = np.append(np.diff(at) > 0, True)
    peak = float(busy[last_of_instant].max())
    return Demand(window_s, tuple(np.maximum(means, 0.0).tolist()), float(columns.gpu_s.sum() / span_s), peak)


def _load(columns: TraceColumns, demand: Demand, cluster: Cluster) -> Load:
    above = float(np.mean(np.array(demand.gpus) > cluster.num_gpus))
    load = demand.mean_gpus / cluster.num_gpus
    return Load(cluster.name, cluster.num_gpus, load, above, int((columns.gpus > _room(columns, cluster)).sum()))


def _room(columns: TraceColumns, cluster: Cluster) -> Floats:
    """GPUs that each job could ever have: those of its partition, where the cluster has partitions and it names one."""
    everywhere = float(cluster.num_gpus)
    room = {p: float(sum(n.gpus for n in cluster.nodes if n.partition == p)) for p in cluster.partitions}
    by_code = [room.get(name, 0.0) if room else everywhere for name in columns.partition.names]
    return np.array([*by_code, everywhere])[columns.partition.codes]


def _requested(trace: Trace) -> tuple[float, float, float] | None:
    return _summary([job.requested_s / max(job.duration_s, 1.0) for job in trace.jobs if job.requested_s is not None])


def _waits(trace: Trace) -> tuple[float, float, float] | None:
    return _summary([j.observed_start_s - j.submit_s for j in trace.jobs if j.observed_start_s is not None])


def _summary(values: Sequence[float]) -> tuple[float, float, float] | None:
    """Median, p90 and mean."""
    if not values:
        return None
    array = np.array(values)
    return float(np.median(array)), float(np.quantile(array, 0.9)), float(array.mean())
