"""Forks and saved runs in the thick of it: settings that have not settled, nodes that fall asleep, wake and fail, GPUs
that are broken and GPUs that are shared, all at once under full physics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from goodwatt.cluster.cluster import HostPower
from goodwatt.cluster.host_power import NodeSleep
from goodwatt.simulator.physics.contract import FALLING, WAKING
from goodwatt.simulator.records.outputs import write_run
from goodwatt.simulator.run import result
from goodwatt.simulator.saved_run import load, save
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.made_runs import FRAIL, Made, busy_trace, policy_of, snapshot
from tests.scenario import Nodes, cluster, engine

SLEEP = NodeSleep(asleep_w=40.0, suspend_s=20.0, suspend_w=500.0, wake_s=30.0, wake_w=900.0)
HALL = cluster(Nodes(4, 4, "V100"), Nodes(3, 8, "H200"), power=HostPower(sleep=SLEEP))
ROUGH = engine(
    failures=replace(FRAIL, gpu_takes="reset", reset_s=4.0),
    restart_overhead_s=2.0,
    checkpoint_interval_s=5.0,
    checkpoint_rule="daly",
)
LAST_S = 150.0
FILES = ("jobs.csv", "timeline.csv", "summary.json")


def run_of(seed: int) -> Made:
    limits = Guardrails(max_slowdown=3.0, max_wait_s=60.0, protected=frozenset({"ann"}))
    options = RunOptions(seed=seed, physics="full", draw=True, horizon_s=LAST_S, guardrails=limits)
    return Made(HALL, busy_trace(seed, 80), ROUGH, "power-chaos", options)


def in_flight(sim: Simulation) -> set[str]:
    """What is under way now."""
    running = [run for run in sim.live.values() if run.placement]
    failed = [node for node, reasons in sim.away.items() if reasons > (node in sim.asleep)]
    found = {
        "a setting": any(run.command for run in running),
        "falling asleep": FALLING in sim.asleep.values(),
        "waking": WAKING in sim.asleep.values(),
        "a failed node": bool(failed),
        "broken GPUs": any(sim.state.lost_mask),
        "shared GPUs": any(sim.state.packed),
        "a gang over nodes": any(len(run.placement) > 1 for run in running),
        "a straggler": any(run._truth.straggle > 1.0 for run in running),
        "a late job": bool(sim.late),
    }
    return {name for name, there in found.items() if there}


def forward(sim: Simulation, least: int) -> bool:
    """Run on until so many things are under way, in the middle of something or at a decision."""
    while not sim.stopped:
        if sim.deciding:
            view = sim.advance()
            assert view is not None
            sim.apply(sim.policy.decide(view))
        elif sim.clock.peek() == float("inf"):
            return False
        else:
            sim.clock.step()
        if len(in_flight(sim)) >= least:
            return True
    return False


def ended(sim: Simulation, folder: Path) -> list[bytes]:
    while (view := sim.advance()) is not None:
        sim.apply(sim.policy.decide(view))
    write_run(folder, result(sim), {})
    return [(folder / name).read_bytes() for name in FILES]


@pytest.mark.parametrize("seed", range(6))
def test_a_fork_and_a_saved_run_end_in_the_same_bytes(seed: int, tmp_path: Path) -> None:
    of = run_of(seed)
    alone = ended(of.simulation(), tmp_path / "alone")
    sim = of.simulation()
    for least in (4, 5, 6):
        if not forward(sim, least):
            break
        fork, path = sim.fork(), tmp_path / "run.json"
        save(sim, path)
        again = load(path, of.jobs, of.on, policy_of(of.policy), of.settings, of.options)
        assert snapshot(fork) == snapshot(sim) == snapshot(again)
        assert ended(fork, tmp_path / "fork") == alone
        assert ended(again, tmp_path / "again") == alone
    assert ended(sim, tmp_path / "sim") == alone


def test_all_of_it_is_under_way_at_some_time() -> None:
    """Else the test above would not test it."""
    seen: set[str] = set()
    for seed in range(6):
        sim = run_of(seed).simulation()
        while forward(sim, 0):
            seen |= in_flight(sim)
    assert seen == {
        "a setting", "falling asleep", "waking", "a failed node", "broken GPUs", "shared GPUs", "a gang over nodes",
        "a straggler", "a late job",
    }  # fmt: skip
