"""How far a prediction for one GPU may be off: the error of its situation, on runs that no fit had seen.

All are standard deviations, so two of three predictions are nearer than that. Errors of different origin are added as
squares. They were measured where there was something to measure, and stand for the rest: pairs on H200, slices on
A100, derived speeds over 48 pairs of a class and a kind. `benchmarks/fidelity` prints them all with their splits.
"""

from __future__ import annotations

import math

from goodwatt.power.colocation.interference_constants import PAIR_ERRORS, WATTS_ERRORS
from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.telemetry.counters import Counters
from goodwatt.power.workloads.catalogue import measured_on, speed_on
from goodwatt.power.workloads.kind_rates import speed_error, watts_error
from goodwatt.power.workloads.workload import WorkloadClass

BLIND_MPS_ERROR = 0.27
"""Mean absolute error of speeds under MPS, telemetry without counters (P100-PCIE): benchmarks/fidelity/estimator.py, so
against the model with everything known; nobody published such pairs with their telemetry."""
COUNTED_WATTS_ERROR = 0.107
"""Mean relative error of watts from counters without power: H200, alone, on another day, benchmarks/h200/compare.py."""


def of_speed(model: GpuModel, mode: str, speed: float, blind: bool) -> float:
    """Of a speed relative to alone, in the same unit; 0 for one that is 1 by definition.

    `blind`: the job is telemetry without counters. A slowdown by the clock is off by the kind's `time_error`.
    """
    if mode == "exclusive":
        return 0.0 if speed == 1.0 else model.power.time_error * speed
    return BLIND_MPS_ERROR if blind and mode == "mps" else PAIR_ERRORS[mode]


def of_work(speed: float, error: float, workload: WorkloadClass, kind: str) -> float:
    """Of work per second, in the same unit: `error` of the speed, and of the class's own speed where it is derived."""
    derived = 0.0 if measured_on(workload, kind) else speed_error()
    return speed_on(workload, kind) * math.hypot(error, speed * derived)


def of_watts(model: GpuModel, mode: str, demand: float, limited: bool) -> float:
    """Of the board's watts, relative. `demand`: what not knowing the jobs' own watts costs, see `of_demand`.

    `limited`: some have fewer threads. Nobody published watts of slices under load: they are taken as off as those
    under thread limits. A board at its cap draws no more than the cap, whatever the error.
    """
    if mode == "exclusive":
        return math.hypot(demand, model.power.power_error)
    return math.hypot(demand, WATTS_ERRORS["mps_limited" if limited or mode == "mig" else mode])


def of_demand(kind: str, workload: WorkloadClass | None, counters: Counters | None) -> float:
    """Of a job's watts alone at the default setting, relative: 0 where they were measured on the kind."""
    if workload is not None:
        return 0.0 if kind in workload.phases else watts_error()
    return COUNTED_WATTS_ERROR if counters is not None and counters.power_w is None else 0.0


def is_blind(counters: Counters | None) -> bool:
    """Telemetry that shows nothing of busy SMs or of DRAM."""
    return counters is not None and counters.dram_bw is None and counters.occupancy is None
