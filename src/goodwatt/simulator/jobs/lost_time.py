"""Where a job's wall time went: waiting, restarting, doing work again, running slower than it could, working.

Parts sum to the wall time, because the productive part is what the others leave. How slow a job runs, and why, is told
by those who know (physics, stragglers, checkpointing).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from operator import neg
from typing import NamedTuple

LOST = ("queue", "restart", "redone", "checkpoint", "slow_clock", "interference", "communication", "straggler")
"""Parts in which nothing useful happened, in the order of their slots."""
PARTS = (*LOST, "productive")
STOPPED = ("queue", "restart", "redone", "checkpoint")
"""Parts that the effective training time ratio counts as unproductive; while it runs slowly, a job still trains."""

_QUEUE, _RESTART, _REDONE, _CHECKPOINT = range(4)
_WALL = len(LOST)
_NOTHING = (0.0,) * len(LOST)


class Slowdowns(NamedTuple):
    """How many times longer running takes for each reason, the others given: their product is the whole slowdown.

    `checkpoint`: (interval + write) / interval. `slow_clock`: clocks and caps. `interference`: sharing a GPU, host
    contention. `communication`: a placement worse than the one the job was measured on, links shared with others. 1 is
    none; a factor below 1, such as a better placement, makes the others count for less.
    """

    checkpoint: float = 1.0
    slow_clock: float = 1.0
    interference: float = 1.0
    communication: float = 1.0
    straggler: float = 1.0


NONE = Slowdowns()


class LostTime:
    """Where one job's time went so far, in seconds of wall time. Cheap to copy; the simulation adds to it.

    Beside it, for jobs that held another number of GPUs than they asked for, the GPU-seconds by which that changes each
    part: methods take `more`, the GPUs held beyond those asked for (negative if fewer).
    """

    __slots__ = ("_lost_s", "_more_gpu_s", "wall_s")

    def __init__(
        self, wall_s: float = 0.0, lost_s: Sequence[float] = _NOTHING, more_gpu_s: Sequence[float] | None = None
    ) -> None:
        if len(lost_s) != len(LOST):
            raise ValueError(f"{len(lost_s)} parts of lost time instead of {len(LOST)}")
        self.wall_s = wall_s
        self._lost_s = list(lost_s)
        self._more_gpu_s = None if more_gpu_s is None else list(more_gpu_s)

    def queued(self, seconds: float) -> None:
        """It waited, before its first start or between two."""
        self.wall_s += seconds
        self._lost_s[_QUEUE] += seconds

    def restarted(self, seconds: float, more: float = 0.0) -> None:
        """It held GPUs and started, resized or moved; nothing was computed."""
        self.wall_s += seconds
        self._lost_s[_RESTART] += seconds
        if more:
            gpu_s = self._more()
            gpu_s[_RESTART] += more * seconds
            gpu_s[_WALL] += more * seconds

    def ran(self, seconds: float, slowdowns: Slowdowns = NONE, more: float = 0.0) -> None:
        """It ran. What a slowdown of the product S takes, 1 - 1/S of the time, is shared by the logarithms of its
        factors: the only division that does not depend on their order and adds up."""
        self.wall_s += seconds
        if more:
            self._more()[_WALL] += more * seconds
        if slowdowns is NONE:
            return
        logs = [math.log(factor) for factor in slowdowns]
        slower = [log for log in logs if log > 0.0]
        total = math.fsum(logs)
        if not slower or total <= 0.0:
            return
        per_log = -math.expm1(-total) * seconds / math.fsum(slower)
        for slot, log in enumerate(logs, _CHECKPOINT):
            if log > 0.0:
                self._lost_s[slot] += per_log * log
                if more:
                    self._more()[slot] += more * per_log * log

    def redo(self, seconds: float) -> None:
        """Work that took so many productive seconds was lost; they turn out not to have been productive."""
        productive_s = max(self.productive_s, 0.0)
        lost_s = min(seconds, productive_s)
        if self._more_gpu_s is not None and productive_s:
            self._more_gpu_s[_REDONE] += lost_s / productive_s * self._more_productive_gpu_s
        self._lost_s[_REDONE] += lost_s

    @property
    def queue_s(self) -> float:
        """Of it, waiting."""
        return self._lost_s[_QUEUE]

    @property
    def productive_s(self) -> float:
        """What is left: the time that its useful work takes without any slowdown."""
        return math.fsum((self.wall_s, *map(neg, self._lost_s)))

    @property
    def parts(self) -> dict[str, float]:
        """Seconds by part, in the order of PARTS; they sum to `wall_s`."""
        return {**dict(zip(LOST, self._lost_s, strict=True)), "productive": self.productive_s}

    def gpu_s(self, gpus: float) -> list[float]:
        """GPU-seconds by PARTS: of held GPUs while it had some, of the `gpus` that it asked for while it waited."""
        parts = [gpus * seconds for seconds in (*self._lost_s, self.productive_s)]
        if self._more_gpu_s is None:
            return parts
        more = (*self._more_gpu_s[: len(LOST)], self._more_productive_gpu_s)
        return [gpu_s + extra for gpu_s, extra in zip(parts, more, strict=True)]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LostTime):
            return False
        return self.to_plain() == other.to_plain() and self._more_gpu_s == other._more_gpu_s

    __hash__ = None  # type: ignore[assignment] # it changes

    def copy(self) -> LostTime:
        """An independent copy."""
        return LostTime(self.wall_s, self._lost_s, self._more_gpu_s)

    @property
    def more_gpu_s(self) -> list[float] | None:
        """What `from_plain` takes back beside `to_plain`; None for a job that always held what it asked for."""
        return self._more_gpu_s

    def to_plain(self) -> list[float]:
        """Its seconds as plain content."""
        return [self.wall_s, *self._lost_s]

    @classmethod
    def from_plain(cls, plain: Sequence[float], more_gpu_s: Sequence[float] | None = None) -> LostTime:
        """What `to_plain` and `more_gpu_s` gave. ValueError if it is damaged."""
        wall_s, *lost_s = map(float, plain)
        return cls(wall_s, lost_s, more_gpu_s)

    def _more(self) -> list[float]:
        if self._more_gpu_s is None:
            self._more_gpu_s = [0.0] * (len(LOST) + 1)
        return self._more_gpu_s

    @property
    def _more_productive_gpu_s(self) -> float:
        more = self._more_gpu_s or [0.0]
        return math.fsum((more[-1], *(-part for part in more[:-1])))


def ettr_of(parts: Mapping[str, float]) -> float | None:
    """Effective training time ratio of jobs by their `cluster_parts`: productive by all of their GPU time.

    Productive is what was neither waiting nor restarting nor doing lost work again nor writing checkpoints. Kokolis et
    al., "Revisiting Reliability in Large-Scale Machine Learning Research Clusters", HPCA 2025. None without any time.
    """
    wall = math.fsum(parts.values())
    return 1.0 - math.fsum(parts[name] for name in STOPPED) / wall if wall > 0.0 else None


def cluster_parts(jobs: Iterable[tuple[float, LostTime]]) -> dict[str, float]:
    """GPU-seconds by part over jobs given as (GPUs asked for, times)."""
    columns = [array("d") for _ in PARTS]
    for gpus, lost in jobs:
        for column, gpu_s in zip(columns, lost.gpu_s(gpus), strict=True):
            column.append(gpu_s)
    return {name: math.fsum(column) for name, column in zip(PARTS, columns, strict=True)}
