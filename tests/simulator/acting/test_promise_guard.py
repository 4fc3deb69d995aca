"""Promises of services hold against policies that care for nothing but watts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.registry import make_policy
from goodwatt.policies.served import Served
from goodwatt.policies.service_sizing import sized
from goodwatt.power.serving.llm_shape import LlmShape
from goodwatt.simulator.decisions import Decision, Drain, SetClock
from goodwatt.simulator.policy import NoMemory
from goodwatt.simulator.run import finish
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.view import View
from goodwatt.traces.requests.generate import class_source

SHAPE = LlmShape(parameters=8.03e9, active_parameters=8.03e9, layers=32, hidden=4096, kv_heads=8)
SPAN_S = 1200.0


@dataclass
class Careless:
    """Starts `replicas` instances, then does one thing at every control, whatever comes of it."""

    act: str
    replicas: int = 2
    name: str = "careless"
    asked: list[Decision] = field(default_factory=list)

    def new_memory(self) -> Any:
        return NoMemory()

    def decide(self, view: View) -> Sequence[Decision]:
        assert view.services is not None
        serving = [one for one in view.services.instances(0) if one.state == "serving"]
        if len(serving) < self.replicas and view.now_s < 30.0:
            return sized(view, [{"both": self.replicas}], "")
        decisions: list[Decision] = []
        if self.act == "slow":
            decisions = [SetClock(one.job_id, 345.0) for one in serving]
        elif self.act == "drain":
            decisions = [Drain(one.job_id) for one in serving[1:]]
        self.asked += decisions
        return decisions


def service(rate: float) -> Service:
    return Service(
        name="chat",
        model=SHAPE,
        gpu="H100-SXM",
        tensor_parallel=1,
        promise=Promise(ttft_s=0.5, tpot_s=0.03),
        requests=class_source("chat", mean_per_s=rate, seed=1, peak_to_trough=1.0),
        min_replicas=1,
        max_replicas=4,
        start_s=30.0,
    )


def run(act: str, rate: float, promises: bool) -> tuple[Simulation, float]:
    """The run and the share of minutes in which the promise was kept."""
    cluster = load_cluster("generated:gpus=8,gpu=H100-SXM,per_node=8")
    options = RunOptions(
        physics="full",
        start_s=0.0,
        horizon_s=SPAN_S,
        services=(service(rate),),
        guardrails=Guardrails(promises=promises),
    )
    sim = Simulation((), cluster, Served(make_policy("fifo"), Careless(act), act), None, options)
    assert finish(sim)
    kept = sim.services.fleet.books[0].minutes_kept if sim.services is not None else None
    assert kept is not None
    return sim, kept


@pytest.mark.parametrize(("act", "rate"), [("slow", 12.0), ("drain", 24.0)])
def test_a_promise_is_kept_against_a_careless_policy(act: str, rate: float) -> None:
    _, unguarded = run(act, rate, promises=False)
    sim, guarded = run(act, rate, promises=True)
    assert unguarded < 0.7
    assert guarded > unguarded
    assert any("at risk" in refusal.reason for refusal in sim.executor.refusals)
