"""What a run is besides its trace, cluster, policy and engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goodwatt.power.facility.energy_price import EnergyPrice, StepSeries
from goodwatt.simulator.settings.guardrails import NO_GUARDRAILS, Guardrails
from goodwatt.simulator.settings.serving_settings import SERVING, ServingSettings

if TYPE_CHECKING:
    from goodwatt.simulator.services.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of a run.

    `start_s`: when the run begins, by default with the first submission. `horizon_s`: energy, work and unfinished
    jobs are counted up to this time. `drain`: go on after the horizon until all jobs have ended, so that their
    completion times are known. `budget_w`: power against which time is counted as over budget,
    and `budget_steps`: (second of the trace, watts) from when on it is another, ascending. `draw`: keep where
    each job ran, for charts of nodes. `physics`: ideal or full; `truth`: under full physics, residual (the simulated
    world differs from the model by its held-out error) or model (an oracle's world). `price`: what energy costs, in
    money and CO2, and `outside_c`: the outside temperature, both in seconds of the trace. Its second 0 is `epoch_s`
    seconds after 1970 for people (None: nobody says). `services` run beside the jobs, simulated as `serving` says.
    """

    seed: int = 0
    start_s: float | None = None
    horizon_s: float | None = None
    drain: bool = False
    budget_w: float | None = None
    budget_steps: tuple[tuple[float, float], ...] = ()
    draw: bool = False
    physics: str = "ideal"
    truth: str = "residual"
    price: EnergyPrice | None = None
    outside_c: StepSeries | None = None
    epoch_s: float | None = None
    guardrails: Guardrails = NO_GUARDRAILS
    services: Sequence[Service] = ()
    serving: ServingSettings = SERVING


DEFAULTS = RunOptions()
