"""Runs end although jobs wait that nobody will ever start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goodwatt.simulator.decisions import Decision, Place, WaitUntil
from goodwatt.simulator.run import result
from goodwatt.simulator.standstill import STANDSTILL_S
from goodwatt.simulator.view import View
from tests.scenario import MadeUp, Nodes, cluster, job, simulate

ON = cluster(Nodes(1, 2))


@dataclass(frozen=True)
class Procrastinates(MadeUp):
    """Starts `a` at a time, and asks to be asked again for ever."""

    starts_s: float = float("inf")

    def decide(self, view: View) -> Sequence[Decision]:
        again = WaitUntil(view.now_s + 3_600.0)
        if view.now_s >= self.starts_s and view.waiting("a"):
            return [Place("a", ((0, 1),)), again]
        return [again]


def test_a_policy_that_waits_for_ever_does_not_keep_a_run_going() -> None:
    sim = simulate([job("a")], ON, Procrastinates())
    sim.run()
    assert STANDSTILL_S < sim.now_s <= STANDSTILL_S + 3_600.0
    assert result(sim).jobs.state == ["waiting"]


def test_it_may_take_its_time_while_somebody_is_still_to_come_or_runs() -> None:
    late_s = 3 * STANDSTILL_S
    sim = simulate(
        [job("a", duration_s=2 * STANDSTILL_S), job("b", submit_s=late_s)], ON, Procrastinates(starts_s=100.0)
    )
    sim.run()
    assert result(sim).jobs.state == ["finished", "waiting"]
    assert sim.now_s >= late_s + STANDSTILL_S
