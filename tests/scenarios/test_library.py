"""The scenarios that ship: all load, are what they say, and run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goodwatt.errors import UnknownNameError
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.scenarios.library import abouts, load_scenario, scenario_names, scenario_path
from goodwatt.scenarios.scenario import Scenario
from goodwatt.simulator.run import result
from goodwatt.simulator.simulation import Simulation

SHORT_S = 180.0
SHIPPED = ("burst", "feed-loss", "quiet-night", "roll-out", "three-services")


def simulation(scenario: Scenario, seed: int = 0) -> Simulation:
    short = replace(scenario, horizon_s=SHORT_S)
    power = "default" if scenario.budget_w is None else "budget"
    policy = with_power(with_services(make_policy("easy-backfill"), "reactive"), power)
    return Simulation(short.jobs(seed).jobs, short.cluster, policy, short.engine, short.options(seed))


def test_what_ships() -> None:
    assert scenario_names() == SHIPPED
    assert abouts() == {name: load_scenario(name).about for name in SHIPPED}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_scenario_runs(name: str) -> None:
    scenario = load_scenario(name)
    sim = simulation(scenario)
    sim.run()
    summary = result(sim).summary
    assert (summary["span_s"], summary["cluster"], summary["physics"]) == (SHORT_S, scenario.cluster.name, "full")
    assert summary["requests"] > 0
    assert summary["work_gpu_s"] > 0
    assert summary["over_budget_s"] == sim.racks.trips == 0


@pytest.mark.parametrize("name", SHIPPED)
def test_every_scenario_says_what_it_is_for_and_who_waits(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.about.endswith(".")
    assert scenario.look_at.endswith(".")
    jobs = scenario.jobs(0).jobs
    work = sum(job.num_gpus * job.duration_s for job in jobs)
    assert work > scenario.cluster.num_gpus * scenario.horizon_s  # more than could be done: GPUs that are free are used
    assert sum(job.submit_s == 0.0 for job in jobs) > 10
    held = sum(service.max_replicas * service.tensor_parallel for service in scenario.services())
    widest = max(job.num_gpus for job in jobs)
    assert held + widest <= scenario.cluster.num_gpus  # so that every job can run beside fixed partitions


@pytest.mark.parametrize("name", SHIPPED)
def test_seeds_draw_other_jobs_and_requests(name: str) -> None:
    scenario = load_scenario(name)

    def drawn(seed: int) -> tuple[list[tuple[int, float]], list[list[float]]]:
        jobs = [(job.num_gpus, job.duration_s) for job in scenario.jobs(seed).jobs]
        return jobs, [service.requests.between(0.0, 60.0).arrival_s.tolist() for service in scenario.services(seed)]

    assert drawn(1) == drawn(1)
    assert drawn(1)[0] != drawn(2)[0]
    assert drawn(1)[1] != drawn(2)[1]


def test_a_night_is_quiet_and_a_burst_is_not() -> None:
    night, burst = load_scenario("quiet-night"), load_scenario("burst")
    (chat, _), (bursty,) = night.services(), burst.services()
    assert len(chat.requests.between(6900.0, 7500.0).arrival_s) < 0.6 * len(chat.requests.between(0.0, 600.0).arrival_s)
    before, after = (len(bursty.requests.between(at_s, at_s + 60.0).arrival_s) for at_s in (1140.0, 1260.0))
    assert 2.0 < after / before < 4.5


def test_half_of_the_power_is_lost_for_a_while() -> None:
    scenario = load_scenario("feed-loss")
    losses = scenario.engine.plain.lost_feeds
    assert {lost.rack for lost in losses} == set(scenario.cluster.racks)
    assert {(lost.from_s, lost.to_s) for lost in losses} == {(4500.0, 7200.0)}
    assert scenario.budget_w == sum(rack.power_limit_w or 0.0 for rack in scenario.cluster.racks.values())
    assert scenario.budget_steps == ((4500.0, scenario.budget_w / 2), (7200.0, scenario.budget_w))


def test_all_requests_move_from_the_old_to_the_new() -> None:
    scenario = load_scenario("roll-out")
    old, new = scenario.services()
    counts = [[len(one.requests.between(at_s, at_s + 600.0).arrival_s) for at_s in (0.0, 8000.0)] for one in (old, new)]
    assert counts[0][0] > 3000
    assert counts[0][1] == 0
    assert counts[1][0] < 300
    assert counts[1][1] > 3000


def test_names_that_are_not_there() -> None:
    with pytest.raises(UnknownNameError, match="unknown scenario 'brust': did you mean 'burst'"):
        load_scenario("brust")
    assert scenario_path("burst").name == "burst.yaml"
    assert str(scenario_path("mine.yaml")) == "mine.yaml"
