"""A fork and a saved run hold all that a run is made of: every field of every object, without a list of them.

A new field that changes during a run and is neither copied nor saved fails here. What is not compared is named below,
with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.policies.power_registry import with_power
from goodwatt.power.facility.energy_price import EnergyPrice, StepSeries
from goodwatt.simulator.physics.full import FullPhysics
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.settings.failure_rates import ComponentRates, FailureSettings, StragglerRates
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import engine, step
from tests.simulator.crowd import Crowd, crowd_of_jobs
from tests.simulator.whole_state import differences, shared

FACTS = {
    "Simulation.jobs": "what was submitted",
    "Simulation.submitted": "what was submitted",
    "Simulation.marks": "when warm-up and horizon end",
    "Simulation.outages": "when nodes will be away",
    "Simulation.facility": "prices and temperatures",
    "PowerBook._number": "levels by name",
    "QuotaUse._quotas": "of the cluster",
    "HostShare._has": "what hosts have",
    "NetworkLoads._racks": "racks by name",
    "NetworkLoads._capacity": "what links carry",
    "FullPhysics._models": "of the kinds",
    "FullPhysics._rows": "what was told, brought to the books before anything is copied",
    "PowerMeter._rack_of": "racks by node",
    "PowerMeter.racks": "racks by name",
    "PowerMeter._gpus": "sizes of nodes",
    "SettledGpus._chips": "drawn from the seed when first asked for",
    "Tenants._facts": "found out about a job when first asked for",
    "Tenants.models": "of the kinds",
    "SiteRamp._gpus": "sizes of nodes",
    "SiteRamp.racks": "racks by node",
    "SiteRamp.limit_w": "limits of site and racks",
    "Recorder.more_gpu_s": "written once, with the end of a job",
}
"""Shared by forks: what does not change, or only remembers what was computed from such."""
COMPUTED = {
    "Estimator._of_likes": "means, computed when first asked for",
    "Estimator._of_jobs": "means, computed when first asked for",
    "PowerBook.fed": "computed when first asked for",
    "PowerBook._gpu_most": "looked up again where it is another",
    "BudgetMemory.shares": "follow from `taken_for`",
    "BudgetMemory.fed": "follows from the limits",
}
"""Not compared, because it is computed again from what is."""

EVERY = 20
"""Events between two looks; most looks find nothing new and compare nothing."""

HALL = build_cluster(
    {
        "nodes": [
            {"gpu": "H200-SXM", "gpus": 4, "count": 2, "rack": "r0", "names": "h[0-1]"},
            {"gpu": "H200-SXM", "gpus": 2, "rack": "r1", "names": "mig0", "mig": ["3g.71gb", "2g.35gb", "2g.35gb"]},
            {"gpu": "H200-SXM", "gpus": 4, "rack": "r1", "names": "h2"},
        ],
        "racks": [{"name": "r*", "row": "a", "feeds": 2, "power_limit_w": 9_000}],
        "rows": [{"name": "a", "power_limit_w": 16_000}],
        "power": {"node": "dgx-h100", "ramp_w_per_s": 3_000, "sleep": "suspend", "pue": 1.3},
        "quotas": {"users": {"*": 30}},
    }
)
OFTEN = ComponentRates(per_hour=3.0, repair_median_s=90.0, repair_spread=0.5)
ROUGH = engine(
    failures=FailureSettings(gpu=OFTEN, node=OFTEN, feed=OFTEN, stragglers=StragglerRates(share=0.3, spell_s=60.0),
                             gpu_takes="reset", reset_s=4.0),
    restart_overhead_s=20.0, checkpoint_rule="daly", share_mode="mps", checkpoint_interval_s=100.0,
)  # fmt: skip
PRICE = EnergyPrice(StepSeries((0.0, 100.0, 250.0), (0.1, 0.4, 0.2), 777.0))
OPTIONS = RunOptions(
    physics="full", draw=True, horizon_s=1_500.0, budget_w=14_000.0, price=PRICE,
    guardrails=Guardrails(max_slowdown=3.0, max_wait_s=200.0),
)  # fmt: skip


@dataclass(frozen=True)
class Inputs:
    """Of a run with all there is, under a power policy."""

    seed: int
    power: str

    def policy(self) -> Policy:
        return with_power(Crowd(), self.power)

    def simulation(self) -> Simulation:
        return Simulation(crowd_of_jobs(self.seed, 60), HALL, self.policy(), ROUGH, replace(OPTIONS, seed=self.seed))

    def loaded(self, path: Path) -> Simulation:
        return load(path, crowd_of_jobs(self.seed, 60), HALL, self.policy(), ROUGH, replace(OPTIONS, seed=self.seed))


UNDER_WAY = {
    "shared GPUs", "a MIG instance", "a GPU being cut", "another size", "a restart", "a checkpoint", "a setting",
    "a wish", "a rise", "a straggler", "broken GPUs", "a node away", "a lost feed", "a late job",
}  # fmt: skip


def under_way(sim: Simulation) -> set[str]:
    """What goes on now that has fields of its own."""
    runs = [run for run in sim.live.values() if run.placement]
    physics = sim.physics
    assert isinstance(physics, FullPhysics)
    found = {
        "shared GPUs": any(sim.state.packed),
        "a MIG instance": any(run.spec.mig_profile for run in runs),
        "a GPU being cut": bool(sim.resetting),
        "another size": any(run.resized for run in runs),
        "a restart": any(physics.paused(run.spec.job_id) for run in runs),
        "a checkpoint": any(run._truth.saved_s or run._truth.interval_s for run in runs),
        "a setting": any(run.command for run in runs),
        "a wish": bool(sim.book and sim.book.wishes),
        "a rise": bool(sim.ramp and sim.ramp.rising),
        "a straggler": any(run._truth.straggle > 1.0 for run in runs),
        "broken GPUs": any(sim.state.lost_mask),
        "a node away": bool(sim.away),
        "a lost feed": any(len(rack.feeds.up) < 2 for rack in sim.racks.fed.values()),
        "a late job": bool(sim.late),
    }
    return {name for name, there in found.items() if there}


def forward(sim: Simulation, events: int) -> bool:
    """So many events and decisions further, if there are so many."""
    for _ in range(events):
        if sim.stopped or not (sim.deciding or sim.clock.peek() < math.inf):
            return False
        step(sim)
    return True


def test_forks_and_saved_runs_hold_every_field(tmp_path: Path) -> None:
    seen, path = set[str](), tmp_path / "run.json"
    for seed, power in [(4, "budget+ramp+sleep"), (7, "budget"), (4, "static+shift")]:
        of, looks = Inputs(seed, power), 0
        sim = of.simulation()
        while forward(sim, EVERY):
            looks += 1
            if looks % 20 and under_way(sim) <= seen:
                continue
            seen |= under_way(sim)
            fork = sim.fork()
            assert not shared(fork, sim, FACTS)
            assert not differences(sim, fork, {*FACTS, *COMPUTED})
            save(sim, path)
            assert not differences(sim, of.loaded(path), {*FACTS, *COMPUTED})
    assert seen == UNDER_WAY, "else this does not test it"


@dataclass(frozen=True)
class Frozen:
    """Cannot be another, but what it holds can."""

    log: list[int]


FORGOTTEN: dict[str, Callable[[], Any]] = {"an int": lambda: 1, "a list": lambda: [1], "frozen": lambda: Frozen([1])}
OWNERS = ["", "racks", "executor", "timers", "state", "physics", "book", "ramp"]


@pytest.mark.parametrize("way", ["forked", "saved"])
@pytest.mark.parametrize("value", FORGOTTEN)
@pytest.mark.parametrize("owner", OWNERS)
def test_a_field_that_was_forgotten_is_found(owner: str, value: str, way: str, tmp_path: Path) -> None:
    of = Inputs(4, "budget+ramp+sleep")
    sim = of.simulation()
    forward(sim, 300)
    owned(sim, owner)["forgotten"] = FORGOTTEN[value]()
    if way == "forked":
        twin = sim.fork()
        found = [*shared(twin, sim, FACTS), *differences(sim, twin, {*FACTS, *COMPUTED})]
        # some are copied whole: a number is right there as it is
        assert found or (value == "an int" and owned(twin, owner)["forgotten"] == 1)
    else:
        save(sim, tmp_path / "run")
        assert differences(sim, of.loaded(tmp_path / "run"), {*FACTS, *COMPUTED})


def owned(sim: Simulation, owner: str) -> dict[str, Any]:
    """The fields of a part of a run, or of itself."""
    return vars(getattr(sim, owner) if owner else sim)
