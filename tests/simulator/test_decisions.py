"""What a policy may say, what is done about it, and what is refused with which reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from goodwatt.cluster.cluster import Cluster, Quotas
from goodwatt.simulator.decisions import Decision, Group, Migrate, Place, Preempt, WaitUntil
from goodwatt.simulator.settings.engine import Engine
from goodwatt.simulator.simulation import Simulation
from tests.scenario import Nodes, Scripted, check, cluster, engine, fates, finished, simulate, table
from tests.state_content import content

TWO = cluster(Nodes(2))
RESTART = engine(restart_overhead_s=40, checkpoint_interval_s=30)

Script = Mapping[float, Sequence[Decision]]


def played(text: str, script: Script, on: Cluster = TWO, settings: Engine = RESTART) -> Simulation:
    """Run a table under a script and compare."""
    return check(text, on, Scripted(script), settings)


def reasons(simulation: Simulation) -> list[tuple[float, str]]:
    return [(refusal.time_s, refusal.reason) for refusal in simulation.executor.refusals]


# what is done --------------------------------------------------------------------------------------------------------


def test_place() -> None:
    simulation = played(
        """
        job  gpus  time | start  end  nodes
        a       8   100 |     0  100     n1
        b      12   100 |   100  200  n0+n1
        c       1   100 |   150  250     n0
        """,
        {
            0: [Place("a", ((1, 8),))],
            100: [Place("b", ((0, 7), (1, 5)))],
            150: [Place("c", ((0, 1),))],
        },
    )
    assert not reasons(simulation)


def test_preempted_work_is_saved_at_checkpoints_and_starting_again_costs_time() -> None:
    # 70 s of work, 10 s since the checkpoint at 60 s are lost; 40 s of overhead and 40 s of work follow.
    played(
        """
        job  gpus  time | start  end  stops  lost  nodes
        a       2   100 |     0  180      1    20     n1
        """,
        {0: [Place("a", ((0, 2),))], 70: [Preempt("a", "tried")], 100: [Place("a", ((1, 2),))]},
    )


def test_a_job_preempted_while_it_starts_again_has_lost_no_work_but_pays_twice() -> None:
    # Stopped at 60 s of work; 10 s of 40 s overhead are paid, then 30 + 40 s are left and 40 s of work.
    played(
        """
        job  gpus  time | start  end  stops  lost
        a       1   100 |     0  320      2     0
        """,
        {
            0: [Place("a", ((0, 1),))],
            60: [Preempt("a")],
            100: [Place("a", ((0, 1),))],
            110: [Preempt("a")],
            210: [Place("a", ((0, 1),))],
        },
    )


def test_overhead_by_size_of_the_gang() -> None:
    sizes = engine(restart_overhead_s=((8, 40.0), (float("inf"), 60.0)))
    again: Script = {
        0: [Place("small", ((0, 4),)), Place("wide", ((0, 4), (1, 8)))],
        50: [Preempt("small"), Preempt("wide"), Place("small", ((0, 4),)), Place("wide", ((0, 4), (1, 8)))],
    }
    played(
        """
        job    gpus  time | start  end
        small     4   100 |     0  140
        wide     12   100 |     0  160
        """,
        again,
        settings=sizes,
    )


def test_migrate_moves_a_job_at_the_price_of_a_restart() -> None:
    played(
        """
        job  gpus  time | start  end  stops  lost  nodes
        a       8   100 |     0  140      1     0     n1
        """,
        {0: [Place("a", ((0, 8),))], 60: [Migrate("a", ((1, 8),), reason="empty the first node")]},
    )


def test_migrate_to_nodes_that_overlap() -> None:
    played(
        """
        job  gpus  time | start  end  stops  nodes
        a      12   100 |     0  140      1  n0+n1
        """,
        {0: [Place("a", ((0, 8), (1, 4)))], 60: [Migrate("a", ((0, 4), (1, 8)))]},
    )


def test_a_group_makes_room_and_uses_it() -> None:
    simulation = played(
        """
        job  gpus  time | start  end  stops  nodes
        a       8   100 |     0  150      1     n0
        b      16    10 |    60   70      0  n0+n1
        """,
        {
            0: [Place("a", ((0, 8),))],
            60: [Group((Preempt("a"), Place("b", ((0, 8), (1, 8)))), "b is urgent")],
            70: [Place("a", ((0, 8),))],
        },
    )
    assert not reasons(simulation)


def test_a_group_may_swap_two_jobs() -> None:
    swap = Group((Preempt("a"), Migrate("b", ((0, 8),)), Place("a", ((1, 8),))))
    simulation = played(
        """
        job  gpus  time | start  end  nodes
        a       8   100 |     0  140     n1
        b       8   100 |     0  140     n0
        """,
        {0: [Place("a", ((0, 8),)), Place("b", ((1, 8),))], 60: [swap]},
    )
    assert not reasons(simulation)


def test_wait_until_asks_again() -> None:
    asked: list[float] = []

    class Asks(Scripted):
        def decide(self, view: Any) -> Sequence[Decision]:
            asked.append(view.now_s)
            return super().decide(view)

    simulation = simulate(table("job time\n a 10").jobs, TWO, Asks({5: [], 7.5: [Place("a", ((0, 1),))]}))
    assert fates(finished(simulation))["a"]["start"] == 7.5
    assert asked == [0, 5, 7.5]


def test_of_several_wishes_to_be_asked_the_earliest_counts() -> None:
    asked: list[float] = []

    class Asks(Scripted):
        def decide(self, view: Any) -> Sequence[Decision]:
            asked.append(view.now_s)
            return [WaitUntil(30), WaitUntil(10), WaitUntil(20)] if view.now_s == 0 else ()

    finished(simulate(table("job time\n a 10").jobs, TWO, Asks({})))
    assert asked == [0, 10]


# what is refused -----------------------------------------------------------------------------------------------------

A_RUNS = """
job  gpus  time  preemptible
a       8   100          yes
b       8   100          yes
c       4   100          yes
d       1    50           no
"""

REFUSALS: list[tuple[str, Decision, str]] = [
    ("an unknown job", Place("x", ((0, 1),)), "the job is not waiting"),
    ("a running job", Place("a", ((1, 8),)), "the job is not waiting"),
    ("a node in use", Place("b", ((0, 8),)), "n0: 8 GPUs wanted, 0 free"),
    ("a node that does not exist", Place("b", ((7, 8),)), "there is no node 7: the cluster has 2"),
    ("more GPUs than wanted", Place("c", ((1, 7),)), "4 GPUs wanted"),
    ("GPUs taken from nowhere", Place("c", ((1, 5), (0, -1))), "4 GPUs wanted"),
    ("stopping a waiting job", Preempt("b"), "Preempt b: the job is not running"),
    ("stopping an unknown job", Preempt("x"), "Preempt x: no such job is waiting or running"),
    ("stopping what must not be stopped", Preempt("d"), "Preempt d: the job must not be stopped"),
    ("moving what must not be stopped", Migrate("d", ((1, 2),)), "Migrate d: the job must not be stopped"),
    ("moving a waiting job", Migrate("b", ((1, 8),)), "Migrate b: the job is not running"),
    ("moving to too few GPUs", Migrate("a", ((1, 7),)), "Migrate a: 8 GPUs wanted"),
    ("moving to GPUs in use", Migrate("a", ((1, 8),)), "Migrate a: n1: 8 GPUs wanted, 7 free"),
    ("waiting for the past", WaitUntil(-5), "-5 is not in the future"),
    ("waiting for now", WaitUntil(0), "0 is not in the future"),
    ("waiting for no time", WaitUntil(float("nan")), "nan is not in the future"),
    (
        "a group whose last step fails",
        Group((Preempt("a"), Place("b", ((0, 8),)), Place("c", ((0, 4),)))),
        "Place c: n0: 4 GPUs wanted, 0 free",
    ),
    (
        "a group in the wrong order",
        Group((Place("b", ((0, 8),)), Preempt("a"))),
        "Place b: n0: 8 GPUs wanted, 0 free",
    ),
    ("a group that places a job twice", Group((Place("c", ((1, 4),)),) * 2), "Place c: the job is running"),
    ("a group that stops a job twice", Group((Preempt("a"), Preempt("a"))), "Preempt a: the job is not running"),
]


@pytest.mark.parametrize(("why", "decision", "reason"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_what_cannot_be_is_refused_whole(why: str, decision: Decision, reason: str) -> None:
    simulation = simulate(table(A_RUNS).jobs, TWO, Scripted({}))
    assert simulation.advance() is not None
    simulation.apply([Place("a", ((0, 8),)), Place("d", ((1, 1),))])
    before = content(simulation.state)
    queues = [[entry[2].spec.job_id for entry in pool.queue] for pool in simulation.view.pools]
    simulation.apply([decision])
    assert [refusal.decision for refusal in simulation.executor.refusals] == [decision], why
    assert reason in reasons(simulation)[0][1]
    assert content(simulation.state) == before
    assert [[entry[2].spec.job_id for entry in pool.queue] for pool in simulation.view.pools] == queues
    assert {i for i, run in simulation.live.items() if run.running} == {"a", "d"}
    assert all(run.preemptions == 0 for run in simulation.live.values())


def test_what_is_refused_does_not_keep_the_rest_from_being_done() -> None:
    simulation = simulate(table(A_RUNS).jobs, TWO, Scripted({}))
    assert simulation.advance() is not None
    simulation.apply([Place("x", ((0, 1),)), Place("a", ((0, 8),)), Place("b", ((0, 8),)), Place("c", ((1, 4),))])
    assert set(simulation.state.placements) == {"a", "c"}
    assert len(reasons(simulation)) == 2


QUOTA = cluster(Nodes(2), quotas=Quotas(users={"ann": 8}))
PEOPLE = "job gpus time user\n a 8 100 ann\n b 4 100 ann\n c 8 100 bob"


def test_quotas_hold_for_every_policy() -> None:
    script: Script = {0: [Place("a", ((0, 8),)), Place("b", ((1, 4),))]}
    simulation = simulate(table(PEOPLE).jobs, QUOTA, Scripted(script))
    finished(simulation)
    assert reasons(simulation) == [(0, "quota of user ann: 8 of 8 GPUs in use, 4 wanted")]


def test_quotas_hold_inside_a_group_and_what_it_stops_counts() -> None:
    script: Script = {
        0: [Group((Place("a", ((0, 8),)), Place("b", ((1, 4),)))), Place("a", ((0, 8),))],
        10: [Group((Preempt("a"), Place("b", ((1, 4),)))), Place("a", ((0, 8),))],
    }
    simulation = simulate(table(PEOPLE).jobs, QUOTA, Scripted(script))
    outcome = fates(finished(simulation))
    assert reasons(simulation) == [
        (0, "Place b: quota of user ann: 8 of 8 GPUs in use, 4 wanted"),
        (10, "quota of user ann: 4 of 8 GPUs in use, 8 wanted"),
    ]
    assert (outcome["a"]["stops"], outcome["b"]["start"]) == (1, 10)


@pytest.mark.parametrize(("choice", "gpus"), [("kubelet", 0b00000001), ("policy", 0b10000000)])
def test_who_chooses_the_gpus(choice: str, gpus: int) -> None:
    simulation = simulate(table("job\n a").jobs, TWO, Scripted({}), engine(gpu_choice=choice))
    assert simulation.advance() is not None
    simulation.apply([Place("a", ((0, 1),), (0b10000000,))])
    assert simulation.state.placements["a"] == ((0, gpus),)
