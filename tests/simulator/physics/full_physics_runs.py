"""Jobs of known classes under full physics: what the model says of them, and runs written as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from goodwatt.power.colocation.sharing import Resident, shared_point
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.gpu.point import GpuPoint, alone_point
from goodwatt.power.network.gang_step import step_s
from goodwatt.power.network.layout import layout_of
from goodwatt.power.workloads.catalogue import phases_on, workload_class
from goodwatt.power.workloads.demand import DEFAULT_SETTING, Demand, Setting
from goodwatt.power.workloads.workload import mean_demand
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import (
    EVERY_EVENT,
    KINDS,
    Nodes,
    cluster,
    fates,
    finished,
    scripted,
    simulate,
    table,
)

FULL = RunOptions(physics="full", truth="model", draw=True)
V100, H200 = "V100-PCIE", "H200-SXM"
MODELS = {kind.name: gpu_model(kind) for kind in (KINDS["V100"], KINDS["H200"])}
NET = "shufflenetv2_cifar100"
"""A class measured on V100 in one phase, so that its time at a clock is one formula."""
LSTM = "lstm_wikitext2"
"""Its gangs exchange 112 MB in short steps."""
SPREAD = ((0, 1), (1, 1))


def demand(workload: str = NET, kind: str = V100) -> Demand:
    return mean_demand(phases_on(workload_class(workload), kind))


def point(
    clock_mhz: float | None = None, cap_w: float | None = None, workload: str = NET, kind: str = V100
) -> GpuPoint:
    return alone_point(MODELS[kind], phases_on(workload_class(workload), kind), Setting(clock_mhz, cap_w))


def together(mode: str, *workloads: str, threads: Sequence[float] = (), setting: Setting = DEFAULT_SETTING) -> GpuPoint:
    shares = threads or (1.0,) * len(workloads)
    residents = tuple(Resident(demand(name), share) for name, share in zip(workloads, shares, strict=True))
    return shared_point(MODELS[V100], residents, mode, setting)  # type: ignore[arg-type]


def run(
    text: str, *steps: tuple[float, Decision], on: Any = None, options: RunOptions = FULL, **known: float
) -> Simulation:
    """Run the jobs of a table, in which names stand for figures, under decisions by time or under FIFO."""
    wanted = table(text.format(**{name: repr(value) for name, value in known.items()}))
    policy = scripted(*steps) if steps else "fifo"
    sim = simulate(wanted.jobs, on or cluster(Nodes(1, 2, "V100")), policy, EVERY_EVENT, options)
    got = fates(finished(sim))
    for job_id, row in wanted.expected.items():
        for name, value in row.items():
            assert got[job_id][name] == (value if value is None or isinstance(value, str) else pytest.approx(value)), (
                f"{name} of {job_id}"
            )
    return sim


def step_of(placement: tuple[tuple[int, int], ...], on: Any, slowdown: float = 1.0, load: float = 1.0) -> float:
    return step_s(workload_class(LSTM).step, slowdown, layout_of(on, placement), on.network, load).total_s
