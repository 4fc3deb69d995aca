"""What holds in every run under full physics: energy is the integral of power, all of it belongs somewhere, work is
conserved."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.job import Job
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.power.facility.cooling import facility_w
from goodwatt.power.facility.energy_price import J_PER_KWH, EnergyPrice, StepSeries
from goodwatt.simulator.physics.full import FullPhysics
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.records.result import RunResult
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.engine import Engine
from goodwatt.simulator.settings.failure_rates import ComponentRates, FailureSettings, StragglerRates
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import engine, job, step

CLASSES = [
    "bert_squad",
    "llm_decode",
    "llm_prefill",
    "resnet50_train",
    "rl_small",
    "mobilenet_train",
    "dlrm",
    "vit_train",
]
POWER = ["default", "uniform-cap:share=0.5", "uniform-clock", "static", "sleep", "budget", "ramp", "budget+ramp+sleep"]
ORDERS = ["fifo", "easy-backfill", "tiresias:threshold_gpu_s=300", "srtf", "fifo+pack"]
OFTEN = ComponentRates(per_hour=3.0, repair_median_s=90.0, repair_spread=0.5)
FRAIL = FailureSettings(
    gpu=OFTEN, node=OFTEN, switch=OFTEN, feed=OFTEN, stragglers=StragglerRates(share=0.3, spell_s=60.0)
)
PRICE = EnergyPrice(
    StepSeries((0.0, 100.0, 250.0, 600.0), (0.1, 0.4, -0.05, 0.2), 777.0), StepSeries((0.0, 333.0), (400.0, 100.0))
)
OUTSIDE = StepSeries((0.0, 200.0, 500.0), (10.0, 31.0, 22.0), 900.0)
END_S = 2_500.0


@dataclass(frozen=True)
class Made:
    """The inputs of a run."""

    on: Cluster
    jobs: tuple[Job, ...]
    how: Engine
    order: str
    power: str
    options: RunOptions

    def simulation(self) -> Simulation:
        return Simulation(self.jobs, self.on, with_power(make_policy(self.order), self.power), self.how, self.options)


def hall(kinds: tuple[str, ...], per_node: int, rack_w: float | None, cooled: bool) -> Cluster:
    """Two nodes of each kind, two to a rack."""
    rack = {"feeds": 2} if rack_w is None else {"feeds": 2, "power_limit_w": rack_w}
    cooling = {"cooling": {"design_it_w": 20_000}} if cooled else {"pue": 1.3}
    return build_cluster(
        {
            "nodes": [
                {"gpu": kind, "gpus": per_node, "count": 2, "rack": f"rack-{i}", "names": f"{kind.lower()}-[1-2]"}
                for i, kind in enumerate(kinds)
            ],
            "racks": [{"name": "rack-*", **rack}],
            "power": {"node": "dgx-h100", "ramp_w_per_s": 5_000, "sleep": "suspend", **cooling},
        }
    )


def traffic(seed: int, widest: int) -> tuple[Job, ...]:
    """Jobs of all sizes, whole GPUs and shares."""
    dice = random.Random(seed)
    sizes = [0, 1, 1, 1, 2, 4, widest, 2 * widest]
    jobs = [
        job(
            f"j{i}",
            gpus := dice.choice(sizes),
            dice.uniform(0, 900),
            dice.choice([0.0, dice.uniform(1, 500)]),
            workload=dice.choice(CLASSES),
            reference_gpu=dice.choice(["A100-SXM4-80GB", "V100-SXM2"]),
            gpu_milli=dice.choice([250, 500, 1000]) if gpus == 1 else 1000,
            user=dice.choice(["ann", "bob"]),
            name=f"n{dice.randrange(3)}",
            checkpoint_interval_s=dice.choice([None, 20.0]),
        )
        for i in range(18)
    ]
    return tuple(sorted(jobs, key=lambda one: one.submit_s))


made = st.builds(
    lambda kinds, per_node, rack_w, cooled, seed, frail, mode, order, power, truth: Made(
        hall(kinds, per_node, rack_w, cooled),
        traffic(seed, per_node),
        engine(failures=FRAIL if frail else None, share_mode=mode, restart_overhead_s=2.0, checkpoint_rule="daly"),
        order,
        power,
        RunOptions(physics="full", truth=truth, seed=seed, budget_w=15_000.0, price=PRICE, outside_c=OUTSIDE,
                   horizon_s=END_S, start_s=0.0, draw=True),
    ),
    st.sampled_from([("H100-SXM",), ("V100-SXM2", "A100-SXM4-80GB")]),
    st.sampled_from([4, 8]),
    st.sampled_from([None, 9_000.0]),
    st.booleans(),
    st.integers(0, 10_000),
    st.booleans(),
    st.sampled_from(["timeslice", "mps"]),
    st.sampled_from(ORDERS),
    st.sampled_from(POWER),
    st.sampled_from(["model", "residual"]),
)  # fmt: skip


def ended(sim: Simulation) -> RunResult:
    """Run to the end; the meters agree at every event."""
    while not sim.stopped and (sim.deciding or sim.clock.peek() < math.inf):
        step(sim)
        assert_meters_agree(sim)
    return result(sim)


def assert_meters_agree(sim: Simulation) -> None:
    """Nodes sum to racks and to the site, in whole microwatts."""
    assert isinstance(sim.physics, FullPhysics)
    meter = sim.physics.meter
    assert sum(meter.wall_uw) == sum(meter.rack_uw) == sum(meter.totals)
    assert meter.wall_uw == [sum(parts) for parts in meter.parts]
    jobs_w = math.fsum(run._truth.power_w or 0.0 for run in sim.live.values() if run.placement)
    assert math.isclose(jobs_w, sum(meter.totals[1:4]) / MICRO, rel_tol=1e-9, abs_tol=1e-3)


def rows(sim: Simulation) -> Iterable[tuple[float, float, float]]:
    """(from, to, watts) of the timeline."""
    recorder = sim.recorder
    spans = pairwise([*recorder.times, recorder.last_s])
    return [(start, end, watts) for (start, end), watts in zip(spans, recorder.power, strict=True)]


def close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-6)


def by_hand(sim: Simulation) -> tuple[float, float, float]:
    """Joules of the site, money and grams, cut at every step of every series."""
    power, joules, money, grams = sim.cluster.power, [], [], []
    assert PRICE.per_kwh is not None
    assert PRICE.gco2_per_kwh is not None
    for start, end, watts in rows(sim):
        while start < end:
            steps = (series.next_change_s(start) for series in (PRICE.per_kwh, PRICE.gco2_per_kwh, OUTSIDE))
            until = min(end, *steps)
            drawn = facility_w(watts, power, OUTSIDE.value_at(start)) * (until - start)
            joules.append(drawn)
            money.append(drawn * PRICE.per_kwh.value_at(start) / J_PER_KWH)
            grams.append(drawn * PRICE.gco2_per_kwh.value_at(start) / J_PER_KWH)
            start = until  # noqa: PLW2901 - the rest of the row
    return math.fsum(joules), math.fsum(money), math.fsum(grams)


@settings(max_examples=60)
@given(made)
def test_energy_is_the_integral_of_power_and_work_is_conserved(of: Made) -> None:
    sim = of.simulation()
    outcome = ended(sim)
    totals = sim.recorder.totals
    assert close(totals.it_j, math.fsum(watts * (end - start) for start, end, watts in rows(sim)))
    assert all(close(a, b) for a, b in zip((totals.facility_j, totals.cost, totals.co2_g), by_hand(sim), strict=True))
    jobs_j = math.fsum(energy or 0.0 for energy in outcome.jobs.energy_j)
    assert math.isclose(jobs_j, totals.held_j + totals.sm_j + totals.dram_j, rel_tol=1e-9, abs_tol=1e-2)
    for i, spec in enumerate(sim.jobs):
        work = outcome.jobs.work_gpu_s[i]
        if outcome.jobs.state[i] == "finished":
            assert work == spec.duration_s * spec.gpus
        assert -1e-6 <= work <= spec.duration_s * spec.gpus + 1e-6
        wall_s = math.fsum(column[i] for column in outcome.jobs.lost_s.values())
        end_s = outcome.jobs.end_s[i]
        if outcome.jobs.state[i] in {"finished", "running", "waiting"}:
            assert math.isclose(wall_s, (END_S if end_s is None else end_s) - spec.submit_s, rel_tol=1e-9, abs_tol=1e-6)
    if "budget" in of.power:
        assert sim.book is not None
        assert max(outcome.timeline.power_w) <= max(of.options.budget_w or 0.0, outcome.timeline.power_w[0])


@settings(max_examples=15)
@given(made, st.integers(0, 200))
def test_a_fork_goes_on_alike(of: Made, after: int) -> None:
    sim = of.simulation()
    for _ in range(after):
        if not sim.deciding and not sim.stopped and sim.clock.peek() < math.inf:
            sim.clock.step()
        elif sim.deciding and (view := sim.advance()) is not None:
            sim.apply(sim.policy.decide(view))
    fork = sim.fork()
    assert fork.racks.to_plain() == sim.racks.to_plain()
    forked = ended(fork)
    assert ended(sim) == forked
    assert fork.racks.to_plain() == sim.racks.to_plain()


def test_the_same_seed_gives_the_same_bits() -> None:
    kinds = ("H100-SXM",)
    for power in POWER:
        of = Made(hall(kinds, 8, 12_000.0, True), traffic(7, 8), engine(failures=FRAIL), "easy-backfill", power,
                  RunOptions(physics="full", seed=3, budget_w=15_000.0, price=PRICE, horizon_s=END_S))  # fmt: skip
        first, second = of.simulation(), replace(of).simulation()
        first.run()
        second.run()
        assert result(first) == result(second)
        assert first.recorder.totals == second.recorder.totals
