"""A scenario as plain facts, for whoever wants to know what it consists of before it is run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from goodwatt.scenarios.scenario import Scenario
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.service import Service

WINDOW_S = 600.0
"""Rates are shown as means over so long."""


def overview(scenario: Scenario) -> dict[str, Any]:
    """Facts as plain data, those of jobs and requests for seed 0. Raises InputError."""
    outages, losses = scenario.engine.plain.outages, scenario.engine.plain.lost_feeds
    entries = () if scenario.service_setting is None else scenario.service_setting.entries
    return {
        "name": scenario.name,
        "about": scenario.about,
        "look_at": scenario.look_at,
        "horizon_s": scenario.horizon_s,
        "cluster": {
            "name": scenario.cluster.name,
            "nodes": len(scenario.cluster.nodes),
            "gpus": scenario.cluster.num_gpus,
            "kinds": sorted(scenario.cluster.kinds),
        },
        "jobs": _jobs(scenario),
        "services": [
            _service(service, entry["model"], scenario.horizon_s)
            for service, entry in zip(scenario.services(), entries, strict=True)
        ],
        "budget": list(_budget(scenario)),
        "lost feeds": [f"{lost.rack}, feed {lost.feed}, {_span(lost.from_s, lost.to_s)}" for lost in losses],
        "maintenance": [f"{away.node}, {_span(away.from_s, away.to_s)}" for away in outages],
    }


def _jobs(scenario: Scenario) -> dict[str, Any] | None:
    jobs = scenario.jobs().jobs
    if not jobs:
        return None
    return {
        "count": len(jobs),
        "waiting": sum(job.submit_s <= 0.0 for job in jobs),
        "gpu_hours": sum(job.num_gpus * job.duration_s for job in jobs) / 3600.0,
        "most_gpus": max(job.num_gpus for job in jobs),
    }


def _service(service: Service, model: dict[str, Any], horizon_s: float) -> dict[str, Any]:
    edges = np.arange(0.0, max(horizon_s, WINDOW_S) + 1.0, WINDOW_S)
    arrivals = service.requests.between(0.0, float(edges[-1])).arrival_s
    rates = np.histogram(arrivals, edges)[0] / WINDOW_S
    return {
        "name": service.name,
        "model": model.get("name", "of its own"),
        "gpu": service.gpu,
        "tensor_parallel": service.tensor_parallel,
        "min_replicas": service.min_replicas,
        "max_replicas": service.max_replicas,
        "start_s": service.start_s,
        "promise": list(_limits(service.promise)),
        "requests": len(arrivals),
        "least_per_s": float(rates.min()),
        "most_per_s": float(rates.max()),
    }


def _limits(promise: Promise) -> Iterator[str]:
    for name, limit_s in (("TTFT", promise.ttft_s), ("TPOT", promise.tpot_s), ("latency", promise.latency_s)):
        if limit_s is not None:
            yield f"{name} {limit_s:g} s"


def _budget(scenario: Scenario) -> Iterator[str]:
    if scenario.budget_w is not None:
        yield f"{scenario.budget_w / 1000:g} kW"
    for from_s, watts in scenario.budget_steps:
        yield f"from {from_s / 3600:g} h {watts / 1000:g} kW"


def _span(from_s: float, to_s: float) -> str:
    return f"from {from_s / 3600:g} h to {to_s / 3600:g} h"
