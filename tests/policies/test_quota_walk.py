"""Who is inside the pool's GPUs when walking the ranks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from goodwatt.policies.best_fit import BestFit
from goodwatt.policies.quota_walk import contended, walk
from goodwatt.simulator.decisions import Decision, Place, Preempt
from goodwatt.simulator.view import View
from tests.scenario import Nodes, Scripted, cluster, job, simulate
from tests.state_content import content


@contextmanager
def unchanged(view: View) -> Iterator[None]:
    before = content(view.state)
    yield
    assert content(view.state) == before


def by_name(view: View) -> list[Decision]:
    """Ranks by the job's id, which each test chooses."""
    with unchanged(view):
        return walk(view, BestFit(), lambda runs: sorted(runs, key=lambda run: run.spec.job_id))


def moment(*started: str, jobs: str, nodes: int = 1) -> View:
    """A view in which jobs such as "a4 b8" (name, GPUs) have been submitted and these run; "!" must not be stopped."""
    specs = [
        job(word[0], gpus=int(word[1:].strip("!")), preemptible=not word.endswith("!"), duration_s=1000.0)
        for word in jobs.split()
    ]
    node = iter(range(nodes))
    places = [
        Place(name, ((next(node) if nodes > 1 else 0, s.num_gpus),))
        for s in specs
        for name in started
        if s.job_id == name
    ]
    sim = simulate(specs, cluster(Nodes(nodes)), Scripted({0.0: places, 5.0: ()}))
    first = sim.advance()
    assert first is not None
    sim.apply(sim.policy.decide(first))
    assert sim.executor.refusals == []
    view = sim.advance()
    assert view is not None
    return view


def test_ranks_before_the_limit_run_and_those_after_it_stop() -> None:
    assert by_name(moment("b", "c", jobs="a4 b4 c4")) == [
        Preempt("c", "others rank before it"),
        Place("a", ((0, 4),)),
    ]


def test_a_job_too_wide_for_what_is_left_is_passed_over() -> None:
    assert by_name(moment("c", jobs="a4 b8 c4")) == [Place("a", ((0, 4),))]


def test_stops_come_before_places() -> None:
    kinds = [type(decision) for decision in by_name(moment("c", "d", jobs="a4 b4 c4 d4"))]
    assert kinds == [Preempt, Preempt, Place, Place]


def test_gpus_of_a_job_that_must_not_be_stopped_are_not_given_away() -> None:
    assert by_name(moment("b", "z", jobs="a8 b4 z4!")) == []


def test_a_job_inside_the_count_may_find_no_node_that_holds_it() -> None:
    view = moment("b", "c", jobs="a8 b2 c2", nodes=2)
    assert by_name(view) == []


def test_nothing_happened_nothing_is_decided() -> None:
    view = moment("b", jobs="a4 b4")
    for pool in view.pools:
        pool.changed = False
    assert by_name(view) == []


def test_contended_are_those_who_run_or_will() -> None:
    view = moment("b", jobs="a4 b4 c8")
    decisions = by_name(view)
    assert decisions == [Place("a", ((0, 4),))]
    assert [run.spec.job_id for run in contended(view, decisions)] == ["b", "a"]
    assert [run.spec.job_id for run in contended(view, [])] == ["b"]


def test_nobody_is_contended_where_nobody_waits() -> None:
    assert list(contended(moment("a", jobs="a4"), [])) == []
