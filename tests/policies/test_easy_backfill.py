"""EASY backfill, as tables, and what it promises the head of the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster, Quotas
from goodwatt.cluster.job import Job, JobRequest
from goodwatt.policies.best_fit import BestFit
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.decisions import Decision, Place
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.policy import Memory
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.view import View
from tests.scenario import Nodes, check, cluster, fates, finished, job, simulate

ONE_NODE = cluster(Nodes(1))
TRUE = "easy-backfill:estimate=true"


def test_a_job_that_ends_before_the_head_starts_may_pass_it() -> None:
    check(
        """
        job    submit  gpus  time | start  end
        a           0     6   100 |     0  100
        head        1     4    50 |   100  150
        fits        2     2    98 |     2  100
        late        3     2    98 |   100  198
        """,
        ONE_NODE,
        TRUE,
    )


def test_a_job_that_leaves_the_head_its_gpus_may_pass_it_however_long_it_is() -> None:
    check(
        """
        job    submit  gpus  time | start   end
        a           0     6   100 |     0   100
        head        1     6    50 |   100   150
        long        2     2  1000 |     2  1002
        """,
        ONE_NODE,
        TRUE,
    )


def test_jobs_that_pass_share_what_is_spare() -> None:
    check(
        """
        job    submit  gpus  time | start   end
        a           0     5   100 |     0   100
        head        1     6    50 |   100   150
        long        2     2  1000 |     2  1002
        longer      3     1  1000 |   150  1150
        short       4     1    90 |     4    94
        """,
        ONE_NODE,
        TRUE,
    )


def test_only_the_head_has_a_reservation() -> None:
    check(
        """
        job     submit  gpus  time | start   end
        a            0     4   100 |     0   100
        head         1     8    10 |   100   110
        second       2     8    10 |   110   120
        third        3     4    50 |     3    53
        """,
        ONE_NODE,
        TRUE,
    )


def test_gangs_pass_and_are_passed() -> None:
    check(
        """
        job    submit  gpus  time | start   end     nodes
        a           0     8   100 |     0   100        n0
        head        1    24    50 |   100   150  n0+n1+n2
        gang        2    16    80 |     2    82     n1+n2
        gang2       3    16    99 |   150   249     n0+n1
        """,
        cluster(Nodes(3)),
        TRUE,
    )


def test_shares_of_a_gpu_pass_where_the_head_does_not_need_it_whole() -> None:
    check(
        """
        job    submit  gpus  milli  time | start   end
        a           0     1      -   100 |     0   100
        s           0     1    300   100 |     0   100
        head        1     2      -   100 |   100   200
        long        2     1    300  1000 |   200  1200
        short       3     1    700    90 |     3    93
        """,
        cluster(Nodes(1, gpus=2)),
        TRUE,
    )


def test_cpu_is_kept_for_the_head() -> None:
    check(
        """
        job    submit  gpus    cpu  time | start   end
        a           0     4   4000   100 |     0   100
        head        1     4   8000   100 |   100   200
        long        2     1   1000  1000 |   200  1200
        short       3     1   1000    97 |     3   100
        """,
        cluster(Nodes(1, cpu_milli=8000)),
        TRUE,
    )


def test_limits_are_believed_to_their_last_second() -> None:
    jobs = [
        job("a", gpus=7, duration_s=100, requested_s=100.0),
        job("head", gpus=8, submit_s=1, duration_s=100, requested_s=100.0),
        job("x", gpus=1, submit_s=70, duration_s=60, requested_s=60.0),
        job("y", gpus=1, submit_s=70, duration_s=30, requested_s=30.0),
    ]
    fate = fates(finished(simulate(jobs, ONE_NODE, "easy-backfill")))
    assert {name: fate[name]["start"] for name in fate} == {"a": 0, "head": 100, "y": 70, "x": 200}


def test_jobs_that_outlive_their_limit_are_expected_a_minute_later_again_and_again() -> None:
    jobs = [
        job("a", gpus=7, duration_s=500, requested_s=100.0),
        job("head", gpus=8, submit_s=1, duration_s=100, requested_s=100.0),
        job("x", gpus=1, submit_s=200, duration_s=60, requested_s=60.0),
        job("y", gpus=1, submit_s=200, duration_s=61, requested_s=61.0),
    ]
    fate = fates(finished(simulate(jobs, ONE_NODE, "easy-backfill")))
    assert {name: fate[name]["start"] for name in fate} == {"a": 0, "head": 500, "x": 200, "y": 600}


def test_who_asked_for_too_much_time_waits_for_it() -> None:
    jobs = [
        job("a", gpus=6, duration_s=100, requested_s=100.0),
        job("head", gpus=8, submit_s=1, duration_s=50, requested_s=50.0),
        job("x", gpus=2, submit_s=2, duration_s=10, requested_s=5000.0),
    ]
    fate = fates(finished(simulate(jobs, ONE_NODE, "easy-backfill")))
    assert (fate["head"]["start"], fate["x"]["start"]) == (100, 150)
    fate = fates(finished(simulate(jobs, ONE_NODE, TRUE)))
    assert (fate["head"]["start"], fate["x"]["start"]) == (100, 2)


def test_a_job_for_another_kind_of_gpu_or_more_memory_is_tried_although_its_like_did_not_fit() -> None:
    check(
        """
        job    submit  gpus  time  kind   gpu_memory | start   end  nodes
        a           0     4   100  large           - |     0   100     n1
        head        1     1    10  -           80000 |   100   110     n1
        small       2     1    10  -           16000 |     2    12     n0
        """,
        cluster(Nodes(1, gpus=4), Nodes(1, gpus=4, kind="large")),
        TRUE,
    )


def test_partitions_do_not_wait_for_each_other() -> None:
    check(
        """
        job    submit  gpus  time  partition | start   end
        e1          0     3   100  east      |     0   100
        w1          0     3    50  west      |     0    50
        ehead       1     4   100  east      |   100   200
        whead       1     4    50  west      |    50   100
        eback       2     1    98  east      |     2   100
        wback       2     1    98  west      |   100   198
        """,
        cluster(Nodes(1, gpus=4, partition="east"), Nodes(1, gpus=4, partition="west")),
        TRUE,
    )


def test_who_waits_for_a_quota_has_no_reservation() -> None:
    check(
        """
        job    submit  gpus  time  user | start   end
        ann1        0     4   100  ann  |     0   100
        ann2        1     8    10  ann  |     -     -
        bob1        2     4  1000  bob  |     2  1002
        ann3        3     4    10  ann  |   100   110
        """,
        cluster(Nodes(1), quotas=Quotas(users={"ann": 4.0})),
        TRUE,
    )


def test_a_short_sight_sees_only_the_first() -> None:
    jobs = [job("a", gpus=6), *(job(name, gpus=8, submit_s=1) for name in "bcd"), job("x", submit_s=2, duration_s=10)]
    assert fates(finished(simulate(jobs, ONE_NODE, f"{TRUE},depth=3")))["x"]["start"] > 2
    assert fates(finished(simulate(jobs, ONE_NODE, f"{TRUE},depth=4")))["x"]["start"] == 2


# what it promises ----------------------------------------------------------------------------------------------------


@dataclass
class Watched:
    """EASY, with a record of when each blocked head could start at the latest, counted by hand at that moment."""

    name: str = "watched"
    oracle: bool = False
    preemptive: bool = False
    head_only: bool = False
    latest_s: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.easy = make_policy("easy-backfill")

    def new_memory(self) -> Memory:
        return self.easy.new_memory()

    def queue_key(self, run: JobRun, view: View) -> float:
        return run.spec.submit_s

    def decide(self, view: View) -> Sequence[Decision]:
        decisions = self.easy.decide(view)
        placed = {decision.job_id: decision for decision in decisions if isinstance(decision, Place)}
        for pool in view.pools:
            waiting = [run.spec for _, _, run in pool.queue]
            head = next((spec for spec in waiting if spec.job_id not in placed), None)
            if head is not None and head.job_id not in self.latest_s:
                ahead = [placed[spec.job_id] for spec in waiting[: waiting.index(head)]]
                ends = [(run.started_s + (run.spec.requested_s or 0), run.spec) for run in pool.running.values()]
                self.latest_s[head.job_id] = earliest(head, ahead, ends, waiting, view)
        return decisions


def earliest(
    head: JobRequest, ahead: list[Place], ends: list[tuple[float, JobRequest]], waiting: list[JobRequest], view: View
) -> float:
    """When the head starts if nobody passes it: those who run and those ahead of it end at their limits."""
    specs = {spec.job_id: spec for spec in waiting}
    with view.what_if() as state:
        for place in ahead:
            state.allocate(specs[place.job_id], place.nodes)
            ends.append((view.now_s + (specs[place.job_id].requested_s or 0), specs[place.job_id]))
        for end_s, spec in sorted(ends, key=lambda end: end[0]):
            state.release(spec)
            if BestFit().place(head, state, view) is not None:
                return end_s
    raise AssertionError(f"{head} never fits")


CLUSTERS = (
    cluster(Nodes(1, gpus=4)),
    cluster(Nodes(3, gpus=4)),
    cluster(Nodes(2, gpus=4, cpu_milli=8000, memory_mib=100)),
    cluster(Nodes(1, gpus=4, cpu_milli=6000), Nodes(1, gpus=2, kind="large", memory_mib=60)),
    cluster(Nodes(2, gpus=2, partition="east"), Nodes(1, gpus=4, partition="west")),
)


@st.composite
def exact(draw: st.DrawFn, on: Cluster) -> tuple[Job, ...]:
    """Jobs that fit somewhere, whose limits are exactly as long as they run."""
    widest = on.num_gpus if len({node.gpus for node in on.nodes}) == 1 else 2
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 60),
                st.integers(1, 60),
                st.sampled_from([1, 1, 1, 2, 3, 4, 6, 8, 12]),
                st.sampled_from([1000, 1000, 300, 500, 700]),
                st.sampled_from([0, 0, 1000, 3000]),
                st.sampled_from([0, 0, 20, 40]),
            ),
            min_size=3,
            max_size=24,
        )
    )
    partitions = on.partitions
    jobs = []
    for i, (submit, lasts, gpus, share, cpu, memory) in enumerate(sorted(rows, key=lambda row: row[0])):
        wide = min(gpus, 2 if partitions else widest)
        jobs.append(
            job(
                f"j{i:02}",
                gpus=wide,
                submit_s=float(submit),
                duration_s=float(lasts),
                requested_s=float(lasts),
                gpu_milli=share if wide == 1 else 1000,
                cpu_milli=cpu,
                memory_mib=memory,
                partition=partitions[i % len(partitions)] if partitions else None,
            )
        )
    return tuple(jobs)


@pytest.mark.parametrize("on", CLUSTERS, ids=["node", "nodes", "hosts", "kinds", "partitions"])
@given(data=st.data())
def test_with_exact_limits_the_head_starts_no_later_than_if_nobody_passed_it(data: st.DataObject, on: Cluster) -> None:
    jobs = data.draw(exact(on))
    watched = Watched()
    sim = Simulation(jobs, on, watched)
    fate = fates(finished(sim))
    assert sim.executor.refusals == []
    assert {name: row["state"] for name, row in fate.items()} == {spec.job_id: "finished" for spec in jobs}
    late = {
        name: (fate[name]["start"], limit) for name, limit in watched.latest_s.items() if fate[name]["start"] > limit
    }
    assert late == {}


@given(data=st.data())
def test_the_truth_and_exact_limits_give_one_schedule(data: st.DataObject) -> None:
    on = CLUSTERS[2]
    jobs = data.draw(exact(on))
    runs = [finished(simulate(jobs, on, policy)).jobs for policy in ("easy-backfill", TRUE)]
    assert runs[0].start_s == runs[1].start_s


@pytest.mark.parametrize("policy", ["easy-backfill", "easy-backfill:estimate=predicted", "conservative-backfill"])
@given(data=st.data())
def test_with_wrong_limits_nobody_starves(data: st.DataObject, policy: str) -> None:
    on = CLUSTERS[2]
    jobs = tuple(
        replace(spec, requested_s=data.draw(st.sampled_from([None, 1.0, 20.0, 500.0]))) for spec in data.draw(exact(on))
    )
    sim = simulate(jobs, on, policy)
    assert set(finished(sim).jobs.state) <= {"finished"}
    assert sim.executor.refusals == []
