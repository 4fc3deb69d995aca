"""The options of replay and compare that concern power: which physics, which objective, what energy costs.

Options that are given win over the objective file, which wins over the defaults.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from goodwatt.cluster.job import Job
    from goodwatt.scenarios.scenario import Scenario
    from goodwatt.simulator.settings.objective import Objective, SitePrices
    from goodwatt.simulator.settings.run_options import RunOptions
    from goodwatt.simulator.settings.site_prices import PriceFile


def finite(value: float | None) -> float | None:
    """The value of an option that has to be a finite number."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"expected a finite number, got {value}")
    return value


class Physics(StrEnum):
    """How fast jobs run and what they draw."""

    FULL = "full"
    IDEAL = "ideal"


class Truth(StrEnum):
    """What the simulated world is."""

    RESIDUAL = "residual"
    MODEL = "model"


PhysicsOption = Annotated[
    Physics,
    typer.Option(
        help="full: clocks, caps, sharing and placement change speed and watts. ideal: each job takes its traced "
        "duration, a GPU draws idle or active power."
    ),
]
TruthOption = Annotated[
    Truth,
    typer.Option(
        help="What really happens. residual: jobs and boards differ from the model by as much as it was found to err. "
        "model: all is as policies expect, an oracle's world."
    ),
]
WorkloadsOption = Annotated[
    Path | None, typer.Option(help="CSV or YAML: which jobs are of which workload class.", show_default=False)
]
ObjectiveOption = Annotated[
    Path | None, typer.Option(help="YAML: goal, guardrails, prices, policy; options given win.", show_default=False)
]
BudgetOption = Annotated[
    float | None,
    typer.Option(
        "--budget-w",
        help="Power budget in watts: what budget policies keep to; time above it is reported.",
        min=0,
        callback=finite,
    ),
]
PriceOption = Annotated[
    str | None, typer.Option(help="Money per kWh: a number, or a CSV series over time.", show_default=False)
]
CarbonOption = Annotated[
    str | None, typer.Option(help="Grams of CO2 per kWh: a number, or a CSV series over time.", show_default=False)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSettings:
    """What was asked for, as it came from the command line."""

    physics: Physics
    truth: Truth
    budget_w: float | None = None
    workloads: Path | None = None
    objective: Path | None = None
    price: str | None = None
    carbon: str | None = None
    scenario: Scenario | None = None

    def read_objective(self) -> Objective:
        """The objective file, or else the scenario's, with what the options say put over it."""
        from goodwatt.simulator.settings.objective import PriceSource

        said = self._said()
        prices: dict[str, Any] = {
            key: number_or_file(v) for key, v in (("price", self.price), ("carbon", self.carbon)) if v is not None
        }
        return replace(
            said,
            power_budget_w=said.power_budget_w if self.budget_w is None else self.budget_w,
            prices=replace(said.prices or PriceSource(), **prices) if prices else said.prices,
        )

    def _said(self) -> Objective:
        """What a file says, or the scenario, whose budget also holds where the file has none."""
        from goodwatt.simulator.settings.objective import NO_OBJECTIVE

        said = NO_OBJECTIVE if self.scenario is None else self.scenario.objective
        if self.objective is not None:
            from goodwatt.simulator.settings.objective_file import read_objective

            said = read_objective(self.objective)
        if self.scenario is None or said.power_budget_w is not None:
            return said
        return replace(said, power_budget_w=self.scenario.budget_w)

    def _budget_steps(self, objective: Objective) -> tuple[tuple[float, float], ...]:
        """Those of the scenario, if its budget holds."""
        if self.scenario is None or self.budget_w is not None or objective.power_budget_w != self.scenario.budget_w:
            return ()
        return self.scenario.budget_steps

    def apply(self, options: RunOptions, objective: Objective, prices: SitePrices) -> RunOptions:
        """The options of a run."""
        return replace(
            options,
            physics=self.physics.value,
            truth=self.truth.value,
            budget_w=objective.power_budget_w,
            budget_steps=self._budget_steps(objective),
            guardrails=objective.guardrails,
            price=prices.price,
            outside_c=prices.outside_c,
            epoch_s=prices.epoch_s,
        )

    def classed(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """The jobs with the workload classes that the file of `--workloads` names."""
        if self.workloads is None:
            return jobs
        from goodwatt.power.workloads.workloads_file import read_workloads

        class_of = read_workloads(self.workloads)
        return [job if (name := class_of(job)) is None else replace(job, workload=name) for job in jobs]

    def files(self) -> dict[str, Path]:
        """The files that were named and read, by option."""
        said = self.read_objective().prices
        prices = {} if said is None else {"price": said.price, "carbon": said.carbon}
        named = {"workloads": self.workloads, "objective": self.objective}
        series = {name: Path(text) for name, text in prices.items() if isinstance(text, str)}
        return {**{name: path for name, path in named.items() if path is not None}, **series}


def number_or_file(text: str) -> float | str:
    """What an option says that takes either; InputError for a number that is no price."""
    from goodwatt.errors import InputError

    try:
        number = float(text)
    except ValueError:
        return text
    if not 0 <= number < math.inf:
        raise InputError(f"expected a number of at least 0 per kWh, or a file, got {text}")
    return number


@dataclass(frozen=True, slots=True)
class Prices:
    """What energy costs in a run, and the files that say so."""

    series: SitePrices
    files: tuple[PriceFile, ...]

    @classmethod
    def read(cls, objective: Objective, first_s: float) -> Prices:
        """What an objective names; the trace begins at `first_s`. What looks odd in a file is said on stderr."""
        from goodwatt.cli.inputs import note
        from goodwatt.simulator.settings.site_prices import site_prices_and_files

        series, files = site_prices_and_files(objective.prices, first_s)
        for text in dict.fromkeys(text for file in files for text in file.notes):
            note(text)
        return cls(series, files)

    def note_carried(self, summaries: Iterable[Mapping[str, Any]]) -> None:
        """Say on stderr for how much of these runs, one for each window, a file did not speak."""
        from goodwatt.cli.inputs import note

        spans = sorted({(s["horizon_s"] - s["span_s"], s["horizon_s"]) for s in summaries})
        for file in self.files:
            if said := file.carried(spans):
                note(said)
