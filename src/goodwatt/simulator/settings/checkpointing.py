"""Checkpoints: how often, what they cost while running, what a failure loses, how long a restart takes.

Time is work here: an interval is the productive seconds between two checkpoints, as in a job's own
`checkpoint_interval_s`. When failures happen is left to `failures`, adding up what was lost to `lost_time`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from goodwatt.simulator.settings.failure_rates import FailureSettings

Rule = Literal["none", "young", "daly"]
ROUNDING = 1e-9
"""Work that is short of a checkpoint by so small a part of the interval has reached it."""

_SHORTEST_RESTART_S = 300.0
_RESTART_PER_DOUBLING_S = 300.0 / 11.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointStore:
    """How fast checkpoints are written: gigabytes per second and node, and for the whole store.

    Llama 3 (arXiv:2407.21783): 2 TB/s sustained for 2,048 nodes and more, 1 GB/s per node; 63 B200 nodes on NFS wrote
    0.63 GB/s each (Lablup 2026, arXiv:2605.09370).
    """

    node_gbps: float = 1.0
    store_gbps: float = 2_000.0


USUAL_STORE = CheckpointStore()


@dataclass(frozen=True, slots=True)
class CheckpointPlan:
    """What a job does: a checkpoint of `write_s` after every `interval_s` of work; 0: it makes none."""

    interval_s: float
    write_s: float = 0.0

    @property
    def speed(self) -> float:
        """Work per second of running; the rest of the time goes into checkpoints."""
        if self.interval_s <= 0.0:
            return 1.0
        return self.interval_s / (self.interval_s + self.write_s)


def young_interval_s(write_s: float, mtbf_s: float) -> float:
    """The interval that loses least to first order, sqrt(2 C M). Young, CACM 17(9) 1974."""
    return math.sqrt(2.0 * write_s * mtbf_s)


def daly_interval_s(write_s: float, mtbf_s: float) -> float:
    """The same to higher order; M if C is 2 M or more. Daly, FGCS 22(3) 2006, equation 37.

    tau = sqrt(2 C M) (1 + sqrt(C / 2M) / 3 + (C / 2M) / 9) - C
    """
    if not write_s < 2.0 * mtbf_s:
        return mtbf_s
    if math.isinf(mtbf_s):
        return math.inf if write_s > 0.0 else 0.0
    ratio = write_s / (2.0 * mtbf_s)
    return math.sqrt(2.0 * write_s * mtbf_s) * (1.0 + math.sqrt(ratio) / 3.0 + ratio / 9.0) - write_s


def interruptions_per_h(
    settings: FailureSettings, gpus: int, nodes: int = 1, racks: int = 1, domains: int = 0, node_gpus: int = 8
) -> float:
    """Failures per hour that stop a gang, on average over clusters, with components long in service.

    `gpus` on `nodes` in `racks`; `domains`: NVLink domains beyond a node that it reaches into; `node_gpus`: GPUs of
    a node, whose failures all count when a GPU takes its node along.
    """
    exposed = gpus if settings.gpu_takes == "gpu" else max(nodes * node_gpus, gpus)
    return (
        exposed * settings.gpu.per_hour
        + nodes * settings.node.per_hour
        + racks * (settings.switch.per_hour + settings.rack.per_hour)
        + domains * settings.nvlink.per_hour
    )


def mtbf_s(per_hour: float) -> float:
    """Mean seconds between failures; infinity where there are none."""
    return 3_600.0 / per_hour if per_hour > 0.0 else math.inf


def write_s(checkpoint_mib: float, nodes: int, store: CheckpointStore) -> float:
    """Seconds to write a checkpoint of the whole job from `nodes` at once; the job waits for it."""
    gigabytes = checkpoint_mib * 2**20 / 1e9
    return gigabytes / min(max(nodes, 1) * store.node_gbps, store.store_gbps)


def checkpoint_plan(
    own_interval_s: float | None, engine_interval_s: float, rule: Rule, cost_s: float, between_failures_s: float
) -> CheckpointPlan:
    """What a job does about checkpoints: its own interval first, then the engine's, then the rule.

    An interval of 0 says nothing. A rule finds none where nothing fails or checkpoints cost nothing to leave out.
    """
    for interval_s in (own_interval_s or 0.0, engine_interval_s):
        if interval_s > 0.0:
            return CheckpointPlan(interval_s, cost_s)
    if rule == "none" or math.isinf(between_failures_s) or cost_s <= 0.0:
        return CheckpointPlan(0.0)
    best = young_interval_s if rule == "young" else daly_interval_s
    return CheckpointPlan(best(cost_s, between_failures_s), cost_s)


def lost_work_s(done_s: float, interval_s: float, saved_s: float = 0.0) -> float:
    """Work that a failure throws away: all since the last checkpoint.

    `done_s`: work so far; `saved_s`: of it was saved when it was last stopped in an orderly way. Without an interval
    there are no other checkpoints.
    """
    kept_s = saved_s
    if interval_s > 0.0:
        kept_s = max(kept_s, math.floor(done_s / interval_s + ROUNDING) * interval_s)
    return max(done_s - kept_s, 0.0)


def restart_s(num_gpus: int) -> float:
    """Seconds from a failure to the first new step: detect, exchange, load, connect, warm up.

    5 minutes on a node, and so much more with each doubling that 16,384 GPUs take 10. Meta's research clusters: 5 to
    20 (Kokolis et al., HPCA 2025). Upper ends: work redone included, under 15 on 12,288 GPUs (MegaScale, NSDI 2024) and
    under 17 for each of Llama 3's 466 interruptions, or it had not trained over 90% of the time. About 10 at 100,000
    (arXiv:2602.00277).
    """
    return _SHORTEST_RESTART_S + _RESTART_PER_DOUBLING_S * max(math.log2(max(num_gpus, 1) / 8.0), 0.0)
