"""Base of the power policies that choose a clock for each job from what telemetry has shown of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from goodwatt.cluster.state import NodeCounts, Placement
from goodwatt.policies.clock_choice import cautious, host_w_per_gpu, least_energy_clock, reset
from goodwatt.policies.power_memory import OBSERVE_S, PowerMemory, power_memory
from goodwatt.policies.power_policy import SteadyPower
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.telemetry.estimator import Estimate
from goodwatt.simulator.decisions import Decision, Place
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class JobClocks(SteadyPower, ABC):
    """A subclass says by `allowed` how much slower a job may get.

    Jobs unlike all that was seen run as the board likes until telemetry shows them, `OBSERVE_S` after their start;
    those of a known user and name have their clock from the start. `host_share`: share of an idle host's watts that is
    charged to its GPUs, for a host that waits for a slow job draws longer. `caution`: standard deviations that kappa is
    taken to be above what is believed; at 1.3 one job in ten is more sensitive to its clock than that.
    """

    name: ClassVar[str]
    observe_s: ClassVar[float | None] = OBSERVE_S

    host_share: float = 1.0
    caution: float = 1.3

    def new_memory(self) -> PowerMemory:
        """Demands and durations."""
        return PowerMemory()

    @abstractmethod
    def allowed(self, run: JobRun, view: View) -> float:
        """Time that the job may take more, as a share of its time at the board's own clocks."""

    def start(self, place: Place, run: JobRun, view: View) -> Place:
        """With its clock, if the job is known on these GPUs; a job beside another has that one's clock."""
        kind = view.kind_of(place.nodes)
        if kind is None or place.beside is not None or not view.guardrails.may_slow(run.spec):
            return place
        estimate = power_memory(view).demands.estimate(run.spec, kind.name)
        if estimate is None or not estimate.known:
            return replace(place, clock_mhz=None) if run.running else place  # its clock was meant for other boards
        return replace(place, clock_mhz=self.clock_mhz(run, place.nodes, estimate, view))

    def decide(self, view: View) -> Sequence[Decision]:
        """Other clocks for the jobs that telemetry has just shown."""
        fresh = power_memory(view).take_fresh(view)
        return [command for run, estimate in fresh for command in self.adjusted(run, estimate, view)]

    def clock_mhz(self, run: JobRun, nodes: NodeCounts | Placement, estimate: Estimate, view: View) -> float | None:
        """The clock for a job with this estimate; None for the board's own choice."""
        kind = view.kind_of(nodes)
        assert kind is not None  # noqa: S101 - estimates exist on known kinds only
        more_w = self.host_share * host_w_per_gpu(view, nodes)
        demand = cautious(estimate, self.caution)
        return least_energy_clock(gpu_model(kind), demand, self.allowed(run, view), more_w)

    def adjusted(self, run: JobRun, estimate: Estimate, view: View) -> Sequence[Decision]:
        """The command for a running job, if it needs one."""
        if not view.guardrails.may_slow(run.spec):
            return ()
        kind = view.kind_of(run.placement)
        assert kind is not None  # noqa: S101 - it has been observed there
        return reset(run, self.clock_mhz(run, run.placement, estimate, view), gpu_model(kind), self.name)
