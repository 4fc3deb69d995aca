"""Conservative backfill, as tables, and what it promises every job."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Quotas
from goodwatt.cluster.job import Job
from goodwatt.policies.profile import milli
from tests.scenario import Nodes, check, cluster, fates, finished, job, simulate

ONE_NODE = cluster(Nodes(1))
TRUE = "conservative-backfill:estimate=true"


def test_a_job_may_pass_only_if_it_delays_nobody() -> None:
    check(
        """
        job     submit  gpus  time | start   end
        a            0     6   100 |     0   100
        wide         1     8    50 |   100   150
        second       2     6    50 |   150   200
        fits         3     2    97 |     3   100
        long         4     2    90 |   150   240
        """,
        ONE_NODE,
        TRUE,
    )


def test_where_easy_delays_the_second_this_does_not() -> None:
    table = """
        job     submit  gpus  time | start
        a            0     6    10 |     0
        head         1     4    10 |    10
        second       2     8    10 |    {second}
        long         3     2    97 |     {long}
        """
    check(table.format(second=20, long=30), ONE_NODE, TRUE)
    check(table.format(second=100, long=3), ONE_NODE, "easy-backfill:estimate=true")


def test_shares_that_add_up_to_a_gpu_free_a_whole_one() -> None:
    milli_of = {"a": 400, "b": 500, "c": 100}
    jobs = [
        job(name, gpu_milli=share, duration_s=50.0 + share, requested_s=50.0 + share)
        for name, share in milli_of.items()
    ]
    jobs += [
        job("whole", submit_s=1, duration_s=10, requested_s=10.0),
        job("share", submit_s=2, gpu_milli=100, duration_s=900, requested_s=900.0),
    ]
    fate = fates(finished(simulate(jobs, cluster(Nodes(1, gpus=1)), "conservative-backfill")))
    assert (fate["whole"]["start"], fate["share"]["start"]) == (550, 560)


def test_a_gang_that_fragments_keep_out_holds_its_share() -> None:
    check(
        """
        job    submit  gpus  time | start   end
        a           0     5    50 |     0    50
        b           0     5   100 |     0   100
        wide        1     6    50 |    50   100
        small       2     1    10 |    50    60
        """,
        cluster(Nodes(2)),
        TRUE,
    )


def test_who_waits_for_a_quota_reserves_nothing() -> None:
    check(
        """
        job    submit  gpus  time  user | start   end
        ann1        0     4   100  ann  |     0   100
        ann2        1     4    10  ann  |   100   110
        bob1        2     4  1000  bob  |     2  1002
        """,
        cluster(Nodes(1), quotas=Quotas(users={"ann": 4.0})),
        TRUE,
    )


def test_partitions_are_planned_apart() -> None:
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


rows = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.integers(1, 40),
        st.sampled_from([1, 1, 2, 3, 4]),
        st.sampled_from([1000, 1000, 1000, 250, 600]),
    ),
    min_size=2,
    max_size=20,
)


def exact(drawn: list[tuple[int, int, int, int]], shares: bool) -> list[Job]:
    return [
        job(
            f"j{i:02}",
            gpus=gpus,
            submit_s=float(submit),
            duration_s=float(lasts),
            requested_s=float(lasts),
            gpu_milli=milli if shares and gpus == 1 else 1000,
        )
        for i, (submit, lasts, gpus, milli) in enumerate(sorted(drawn, key=lambda row: row[0]))
    ]


@given(drawn=rows)
def test_with_exact_limits_every_job_starts_at_its_first_reservation(drawn: list[tuple[int, int, int, int]]) -> None:
    """On one node GPUs are a count, so the plan can be made second by second and by hand, job after job."""
    jobs = exact(drawn, shares=False)
    free = [4] * 2000
    planned = []
    for spec in jobs:
        lasts = int(spec.duration_s)
        start = next(t for t in range(int(spec.submit_s), 2000) if min(free[t : t + lasts]) >= spec.num_gpus)
        free[start : start + lasts] = [left - spec.num_gpus for left in free[start : start + lasts]]
        planned.append(start)
    assert finished(simulate(jobs, cluster(Nodes(1, gpus=4)), "conservative-backfill")).jobs.start_s == planned


@given(drawn=rows)
def test_shares_and_whole_gpus_all_run_and_never_at_once_more_than_there_is(
    drawn: list[tuple[int, int, int, int]],
) -> None:
    jobs = exact(drawn, shares=True)
    sim = simulate(jobs, cluster(Nodes(1, gpus=4)), "conservative-backfill")
    columns = finished(sim).jobs
    assert sim.executor.refusals == []
    assert set(columns.state) == {"finished"}
    spans = [(s or 0.0, e or 0.0, milli(spec)) for s, e, spec in zip(columns.start_s, columns.end_s, jobs, strict=True)]
    for at, _, _ in spans:
        assert sum(used for start, end, used in spans if start <= at < end) <= 4000
