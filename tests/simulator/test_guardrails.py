"""Guardrails: what no policy may do, however hostile it is."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster, HostPower
from goodwatt.cluster.host_power import SLEEPS
from goodwatt.cluster.job import Job
from goodwatt.power.gpu_model import gpu_model
from goodwatt.simulator import longest_wait, nodes
from goodwatt.simulator.decisions import (
    Decision,
    Group,
    Migrate,
    Partition,
    Place,
    Preempt,
    Resize,
    SetCap,
    SetClock,
    Sleep,
    WaitUntil,
)
from goodwatt.simulator.guardrails import NO_GUARDRAILS, PROTECTIONS, Guardrails
from goodwatt.simulator.job_run import JobRun
from goodwatt.simulator.run import result
from goodwatt.simulator.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.view import View
from tests.made_runs import MOST_DECISIONS, Made, made
from tests.scenario import KINDS, Calls, Nodes, Scripted, calls, check, cluster, engine, job, simulate

V100, H200 = KINDS["V100"], KINDS["H200"]


def guarded(physics: str = "ideal", **limits: Any) -> RunOptions:
    return RunOptions(draw=True, physics=physics, truth="model", guardrails=Guardrails(**limits))


def script(*steps: tuple[float, Decision]) -> Scripted:
    """Decisions by time."""
    times = dict.fromkeys(time_s for time_s, _ in steps)
    return Scripted({time_s: [d for at, d in steps if at == time_s] for time_s in times})


def until(sim: Simulation, time_s: float) -> Simulation:
    """Run on up to the last decision before a time."""
    while sim.deciding or sim.clock.peek() < time_s:
        if not sim.deciding:
            sim.clock.step()
        elif (view := sim.advance()) is not None:
            sim.apply(sim.policy.decide(view))
    return sim


def reasons(sim: Simulation) -> list[str]:
    return [refusal.reason for refusal in sim.executor.refusals]


# the limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"max_slowdown": 0.9}, {"max_wait_s": -1.0}, {"min_clock_mhz": math.nan}])
def test_limits_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"expected {next(iter(wrong))} of at least"):
        Guardrails(**wrong)  # type: ignore[arg-type]


def test_protections_have_names() -> None:
    with pytest.raises(ValueError, match=r"expected protected_from out of preemption, .* got rain"):
        Guardrails(protected_from=frozenset({"rain"}))


def test_they_read_the_same_in_every_process() -> None:
    """Saved runs are told apart by their options as text."""
    code = "from goodwatt.simulator.guardrails import Guardrails as G; print(G(protected=frozenset('abcdefgh')))"
    texts = {
        subprocess.run(  # noqa: S603 - our own code
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1
    assert "protected=['a', 'b'," in texts.pop()


@pytest.mark.parametrize("kind", ["V100", "H200"])
@pytest.mark.parametrize("slowdown", [1.0, 1.01, 1.3, 2.0, 50.0])
def test_the_slowest_clock_is_the_lowest_supported_one_that_keeps_the_promise(kind: str, slowdown: float) -> None:
    facts = KINDS[kind]
    clocks = gpu_model(facts).clocks_mhz
    slowest = Guardrails(max_slowdown=slowdown).slowest_mhz([facts])
    assert slowest == min(clock for clock in clocks if clock >= clocks[-1] / slowdown - 1e-6)


def test_a_gang_on_two_kinds_goes_at_the_higher_of_their_limits() -> None:
    limits = Guardrails(max_slowdown=1.5)
    assert limits.slowest_mhz([V100, H200]) == limits.slowest_mhz([H200]) > limits.slowest_mhz([V100])


def test_a_floor_above_what_a_board_has_is_its_greatest_clock() -> None:
    assert Guardrails(min_clock_mhz=9_000).slowest_mhz([V100]) == V100.max_clock_mhz
    assert Guardrails(min_clock_mhz=9_000).slowest_mhz([KINDS["small"]]) == 0.0
    assert NO_GUARDRAILS.slowest_mhz([V100]) == 0.0


DOCS = Path(__file__).parents[2] / "docs/reference/guardrails.md"


def test_the_reference_names_every_limit_and_its_example_runs() -> None:
    text = DOCS.read_text(encoding="utf-8")
    names = [*(f.name for f in fields(Guardrails)), *PROTECTIONS]
    assert [name for name in names if f"| `{name}` |" not in text] == []
    example = text.split("```python\n")[1].split("```")[0]
    known: dict[str, Any] = {}
    exec(example, known)  # noqa: S102 - our own page
    assert known["options"].guardrails == Guardrails(
        max_slowdown=1.1, max_wait_s=86_400, protected=frozenset({"alice"})
    )


# clocks --------------------------------------------------------------------------------------------------------------

ONE_V100 = cluster(Nodes(1, 2, "V100"))
COMPUTING = job("a", duration_s=1000.0, workload="resnet50_train", reference_gpu="V100-PCIE")


def clock_of(sim: Simulation, job_id: str = "a") -> float:
    """The lowest clock of a running job's GPUs."""
    return min(sim.physics.held_mhz(sim.live[job_id]).values())


@pytest.mark.parametrize(
    ("limits", "least_mhz"),
    [({}, 135.0), ({"min_clock_mhz": 900.0}, 900.0), ({"max_slowdown": 1.25}, 1104.0), ({"max_slowdown": 1.3}, 1062.0)],
)
def test_a_lock_is_raised_to_what_is_allowed(limits: dict[str, float], least_mhz: float) -> None:
    policy = script((0.0, Place("a", ((0, 1),), clock_mhz=1.0)), (50.0, SetClock("a", 2.0)))
    sim = until(simulate([COMPUTING], ONE_V100, policy, options=guarded("full", **limits)), 40)
    assert least_mhz <= clock_of(sim) < least_mhz + 7.5
    assert least_mhz <= clock_of(until(sim, 90)) < least_mhz + 7.5
    assert not sim.executor.refusals


def test_a_cap_that_holds_the_clock_too_low_is_taken_back_when_it_has_settled() -> None:
    policy = script((0.0, Place("a", ((0, 1),))), (50.0, SetCap("a", 100.0)))
    free = until(simulate([COMPUTING], ONE_V100, policy, options=guarded("full")), 90)
    assert clock_of(free) < 1104
    sim = until(simulate([COMPUTING], ONE_V100, policy, options=guarded("full", max_slowdown=1.25)), 90)
    assert sim.live["a"].cap_w is None
    assert clock_of(sim) >= 1104
    (refusal,) = sim.executor.refusals
    assert refusal.decision == SetCap("a", 100.0)
    assert 50.0 < refusal.time_s < 50.5
    assert "taken back" in refusal.reason


def test_a_job_that_starts_under_too_low_a_cap_goes_on_without_it() -> None:
    policy = script((0.0, Place("a", ((0, 1),), cap_w=100.0)))
    sim = until(simulate([COMPUTING], ONE_V100, policy, options=guarded("full", min_clock_mhz=1000.0)), 40)
    assert (sim.live["a"].cap_w, len(sim.executor.refusals)) == (None, 1)
    assert clock_of(sim) >= 1000


def test_a_cap_that_was_high_enough_is_taken_back_when_a_neighbour_makes_it_too_low() -> None:
    jobs = [COMPUTING, replace(COMPUTING, job_id="b", submit_s=50.0)]
    place = Place("b", (), beside="a", sharing="mps")
    policy = script((0.0, Place("a", ((0, 1),), cap_w=130.0)), (50.0, place))
    options = guarded("full", min_clock_mhz=1150.0)
    sim = until(simulate(jobs, ONE_V100, policy, options=options), 40)
    assert sim.live["a"].cap_w == 130.0
    assert until(sim, 60).live["a"].cap_w is None
    assert clock_of(sim) >= 1150


def test_the_last_wish_for_a_clock_does_not_drop_the_one_for_a_cap() -> None:
    policy = script((0.0, Place("a", ((0, 1),))), (50.0, SetClock("a", 900.0)), (50.0, SetCap("a", 120.0)))
    sim = until(simulate([COMPUTING], ONE_V100, policy, options=guarded("full")), 60)
    assert (sim.live["a"].clock_mhz, sim.live["a"].cap_w) == (900.0, 120.0)


@pytest.mark.parametrize("wish", [{"cap_w": 99.0}, {"cap_w": 251.0}, {"cap_w": math.nan}, {"clock_mhz": 0.0}])
@pytest.mark.parametrize("grouped", [False, True])
def test_boards_refuse_what_they_cannot_do(wish: dict[str, float], grouped: bool) -> None:
    place = Place("a", ((0, 1),), **wish)  # type: ignore[arg-type]
    sim = simulate([COMPUTING], ONE_V100, script((0.0, Group((place,)) if grouped else place)), options=guarded("full"))
    sim.run()
    assert len(reasons(sim)) == 1
    assert not sim.live["a"].placement
    assert "caps from 100 to 250 W" in reasons(sim)[0] or "a clock above 0" in reasons(sim)[0]


def test_a_lock_goes_along_to_another_kind_within_its_limits_and_a_cap_only_where_boards_take_it() -> None:
    both = cluster(Nodes(1, 1, "V100"), Nodes(1, 1, "H200"))
    policy = script(
        (0.0, Place("a", ((0, 1),), clock_mhz=1.0)), (10.0, SetCap("a", 150.0)), (20.0, Migrate("a", ((1, 1),)))
    )
    sim = until(simulate([COMPUTING], both, policy, options=guarded("full", max_slowdown=2.0)), 30)
    assert (sim.live["a"].clock_mhz, sim.live["a"].cap_w) == (990.0, None)
    policy = script((0.0, Place("a", ((0, 1),), clock_mhz=1.0)), (20.0, Migrate("a", ((1, 1),))))
    sim = until(simulate([COMPUTING], both, policy, options=guarded("full", max_slowdown=2.0)), 30)
    assert sim.live["a"].clock_mhz == 990.0


@pytest.mark.parametrize("wish", [{"cap_w": 99.0}, {"cap_w": 251.0}, {"clock_mhz": -1.0}])
def test_boards_refuse_a_move_with_what_they_cannot_do(wish: dict[str, float]) -> None:
    two = cluster(Nodes(2, 1, "V100"))
    policy = script((0.0, Place("a", ((0, 1),))), (20.0, Migrate("a", ((1, 1),), **wish)))  # type: ignore[arg-type]
    sim = until(simulate([COMPUTING], two, policy, options=guarded("full")), 30)
    assert len(reasons(sim)) == 1
    assert "caps from 100 to 250 W" in reasons(sim)[0] or "a clock above 0" in reasons(sim)[0]
    assert sim.live["a"].placement == ((0, 1),)


# protected users -----------------------------------------------------------------------------------------------------

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
    policy = script((0.0, Place("a", ((0, harmed.num_gpus),))), (10.0, harm))

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
    policy = script((0.0, Place("a", ((0, 1),), clock_mhz=500.0, cap_w=120.0)))
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
    sim = until(simulate(jobs, TWO, script((0.0, first), (10.0, place)), options=options), 20)
    assert "protected from slow clocks" in reasons(sim)[0]


def test_nobody_slows_the_neighbour_of_a_protected_job() -> None:
    options = guarded("full", protected=frozenset({"ann"}), protected_from=frozenset({"slowing"}))
    beside = Place("b", (), beside="a", sharing="mps", clock_mhz=300.0)
    policy = script((0.0, Place("a", ((0, 1),))), (10.0, beside), (20.0, SetClock("b", 300.0)))
    sim = until(simulate([ANNS, BOBS], TWO, policy, options=options), 30)
    assert (clock_of(sim), sim.live["b"].clock_mhz, len(reasons(sim))) == (1380.0, None, 1)


def test_jobs_that_must_not_be_stopped_are_not_moved_by_resizing_either() -> None:
    elastic = replace(ELASTIC, user=None, preemptible=False)
    policy = script((0.0, Place("a", ((0, 2),))), (10.0, Resize("a", ((1, 2),))), (20.0, Resize("a", ((0, 1),))))
    sim = until(simulate([elastic], TWO, policy, options=guarded("full")), 30)
    assert reasons(sim) == ["the job must not be moved"]
    assert sim.live["a"].placement == ((0, 1),)


@pytest.mark.parametrize(
    ("limits", "decision"),
    [({"preemption": False}, Preempt("a")), ({"movement": False}, Migrate("a", ((1, 1),)))],
)
def test_nobody_is_stopped_or_moved_where_that_is_not_allowed(limits: dict[str, bool], decision: Decision) -> None:
    policy = script((0.0, Place("a", ((0, 1),))), (10.0, decision))
    assert reasons(until(simulate([ANNS], TWO, policy, options=guarded(**limits)), 20)) == [  # type: ignore[arg-type]
        f"{type(decision).__name__} a: the job must not be stopped"
    ]
    assert not reasons(until(simulate([ANNS], TWO, policy, options=guarded()), 20))


# the longest wait ----------------------------------------------------------------------------------------------------

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
class LatestFirst:
    """Places whoever fits, who came last before the others."""

    name: str = "latest-first"
    oracle: bool = False
    preemptive: bool = False
    head_only: bool = False

    def new_memory(self) -> Calls:
        return Calls()

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
    policy = script((30.0, Place("a", ((0, 1),))), (40.0, Preempt("a")), (70.0, Preempt("a")))
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
        script(*asleep),
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
        script((0.0, Sleep(0))),
        options=guarded(max_wait_s=5.0),
    )


def test_gpus_are_not_cut_away_from_it() -> None:
    policy = script((50.0, Partition(0, 0, ("1g.18gb",))))
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
        [one], other, script((0.0, cuts[0]), (0.0, cuts[1]), (0.0, cuts[2])), options=guarded(max_wait_s=30.0)
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
    from goodwatt.simulator.engine import Outage

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


# hostile policies ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hostile:
    """Stops, moves and slows down everybody, packs whom it can, sends nodes to sleep, and places hardly anybody."""

    name: str = "hostile"
    oracle: bool = False
    preemptive: bool = True
    head_only: bool = False
    places: bool = False

    def new_memory(self) -> Calls:
        return Calls()

    def queue_key(self, run: JobRun, view: View) -> float:
        return -run.spec.submit_s

    def decide(self, view: View) -> Sequence[Decision]:
        if calls(view).ask(view.now_s):
            return ()
        running = [run for pool in view.pools for run in pool.running.values()]
        waiting = [run.spec.job_id for pool in view.pools for _, _, run in pool.queue]
        found: list[Decision] = []
        for run in running:
            job_id, count = run.spec.job_id, run.spec.num_gpus
            slow = view.random.choice(
                [SetClock(job_id, 1.0), SetCap(job_id, 100.0), SetCap(job_id, 200.0), Preempt(job_id)]
            )
            move = Migrate(job_id, ((view.random.randrange(len(view.state.capacity)), count),))
            found += [slow, move]  # type: ignore[list-item]
        if self.places and waiting:
            for job_id in waiting:
                host = view.random.choice(running).spec.job_id if running else None
                where = ((view.random.randrange(len(view.state.capacity)), view.run(job_id).spec.num_gpus),)
                found.append(Place(job_id, where, clock_mhz=1.0, cap_w=view.random.choice([100.0, 200.0, None])))
                found.append(
                    Place(job_id, (), beside=host, sharing="mps", thread_percent=view.random.choice([5.0, 100.0]))
                )
        found += [Sleep(node) for node in range(len(view.state.capacity))]
        return [*found, WaitUntil(view.now_s + 9.0)] if running or waiting else found


LIMITS = Guardrails(min_clock_mhz=300.0, max_slowdown=1.5, max_wait_s=15.0, protected=frozenset({"ann"}))

hostile = st.builds(
    lambda of, places, full: (
        replace(of, options=replace(of.options, guardrails=LIMITS, physics="full" if full else "ideal")),
        Hostile(places=places),
    ),
    made,
    st.booleans(),
    st.booleans(),
)


@given(hostile)
def test_no_policy_breaks_a_guardrail(case: tuple[Made, Hostile]) -> None:
    of, policy = case
    sim = Simulation(of.jobs, of.on, policy, of.settings, of.options)
    moves: dict[str, Any] = {}
    for _ in range(MOST_DECISIONS):
        view = sim.advance()
        if view is None:
            break
        sim.apply(policy.decide(view))
        assert_nobody_waits_who_could_run(sim)
        for run in sim.live.values():
            if run.placement:
                assert_not_too_slow(sim, run, of.on)
            if run.spec.user == "ann":
                assert not run.preemptions
                key = (run.spec.job_id, run.failures)
                assert not run.placement or moves.setdefault(key, run.placement)  # type: ignore[call-overload]
    result(sim)


def assert_not_too_slow(sim: Simulation, run: JobRun, on: Cluster) -> None:
    for name, mhz in sim.physics.held_mhz(run).items():
        assert mhz >= LIMITS.slowest_mhz([on.kinds[name]]) * (1 - 1e-6) or not (run.cap_w or run.clock_mhz)
    if run.spec.user == "ann":
        assert (run.clock_mhz, run.cap_w, run.thread_percent) == (None, None, 100.0)
        assert run.spec.gpu_milli < 1000 or not run.spec.num_gpus or nodes.together(sim, run) == [run]


def assert_nobody_waits_who_could_run(sim: Simulation) -> None:
    assert LIMITS.max_wait_s is not None
    late = [r for r in sim.live.values() if not r.placement and sim.now_s > r.due_s]
    first = min(late, key=lambda run: run.index, default=None)
    if first is not None and (sim.quotas is None or sim.quotas.excess(first.base) is None) and sim.book is None:
        assert longest_wait.first_fit(first.base, sim.state) is None


def test_a_hostile_policy_only_costs_time() -> None:
    """Everybody ends, at no less than the clock that is allowed, and nobody waits longer than the cluster needs."""
    on = cluster(Nodes(2, 4, "V100"), power=HostPower(sleep=SLEEPS["suspend"]))
    jobs = [replace(COMPUTING, job_id=f"j{i}", submit_s=5.0 * i, duration_s=60.0, num_gpus=1 + i % 3) for i in range(9)]
    limits = replace(LIMITS, preemption=False, movement=False)
    options = RunOptions(physics="full", truth="model", guardrails=limits, horizon_s=5_000.0)
    sim = Simulation(jobs, on, Hostile(), engine(), options)
    sim.run()
    outcome = result(sim)
    assert outcome.summary["finished"] == 9
    assert (
        max((end or 0.0) - (start or 0.0) for start, end in zip(outcome.jobs.start_s, outcome.jobs.end_s, strict=True))
        <= 60 * 1.5 * 1.2
    )
