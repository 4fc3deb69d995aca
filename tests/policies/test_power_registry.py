"""Power policies by specification: one, or several in a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from goodwatt.errors import InputError, RunError, UnknownNameError
from goodwatt.policies.power_registry import make_power, names, with_power
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.decisions import Place, SetClock, Sleep
from goodwatt.simulator.run import result
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.simulation import Simulation
from tests.made_runs import busy_trace, snapshot
from tests.policies.power.powered_runs import V100, decisions_of, powered
from tests.scenario import EVERY_EVENT, job

SPECS = [*names(), "static:slowdown=0.1+sleep:reserve=0", "uniform-cap:share=0.8+static", "sleep+least-energy+shift"]
POLICIES = ["fifo", "tiresias:threshold_gpu_s=100", "easy-backfill+pack:guess=true,least_speed=0.3"]
JOBS = busy_trace(7)


def run_of(power: str, policy: str = "fifo") -> Simulation:
    return powered(JOBS, power, V100, policy, seed=3)


def end(sim: Simulation) -> object:
    sim.run()
    return result(sim)


def forward(sim: Simulation, decisions: int) -> None:
    for _ in range(decisions):
        if (view := sim.advance()) is None:
            return
        sim.apply(sim.policy.decide(view))


def test_parts_act_in_their_order() -> None:
    sim = powered([job(duration_s=100.0)], "uniform-clock:share=0.5+uniform-clock:share=0.9+uniform-cap:share=0.8")
    place = next(d for _, d in decisions_of(sim) if isinstance(d, Place))
    assert place.clock_mhz == pytest.approx(0.9 * 1380)
    assert place.cap_w == 200.0


def test_decisions_of_all_parts_are_made() -> None:
    jobs = [job(duration_s=9000.0, workload="resnet50_imagenet")]
    made = [type(d) for _, d in decisions_of(powered(jobs, "static+sleep:reserve=0"))]
    assert {SetClock, Sleep} <= set(made)


def test_the_name_is_the_specification() -> None:
    assert with_power(make_policy("fifo"), "static+sleep").name == "fifo / static+sleep"


@pytest.mark.parametrize(("spec", "error"), [("statick+sleep", UnknownNameError), ("static+", UnknownNameError)])
def test_wrong_specifications(spec: str, error: type[InputError]) -> None:
    with pytest.raises(error):
        make_power(spec)


@pytest.mark.parametrize("spec", ["phase", "phase:slowdown=0.05", "static+phase"])
def test_what_was_left_out_says_why(spec: str) -> None:
    with pytest.raises(InputError, match=r"power policy phase: .* left out, .* 0\.03% of the catalogue's energy"):
        make_power(spec)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("power", SPECS)
def test_a_run_ends_the_same_forked_saved_and_again(power: str, policy: str, tmp_path: Path) -> None:
    alone = run_of(power, policy)
    whole = end(alone)
    assert alone.executor.refusals == []
    for after in (3, 60):
        sim = run_of(power, policy)
        forward(sim, after)
        fork = sim.fork()
        assert snapshot(fork) == snapshot(sim)
        save(sim, tmp_path / "run.json")
        chosen = with_power(make_policy(policy), power)
        loaded = load(tmp_path / "run.json", JOBS, V100, chosen, EVERY_EVENT, sim.options)
        assert end(fork) == whole
        assert end(sim) == whole
        assert end(loaded) == whole


@pytest.mark.parametrize("power", SPECS)
def test_nobody_asks_for_the_truth(power: str) -> None:
    assert not make_power(power).oracle
    sim = run_of(power)
    view = sim.advance()
    assert view is not None
    with pytest.raises(RunError, match="oracle"):
        view.true_remaining_s(next(iter(sim.live.values())))
