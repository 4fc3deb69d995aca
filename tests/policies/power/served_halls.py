"""Runs in a hall with instances of one service and training jobs beside them, and what of them tests look at."""

from __future__ import annotations

from typing import Any

import numpy as np

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.job import Job
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.power import racks
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import job

RACK = "rack-001"


def hall(rack_w: float | None = None) -> Cluster:
    """One rack of two nodes with 8 H100 each, behind two feeds."""
    limit = {} if rack_w is None else {"power_limit_w": rack_w}
    return build_cluster(
        {
            "nodes": [{"gpu": "H100-SXM", "gpus": 8, "count": 2, "nodes_per_rack": 2}],
            "racks": [{"name": "rack-*", "feeds": 2, **limit}],
            "power": {"node": "dgx-h100"},
        }
    )


def training(count: int, gpus: int = 4, **more: Any) -> list[Job]:
    """685 W on each GPU, for longer than any run lasts."""
    facts: dict[str, Any] = {"workload": "bert_squad", "reference_gpu": "H100-SXM", **more}
    return [job(f"t{number}", gpus, 0.0, 1e5, **facts) for number in range(count)]


def hall_run(
    *services: Service,
    jobs: list[Job],
    until_s: float,
    budget_w: float | None = None,
    rack_w: float | None = None,
    power: str = "budget",
    spec: str = "fixed",
    feed_lost_s: float | None = None,
    promises: bool = True,
) -> Simulation:
    """A run that has not begun; promises are guarded unless it says otherwise."""
    options = RunOptions(
        seed=1,
        physics="full",
        truth="model",
        start_s=0.0,
        horizon_s=until_s,
        services=services,
        guardrails=Guardrails(promises=promises),
        budget_w=budget_w,
    )
    policy = with_power(with_services(make_policy("fifo"), spec), power)
    sim = Simulation(jobs, hall(rack_w), policy, None, options)
    if feed_lost_s is not None:
        sim.timers.set(feed_lost_s, Kind.NODE, racks.lose_feed, RACK, 0, until_s + 600.0)
    return sim


def forward(sim: Simulation, until_s: float) -> list[Decision]:
    """Run on, nothing ever drawn beyond what was granted, nothing granted beyond a limit; what was decided."""
    made: list[Decision] = []
    while sim.now_s < until_s and (view := sim.advance()) is not None:
        check(sim)
        decided = list(sim.policy.decide(view))
        made += decided
        sim.apply(decided)
    return made


def check(sim: Simulation) -> None:
    """Whether limits are kept, where they are."""
    book, meter = sim.book, sim.racks.meter
    if book is None or meter is None:
        return
    drawn = [0] * len(book.names)
    for node, path in enumerate(book.path):
        for level in path:
            drawn[level] += meter.wall_uw[node]
    for level, name in enumerate(book.names):
        assert drawn[level] <= book.granted_uw[level], (sim.now_s, name)
        assert book.granted_uw[level] <= book.limit_uw[level] or name in book.over, (sim.now_s, name)


def caps_of(sim: Simulation, kind: str) -> list[float]:
    """Caps of the instances that hold GPUs (`kind` "chat"), or of jobs ("t"), W; those of the boards are 700."""
    runs = (run for job_id, run in sim.live.items() if job_id.startswith(kind) and run.placement)
    return [700.0 if run.cap_w is None else run.cap_w for run in runs]


def drawn_w(sim: Simulation) -> float:
    """At the feeds of all nodes."""
    assert sim.racks.meter is not None
    return sum(sim.racks.meter.wall_uw) / MICRO


def kept(sim: Simulation, from_minute: int, until_minute: int, service: int = 0) -> float:
    """Share of these minutes in which no more than one request of a hundred was late."""
    assert sim.services is not None
    book = sim.services.fleet.books[service]
    arrived, on_time = (np.array(column[from_minute:until_minute]) for column in (book.arrived, book.on_time))
    return float((on_time >= 0.99 * arrived).mean())
