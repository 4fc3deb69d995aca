"""The longest wait: who has waited so long goes before all others, whatever the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from goodwatt.cluster.cluster import HostPower
from goodwatt.cluster.host_power import SLEEPS
from goodwatt.simulator.acting import longest_wait
from goodwatt.simulator.decisions import (
    Decision,
    Partition,
    Place,
    Preempt,
    Sleep,
)
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View
from tests.scenario import MadeUp, Nodes, Scripted, check, cluster, engine, job, scripted, simulate
from tests.simulator.acting.guardrails_runs import guarded, reasons, until

NEVER_PLACES = Scripted({})


def test_jobs_that_a_policy_never_places_start_when_they_have_waited_long_enough() -> None:
    """On the first nodes that fit; d comes after c, for whom both nodes are kept."""
    check(
        """
        job  submit  gpus  time | start   end  nodes
        a         0     8   100 |    30   130  n0
        b         1     2    10 |    31    41  n1
        c         2    12    50 |   130   180  n0+n1
        d         3     1    10 |   130   140  n1
        """,
        cluster(Nodes(2)),
        NEVER_PLACES,
        options=guarded(max_wait_s=30.0),
    )


@dataclass(frozen=True)
class LatestFirst(MadeUp):
    """Places whoever fits, who came last before the others."""

    preemptive = False

    def queue_key(self, run: JobRun, view: View) -> float:
        return -run.spec.submit_s

    def decide(self, view: View) -> Sequence[Decision]:
        with view.what_if() as state:
            found = []
            for run in (run for pool in view.pools for _, _, run in pool.queue):
                if nodes := longest_wait.first_fit(run.spec, state):
                    state.allocate(run.spec, nodes)
                    found.append(Place(run.spec.job_id, nodes))
            return found


@pytest.mark.parametrize(
    ("max_wait_s", "wide", "s3", "s4"),
    [
        (1000.0, "     130  150", "  50   90", "  90  130"),
        (80.0, "      90  110", "  50   90", " 110  150"),
        (20.0, "      50   70", "  70  110", " 110  150"),
    ],
)
def test_who_has_waited_too_long_goes_before_whom_the_policy_prefers(
    max_wait_s: float, wide: str, s3: str, s4: str
) -> None:
    check(
        f"""
        job  submit  gpus  time | start  end
        s1        0     8    50 |     0   50
        wide      1     8    20 |  {wide}
        s3       10     4    40 |   {s3}
        s4       60     8    40 |   {s4}
        """,
        cluster(Nodes(1)),
        LatestFirst(),
        options=guarded(max_wait_s=max_wait_s),
    )


def test_it_holds_nobody_up_on_nodes_where_it_could_not_run() -> None:
    check(
        """
        job   submit  gpus  time  kind       | start  end
        a          0     8   100  H200-SXM   |     0  100
        b          1     8    10  H200-SXM   |   100  110
        c         50     4    10  V100-PCIE  |    50   60
        d         99     4    10  H200-SXM   |   110  120
        """,
        cluster(Nodes(1, 8, "H200"), Nodes(1, 8, "V100")),
        LatestFirst(),
        options=guarded(max_wait_s=5.0),
    )


def test_waits_add_up() -> None:
    """Preempted after 30 s of waiting it may wait for 20 s more, and then it cannot be preempted any more."""
    policy = scripted((30.0, Place("a", ((0, 1),))), (40.0, Preempt("a")), (70.0, Preempt("a")))
    sim = check(
        """
        job  submit  gpus  time | start  end  stops
        a         0     1    50 |    30  100  1
        """,
        cluster(Nodes(1)),
        policy,
        options=guarded(max_wait_s=50.0),
    )
    assert reasons(sim) == ["Preempt a: the job must not be stopped"]


def test_nodes_are_woken_for_it_and_do_not_go_to_sleep() -> None:
    power = HostPower(sleep=SLEEPS["suspend"])
    asleep = [(0.0, Sleep(0)), (0.0, Sleep(1)), (25.0, Sleep(0))]
    sim = check(
        """
        job  submit  gpus  time | start  end
        a         0     8    50 |    65  115
        """,
        cluster(Nodes(2), power=power),
        scripted(*asleep),
        options=guarded(max_wait_s=20.0),
    )
    assert sim.asleep == {1: "asleep"}


def test_it_waits_for_a_node_that_is_still_falling_asleep() -> None:
    check(
        """
        job  submit  gpus  time | start  end
        a         0     8    50 |    60  110
        """,
        cluster(Nodes(1), power=HostPower(sleep=SLEEPS["suspend"])),
        scripted((0.0, Sleep(0))),
        options=guarded(max_wait_s=5.0),
    )


def test_gpus_are_not_cut_away_from_it() -> None:
    policy = scripted((50.0, Partition(0, 0, ("1g.18gb",))))
    options = guarded(max_wait_s=20.0)
    jobs = [job("a", 8, 0.0, 1000.0), job("b", 8, 1.0, 50.0)]
    sim = until(simulate(jobs, cluster(Nodes(1, 8, "H200")), policy, options=options), 60)
    assert reasons(sim) == ["somebody who has waited too long goes first"]


@pytest.mark.parametrize("mig", [(), ("3g.71gb", "3g.71gb")])
def test_gpus_that_a_policy_has_cut_are_made_whole_for_it_unless_the_cluster_file_cuts_them(
    mig: tuple[str, ...],
) -> None:
    other = cluster(Nodes(1, 2, "H200", mig=mig), Nodes(1, 1, "H200"))
    cuts = [Partition(0, gpu, ("1g.18gb",)) for gpu in (0, 1)] + [Partition(1, 0, ("7g.141gb",))]
    one = job("a", mig_profile="3g.71gb") if mig else job("a", 2)
    sim = simulate(
        [one], other, scripted((0.0, cuts[0]), (0.0, cuts[1]), (0.0, cuts[2])), options=guarded(max_wait_s=30.0)
    )
    assert until(sim, 60).live["a"].placement == ((0, 0b01 if mig else 0b11),)
    assert not reasons(sim)


def test_who_is_over_the_quota_holds_nobody_up() -> None:
    from goodwatt.cluster.cluster import Quotas

    check(
        """
        job  submit  gpus  time  user | start  end
        a         0     4   100  ann  |    20  120
        b         1     4    10  ann  |   120  130
        c         2     4    10  bob  |    22   32
        """,
        cluster(Nodes(1), quotas=Quotas(users={"ann": 4})),
        NEVER_PLACES,
        options=guarded(max_wait_s=20.0),
    )


def test_it_waits_for_no_gpus_that_are_broken() -> None:
    """Away until 200: others run on what is left."""
    from goodwatt.simulator.settings.engine import Outage

    check(
        """
        job  submit  gpus  time | start  end
        a         0    16    10 |   200  210
        b         1     4    10 |    21   31
        """,
        cluster(Nodes(2)),
        NEVER_PLACES,
        engine(outages=(Outage("n1", 5.0, 200.0),)),
        options=guarded(max_wait_s=20.0),
    )
