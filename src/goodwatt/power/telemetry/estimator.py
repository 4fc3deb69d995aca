"""What policies believe of a job's demand, from noisy telemetry of its own run and of earlier jobs like it.

One reading gives activity, bandwidth and duty; kappa, the sensitivity to the SM clock, it only hints at
(`telemetry`). Seen at two clocks a job tells kappa: bytes from DRAM per second, and tensor instructions per second,
are proportional to its speed, so

    1 / rate = a + b (f_max / f - 1),   duty kappa = b / a

by least squares over its readings, with the variance that the noise of the sensors gives it. Three sources of kappa
are weighed by their precision: the hint of the counters, what earlier jobs of the same user and name showed, and the
job's own readings. Everything is kept per kind of GPU; a job that has not been seen on a kind stands for its most
specific likeness that has (`cluster.likeness`). Nothing of the simulated truth enters. What policies do with it is
theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Literal, NamedTuple, Self

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.likeness import Key, levels_of
from goodwatt.errors import InputError
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.telemetry.counters import KAPPA_COMPUTE, KAPPA_PER_DRAM, Counters, demand_from_counters
from goodwatt.power.telemetry.sensors import NOISE
from goodwatt.power.workloads.demand import Demand

HINT_ERROR = 0.15
"""Standard deviation of kappa as DRAM counters hint at it: the fit of `telemetry` misses by 0.12 on average."""
BLIND_ERROR = 0.25
"""Assumed: the same where a kind has no counters, or a job has never been seen."""
LIKE_ERROR = 0.06
"""Assumed: standard deviation of kappa between runs of the same user and name."""
LEAST_SHARE = 0.02
"""Counters below it are too close to nothing for their ratio to say anything."""
MOST_BUSY = 0.5
"""On kinds without counters, gaps tell of jobs that are on the GPU for at most this share of the time."""
LEAST_SPREAD = 1e-4
"""Readings whose f_max / f spread less, as a sum of squares, stand at one clock."""
LEAST_RATE = 1e-3
"""A line through 1/rate that meets the greatest clock further off than this, relative to the first reading, is none."""
LEAST_VARIANCE = 1e-6
"""kappa is never known better than to a thousandth: no counter is."""

Level = Literal["job", "name", "user", "others"]
_FIELDS = ("u", "m", "kappa", "duty", "sm", "occupancy", "tensor", "memory_mib", "kernel_us")
_read_figures = attrgetter(*_FIELDS)
_LEVELS: dict[str, Level] = {"name": "name", "user": "user"}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is believed of a job on a kind of GPU.

    `kappa_error`: standard deviation of `demand.kappa`. `level`: from whom it was learnt, the job itself or others
    that are like it.
    """

    demand: Demand
    kappa_error: float
    level: Level

    @property
    def known(self) -> bool:
        """Whether it was learnt from the job itself or from runs of its user and name, which do the same."""
        return self.level in {"job", "name"}


class _Line(NamedTuple):
    """Sums over readings for the line of 1/rate (y) against f_max/f - 1 (x); `unit` is the first rate."""

    unit: float = 0.0
    n: int = 0
    x: float = 0.0
    xx: float = 0.0
    y: float = 0.0
    xy: float = 0.0

    def and_at(self, x: float, rate: float) -> _Line:
        """With one more reading."""
        unit = self.unit or rate
        y = unit / rate
        return _Line(unit, self.n + 1, self.x + x, self.xx + x * x, self.y + y, self.xy + x * y)

    def slope(self) -> tuple[float, float] | None:
        """(duty kappa, its variance); None if all readings stand at one clock or contradict the model."""
        spread = self.xx - self.x * self.x / self.n if self.n else 0.0
        if spread < LEAST_SPREAD:
            return None
        b = (self.xy - self.x * self.y / self.n) / spread
        mean_x = self.x / self.n
        a = self.y / self.n - b * mean_x
        if not LEAST_RATE < a < 1.0 / LEAST_RATE:
            return None
        k = min(1.5, max(-0.5, b / a))
        variance = (NOISE / a) ** 2 * ((1.0 + k * mean_x) ** 2 / spread + k * k / self.n)
        return k, max(variance, LEAST_VARIANCE)


Evidence = tuple[float, float]
"""(precision, precision times kappa): adds up."""
NO_EVIDENCE: Evidence = (0.0, 0.0)


class _Seen(NamedTuple):
    """What one job has shown on a kind.

    Number of readings, mean figures in the order of `_FIELDS`, the counters that told of its speed first, its line.
    """

    kind: str
    readings: int
    mean: tuple[float, ...]
    hint_error: float
    signals: tuple[str, ...]
    line: _Line


class _Alike(NamedTuple):
    """What jobs of one likeness have shown: readings, mean figures, sum of squares of kappa about its mean.

    Of memory it is the most that any of them held.
    """

    readings: int
    mean: tuple[float, ...]
    squares: float
    evidence: Evidence


class Estimator:
    """Demands by job and by likeness; see the module."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Seen] = {}
        self._alike: dict[Key, _Alike] = {}
        # made from the two above and kept until these change: of jobs (with the namesakes that count in), of likenesses
        self._of_jobs: dict[str, tuple[Estimate, _Alike | None]] = {}
        self._of_likes: dict[Key, Estimate] = {}

    def observe(self, job: JobRequest, kind: str, seen: Counters) -> None:
        """Learn from a reading of a job that was alone on its GPUs; what cannot be understood is left out."""
        model = _model(kind)
        if model is None:
            return
        try:
            demand = demand_from_counters(model, seen)
        except InputError:
            return
        before = self._jobs.get(job.job_id)
        if before is not None and before.kind != kind:
            before = None
        was = NO_EVIDENCE if before is None else _own_evidence(before)
        here = self._with_reading(job, model, seen, demand, before)
        self._jobs[job.job_id] = here
        self._of_jobs.pop(job.job_id, None)
        now = _own_evidence(here)
        gained = now[0] - was[0], now[1] - was[1]
        reading = _figures(demand, self._kappa(job, here)[0])
        for key in _keys(kind, job):
            self._alike[key] = _with(self._alike.get(key), reading, gained)
            self._of_likes.pop(key, None)

    def estimate(self, job: JobRequest, kind: str) -> Estimate | None:
        """What is believed of a job on a kind; None if nothing like it has been seen there.

        It is the same object until something is learnt that it rests on.
        """
        here = self._jobs.get(job.job_id)
        if here is not None and here.kind == kind:
            return self._of_job(job, here)
        alike = self._alike
        for key in reversed(_keys(kind, job)):
            if key in alike:
                return self._of_likeness(key)
        return None

    def forget(self, job_id: str) -> None:
        """A job has ended: only its likenesses remember it."""
        self._jobs.pop(job_id, None)
        self._of_jobs.pop(job_id, None)

    def copy(self) -> Self:
        """An independent copy."""
        twin = type(self)()
        twin._jobs, twin._alike = dict(self._jobs), dict(self._alike)
        return twin

    def to_plain(self) -> Any:
        """Everything seen, as lists."""
        jobs = [
            [job_id, s.kind, s.readings, list(s.mean), s.hint_error, list(s.signals), list(_line_figures(s.line))]
            for job_id, s in self._jobs.items()
        ]
        alike = [[list(key), a.readings, list(a.mean), a.squares, list(a.evidence)] for key, a in self._alike.items()]
        return [jobs, alike]

    def load_plain(self, plain: Any) -> None:
        """Take over what `to_plain` gave."""
        self._of_jobs.clear()
        self._of_likes.clear()
        self._jobs = {
            job_id: _Seen(kind, n, tuple(mean), error, tuple(signals), _Line(*line))
            for job_id, kind, n, mean, error, signals, line in plain[0]
        }
        self._alike = {
            tuple(key): _Alike(n, tuple(mean), squares, (evidence[0], evidence[1]))
            for key, n, mean, squares, evidence in plain[1]
        }

    def _of_job(self, job: JobRequest, here: _Seen) -> Estimate:
        """From its own readings, and its namesakes'."""
        alike = None if job.name is None else self._alike.get(_keys(here.kind, job)[-1])
        known = self._of_jobs.get(job.job_id)
        if known is None or known[1] is not alike:
            kappa, error = self._kappa(job, here)
            known = self._of_jobs[job.job_id] = Estimate(_demand(here.mean, kappa), error, "job"), alike
        return known[0]

    def _of_likeness(self, key: Key) -> Estimate:
        known = self._of_likes.get(key)
        if known is None:
            level = _LEVELS.get(str(key[1]) if len(key) > 1 else "", "others")
            known = self._of_likes[key] = _of_likeness(self._alike[key], level)
        return known

    def _with_reading(
        self, job: JobRequest, model: GpuModel, seen: Counters, demand: Demand, before: _Seen | None
    ) -> _Seen:
        """A job with one more reading, put to the greatest clock by what is believed of its kappa."""
        kind, stretch = model.kind.name, model.top_mhz / (seen.clock_mhz or model.top_mhz)
        hint_error = BLIND_ERROR if seen.dram_bw is None else HINT_ERROR
        signals = work_signals(seen) if before is None else before.signals
        line = _Line() if before is None else before.line
        if (rate := work_rate(seen, signals)) is not None:
            line = line.and_at(stretch - 1.0, rate)
        old = _figures(demand) if before is None else before.mean
        kappa, _ = self._kappa(job, _Seen(kind, 1, old, hint_error, signals, line))
        figures = _at_top(demand, seen.duty, stretch, kappa)
        n = 1 if before is None else before.readings + 1
        mean = tuple(a + (b - a) / n for a, b in zip(old, figures, strict=True))
        return _Seen(kind, n, mean, hint_error, signals, line)

    def _kappa(self, job: JobRequest, here: _Seen) -> tuple[float, float]:
        """(kappa, its standard deviation) of a job from all that is known, each weighed by its precision."""
        hint = 1.0 / here.hint_error**2
        parts = [(hint, hint * here.mean[2]), _own_evidence(here)]
        if job.name is not None:
            parts.append(self._told_by_name(job, here))
        precision = math.fsum(part[0] for part in parts)
        kappa = math.fsum(part[1] for part in parts) / precision
        return min(1.0, max(0.0, kappa)), precision**-0.5

    def _told_by_name(self, job: JobRequest, here: _Seen) -> Evidence:
        """What other runs of the same user and name showed; they differ from this one by `LIKE_ERROR`."""
        alike = self._alike.get(_keys(here.kind, job)[-1])
        own = self._jobs.get(job.job_id)
        mine = NO_EVIDENCE if own is None or own.kind != here.kind else _own_evidence(own)
        precision = 0.0 if alike is None else alike.evidence[0] - mine[0]
        if alike is None or precision <= 1e-9:
            return NO_EVIDENCE
        kappa = (alike.evidence[1] - mine[1]) / precision
        weight = 1.0 / (1.0 / precision + LIKE_ERROR**2)
        return weight, weight * kappa


def work_signals(seen: Counters) -> tuple[str, ...]:
    """The counters of a reading that are in proportion to work per second and large enough for their ratio to tell.

    Bytes from DRAM and tensor instructions are; on kinds without counters the gaps are, which take a fixed time for
    each piece of work, if there are enough of them.
    """
    told = [name for name in ("dram_bw", "tensor") if (getattr(seen, name) or 0.0) >= LEAST_SHARE]
    if not told and seen.dram_bw is None and seen.duty is not None and seen.duty <= MOST_BUSY:
        return ("gaps",)
    return tuple(told)


def work_rate(seen: Counters, signals: Sequence[str]) -> float | None:
    """A figure in proportion to work per second by these counters; None if one of them has gone, or there is none."""
    rates = [_RATES[name](seen) for name in signals]
    return math.prod(rates) ** (1.0 / len(rates)) if rates and min(rates) > 0.0 else None


_RATES: dict[str, Callable[[Counters], float]] = {
    "dram_bw": lambda seen: seen.dram_bw or 0.0,
    "tensor": lambda seen: (seen.tensor or 0.0) * (seen.clock_mhz or 0.0),  # busy share times instructions per second
    "gaps": lambda seen: 1.0 - (seen.duty or 0.0),
}


def _own_evidence(here: _Seen) -> Evidence:
    """What the job's own readings at several clocks say of kappa."""
    slope = here.line.slope()
    if slope is None:
        return NO_EVIDENCE
    duty = max(here.mean[3], LEAST_SHARE)
    precision = duty * duty / slope[1]
    return precision, precision * slope[0] / duty


def _at_top(demand: Demand, duty: float | None, stretch: float, kappa: float) -> tuple[float, ...]:
    """The figures of a demand that was read off at f_max / f = `stretch` under its own kappa, under another one.

    Its kappa becomes the hint that the counters would give at the greatest clock.
    """
    was, on_gpu = 1.0 + demand.kappa * (stretch - 1.0), 1.0 + kappa * (stretch - 1.0)
    m = min(1.0, demand.m / was * on_gpu)
    hint = demand.kappa if stretch == 1.0 else min(1.0, max(0.0, KAPPA_COMPUTE - KAPPA_PER_DRAM * m))
    duty = demand.duty if duty is None or duty >= 1.0 else duty / (duty + (1.0 - duty) * on_gpu)
    u, _, _, _, *others = _figures(demand)
    return u, float(m), float(hint), float(duty), *others


def _with(alike: _Alike | None, reading: tuple[float, ...], gained: Evidence) -> _Alike:
    if alike is None:
        return _Alike(1, reading, 0.0, gained)
    n = alike.readings + 1
    mean = *(a + (b - a) / n for a, b in zip(alike.mean[:-1], reading, strict=False)), max(alike.mean[-1], reading[-1])
    squares = alike.squares + (reading[2] - alike.mean[2]) * (reading[2] - mean[2])
    return _Alike(n, mean, squares, (alike.evidence[0] + gained[0], alike.evidence[1] + gained[1]))


def _of_likeness(alike: _Alike, level: Level) -> Estimate:
    kappa, error = alike.mean[2], BLIND_ERROR
    if level == "name":
        error = math.hypot(HINT_ERROR, LIKE_ERROR)
        if alike.evidence[0] > 1e-9:
            told = 1.0 / alike.evidence[0] + LIKE_ERROR**2
            kappa = alike.evidence[1] / alike.evidence[0]
            hint = HINT_ERROR**2 + LIKE_ERROR**2
            kappa = (kappa / told + alike.mean[2] / hint) / (1.0 / told + 1.0 / hint)
            error = (1.0 / told + 1.0 / hint) ** -0.5
    elif alike.readings >= 3:
        error = math.hypot(HINT_ERROR, math.sqrt(alike.squares / (alike.readings - 1)))
    return Estimate(_demand(alike.mean, kappa), error, level)


def _figures(demand: Demand, kappa: float | None = None) -> tuple[float, ...]:
    """In the order of `_FIELDS`; `kappa`: another than the demand's."""
    u, m, hint, *others = map(float, _read_figures(demand))
    return u, m, hint if kappa is None else float(kappa), *others


def _demand(figures: Sequence[float], kappa: float) -> Demand:
    u, m, _, duty, sm, occupancy, tensor, memory_mib, kernel_us = figures
    return Demand(
        u=u,
        m=m,
        kappa=min(1.0, max(0.0, kappa)),
        duty=duty,
        sm=sm,
        occupancy=occupancy,
        tensor=tensor,
        memory_mib=round(memory_mib),
        kernel_us=kernel_us,
    )


def _line_figures(line: _Line) -> tuple[float, ...]:
    return line.unit, line.n, line.x, line.xx, line.y, line.xy


def _keys(kind: str, job: JobRequest) -> tuple[Key, ...]:
    """Under what a reading on a kind is kept, from the most general likeness to the most specific."""
    return _keys_of(kind, job.num_gpus, job.partition, job.user, job.name)


@lru_cache(maxsize=4096)
def _keys_of(kind: str, num_gpus: int, partition: str | None, user: str | None, name: str | None) -> tuple[Key, ...]:
    return tuple((kind, *key) for key in levels_of(num_gpus, partition, user, name))


@cache
def _model(kind: str) -> GpuModel | None:
    """The model of a kind of the catalogue; None where nothing but its name is known."""
    try:
        return gpu_model(gpu_kind(kind))
    except InputError:
        return None
