"""MIG in a run: who gets an instance and when, cutting GPUs by decision, what an instance costs in speed and watts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from goodwatt.cluster.mig import delays
from goodwatt.simulator.decisions import Decision, Migrate, Partition, Place, Preempt
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.engine import Engine
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import EVERY_EVENT, Nodes, Scripted, check, cluster, engine, finished, job, simulate, until

TAKES = delays()
ON, MAKE, GO = TAKES.mode_change_s, TAKES.create_s, TAKES.destroy_s
ONE = cluster(Nodes(1, gpus=1, kind="H200"))
STATIC = engine(mig="static")
FULL = RunOptions(draw=True, physics="full", truth="model")

Script = Mapping[float, Sequence[Decision]]
POLICIES = [
    "fifo", "fifo+best-fit", "fifo+worst-fit", "fifo+random-fit", "fifo+fgd", "fifo+dot-product",
    "fifo+most-allocated", "fifo+topology-aware", "sjf", "srtf", "las", "tiresias:threshold_gpu_s=60", "easy-backfill",
    "conservative-backfill", "qssf",
]  # fmt: skip


def reasons(simulation: Simulation) -> list[str]:
    return [refusal.reason for refusal in simulation.executor.refusals]


# jobs that want instances --------------------------------------------------------------------------------------------


def test_instances_are_made_for_jobs_one_after_the_other() -> None:
    # a puts the GPU into MIG mode, b has its instance made beside it, c waits for compute slices.
    check(
        f"""
        job  submit  gpus      mig  time | start               end
        a         0     1  3g.71gb   100 |     0   {100 + ON + MAKE}
        b        10     1  4g.71gb   200 |    10      {210 + MAKE}
        c        20     1  1g.18gb    10 |   {100 + ON + MAKE}  {110 + ON + MAKE + GO + MAKE}
        """,
        ONE,
    )


def test_a_gpu_that_was_cut_is_whole_again_for_whom_waits_for_its_reset() -> None:
    check(
        f"""
        job  submit  gpus      mig  time | start               end
        a         0     1  3g.71gb   100 |     0   {100 + ON + MAKE}
        b        10     1        -   100 |   {100 + ON + MAKE}   {200 + ON + MAKE + GO + ON}
        """,
        ONE,
    )


def test_static_instances_are_there_at_once_and_stay() -> None:
    on = cluster(Nodes(1, gpus=1, kind="H200", mig=("3g.71gb", "3g.71gb")))
    simulation = check(
        """
        job  submit  gpus      mig  time | start   end
        a         0     1  3g.71gb   100 |     0   100
        b         0     1  3g.71gb   200 |     0   200
        c         0     1  3g.71gb    10 |   100   110
        """,
        on,
        settings=STATIC,
    )
    assert [slot.holder for slot in simulation.state.slices.of_node[0][0].slots] == ["", ""]


def test_static_leaves_whole_gpus_alone() -> None:
    check(
        """
        job  gpus      mig  time | start  end
        a       1  3g.71gb   100 |     -    -
        """,
        ONE,
        settings=STATIC,
    )


def test_what_can_never_run_is_refused() -> None:
    check(
        """
        job  gpus      mig | state
        a       1  3g.40gb | refused
        b       2  3g.71gb | refused
        c       1  3g.71gb | finished
        """,
        ONE,
    )


@pytest.mark.parametrize("settings", [EVERY_EVENT, engine(gpu_choice="policy"), engine(mig="static")])
@pytest.mark.parametrize("policy", POLICIES)
def test_every_placement_places_them(policy: str, settings: Engine) -> None:
    on = cluster(Nodes(1, gpus=2, kind="H200", mig=("1g.18gb",) * 3 + ("4g.71gb",)), Nodes(1, gpus=2, kind="H200"))
    jobs = [job(f"s{i}", mig_profile="1g.18gb", submit_s=i) for i in range(5)]
    jobs += [job("m", mig_profile="4g.71gb", submit_s=5.0), job("w", gpus=2, submit_s=6.0)]
    jobs += [job("h", gpu_milli=500, submit_s=7.0)]
    simulation = simulate(jobs, on, policy, settings)
    outcome = finished(simulation)
    assert outcome.jobs.state == ["finished"] * len(jobs)
    assert not reasons(simulation)


def test_an_instance_costs_the_quota_its_slices_and_work_counts_so() -> None:
    simulation = simulate([job(mig_profile="3g.71gb", duration_s=1000.0)], ONE)
    outcome = finished(simulation)
    assert outcome.jobs.work_gpu_s == [428.0]


# instances that a policy chooses -------------------------------------------------------------------------------------


def in_slice(job_id: str, profile: str | None) -> Place:
    return Place(job_id, ((0, 1),), sharing="mig", profile=profile)


def test_a_policy_may_put_a_whole_job_into_an_instance() -> None:
    simulation = simulate([job(duration_s=100)], ONE, Scripted({0: [in_slice("a", "3g.71gb")]}))
    outcome = finished(simulation)
    assert outcome.jobs.end_s == [100 + ON + MAKE]
    assert outcome.jobs.work_gpu_s == [100.0]
    assert outcome.summary["utilisation"] == pytest.approx(0.428)


def test_a_job_that_leaves_its_instance_wants_a_whole_gpu_again() -> None:
    script: Script = {0: [in_slice("a", "3g.71gb")], 50: [Preempt("a")], 60: [Place("a", ((0, 1),))]}
    simulation = simulate([job(duration_s=100)], ONE, Scripted(script))
    finished(simulation)
    assert not reasons(simulation)
    moved = simulate([job()], ONE, Scripted({0: [in_slice("a", "3g.71gb")], 50: [Migrate("a", ((0, 1),))]}))
    assert finished(moved).jobs.state == ["finished"]
    assert not reasons(moved)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (in_slice("a", None), "expected the MIG profile"),
        (in_slice("a", "half"), "such as 1g.10gb"),
        (in_slice("a", "3g.40gb"), "not of the job's partition or not of its GPU kind"),
        (Place("a", ((0, 1),), profile="3g.71gb"), "goes with sharing mig"),
        (in_slice("small", "3g.71gb"), "wants a MIG instance 1g.18gb, not 3g.71gb"),
        (in_slice("gang", "3g.71gb"), "only a job of one whole GPU"),
        (in_slice("share", "3g.71gb"), "only a job of one whole GPU"),
    ],
)
def test_what_cannot_run_in_an_instance(place: Place, reason: str) -> None:
    jobs = [job("a"), job("small", mig_profile="1g.18gb"), job("gang", gpus=2), job("share", gpu_milli=500)]
    simulation = simulate(jobs, cluster(Nodes(1, gpus=2, kind="H200")), Scripted({0: [place]}))
    simulation.run()
    (got,) = reasons(simulation)
    assert reason in got
    assert all(run.spec is run.base for run in simulation.live.values())


# decisions to cut ----------------------------------------------------------------------------------------------------


def test_instances_are_ready_after_a_while() -> None:
    ready = ON + 2 * MAKE
    script: Script = {
        0: [Partition(0, 0, ("3g.71gb", "3g.71gb"))],
        1: [Place("a", ((0, 1),))],
        ready + 1: [Place("a", ((0, 1),)), Place("b", ((0, 1),))],
    }
    simulation = check(
        f"""
        job  gpus      mig  time |      start        end
        a       1  3g.71gb   100 |  {ready + 1}  {ready + 101}
        b       1  3g.71gb   100 |  {ready + 1}  {ready + 101}
        """,
        ONE,
        Scripted(script),
        STATIC,
    )
    assert len(reasons(simulation)) == 1


def test_a_gpu_is_cut_otherwise_while_a_job_runs_in_it() -> None:
    script: Script = {
        0: [Partition(0, 0, ("3g.71gb", "1g.18gb"))],
        20: [Place("a", ((0, 1),))],
        30: [Partition(0, 0, ("3g.71gb", "2g.35gb", "2g.35gb"))],
        30 + GO + 2 * MAKE: [Place("b", ((0, 1),))],
    }
    simulation = check(
        f"""
        job  gpus      mig  time |             start               end
        a       1  3g.71gb   100 |                20               120
        b       1  2g.35gb   100 |  {30 + GO + 2 * MAKE}  {130 + GO + 2 * MAKE}
        """,
        ONE,
        Scripted(script),
        STATIC,
    )
    assert not reasons(simulation)


def test_out_of_mig_mode_and_back() -> None:
    script: Script = {
        0: [Partition(0, 0, ("7g.141gb",))],
        20: [Partition(0, 0, ())],
        20 + GO + ON: [Place("a", ((0, 1),))],
    }
    simulation = check(
        f"""
        job  gpus  time |         start            end
        a       1   100 |  {20 + GO + ON}  {120 + GO + ON}
        """,
        ONE,
        Scripted(script),
    )
    assert not reasons(simulation)
    assert simulation.state.free_gpus == 1


TWO_KINDS = cluster(Nodes(1, gpus=2, kind="H200"), Nodes(1, gpus=1, kind="V100"))


@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        (Partition(7, 0, ("1g.18gb",)), "there is no node 7"),
        (Partition(0, 5, ("1g.18gb",)), "has no GPU 5"),
        (Partition(1, 0, ("1g.18gb",)), "has no MIG"),
        (Partition(0, 1, ()), "not in MIG mode"),
        (Partition(0, 1, ("3g.40gb",)), "unknown MIG profile"),
        (Partition(0, 1, ("4g.71gb", "4g.71gb")), "no legal places"),
        (Partition(0, 0, ("1g.18gb",)), "expected an empty GPU, got 0 instances, 1 processes"),
    ],
)
def test_cuts_that_are_refused(decision: Partition, reason: str) -> None:
    simulation = simulate([job()], TWO_KINDS, Scripted({0: [Place("a", ((0, 1),))], 10: [decision]}))
    finished(simulation)
    (got,) = reasons(simulation)
    assert reason in got


def test_what_runs_is_not_destroyed_and_what_is_changed_not_changed_again() -> None:
    script: Script = {
        0: [Partition(0, 0, ("3g.71gb",)), Partition(0, 0, ("1g.18gb",))],
        20: [in_slice("a", "3g.71gb")],
        30: [Partition(0, 0, ())],
    }
    simulation = simulate([job()], ONE, Scripted(script))
    finished(simulation)
    first, second = reasons(simulation)
    assert "being changed already" in first
    assert "a process runs in it" in second


# speed and watts -----------------------------------------------------------------------------------------------------


def run_with(jobs: int, profile: str) -> Simulation:
    """So many equal jobs in instances of one GPU, which have just been made."""
    many = [job(f"j{i}", workload="resnet50_train", reference_gpu="H200-SXM", duration_s=1e6) for i in range(jobs)]
    script: Script = {0: [in_slice(spec.job_id, profile) for spec in many]}
    simulation = simulate(many, ONE, Scripted(script), options=FULL)
    view = simulation.advance()
    assert view is not None
    simulation.apply(simulation.policy.decide(view))
    assert not reasons(simulation)
    return until(simulation, 10.0)


def test_neighbours_in_other_instances_cost_no_speed_and_share_the_watts() -> None:
    alone, both = run_with(1, "3g.71gb"), run_with(2, "3g.71gb")
    rate = alone.live["j0"]._truth.rate
    assert 0.3 < rate < 1.0
    assert [run._truth.rate for run in both.live.values()] == pytest.approx([rate, rate], rel=1e-9)
    one_w, two_w = alone.physics.power().gpu_w, both.physics.power().gpu_w
    assert one_w < two_w < 2 * one_w
    assert sum(run._truth.power_w or 0.0 for run in both.live.values()) == pytest.approx(two_w, abs=1e-5)


def test_smaller_instances_are_slower() -> None:
    rates = [run_with(1, profile).live["j0"]._truth.rate for profile in ("1g.18gb", "2g.35gb", "3g.71gb", "7g.141gb")]
    assert rates == sorted(rates)
    assert len(set(rates)) == 4


def test_luck_in_an_instance_does_not_depend_on_its_neighbours() -> None:
    many = [job(f"j{i}", workload="resnet50_train", reference_gpu="H200-SXM", duration_s=1e6) for i in range(2)]
    slow = [replace(in_slice(f"j{i}", "3g.71gb"), clock_mhz=1200.0) for i in range(2)]  # where no cap binds
    script, rates = Scripted({0: [slow[0]], 50: [slow[1]]}), []
    simulation = simulate(many, ONE, script, options=RunOptions(physics="full"))
    for time_s in (49.0, 99.0):
        rates.append(until(simulation, time_s).live["j0"]._truth.rate)
    assert simulation.live["j1"].placement
    assert simulation.live["j1"]._truth.rate != rates[0] == pytest.approx(rates[1], rel=1e-9)


def test_a_run_with_instances_ends_the_same_twice() -> None:
    outcomes = [result(run_with(2, "3g.71gb").fork()) for _ in range(2)]
    assert outcomes[0] == outcomes[1]
