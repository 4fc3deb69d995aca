"""The clock of least energy per work within a slowdown, as the model sees an estimated demand."""

from __future__ import annotations

import math

from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.gpu.point import highest_clock, load_of
from goodwatt.power.telemetry.estimator import Estimate
from goodwatt.power.workloads.demand import Demand
from goodwatt.power.workloads.workload import Phase
from goodwatt.simulator.decisions import SetClock
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View

WORTH_SETTING = 0.02
"""A clock that differs from the present one by less than this share of the greatest is not worth a command."""


def least_energy_clock(model: GpuModel, demand: Demand, slowdown: float, more_w: float = 0.0) -> float | None:
    """The supported clock, MHz, at which the work takes the least energy without taking more than `slowdown` longer.

    Time counts against where the board would put the job by itself; None if that is the best. `more_w`: watts that
    are charged to the GPU for as long as the work takes, the host's for instance.
    """
    load = load_of(model, (Phase("seen", 1.0, 1.0, demand),))
    top = max(0, highest_clock(model, load, len(model.clocks_mhz) - 1, model.default_cap_w))
    longest_s = load.wall_s(model.stretch[top]) * (1.0 + slowdown)
    best, least_j = top, math.inf
    for index in range(top, -1, -1):
        stretch = model.stretch[index]
        wall_s = load.wall_s(stretch)
        if wall_s > longest_s:
            break
        joules = (model.context_w + more_w) * wall_s + model.core_w[index] * (load.sm_fixed + load.sm_scaled * stretch)
        if joules < least_j:
            best, least_j = index, joules
    return None if best == top else model.clocks_mhz[best]


def cautious(estimate: Estimate, caution: float) -> Demand:
    """The demand with its kappa `caution` standard deviations above what is believed."""
    demand = estimate.demand
    if not caution:
        return demand
    return demand.acting(demand.u, demand.m, min(1.0, demand.kappa + caution * estimate.kappa_error))


def host_w_per_gpu(view: View, nodes: tuple[tuple[int, int], ...]) -> float:
    """Watts of an idle host for each of its GPUs, on the first node of a placement."""
    cluster = view.state.cluster
    return cluster.power.host_idle_w / max(1, cluster.nodes[nodes[0][0]].gpus)


def reset(run: JobRun, clock_mhz: float | None, model: GpuModel, reason: str) -> list[SetClock]:
    """The command that puts a running job to a clock; none if it is about there."""
    now, wish = (model.top_mhz if clock is None else clock for clock in (run.clock_mhz, clock_mhz))
    return [] if abs(wish - now) < WORTH_SETTING * model.top_mhz else [SetClock(run.spec.job_id, clock_mhz, reason)]
