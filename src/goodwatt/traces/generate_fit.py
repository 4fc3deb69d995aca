"""Fits a TraceModel to a trace: rhythm, bursts, sizes, durations by size, users, outcomes."""

from __future__ import annotations

import math

import numpy as np

from goodwatt.errors import InputError
from goodwatt.traces.generate_model import GRID, SizeGroup, TraceModel, log_linear_mean
from goodwatt.traces.statistics_columns import (
    DAY_S,
    HOUR_S,
    HOURS_PER_WEEK,
    Floats,
    Ints,
    TraceColumns,
    columns_of,
    normal_scores,
    week_counts,
)
from goodwatt.traces.trace import Trace

MIN_JOBS = 50  # to fit anything
MIN_GROUP_JOBS = 100  # jobs that a size needs for a duration distribution of its own
MIN_LAST_JOBS = 30  # the largest gangs are few, run unlike smaller ones, and hold much of the work
BURST_WINDOWS_PER_HOUR = 12
MAX_BURST_JOBS = 20.0
CHAIN_GAP_S = 600.0
MAX_CHAINED = 0.9
JOBS_PER_ASSUMED_USER = 150
ASSUMED = {"user_exponent": 1.0, "repeat": 0.7, "burst_gap_s": 15.0}
STATUS_BINS = 10


def fit(trace: Trace, origin_s: float = 0.0) -> TraceModel:
    """The model of a trace whose submit_s 0 is `origin_s` seconds after a Monday's midnight.

    Raises InputError for fewer than MIN_JOBS jobs or a span below one hour.
    """
    columns = columns_of(trace)
    if len(columns) < MIN_JOBS or columns.span_s < HOUR_S:
        got = f"{len(columns)} jobs over {columns.span_s / HOUR_S:.2f} h"
        raise InputError(f"cannot fit {trace.name!r}: expected at least {MIN_JOBS} jobs over an hour, got {got}")
    hours = _hours(columns, origin_s)
    rhythm, per_day = _rhythm(columns.submit_s, origin_s)
    users, exponent, assumed = _users(columns)
    groups = _groups(columns)
    repeat = _repeat(columns) if columns.user.known else ASSUMED["repeat"]
    statuses, status_shares = _statuses(columns)
    return TraceModel(
        name=trace.name,
        source=f"fitted to {len(columns)} jobs of {trace.name} over {columns.span_s / DAY_S:.1f} days",
        jobs_per_day=per_day,
        hour_of_week=tuple(rhythm.tolist()),
        day_sigma=_day_sigma(hours, rhythm, per_day),
        burst_gap_s=ASSUMED["burst_gap_s"],
        groups=groups,
        partitions=columns.partition.names,
        users=users,
        user_exponent=exponent,
        repeat=repeat,
        statuses=statuses,
        status_shares=status_shares,
        assumed=assumed,
    )


def _hours(columns: TraceColumns, origin_s: float) -> Floats:
    """Hours since a Monday's midnight, of each submission; negative ones are moved on by whole weeks."""
    hours = (columns.submit_s + origin_s) / HOUR_S
    moved: Floats = hours - HOURS_PER_WEEK * math.floor(hours[0] / HOURS_PER_WEEK)
    return moved


def _rhythm(submit_s: Floats, origin_s: float) -> tuple[Floats, float]:
    """Shares of the hours of the week, and jobs per day, each hour weighted by how often the span holds it."""
    jobs, seen = week_counts(submit_s, origin_s)
    by_hour = _fold(jobs) / np.maximum(_fold(seen), 1)
    rate = np.where(seen > 0, jobs / np.maximum(seen, 1), np.tile(by_hour, 7))
    smooth = (np.roll(rate, 1) + 6 * rate + np.roll(rate, -1)) / 8
    return smooth / smooth.sum(), float(smooth.mean() * 24)


def _fold(week: Ints) -> Ints:
    folded: Ints = week.reshape(7, 24).sum(axis=0)
    return folded


def _day_sigma(hours: Floats, rhythm: Floats, per_day: float) -> float:
    """Spread of ln(jobs of a full day / expected), less what counting noise explains."""
    days = np.floor(hours / 24).astype(np.int64)
    counts = np.bincount(days - days[0])[1:-1]
    if len(counts) < 3:
        return 0.0
    weekday = rhythm.reshape(7, 24).sum(axis=1)
    expected = weekday[np.arange(days[0] + 1, days[0] + 1 + len(counts)) % 7] * per_day * 7
    spread = float(np.var(np.log(np.maximum(counts, 0.5) / np.maximum(expected, 0.5))))
    return math.sqrt(max(0.0, spread - float(np.mean(1 / np.maximum(counts, 1)))))


def _durations(duration_s: Floats, gpus: Floats) -> tuple[float, ...]:
    """Durations at the quantiles of GRID, scaled (usually by a few per cent) so that the group's GPU-seconds are kept.

    What they lose otherwise: the tail between two points of GRID, and longer runs of the larger jobs of a group.
    """
    quantiles = np.quantile(np.maximum(duration_s, 1.0), GRID)
    wanted = float((gpus * duration_s).sum() / max(gpus.sum(), 1e-9))
    scaled = np.clip(quantiles * wanted / max(log_linear_mean(tuple(quantiles)), 1.0), 1.0, quantiles[-1])
    return tuple(scaled.tolist())


def _burst_jobs(submit_s: Floats) -> float:
    """Mean jobs of a burst, if bursts arrive at random and their sizes are geometric.

    Counts in five-minute windows then have variance / mean = 2 m - 1 within an hour (compound Poisson).
    """
    index = np.floor(submit_s / (HOUR_S / BURST_WINDOWS_PER_HOUR)).astype(np.int64)
    windows, counts = np.unique(index, return_counts=True)
    _, hour = np.unique(windows // BURST_WINDOWS_PER_HOUR, return_inverse=True)
    mean = np.bincount(hour, counts) / BURST_WINDOWS_PER_HOUR
    squares = np.bincount(hour, counts.astype(np.float64) ** 2) - BURST_WINDOWS_PER_HOUR * mean**2
    dispersion = float(squares.sum() / (BURST_WINDOWS_PER_HOUR - 1) / mean.sum())
    return min(MAX_BURST_JOBS, max(1.0, (dispersion + 1) / 2))


def _chained(submit_s: Floats, duration_s: Floats, key: Ints) -> float:
    """Share of jobs submitted within CHAIN_GAP_S of the end of one alike, beyond what chance explains.

    Chance is the same count with the durations shuffled among the jobs (a fixed shuffle).
    """
    shuffled = np.random.default_rng(0).permutation(duration_s)
    real, chance = (_follow_share(submit_s, d, key) for d in (duration_s, shuffled))
    return min(MAX_CHAINED, max(0.0, (real - chance) / max(1 - chance, 0.05)))


def _follow_share(submit_s: Floats, duration_s: Floats, key: Ints) -> float:
    follows = 0
    for value in np.unique(key):
        alike = key == value
        ends = np.sort(submit_s[alike] + duration_s[alike])
        index = np.searchsorted(ends, submit_s[alike], side="right")
        follows += int(((index > 0) & (submit_s[alike] - ends[index - 1] <= CHAIN_GAP_S)).sum())
    return follows / len(submit_s)


def _users(columns: TraceColumns) -> tuple[int, float, tuple[str, ...]]:
    """How many users, the Zipf exponent of their activity, and what had to be assumed."""
    if not columns.user.known:
        users = max(8, round(len(columns) / JOBS_PER_ASSUMED_USER))
        return users, ASSUMED["user_exponent"], ("users", "user_exponent", "repeat", "burst_gap_s")
    jobs = np.sort(np.bincount(columns.user.codes[columns.user.codes >= 0]))[::-1]
    top = max(1, len(jobs) // 10)
    return len(jobs), _zipf_exponent(len(jobs), top, float(jobs[:top].sum() / jobs.sum())), ("burst_gap_s",)


def _zipf_exponent(users: int, top: int, share: float) -> float:
    """The exponent at which the `top` most active of `users` submit `share` of the jobs (bisection)."""
    low, high = 0.0, 4.0
    ranks = np.arange(1, users + 1, dtype=np.float64)
    for _ in range(40):
        middle = (low + high) / 2
        weights = ranks**-middle
        low, high = (middle, high) if weights[:top].sum() < share * weights.sum() else (low, middle)
    return (low + high) / 2


def _groups(columns: TraceColumns) -> tuple[SizeGroup, ...]:
    keys = columns.num_gpus * 1001 + columns.gpu_milli
    shapes, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    order = np.argsort((shapes // 1001) * (shapes % 1001), kind="stable")
    return tuple(_group(columns, shapes[part], inverse, part, counts) for part in _pool(order, counts))


def _pool(order: Ints, counts: Ints) -> list[Ints]:
    """Shapes in order of size, neighbours together until each pool has MIN_GROUP_JOBS jobs, the last MIN_LAST_JOBS."""
    pools: list[list[int]] = [[]]
    for shape in order.tolist():
        if sum(counts[s] for s in pools[-1]) >= MIN_GROUP_JOBS:
            pools.append([])
        pools[-1].append(shape)
    if len(pools) > 1 and sum(counts[s] for s in pools[-1]) < MIN_LAST_JOBS:
        pools[-2:] = [pools[-2] + pools[-1]]
    return [np.array(pool, np.int64) for pool in pools]


def _group(columns: TraceColumns, shapes: Ints, inverse: Ints, part: Ints, counts: Ints) -> SizeGroup:
    members = np.isin(inverse, part)
    jobs = counts[part]
    codes = columns.partition.codes[members]
    submit_s = columns.submit_s[members]
    partitions = np.bincount(codes[codes >= 0], minlength=len(columns.partition.names))
    return SizeGroup(
        shapes=tuple((int(key) // 1001, int(key) % 1001) for key in shapes),
        shape_shares=tuple((jobs / jobs.sum()).tolist()),
        share=float(jobs.sum() / counts.sum()),
        duration_s=_durations(columns.duration_s[members], columns.gpus[members]),
        burst_jobs=_burst_jobs(submit_s),
        chained=_chained(submit_s, columns.duration_s[members], (codes + 1) * len(counts) + inverse[members]),
        partition_shares=tuple((partitions / max(1, partitions.sum())).tolist()),
    )


def _repeat(columns: TraceColumns) -> float:
    """Correlation of the duration's normal scores between two jobs of one user, name and size.

    One-way analysis of variance: share of the variance that lies between such groups.
    """
    scores = normal_scores(np.log(np.maximum(columns.duration_s, 1.0)))
    keys = np.stack([columns.user.codes, columns.name.codes, columns.num_gpus])
    _, group, sizes = np.unique(keys, axis=1, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    means = np.bincount(group, scores) / sizes
    if len(sizes) in (1, len(scores)):
        return ASSUMED["repeat"]
    within = float(((scores - means[group]) ** 2).sum() / (len(scores) - len(sizes)))
    between = float((sizes * means**2).sum() / (len(sizes) - 1))
    typical = (len(scores) - float((sizes**2).sum()) / len(scores)) / (len(sizes) - 1)
    return float(np.clip((between - within) / (between + (typical - 1) * within), 0.0, 0.98))


def _statuses(columns: TraceColumns) -> tuple[tuple[str, ...], tuple[tuple[float, ...], ...]]:
    """Outcomes by tenth of the duration, empty where the trace does not tell."""
    names = columns.status.names
    if names == ("unknown",):
        return (), ()
    order = np.argsort(columns.duration_s, kind="stable")
    shares = [np.bincount(columns.status.codes[part], minlength=len(names)) / max(1, len(part))
              for part in np.array_split(order, STATUS_BINS)]  # fmt: skip
    return names, tuple(tuple(s.tolist()) for s in shares)
