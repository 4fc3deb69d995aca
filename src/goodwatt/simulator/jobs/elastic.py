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


def doubling(asked: int, efficiency: float = DOUBLING_EFFICIENCY) -> Callable[[int], float]:
    """Speed by GPUs: every doubling gives 2 x `efficiency` of it, (n / N) ^ log2(2 x efficiency); 1 is linear."""
    power = 1.0 + math.log2(efficiency)
    return lambda gpus: (gpus / asked) ** power


def gpu_efficiency(asked: int, gpus: int, speed: float) -> float:
    """Work done per GPU-second held, 1 at `num_gpus`: what shrinking gains and growing pays."""
    return speed * asked / gpus


def resize_cost_s(in_place: bool, restart_time_s: float) -> float:
    """The pause of a resize: short if the framework can do it in place, else a restart from the last checkpoint."""
    return min(IN_PLACE_S, restart_time_s) if in_place else restart_time_s
