"""The steps of drawing a trace: sizes, bursts, who submits them and when, durations, outcomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from goodwatt.traces.generate_model import GRID, TraceModel
from goodwatt.traces.statistics_columns import (
    DAY_S,
    HOUR_S,
    HOURS_PER_WEEK,
    Floats,
    Ints,
)

TEMPLATES = 6  # names that a user has in use at once, for one size
TEMPLATE_LIFE_S = 14 * DAY_S  # after which a user has moved on to other work
CHAIN_GAP_S = 120.0  # mean time from the end of a job to the submission of the next in its chain


@dataclass(frozen=True, slots=True)
class Streams:
    """One random stream per purpose: a change to one step leaves the others as they were."""

    sizes: Generator
    bursts: Generator
    people: Generator
    templates: Generator
    durations: Generator
    times: Generator
    days: Generator
    statuses: Generator

    @classmethod
    def of(cls, seed: int) -> Streams:
        """All streams of a seed."""
        children = np.random.SeedSequence(seed).spawn(len(cls.__dataclass_fields__))
        return cls(*map(np.random.default_rng, children))


@dataclass(frozen=True, slots=True)
class Sizes:
    """Per job, ordered by shape: its number among all shapes of the model, its group, and what it asks for."""

    shape: Ints
    group: Ints
    num_gpus: Ints
    gpu_milli: Ints

    @property
    def gpus(self) -> Floats:
        """GPUs in use by each job."""
        return self.num_gpus * self.gpu_milli / 1000.0


@dataclass(frozen=True, slots=True)
class Bursts:
    """`first[b]` is the first job of burst b, `of_job[i]` the burst of job i.

    `chained[i]`: job i was submitted after the end of the job before it, not together with it.
    """

    first: Ints
    of_job: Ints
    chained: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Habits:
    """Per burst: its place between start and end of the trace (0 to 1, in arrivals), who submits what, and where.

    `score` is the normal score of the template's typical duration.
    """

    moment: Floats
    user: Ints
    template: Ints
    partition: Ints
    score: Floats


def draw_sizes(model: TraceModel, count: int, rng: Generator) -> Sizes:
    """Shapes in their shares by systematic sampling: each count is off by less than one."""
    shapes = np.array([shape for g in model.groups for shape in g.shapes], np.int64)
    groups = np.array([i for i, g in enumerate(model.groups) for _ in g.shapes], np.int64)
    shares = np.array([g.share * s for g in model.groups for s in g.shape_shares])
    edges = np.floor(np.cumsum(shares / shares.sum()) * count + rng.random()).astype(np.int64)
    edges[-1] = count
    shape = np.repeat(np.arange(len(shares)), np.diff(np.minimum(edges, count), prepend=0))
    return Sizes(shape, groups[shape], shapes[shape, 0], shapes[shape, 1])


def draw_bursts(model: TraceModel, sizes: Sizes, rng: Generator) -> Bursts:
    """Cut the jobs of each shape into bursts and chains of geometric length."""
    new_shape = np.diff(sizes.shape, prepend=-1) != 0
    chained_share = np.array([g.chained for g in model.groups])[sizes.group]
    together_share = np.array([1 - 1 / g.burst_jobs for g in model.groups])[sizes.group]
    uniform = rng.random(len(new_shape))
    chained = ~new_shape & (uniform < chained_share)
    starts = new_shape | (uniform >= chained_share + (1 - chained_share) * together_share)
    return Bursts(np.flatnonzero(starts), np.cumsum(starts) - 1, chained)


def draw_habits(model: TraceModel, group: Ints, span_s: float, streams: Streams) -> Habits:
    """Who submits each burst, as which of their templates; templates live for a fortnight."""
    moment = streams.times.random(len(group))
    partition, user = _people(model, group, streams.people)
    rank = _zipf(streams.people.random(len(group)), TEMPLATES, 1.0)
    epoch = np.floor(moment * span_s / TEMPLATE_LIFE_S).astype(np.int64)
    key = ((user * len(model.groups) + group) * TEMPLATES + rank) * (int(epoch.max()) + 1) + epoch
    distinct, template = np.unique(key, return_inverse=True)
    numbers = streams.templates.permutation(len(distinct))
    scores = streams.templates.standard_normal(len(distinct))
    return Habits(moment, user, numbers[template], partition, scores[template])


def _people(model: TraceModel, group: Ints, rng: Generator) -> tuple[Ints, Ints]:
    """Partition (-1: none) and user of each burst; a user belongs to one partition, a share of all users each."""
    places = max(1, len(model.partitions))
    shares = np.array([g.partition_shares or (1.0,) for g in model.groups])
    edges = np.cumsum(shares, axis=1) / np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
    partition = np.minimum((rng.random(len(group))[:, None] >= edges[group]).sum(axis=1), places - 1)
    weights = np.array([g.share for g in model.groups]) @ shares
    pools = np.maximum(1, np.round(weights / weights.sum() * model.users)).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(pools)[:-1]])
    user = np.empty(len(group), np.int64)
    for place in range(places):
        here = np.flatnonzero(partition == place)
        user[here] = offsets[place] + _zipf(rng.random(len(here)), int(pools[place]), model.user_exponent)
    return (partition if model.partitions else np.full(len(group), -1)), user


def _zipf(uniform: Floats, ranks: int, exponent: float) -> Ints:
    """Ranks from 0, drawn with weight 1 / (rank + 1) ^ exponent."""
    edges = np.cumsum(np.arange(1, ranks + 1, dtype=np.float64) ** -exponent)
    drawn: Ints = np.minimum(np.searchsorted(edges, uniform * edges[-1], side="right"), ranks - 1)
    return drawn


def draw_durations(model: TraceModel, sizes: Sizes, score: Floats, rng: Generator) -> tuple[Ints, Ints]:
    """Whole seconds, and the tenth of its group's distribution that each lies in.

    A job's rank among those of its shape comes from its template and its own noise (Gaussian copula with correlation
    `repeat`); its duration is the group's quantile there, so the distribution is kept whatever the templates are.
    """
    noisy = np.sqrt(model.repeat) * score + np.sqrt(1 - model.repeat) * rng.standard_normal(len(score))
    quantile = _quantiles(sizes.shape, noisy, rng)
    duration = np.empty(len(score), np.int64)
    for number, fitted in enumerate(model.groups):
        jobs = sizes.group == number
        logs = np.interp(quantile[jobs], GRID, np.log(np.maximum(fitted.duration_s, 1.0)))
        duration[jobs] = np.maximum(1, np.round(np.exp(logs)))
    return duration, np.minimum(quantile * 10, 9).astype(np.int64)


def _quantiles(shape: Ints, noisy: Floats, rng: Generator) -> Floats:
    """One quantile in each of n equal parts for the n jobs of a shape, in the order of `noisy`; `shape` is sorted."""
    order = np.lexsort((noisy, shape))
    count = np.bincount(shape)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    quantile = np.empty(len(shape))
    quantile[order] = (np.arange(len(shape)) - first[shape] + rng.random(len(shape))) / count[shape]
    return quantile


def draw_submissions(
    model: TraceModel, habits: Habits, bursts: Bursts, duration_s: Ints, span_s: float, streams: Streams
) -> Ints:
    """Whole seconds from a Monday's midnight: the burst's moment through the weekly rhythm, then its gaps.

    What would reach beyond the end of the trace goes on at its beginning.
    """
    edges, arrivals = _intensity(model, span_s, streams.days)
    start = np.interp(habits.moment * arrivals[-1], arrivals, edges)
    gaps = streams.times.exponential(np.where(bursts.chained, CHAIN_GAP_S, model.burst_gap_s))
    gaps[1:] += np.where(bursts.chained[1:], duration_s[:-1], 0)
    gaps[bursts.first] = 0.0
    since = np.cumsum(gaps)
    offset = since - since[bursts.first][bursts.of_job]
    submit_s: Ints = np.floor((start[bursts.of_job] + offset) % span_s).astype(np.int64)
    return submit_s


def _intensity(model: TraceModel, span_s: float, rng: Generator) -> tuple[Floats, Floats]:
    """Edges of the hours in seconds and the share of arrivals before each; days differ by a lognormal factor."""
    hours = int(np.ceil(span_s / HOUR_S))
    edges = np.minimum(np.arange(hours + 1) * HOUR_S, span_s)
    days = np.exp(model.day_sigma * rng.standard_normal(hours // 24 + 1))
    rate = np.array(model.hour_of_week)[np.arange(hours) % HOURS_PER_WEEK] * days[np.arange(hours) // 24]
    return edges, np.concatenate([[0.0], np.cumsum(np.maximum(rate, 1e-9) * np.diff(edges))])


def draw_statuses(model: TraceModel, tenth: Ints, rng: Generator) -> Ints:
    """Outcome of each job by the tenth of its duration; all 0 where the model knows none."""
    if not model.statuses:
        return np.zeros(len(tenth), np.int64)
    edges = np.cumsum(np.array(model.status_shares), axis=1)
    drawn = (rng.random(len(tenth))[:, None] >= edges[tenth]).sum(axis=1)
    status: Ints = np.minimum(drawn, len(model.statuses) - 1)
    return status
