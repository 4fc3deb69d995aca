"""Runs under full physics with a power policy, and what of them tests look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goodwatt.cluster.cluster import Cluster, HostPower
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.job import Job
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.workloads.catalogue import all_classes
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import EVERY_EVENT, KINDS, Nodes, cluster, job

HOST = HostPower(1.2, 400.0, 1100.0)
V100 = cluster(Nodes(2, kind="V100"), power=HOST)
MANY_V100 = cluster(Nodes(8, kind="V100"), power=HOST)
V100_KIND: GpuKind = KINDS["V100"]
CLOCKS = gpu_model(V100_KIND).clocks_mhz
FITTING = sorted(name for name, entry in all_classes().items() if entry.memory_mib < V100_KIND.memory_mib)
"""Classes that fit a V100."""


def one_of_each(duration_s: float = 20_000.0, **others: Any) -> tuple[Job, ...]:
    """A job of one GPU for each class that fits."""
    return tuple(job(name, workload=name, duration_s=duration_s, **others) for name in FITTING)


def powered(jobs: Sequence[Job], power: str, on: Cluster = V100, policy: str = "fifo", **options: Any) -> Simulation:
    """A run that has not begun."""
    chosen = with_power(make_policy(policy), power)
    return Simulation(jobs, on, chosen, EVERY_EVENT, RunOptions(physics="full", draw=True, **options))


def decisions_of(sim: Simulation, until_s: float = float("inf")) -> list[tuple[float, Decision]]:
    """Run on, and say what was decided when."""
    made: list[tuple[float, Decision]] = []
    while sim.now_s <= until_s and (view := sim.advance()) is not None:
        decided = sim.policy.decide(view)
        made += [(view.now_s, decision) for decision in decided]
        sim.apply(decided)
    return made
