"""What the generator knows of a trace: a few hundred fitted numbers, none of them a job of the trace.

A model is data: `fit` (generate_fit) makes one from a trace, `draw` (generate) makes traces from one, and it is kept
as JSON. What it leaves out: CPU and memory, GPU kinds, and how jobs depend on each other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goodwatt.errors import InputError

if TYPE_CHECKING:
    from goodwatt.traces.generate import Drawn
    from goodwatt.traces.trace import Trace

# Dense where heavy tails live: the last few per thousand of the jobs hold a large share of the GPU-hours.
GRID = (0.0, 0.005, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8,
        0.85, 0.9, 0.925, 0.95, 0.965, 0.98, 0.99, 0.995, 0.998, 0.999, 1.0)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SizeGroup:
    """Jobs of similar size, fitted together.

    `shapes` are (num_gpus, gpu_milli) and `shape_shares` their part of the group's jobs; `share` is the
    group's part of all jobs; `duration_s` are the durations at the quantiles of GRID. `burst_jobs` is the mean
    number of jobs submitted together, `chained` the share of jobs submitted when an earlier one has ended: who
    repeats a large job waits for its result. `partition_shares` line up with the model's partitions.
    """

    shapes: tuple[tuple[int, int], ...]
    shape_shares: tuple[float, ...]
    share: float
    duration_s: tuple[float, ...]
    burst_jobs: float = 1.0
    chained: float = 0.0
    partition_shares: tuple[float, ...] = ()

    @property
    def gpus(self) -> float:
        """Mean GPUs of a job."""
        pairs = zip(self.shapes, self.shape_shares, strict=True)
        return sum(n * milli / 1000 * share for (n, milli), share in pairs)

    @property
    def mean_duration_s(self) -> float:
        """Mean of the distribution that the quantiles describe, log-linear between them."""
        return log_linear_mean(self.duration_s)


@dataclass(frozen=True, slots=True)
class TraceModel:
    """A fitted trace.

    `hour_of_week` are 168 shares of the arrivals from Monday 00:00 on, `day_sigma` the spread of ln(arrivals
    of a day) beyond that rhythm, `burst_gap_s` the mean gap between jobs of a burst. `users` people submit with
    Zipf exponent `user_exponent`; `repeat` is the correlation of ln(duration), as normal scores, between two
    jobs of the same user, name and size. `status_shares[d]` are the shares of `statuses` in the d-th tenth of a
    group's durations. `assumed` names the fields that the trace could not tell.
    """

    name: str
    source: str
    jobs_per_day: float
    hour_of_week: tuple[float, ...]
    day_sigma: float
    burst_gap_s: float
    groups: tuple[SizeGroup, ...]
    partitions: tuple[str, ...]
    users: int
    user_exponent: float
    repeat: float
    statuses: tuple[str, ...] = ()
    status_shares: tuple[tuple[float, ...], ...] = ()
    assumed: tuple[str, ...] = field(default=())

    @classmethod
    def fit(cls, trace: Trace, *, origin_s: float = 0.0) -> TraceModel:
        """Fit a trace whose submit_s 0 is `origin_s` seconds after a Monday's midnight."""
        from goodwatt.traces.generate_fit import fit

        return fit(trace, origin_s)

    def draw(
        self,
        seed: int,
        *,
        jobs: int | None = None,
        days: float | None = None,
        load: float | None = None,
        gpus: float | None = None,
    ) -> Drawn:
        """Draw a trace; see generate.draw."""
        from goodwatt.traces.generate import draw

        return draw(self, seed, jobs=jobs, days=days, load=load, gpus=gpus)

    @property
    def gpu_s_per_job(self) -> float:
        """Mean GPU-seconds of a job."""
        return sum(g.share * g.gpus * g.mean_duration_s for g in self.groups)

    @property
    def mean_demand_gpus(self) -> float:
        """GPUs that would be busy on average if nothing ever waited."""
        return self.jobs_per_day * self.gpu_s_per_job / 86400.0

    def save(self, path: Path) -> None:
        """Write as JSON, numbers rounded to six figures."""
        path.write_text(json.dumps(_rounded(asdict(self)), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> TraceModel:
        """Read what `save` wrote; raises InputError where it is something else."""
        try:
            return _from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path}: expected a trace model written by goodwatt, got {error}") from None


def log_linear_mean(quantiles: tuple[float, ...]) -> float:
    """Integral of the quantile function, exponential between the points of GRID: each piece is (b-a)/ln(b/a)."""
    total = 0.0
    for low, high, a, b in zip(GRID, GRID[1:], quantiles, quantiles[1:], strict=False):
        total += (high - low) * (a if b <= a * (1 + 1e-12) else (b - a) / math.log(b / a))
    return total


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list | tuple) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _from_dict(data: dict[str, Any]) -> TraceModel:
    groups = tuple(SizeGroup(**{k: _tuples(v) for k, v in group.items()}) for group in data.pop("groups"))
    return TraceModel(groups=groups, **{k: _tuples(v) for k, v in data.items()})
