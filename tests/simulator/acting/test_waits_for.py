"""What keeps a job waiting where there are GPUs for it: said by whoever holds it back, or by who refuses its start."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from goodwatt.simulator.decisions import Decision, Group, Hold, Place, Preempt
from goodwatt.simulator.simulation import Simulation
from tests.scenario import Nodes, Scripted, cluster, job, simulate
from tests.simulator.acting.guardrails_runs import guarded, reasons, until

ON = cluster(Nodes(2, 4))
JOBS = [job("a", 4, user="ann"), job("b", 4, user="bob"), job("c", 2, user="bob")]
BUSY: list[Decision] = [Place("a", ((0, 4),))]


def after(*decisions: Decision) -> Simulation:
    script: dict[float, Sequence[Decision]] = {0.0: BUSY, 5.0: list(decisions), 6.0: []}
    options = guarded(protected=frozenset({"ann"}))
    return until(simulate(JOBS, ON, Scripted(script), options=options), 5.5)


@pytest.mark.parametrize(
    ("decision", "waits_for"),
    [
        (Hold("b", "cheap hours"), "cheap hours"),
        (Place("b", ((0, 4),)), ""),  # there are none
        (Place("b", ((1, 9),)), ""),
        (Place("b", ((1, 4),), sharing="mig", profile="1g.10gb"), ""),
        (Place("b", ((0, 4),), beside="a", sharing="mps"), ""),
        (Place("b", ((1, 4),), sharing="none"), "expected sharing by timeslice, mps"),
        (Group((Preempt("a"), Place("b", ((0, 4),)))), ""),
    ],
)
def test_what_a_job_waits_for(decision: Decision, waits_for: str) -> None:
    run = after(decision).live["b"]
    assert not run.placement
    assert run.waits_for.startswith(waits_for)
    assert bool(run.waits_for) is bool(waits_for)


def test_it_is_kept_when_the_job_has_started() -> None:
    sim = simulate(JOBS, ON, Scripted({0.0: [Hold("b", "first")], 5.0: [Place("b", ((0, 4),))], 6.0: []}))
    assert until(sim, 5.5).live["b"].waits_for == "first"
    assert sim.live["b"].placement


@pytest.mark.parametrize("job_id", ["a", "nobody"])
def test_only_who_waits_is_held_back(job_id: str) -> None:
    sim = after(Hold(job_id, "because"))
    assert reasons(sim) == ["the job is not waiting"]
