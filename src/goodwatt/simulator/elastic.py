"""Elastic jobs: how fast a gang works with fewer or more GPUs than it asked for, and what changing that costs.

A job's `duration_s` holds for `num_gpus`; its work is duration x num_gpus reference GPU-seconds whatever it runs on. A
speed here is relative to `num_gpus`: at speed 0.5 it needs twice the time. Who resizes whom is a policy's decision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from goodwatt.cluster.job import JobRequest

DOUBLING_EFFICIENCY = 0.95
"""Speed gained from twice the GPUs, as a share of twice the speed, with the same global batch. A model of 175
billion parameters trained 3.61 times as fast on 1,024 GPUs as on 256, 1.92 times as fast on 12,288 as on 6,144
(MegaScale, NSDI 2024, table 2): 0.95 and 0.96."""

IN_PLACE_S = 30.0
"""Pause of a gang that changes its size without restarting [A]: elastic frameworks name some ten seconds."""

Scaling = Callable[[int], float]
"""Speed with so many GPUs relative to `num_gpus`."""


@dataclass(frozen=True, slots=True)
class ElasticRange:
    """The gang sizes at which a job can run: from `least` to `most`, `asked` among them."""

    least: int
    asked: int
    most: int

    @property
    def elastic(self) -> bool:
        """Whether there is anything to choose."""
        return self.least < self.most

    def clamp(self, gpus: int) -> int:
        """The allowed size next to `gpus`."""
        return min(max(gpus, self.least), self.most)


def elastic_range(job: JobRequest) -> ElasticRange:
    """The sizes a job allows: `min_gpus` to `max_gpus`; what is missing, or beyond `num_gpus`, is `num_gpus`.

    A job with a share of a GPU, or with none, has one size.
    """
    asked = job.num_gpus
    if asked == 0 or job.gpu_milli < 1_000:
        return ElasticRange(asked, asked, asked)
    least = asked if job.min_gpus is None else max(min(job.min_gpus, asked), 1)
    most = asked if job.max_gpus is None else max(job.max_gpus, asked)
    return ElasticRange(least, asked, most)


def doubling(asked: int, efficiency: float = DOUBLING_EFFICIENCY) -> Scaling:
    """Every doubling of GPUs gives 2 x `efficiency` of the speed: (n / N) ^ log2(2 x efficiency); 1 is linear."""
    power = 1.0 + math.log2(efficiency)
    return lambda gpus: (gpus / asked) ** power


def amdahl(asked: int, parallel: float) -> Scaling:
    """The share `parallel` of the work of one GPU divides among all. Amdahl, AFIPS 1967."""
    at_asked = 1.0 - parallel + parallel / asked
    return lambda gpus: at_asked / (1.0 - parallel + parallel / gpus)


def from_steps(asked: int, step_s: Callable[[int], float]) -> Scaling:
    """From the time of one step of the same global batch with so many GPUs, as a gang-step model gives it."""
    at_asked = step_s(asked)
    return lambda gpus: at_asked / step_s(gpus)


def scaling(
    asked: int, step_s: Callable[[int], float] | None = None, efficiency: float = DOUBLING_EFFICIENCY
) -> Scaling:
    """From the job's steps where a model of them is known, else by the efficiency of doubling."""
    return doubling(asked, efficiency) if step_s is None else from_steps(asked, step_s)


def work_gpu_s(asked: int, seconds_at_asked: float) -> float:
    """Work in reference GPU-seconds of what takes so many seconds at `num_gpus`."""
    return asked * seconds_at_asked


def remaining_s(work_left_gpu_s: float, asked: int, speed: float) -> float:
    """Seconds that the work left takes at a speed."""
    return work_left_gpu_s / (asked * speed)


def gpu_efficiency(asked: int, gpus: int, speed: float) -> float:
    """Work done per GPU-second held, 1 at `num_gpus`: what shrinking gains and growing pays."""
    return speed * asked / gpus


def resize_cost_s(in_place: bool, restart_time_s: float) -> float:
    """The pause of a resize: short if the framework can do it in place, else a restart from the last checkpoint."""
    return min(IN_PLACE_S, restart_time_s) if in_place else restart_time_s


def resize_gain_s(work_left_gpu_s: float, asked: int, speed: float, new_speed: float, pause_s: float) -> float:
    """Seconds by which a resize brings the end forward; negative if it does not pay."""
    return remaining_s(work_left_gpu_s, asked, speed) - remaining_s(work_left_gpu_s, asked, new_speed) - pause_s
