"""The contract of a power policy: clocks, caps and sleep beside any scheduling policy.

Like a scheduling policy it is a pure function of a view; what it carries along is its memory. `start` completes or
holds back a placement or a move that the scheduling policy has decided, `decide` adjusts what runs. A power policy that
is no oracle knows of a job only what telemetry has shown of this run of it or of earlier ones (see `WatchingMemory`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from goodwatt.simulator.decisions import Decision, Hold, Place
from goodwatt.simulator.held import Held
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.policy import Memory, NoMemory
from goodwatt.simulator.view import View


class PowerPolicy(Protocol):
    """What decides on power.

    `oracle`: it reads the truth. `restless`: it has to be asked at every event, not only when a job may start or has
    been observed. `observe_s`: telemetry of a job is shown so long after it started or got another setting; None
    for never. `enforces_budget`: nothing starts and no cap rises for which the budgets of the site, its rows and racks
    have no room (`simulator.power.power_book`). `ramp_w_per_s`: power rises no faster than that (0: than the cluster's
    site and racks allow), see `simulator.power.ramping`; None: as it likes.
    """

    @property
    def name(self) -> str:
        """What a specification calls it."""

    @property
    def oracle(self) -> bool:
        """Whether it reads the truth."""

    @property
    def restless(self) -> bool:
        """Whether it has to be asked at every event."""

    @property
    def observe_s(self) -> float | None:
        """How long after a job started it wants to see telemetry."""

    @property
    def enforces_budget(self) -> bool:
        """Whether nothing may start or rise above the budgets."""

    @property
    def ramp_w_per_s(self) -> float | None:
        """How fast power may rise."""

    def new_memory(self) -> Memory:
        """What it carries from decision to decision."""

    def holds(self, view: View) -> Held:
        """Waiting jobs that the scheduling policy is to pass over at this moment."""

    def fed(self, view: View) -> Sequence[float] | None:
        """The share of each node's GPUs, 0 to 1, for which there is power; None: of all."""

    def start(self, place: Place, run: JobRun, view: View) -> Place | Hold:
        """The placement with its clock and cap; Hold to keep the job waiting, and why.

        Also asked before a running job is moved or resized, with the clock and the cap that would go along; Hold: it
        stays as it is.
        """

    def decide(self, view: View) -> Sequence[Decision]:
        """Other decisions for this moment."""


@dataclass(frozen=True, slots=True)
class SteadyPower:
    """Base of power policies: leaves everything as it is."""

    oracle: ClassVar[bool] = False
    restless: ClassVar[bool] = False
    observe_s: ClassVar[float | None] = None
    enforces_budget: ClassVar[bool] = False

    @property
    def ramp_w_per_s(self) -> float | None:
        """No limit is kept."""
        return None

    def new_memory(self) -> Any:
        """None needed."""
        return NoMemory()

    def holds(self, view: View) -> Held:  # noqa: ARG002 - the contract
        """None."""
        return frozenset()

    def fed(self, view: View) -> Sequence[float] | None:  # noqa: ARG002 - the contract
        """All there are."""
        return None

    def start(self, place: Place, run: JobRun, view: View) -> Place | Hold:  # noqa: ARG002 - the contract
        """As the scheduling policy has it."""
        return place

    def decide(self, view: View) -> Sequence[Decision]:  # noqa: ARG002 - the contract
        """Nothing."""
        return ()
