"""Failures and stragglers as they happen in a run: who is stopped, what is away until when, what work is lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from goodwatt.simulator.decisions import Migrate, Place
from goodwatt.simulator.failures import breakdowns
from goodwatt.simulator.failures.schedule import Failure, Taken
from goodwatt.simulator.simulation import Simulation
from tests.scenario import Nodes, Scripted, check, cluster, engine, fates, finished, job, simulate, table, until
from tests.simulator.physics.full_physics_runs import FULL, NET

ON = cluster(Nodes(2, 4, "V100"))


@dataclass
class Planned:
    """Failures at times that a test has planned: what each takes."""

    takes: dict[float, Sequence[Taken]]
    done: int = 0

    @property
    def next_s(self) -> float:
        times = sorted(self.takes)
        return times[self.done] if self.done < len(times) else math.inf

    def pop(self) -> Failure:
        self.done += 1
        return Failure(sorted(self.takes)[self.done - 1], "gpu", "n0/0", 10.0, "a test")

    def taken(self, failure: Failure) -> Sequence[Taken]:
        return self.takes[failure.time_s]

    def copy(self) -> Self:
        return type(self)(self.takes, self.done)


@dataclass
class Slow:
    """One GPU that is slow by a factor within spans of time."""

    spells: Sequence[tuple[float, float, float]]
    where: tuple[int, int] = (0, 1)
    nodes: dict[int, int] = field(default_factory=lambda: {0: 1})

    def slowdown(self, placement: Any, now_s: float) -> float:
        if not self._held(placement):
            return 1.0
        return next((factor for from_s, to_s, factor in self.spells if from_s <= now_s < to_s), 1.0)

    def next_change_s(self, placement: Any, now_s: float) -> float:
        times = [time_s for from_s, to_s, _ in self.spells for time_s in (from_s, to_s) if time_s > now_s]
        return min(times, default=math.inf) if self._held(placement) else math.inf

    def _held(self, placement: Any) -> bool:
        return any(node == self.where[0] and mask & self.where[1] for node, mask in placement)


def failing(text: str, takes: dict[float, Sequence[Taken]], policy: Any = "fifo", **settings: Any) -> Simulation:
    """Run the jobs of a table under planned failures."""
    wanted = table(text)
    sim = simulate(wanted.jobs, ON, policy, engine(**settings))
    sim.failures = Planned(takes)  # type: ignore[assignment]
    breakdowns.begin(sim)
    got = fates(finished(sim))
    assert {i: {n: got[i][n] for n in row} for i, row in wanted.expected.items()} == wanted.expected
    return sim


def test_a_failed_node_stops_its_jobs_and_is_away_until_it_is_repaired() -> None:
    sim = failing(
        """
        job  submit  gpus  time | start  end  lost  nodes
        a         0     4   100 |     0  170   200  n1
        b         0     4    60 |     0   60     0  n1
        c         0     4    10 |    60   70     0  n1
        """,
        {50.0: [Taken(0, 0b1111, 200.0, host=True)]},
    )
    assert sim.recorder.failures == 1
    assert sim.recorder.job_failures.tolist() == [1, 0, 0]


def test_a_failed_gpu_stops_only_its_own_jobs() -> None:
    """a goes on elsewhere on the node."""
    failing(
        """
        job  gpus  time | start  end  lost
        a       1   100 |     0  120    20
        b       2   100 |     0  100     0
        """,
        {20.0: [Taken(0, 0b0001, 60.0, host=False)]},
    )


@pytest.mark.parametrize(("interval", "lost", "end"), [("-", 70.0, 170.0), ("30", 10.0, 110.0), ("100", 70.0, 170.0)])
def test_work_since_the_last_checkpoint_is_lost(interval: str, lost: float, end: float) -> None:
    failing(
        f"""
        job  gpus  time  checkpoint  | start  end    lost
        a       1   100  {interval}  |     0  {end}  {lost}
        """,
        {70.0: [Taken(0, 0b1111, 80.0, host=True)]},
    )


def test_starting_again_takes_its_time() -> None:
    failing(
        """
        job  gpus  time | start  end  lost  stops
        a       1   100 |     0  190    70      0
        """,
        {70.0: [Taken(0, 0b1111, 80.0, host=True)]},
        restart_overhead_s=20.0,
    )


def test_gpus_are_back_when_their_own_failure_is_over() -> None:
    sim = simulate([job("a", 0, duration_s=500.0)], ON)
    sim.failures = Planned(  # type: ignore[assignment]
        {
            10.0: [Taken(0, 0b0001, 100.0, host=False)],
            20.0: [Taken(0, 0b1111, 30.0, host=True), Taken(0, 0b0100, 60.0, host=False)],
        }
    )
    breakdowns.begin(sim)
    seen = [
        (until(sim, time_s).state.up & 1, sim.state.lost_mask[0], sim.state.free_mask[0] if sim.state.up & 1 else None)
        for time_s in (15.0, 25.0, 40.0, 70.0, 110.0)
    ]
    assert seen == [
        (1, 0b0001, 0b1110),
        (0, 0b0101, None),
        (1, 0b0101, 0b1010),
        (1, 0b0001, 0b1110),
        (1, 0b0000, 0b1111),
    ]


def test_failures_go_on_while_a_job_waits_for_a_time_that_somebody_named() -> None:
    """Nothing runs at 20 and 30, but the job that has been put off to 40 may fail at 70."""
    gone = [Taken(1, 0b0001, 31.0, host=False)]
    sim = failing(
        """
        job  gpus  time | start  end  lost
        a       1   100 |    40  175    30
        """,
        {20.0: gone, 30.0: gone, 70.0: [Taken(0, 0b1111, 75.0, host=True)]},
        Scripted({40.0: [Place("a", ((0, 1),))], 75.0: [Place("a", ((0, 1),))]}),
    )
    assert sim.recorder.failures == 3


def test_a_run_ends_though_failures_would_go_on() -> None:
    check(
        """
        job  gpus  time | start  end
        a       1   100 |     -    -
        """,
        ON,
        Scripted({}),
    )


# stragglers ----------------------------------------------------------------------------------------------------------


def slowed(jobs: Sequence[Any], script: dict[float, Any], *spells: tuple[float, float, float]) -> Simulation:
    sim = simulate(jobs, ON, Scripted(script), options=FULL)
    sim.stragglers = Slow(spells)  # type: ignore[assignment]
    return sim


def test_a_straggler_slows_its_gang_for_as_long_as_its_spell_lasts() -> None:
    sim = slowed([job("a", workload=NET)], {0.0: [Place("a", ((0, 1),))]}, (20.0, 50.0, 1.5))
    assert finished(sim).jobs.end_s == [pytest.approx(110.0)]


def test_a_job_that_goes_elsewhere_leaves_its_straggler_behind() -> None:
    script = {0.0: [Place("a", ((0, 1),))], 30.0: [Migrate("a", ((1, 1),))]}
    sim = slowed([job("a", workload=NET)], script, (0.0, 1000.0, 1.5))
    assert finished(sim).jobs.end_s == [pytest.approx(110.0)]


def test_a_job_that_comes_during_a_spell_is_slow_from_its_start() -> None:
    sim = slowed([job("a", workload=NET)], {30.0: [Place("a", ((0, 1),))]}, (20.0, 60.0, 2.0))
    assert finished(sim).jobs.end_s == [pytest.approx(145.0)]
