"""Adds what a public trace lacks: recurring users and names, and the overestimated times that people request.

The rule: jobs of one partition and size are ordered by a noisy score of their duration and cut into levels; each
level is the work of a few users, who come back to it in runs. A name thus tells something of the duration, as it
does in life, but never determines it: the noise is tuned until the best predictor that knows the whole trace, the
median of ln(duration) over all jobs of the same user, name and requested time, is off by the stated factor. A
predictor that knows only the past does worse. Requested times are a user's habit for a name, rounded up as people
do, at times far above it. What a trace already has is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from goodwatt.errors import InputError
from goodwatt.traces.statistics_columns import (
    DAY_S,
    HOUR_S,
    Floats,
    Ints,
    TraceColumns,
    columns_of,
    normal_scores,
)
from goodwatt.traces.trace import Trace

DEFAULT_ERROR = 2.0
MIN_CELL_JOBS = 20  # smaller sets of a partition and size share their names with the rest of the partition
JOBS_PER_NAME = 60
MIN_NAME_JOBS = 8  # rarer names go to the level's most active user: a name used once would tell all
JOBS_PER_USER = 150
MAX_LEVELS = 8
RUN_JOBS = 6  # mean length of a run of the same user on the same level
TUNING_STEPS = 14
MAX_NOISE = 64.0
CAREFUL = 0.15  # share of jobs whose user asks for far more than usual
MINUTE_S = 60.0
# What people type: five minutes to four weeks; beyond that, whole weeks.
LIMITS_S = np.array(
    [m * MINUTE_S for m in (5, 10, 15, 30)]
    + [h * HOUR_S for h in (1, 2, 4, 6, 8, 12, 18)]
    + [d * DAY_S for d in (1, 2, 3, 5, 7, 10, 14, 21, 28)]
)


@dataclass(frozen=True, slots=True)
class Enriched:
    """The enriched trace, which columns are made up, and how well their best predictor does.

    `error` is the geometric mean of the factor by which the median duration of all jobs of the same user, name and
    requested time is off; `error_by_name` the same without the requested time; `error_unknowing` with one median for
    the whole trace: what a predictor without any of this achieves.
    """

    trace: Trace
    columns: tuple[str, ...]
    error: float
    error_by_name: float
    error_unknowing: float


@dataclass(frozen=True, slots=True)
class _MadeUp:
    """Per job: a number for its user, one for its name, and the requested time."""

    user: Ints
    name: Ints
    requested_s: Floats

    def key(self, without_request: bool) -> Ints:
        """What a predictor can tell jobs apart by."""
        named = _joined(self.user, self.name)
        return named if without_request else _joined(named, self.requested_s.astype(np.int64))


def enrich(trace: Trace, seed: int = 0, error: float = DEFAULT_ERROR) -> Enriched:
    """Add users, names and requested times where no job of the trace has them.

    `error` is the factor (1 or more) by which the best predictor is to be off on average, at least. Raises InputError
    where the trace has all three already, made up or not, or where its durations do not vary that much. What was made
    up before stays marked as such.
    """
    columns = columns_of(trace)
    requested = any(job.requested_s is not None for job in trace.jobs)
    known = {"user": columns.user.known, "name": columns.name.known, "requested_s": requested}
    missing = tuple(column for column, there in known.items() if not there)
    if not missing:
        made_up = f" (made up: {trace.mark})" if trace.mark else ""
        raise InputError(f"trace {trace.name!r} has users, names and requested times{made_up}: nothing to add")
    log_s = np.log(np.maximum(columns.duration_s, 1.0))
    unknowing = predictor_error(log_s, np.zeros(len(log_s), np.int64))
    if not 1.0 <= error <= unknowing:
        raise InputError(
            f"error {error:g}: expected a factor from 1 to {unknowing:.2f}, the error of one guess for all jobs"
        )
    made = _tuned(columns, log_s, seed, error, requested)
    return Enriched(
        trace=_with(trace, made, missing, f"enrich seed {seed} error {error:g}"),
        columns=missing,
        error=predictor_error(log_s, made.key(requested)),
        error_by_name=predictor_error(log_s, made.key(True)),
        error_unknowing=unknowing,
    )


def predictor_error(log_s: Floats, key: Ints) -> float:
    """Geometric mean of the factor by which the median of all jobs with the same key is off, itself included."""
    order = np.lexsort((log_s, key))
    _, start, size = np.unique(key[order], return_index=True, return_counts=True)
    ordered = log_s[order]
    median = (ordered[start + (size - 1) // 2] + ordered[start + size // 2]) / 2
    return math.exp(float(np.abs(ordered - np.repeat(median, size)).mean()))


def _tuned(columns: TraceColumns, log_s: Floats, seed: int, error: float, requested: bool) -> _MadeUp:
    """With the least noise at which the best predictor is off by `error` or more, by bisection."""
    low, high = 0.0, MAX_NOISE
    for _ in range(TUNING_STEPS):
        middle = (low + high) / 2
        made = _made_up(columns, log_s, seed, middle)
        low, high = (low, middle) if predictor_error(log_s, made.key(requested)) >= error else (middle, high)
    made = _made_up(columns, log_s, seed, high)
    reached = predictor_error(log_s, made.key(requested))
    if reached < error:
        raise InputError(
            f"predictions cannot be {error:g} times off on this trace: expected an --error of at most {reached:.2f}"
        )
    return made


def _made_up(columns: TraceColumns, log_s: Floats, seed: int, noise: float) -> _MadeUp:
    """All columns for one strength of the noise; the random numbers do not depend on it."""
    noises, runs, users, limits = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(4))
    cell = _cells(columns)
    score = normal_scores(log_s) + noise * noises.standard_normal(len(log_s))
    level, owners = _levels(cell, score)
    owner = _owners(_joined(cell, level), owners, runs)
    _, name = np.unique(_joined(_joined(cell, level), owner), return_inverse=True)
    name = users.permutation(int(name.max()) + 1)[name]
    user = columns.user.codes if columns.user.known else _users(columns, cell, owner, users)
    return _MadeUp(user, name, _requests(log_s, name, limits))


def _cells(columns: TraceColumns) -> Ints:
    """Jobs of one partition, size and (where the trace has them) user; small cells share one per partition, or one."""
    place = _joined(columns.partition.codes, columns.user.codes)
    by_size = _joined(place, columns.num_gpus)
    small = np.bincount(by_size)[by_size] < MIN_CELL_JOBS
    cell = _joined(place, np.where(small, -1, by_size))
    lonely = small & (np.bincount(cell)[cell] < MIN_CELL_JOBS)
    home = -1 if lonely.sum() >= MIN_CELL_JOBS else int(np.bincount(cell).argmax())
    cells: Ints = np.unique(np.where(lonely, home, cell), return_inverse=True)[1]
    return cells


def _levels(cell: Ints, score: Floats) -> tuple[Ints, Ints]:
    """The level of each job by the rank of its score in its cell, and how many names share that level."""
    order = np.lexsort((score, cell))
    size = np.bincount(cell)
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    rank = np.empty(len(cell), np.int64)
    rank[order] = np.arange(len(cell)) - start[cell[order]]
    levels = np.clip(size // JOBS_PER_NAME, 1, MAX_LEVELS)
    return rank * levels[cell] // size[cell], np.maximum(1, size // (levels * JOBS_PER_NAME))[cell]


def _owners(level: Ints, owners: Ints, rng: Generator) -> Ints:
    """Which of a level's owners each job belongs to: runs of geometric length, low numbers more often (Zipf)."""
    order = np.argsort(level, kind="stable")
    starts = (np.diff(level[order], prepend=-1) != 0) | (rng.random(len(level)) < 1 / RUN_JOBS)
    run = np.cumsum(starts) - 1
    share = rng.random(int(run[-1]) + 1)[run]
    drawn = np.empty(len(level), np.int64)
    drawn[order] = np.floor((owners[order] + 1.0) ** share) - 1
    named = _joined(level, drawn)
    owner: Ints = np.where(np.bincount(named)[named] < MIN_NAME_JOBS, 0, drawn)
    return owner


def _users(columns: TraceColumns, cell: Ints, owner: Ints, rng: Generator) -> Ints:
    """Users of a partition are shared by its cells: who runs small jobs runs large ones too."""
    place = columns.partition.codes + 1
    pool = np.maximum(3, np.bincount(place) // JOBS_PER_USER)
    offset = rng.integers(0, 1 << 30, int(cell.max()) + 1)
    first = np.concatenate([[0], np.cumsum(pool)[:-1]])
    user: Ints = first[place] + (owner + offset[cell]) % pool[place]
    return user


def _requests(log_s: Floats, name: Ints, rng: Generator) -> Floats:
    """Requested times: the name's habit, at times raised for care, and where it would be too short, as needed."""
    order = np.lexsort((log_s, name))
    _, start, size = np.unique(name[order], return_index=True, return_counts=True)
    typical = log_s[order][start + (9 * size) // 10]
    habit = _rung(np.exp(typical + math.log(2) + 0.7 * rng.standard_normal(len(size))))[name]
    careful = np.where(rng.random(len(name)) < CAREFUL, rng.integers(1, 5, len(name)), 0)
    needed = _rung(np.exp(log_s) * rng.uniform(1.0, 3.0, len(name)))
    rung = np.maximum(habit + careful, needed)
    weeks = np.maximum(0, rung - (len(LIMITS_S) - 1))
    requested: Floats = LIMITS_S[np.minimum(rung, len(LIMITS_S) - 1)] + 7 * DAY_S * weeks
    return requested


def _rung(duration_s: Floats) -> Ints:
    """Index of the shortest usual limit of at least this; weeks beyond the last."""
    weeks = np.ceil(np.maximum(0.0, duration_s - LIMITS_S[-1]) / (7 * DAY_S)).astype(np.int64)
    rung: Ints = np.where(weeks > 0, len(LIMITS_S) - 1 + weeks, np.searchsorted(LIMITS_S, duration_s))
    return rung


def _joined(first: Ints, second: Ints) -> Ints:
    """One dense code for each pair of values."""
    a = np.unique(first, return_inverse=True)[1]
    b = np.unique(second, return_inverse=True)[1]
    codes: Ints = np.unique(a * (int(b.max()) + 1) + b, return_inverse=True)[1]
    return codes


def _with(trace: Trace, made: _MadeUp, missing: tuple[str, ...], label: str) -> Trace:
    """The trace with the missing columns filled and marked."""
    texts = {
        "user": [f"u{number:04d}" for number in made.user.tolist()],
        "name": [f"run{number:05d}" for number in made.name.tolist()],
        "requested_s": made.requested_s.tolist(),
    }
    rows = zip(*(texts[column] for column in missing), strict=True)
    jobs = [replace(job, **dict(zip(missing, row, strict=True))) for job, row in zip(trace.jobs, rows, strict=True)]
    return replace(trace, jobs=jobs, synthetic=(*trace.synthetic, *(f"{column}: {label}" for column in missing)))
