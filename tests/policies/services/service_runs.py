"""Runs with one service whose load rises and falls in steps, and what of them tests look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.power.serving.llm_shape import LlmShape
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.settings.engine import Engine
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.traces.requests.rate_profile import RateProfile
from goodwatt.traces.requests.request_source import ProfileSource
from goodwatt.traces.requests.service_classes import service_class

SHAPE_8B = LlmShape(parameters=8.03e9, active_parameters=8.03e9, layers=32, hidden=4096, kv_heads=8)
CLUSTER = load_cluster("generated:gpus=16,gpu=H100-SXM,per_node=8")
CARRIED_PER_S = 9.0
"""About what an instance of `chat` carries with a fifth of its promise to spare; a test holds it to that."""


def chat(*steps: tuple[float, float], **more: Any) -> Service:
    """An 8B model with chat's lengths; `steps`: (from when, requests a second)."""
    times, rates = zip(*steps, strict=True)
    profile = RateProfile("steps", np.array(times), np.array(rates), 1e6)
    facts: dict[str, Any] = {"min_replicas": 1, "max_replicas": 8, "start_s": 30.0}
    return Service(
        name="chat",
        model=SHAPE_8B,
        gpu="H100-SXM",
        tensor_parallel=1,
        promise=Promise(ttft_s=1.0, tpot_s=0.05),
        requests=ProfileSource(profile, service_class("chat").token_lengths("chat"), seed=1),
        **(facts | more),
    )


def serving(
    spec: str,
    *services: Service,
    until_s: float,
    on: Cluster = CLUSTER,
    power: str = "default",
    guarded: bool = False,
    jobs: Sequence[Job] = (),
    guardrails: Guardrails | None = None,
    policy: str = "fifo",
    engine: Engine | None = None,
) -> Simulation:
    """A run that has not begun."""
    options = RunOptions(
        seed=1,
        physics="full",
        start_s=0.0,
        horizon_s=until_s,
        services=services,
        guardrails=guardrails or Guardrails(promises=guarded),
    )
    return Simulation(list(jobs), on, with_power(with_services(make_policy(policy), spec), power), engine, options)


class Watched:
    """A run that has ended: by control the `counts` of instances that hold GPUs and their mean `clocks`; decisions."""

    def __init__(self, sim: Simulation) -> None:
        self.sim, self.times = sim, list[float]()
        self.counts, self.clocks = list[int](), list[float]()
        self.decisions = list[tuple[float, Decision]]()
        while (view := sim.advance()) is not None:
            assert view.services is not None
            top_mhz = view.services.servings[0].model.top_mhz
            here = [one for one in view.services.instances(0) if one.state in {"starting", "serving"}]
            self.times.append(view.now_s)
            self.counts.append(len(here))
            self.clocks.append(sum(one.run.clock_mhz or top_mhz for one in here) / max(1, len(here)))
            decided: Sequence[Decision] = sim.policy.decide(view)
            self.decisions += [(view.now_s, decision) for decision in decided]
            sim.apply(decided)
        sim.close()

    def at(self, time_s: float) -> int:
        """Place of the last control by then."""
        return int(np.searchsorted(self.times, time_s, side="right")) - 1

    @property
    def attainment(self) -> float:
        assert self.sim.services is not None
        found = self.sim.services.fleet.books[0].attainment
        assert found is not None
        return found
