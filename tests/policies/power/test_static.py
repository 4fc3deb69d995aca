"""One clock per job: supported, known from telemetry only, and within the slowdown that was allowed."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest

from goodwatt.errors import InputError
from goodwatt.policies.job_clocks import JobClocks
from goodwatt.policies.power_memory import OBSERVE_S
from goodwatt.policies.power_registry import make_power
from goodwatt.power.gpu.model import gpu_model
from goodwatt.simulator.decisions import Place, SetClock
from goodwatt.simulator.run import result
from tests.policies.power.powered_runs import CLOCKS, MANY_V100, V100_KIND, decisions_of, one_of_each, powered
from tests.scenario import job

MODEL = gpu_model(V100_KIND)


def took(power: str, **options: Any) -> tuple[dict[str, float], float]:
    """(time in service over time alone by class, joules of GPUs) of one job of each class on its own GPU."""
    jobs = one_of_each()
    sim = powered(jobs, power, MANY_V100, **options)
    sim.run()
    outcome = result(sim)
    assert sim.executor.refusals == []
    columns = outcome.jobs
    spent = {
        name: (end or math.inf) - (start or 0.0)
        for name, start, end in zip(columns.job_id, columns.start_s, columns.end_s, strict=True)
    }
    return {name: spent[name] / 20_000.0 for name in spent}, outcome.summary["gpu_energy_j"]


@pytest.mark.parametrize("slowdown", [0.02, 0.05, 0.15])
def test_the_promise_is_kept_within_the_error_of_the_estimate(slowdown: float) -> None:
    plain, plain_j = took("default")
    slow, slow_j = took(f"static:slowdown={slowdown},caution=0")
    stretch = {name: slow[name] / plain[name] - 1.0 for name in slow}
    # each job may miss by what kappa is off after readings so close together; the bounds leave room above what is seen
    assert max(stretch.values()) <= slowdown * 1.8 + 0.01
    assert statistics.fmean(stretch.values()) <= slowdown * 1.15
    assert slow_j < plain_j


def test_caution_slows_less() -> None:
    careless, cautious = (took(f"static:caution={z}")[0] for z in (0, 2))
    assert statistics.fmean(cautious.values()) < statistics.fmean(careless.values())


def test_caution_keeps_the_promise_for_nearly_all() -> None:
    kept = list[bool]()
    for seed in range(3):
        plain, slow = (took(power, seed=seed)[0] for power in ("default", "static:slowdown=0.05"))
        kept += [slow[name] / plain[name] <= 1.051 for name in slow]
    assert statistics.fmean(kept) >= 0.85


def test_who_chooses_clocks_says_how_slow_they_may_make_a_job() -> None:
    with pytest.raises(TypeError, match="abstract"):
        JobClocks()  # type: ignore[abstract]


def test_a_stranger_runs_as_the_board_likes_until_it_has_been_seen() -> None:
    made = decisions_of(powered([job(workload="resnet50_imagenet", duration_s=1000.0)], "static"))
    starts = [decision for _, decision in made if isinstance(decision, Place)]
    sets = [(time_s, decision) for time_s, decision in made if isinstance(decision, SetClock)]
    assert [place.clock_mhz for place in starts] == [None]
    assert sets
    assert sets[0][0] == pytest.approx(OBSERVE_S)


def test_an_acquaintance_starts_at_its_clock() -> None:
    jobs = [
        job("first", user="ann", name="train-1", workload="resnet50_imagenet", duration_s=1000.0),
        job("second", user="ann", name="train-2", workload="resnet50_imagenet", submit_s=2000.0),
        job("stranger", user="bob", name="train-1", workload="resnet50_imagenet", submit_s=2000.0),
    ]
    made = decisions_of(powered(jobs, "static"))
    clocks = {decision.job_id: decision.clock_mhz for _, decision in made if isinstance(decision, Place)}
    assert clocks["second"] is not None
    assert clocks["second"] < CLOCKS[-1]
    assert clocks["stranger"] is None


def test_clocks_are_supported_ones() -> None:
    made = decisions_of(powered(one_of_each(5000.0), "static:slowdown=0.2", MANY_V100))
    clocks = {decision.clock_mhz for _, decision in made if isinstance(decision, SetClock)}
    assert len(clocks) > 3
    assert clocks <= {*CLOCKS, None}


def test_a_host_that_waits_is_worth_running_faster_for() -> None:
    jobs = [job(workload="resnet50_imagenet", duration_s=1000.0)]
    clocks = []
    for share in (0.0, 4.0):
        made = decisions_of(powered(jobs, f"static:slowdown=1,host_share={share}"))
        clocks.append(min(d.clock_mhz or CLOCKS[-1] for _, d in made if isinstance(d, SetClock)))
    assert clocks[0] < clocks[1]


def test_ideal_physics_shows_nothing_and_nothing_is_set() -> None:
    sim = powered(one_of_each(), "static")
    ideal = type(sim)(sim.jobs, sim.cluster, sim.policy, options=sim.options.__class__())
    assert not [d for _, d in decisions_of(ideal) if isinstance(d, SetClock)]


def test_a_slowdown_below_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="slowdown of at least 0"):
        make_power("static:slowdown=-0.1")
