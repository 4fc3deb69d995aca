"""Protected users and jobs: who must not be stopped, moved, slowed or packed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from goodwatt.cluster.job import Job
from goodwatt.simulator.decisions import (
    Decision,
    Group,
    Migrate,
    Place,
    Preempt,
    Resize,
    SetCap,
    SetClock,
)
from goodwatt.simulator.settings.guardrails import PROTECTIONS
from tests.scenario import Nodes, cluster, scripted, simulate
from tests.simulator.acting.guardrails_runs import COMPUTING, clock_of, guarded, reasons, until

ANNS = replace(COMPUTING, user="ann")
BOBS = replace(COMPUTING, job_id="b", user="bob", submit_s=10.0)
ELASTIC = replace(ANNS, num_gpus=2, min_gpus=1, max_gpus=2)
TWO = cluster(Nodes(2, 2, "V100"))

HARMS: list[tuple[str, Job, Decision]] = [
    ("preemption", ANNS, Preempt("a")),
    ("preemption", ANNS, Group((Preempt("a"), Place("b", ((0, 1),))))),
    ("movement", ANNS, Migrate("a", ((1, 1),))),
    ("movement", ELASTIC, Resize("a", ((0, 1),))),
    ("slowing", ANNS, SetClock("a", 900.0)),
    ("slowing", ANNS, SetCap("a", 150.0)),
    ("sharing", ANNS, Place("b", (), beside="a", sharing="timeslice")),
]


@pytest.mark.parametrize(("what", "harmed", "harm"), HARMS, ids=[f"{w}-{type(h).__name__}" for w, _, h in HARMS])
def test_users_are_protected_from_what_they_should_be_protected_from(what: str, harmed: Job, harm: Decision) -> None:
    policy = scripted((0.0, Place("a", ((0, harmed.num_gpus),))), (10.0, harm))

    def refused(*, protected: str, named: frozenset[str]) -> bool:
        options = guarded("full", protected=frozenset({protected}), protected_from=named)
        return bool(reasons(until(simulate([harmed, BOBS], TWO, policy, options=options), 20)))

    everything = frozenset(PROTECTIONS)
    assert refused(protected="ann", named=everything)
    assert refused(protected="ann", named=frozenset({what}))
    assert not refused(protected="ann", named=everything - {what})
    assert not refused(protected="bob", named=everything - {"sharing"})


def test_a_protected_job_starts_at_the_boards_own_setting() -> None:
    options = guarded("full", protected=frozenset({"ann"}))
    policy = scripted((0.0, Place("a", ((0, 1),), clock_mhz=500.0, cap_w=120.0)))
    sim = until(simulate([ANNS], TWO, policy, options=options), 5)
    assert (sim.live["a"].clock_mhz, sim.live["a"].cap_w, reasons(sim)) == (None, None, [])


@pytest.mark.parametrize(
    "place",
    [
        Place("a", ((0, 1),), sharing="mps", thread_percent=10.0),
        Place("a", (), beside="b", sharing="mps"),
        Place("a", (), beside="b", sharing="timeslice"),
    ],
)
def test_protection_from_slowing_counts_on_shared_gpus_too(place: Place) -> None:
    """Sharing is allowed here: but not with a job whose clock is low, and with no limit of threads."""
    options = guarded("full", protected=frozenset({"ann"}), protected_from=frozenset({"slowing"}))
    first = Place("b", ((0, 1),), clock_mhz=600.0)
    jobs = [replace(BOBS, submit_s=0.0), replace(ANNS, submit_s=10.0)]
    sim = until(simulate(jobs, TWO, scripted((0.0, first), (10.0, place)), options=options), 20)
    assert "protected from slow clocks" in reasons(sim)[0]


def test_nobody_slows_the_neighbour_of_a_protected_job() -> None:
    options = guarded("full", protected=frozenset({"ann"}), protected_from=frozenset({"slowing"}))
    beside = Place("b", (), beside="a", sharing="mps", clock_mhz=300.0)
    policy = scripted((0.0, Place("a", ((0, 1),))), (10.0, beside), (20.0, SetClock("b", 300.0)))
    sim = until(simulate([ANNS, BOBS], TWO, policy, options=options), 30)
    assert (clock_of(sim), sim.live["b"].clock_mhz, len(reasons(sim))) == (1380.0, None, 1)


def test_jobs_that_must_not_be_stopped_are_not_moved_by_resizing_either() -> None:
    elastic = replace(ELASTIC, user=None, preemptible=False)
    policy = scripted(
        (0.0, Place("a", ((0, 1),))), (10.0, Resize("a", ((0, 1), (1, 1)))), (20.0, Resize("a", ((1, 1),)))
    )
    sim = until(simulate([elastic], TWO, policy, options=guarded("full")), 30)
    assert reasons(sim) == ["the job must not be resized"] * 2
    assert sim.live["a"].placement == ((0, 1),)


def test_so_few_threads_that_they_slow_a_job_too_much_are_refused() -> None:
    few, enough = (Place("a", ((0, 1),), sharing="mps", thread_percent=percent) for percent in (49.0, 50.0))
    sim = until(
        simulate([ANNS], TWO, scripted((0.0, few), (10.0, enough)), options=guarded("full", max_slowdown=2.0)), 20
    )
    assert reasons(sim) == ["49% of the threads may slow it by more than a guardrail allows"]
    assert sim.live["a"].thread_percent == 50.0


@pytest.mark.parametrize(
    ("limits", "decision"),
    [({"preemption": False}, Preempt("a")), ({"movement": False}, Migrate("a", ((1, 1),)))],
)
def test_nobody_is_stopped_or_moved_where_that_is_not_allowed(limits: dict[str, Any], decision: Decision) -> None:
    policy = scripted((0.0, Place("a", ((0, 1),))), (10.0, decision))
    assert reasons(until(simulate([ANNS], TWO, policy, options=guarded(**limits)), 20)) == [
        f"{type(decision).__name__} a: the job must not be stopped"
    ]
    assert not reasons(until(simulate([ANNS], TWO, policy, options=guarded()), 20))
