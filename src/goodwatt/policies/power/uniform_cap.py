"""One cap for every GPU."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from goodwatt.policies.power_policy import SteadyPower
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class UniformCap(SteadyPower):
    """Every job's GPUs capped at the same share of the rated power, at least the lowest cap of the board.

    Source: common practice of sites, e.g. McDonald et al., "Great Power, Great Responsibility", NAACL Findings 2022
    (150 W of 250 W on V100).
    """

    name: ClassVar[str] = "uniform-cap"

    share: float = 0.7

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"expected a share above 0 and up to 1, got {self.share:g}")

    def start(self, place: Place, run: JobRun, view: View) -> Place:  # noqa: ARG002 - the contract
        """With the cap of its kind."""
        kind = view.kind_at(place)
        if kind is None or kind.max_w is None:
            return place
        return replace(place, cap_w=max(self.share * kind.max_w, float(kind.min_cap_w or 0)))
