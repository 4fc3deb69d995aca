"""What the power policy `budget` remembers from decision to decision."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Self

from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.state import NodeCounts
from goodwatt.policies.job_budget import Share
from goodwatt.policies.power_memory import PowerMemory
from goodwatt.power.telemetry.counters import Counters
from goodwatt.power.workloads.demand import Demand
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.power.power_plan import PowerPlan

if TYPE_CHECKING:
    from goodwatt.policies.service_needs import ServiceNeeds
    from goodwatt.simulator.view import View


class BudgetMemory(PowerMemory):
    """Demands, and what was asked for: `asked` caps by job (None: the board's own), `limits` at the last division.

    `stale`: jobs came, went or were seen since. `lowest`: nobody has been asked for more than his floor since.
    `in_vain`: who was held when the last division was made, in a `round` that would end the `same` if nothing
    changed. `hopeless`: when it was seen last of a job that it would not find its floor where it is to go, whoever
    else runs. `fed`: what the limits can feed, `trust`: how much of that did without rounds in vain. `taken_for`:
    demands of jobs since they started or were last seen; `shares` follow from them. `services`: what they need, where
    there are any.

    Between rounds these are empty: `held`, jobs that found no power in this round, with where they would have stood,
    and `plan`, those that did, with their caps.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, float | None] = {}
        self.divided_s = -math.inf
        self.limits: tuple[int, ...] = ()
        self.stale = self.lowest = False
        self.taken_for: dict[str, tuple[float, Demand | None]] = {}
        self.shares: dict[str, tuple[tuple[float, float], Share]] = {}
        self.held: list[tuple[str, NodeCounts]] = []
        self.plan: PowerPlan | None = None
        self.in_vain: list[tuple[str, NodeCounts]] = []
        self.round: tuple[object, ...] = ()
        self.same = False
        self.hopeless: dict[str, float] = {}
        self.fed: tuple[tuple[int, ...], tuple[float, ...]] | None = None
        self.trust = 1.0
        self.services: ServiceNeeds | None = None

    def needs(self, view: View) -> ServiceNeeds | None:
        """Of the services that run beside the jobs; None where there are none."""
        if view.services is not None and self.services is None:
            from goodwatt.policies.service_needs import ServiceNeeds

            self.services = ServiceNeeds()
        return self.services

    def job_observed(self, run: JobRun, kind: str, seen: Counters, now_s: float) -> None:
        """What it needs may be another now."""
        super().job_observed(run, kind, seen, now_s)
        self._forget(run.spec.job_id)
        self.stale = True

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """Its watts are free."""
        super().job_ended(job, ran_s, now_s)
        self.asked.pop(job.job_id, None)
        self._forget(job.job_id)
        self.stale = True

    def _forget(self, job_id: str) -> None:
        self.taken_for.pop(job_id, None)
        self.shares.pop(job_id, None)

    def copy(self) -> Self:
        """An independent copy."""
        twin = super().copy()
        twin.asked, twin.in_vain, twin.hopeless = dict(self.asked), self.in_vain[:], dict(self.hopeless)
        twin.divided_s, twin.limits, twin.stale, twin.lowest = self.divided_s, self.limits, self.stale, self.lowest
        twin.taken_for, twin.shares = dict(self.taken_for), dict(self.shares)
        twin.round, twin.fed, twin.trust = self.round, self.fed, self.trust
        twin.services = None if self.services is None else self.services.copy()
        return twin

    def to_plain(self) -> Any:
        """Its parts by name; `held` and `plan` are empty between rounds."""
        return {
            "learned": super().to_plain(),
            "asked": list(self.asked.items()),
            "divided_s": None if self.divided_s == -math.inf else self.divided_s,
            "limits": list(self.limits),
            "stale": self.stale,
            "lowest": self.lowest,
            "in_vain": self.in_vain,
            "hopeless": list(self.hopeless.items()),
            "taken_for": [[job_id, started_s, _plain(d)] for job_id, (started_s, d) in self.taken_for.items()],
            "round": list(self.round),
            "trust": self.trust,
            "services": None if self.services is None else self.services.to_plain(),
        }

    def load_plain(self, plain: Any) -> None:
        """Take over what `to_plain` gave."""
        super().load_plain(plain["learned"])
        self.asked = dict(plain["asked"])
        self.divided_s = -math.inf if plain["divided_s"] is None else plain["divided_s"]
        self.limits, self.round = tuple(plain["limits"]), tuple(plain["round"])
        self.stale, self.lowest, self.trust = plain["stale"], plain["lowest"], plain["trust"]
        self.in_vain = [(job_id, tuple((node, gpus) for node, gpus in nodes)) for job_id, nodes in plain["in_vain"]]
        self.hopeless, self.shares = dict(plain["hopeless"]), {}
        if plain.get("services") is not None:
            from goodwatt.policies.service_needs import ServiceNeeds

            self.services = ServiceNeeds()
            self.services.load_plain(plain["services"])
        self.taken_for = {job_id: (started_s, _demand(values)) for job_id, started_s, values in plain["taken_for"]}


_NAMES = tuple(field.name for field in fields(Demand))


def _plain(demand: Demand | None) -> list[Any] | None:
    return None if demand is None else [getattr(demand, name) for name in _NAMES]


def _demand(values: list[Any] | None) -> Demand | None:
    return None if values is None else Demand(**dict(zip(_NAMES, values, strict=True)))
