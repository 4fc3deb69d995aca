"""Services and training under one power budget: what each way to share it delivers.

Four nodes of 8 H100: 16 instances of an 8B chat model, 16 GPUs of training. The service's load rises and falls like a
day within two hours, from a tenth of what the instances carry to nine tenths. The budget is a share of what all draw at
the most without one. Compared: no budget; `budget` with instances at the boards' own power; with instances at a fixed
share, that of the budget; with instances at what they need, as it is.

    python benchmarks/budget_services.py [--share 0.7 0.6] [--minutes 120]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from measured import report

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.job import Job
from goodwatt.policies.power.budget import Budget
from goodwatt.policies.powered import Powered
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.power.serving.llm_models import llm_model
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.run import result
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.traces.requests.rate_profile import RateProfile
from goodwatt.traces.requests.request_source import ProfileSource
from goodwatt.traces.requests.service_classes import service_class

INSTANCES, JOBS, GPUS = 16, 4, 4
CARRIED_PER_S = 11.0
"""What an instance carries with a little to spare."""
STEP_S = 60.0
CLASSES = ("bert_squad", "resnet50_train", "llm_prefill", "llm_decode")
RATED_W = 700.0


def hall() -> Cluster:
    return build_cluster(
        {
            "nodes": [{"gpu": "H100-SXM", "gpus": 8, "count": 4, "nodes_per_rack": 4}],
            "racks": [{"name": "rack-*"}],
            "power": {"node": "dgx-h100"},
        }
    )


def service(minutes: int) -> Service:
    """One rise and fall."""
    times = np.arange(0.0, 60.0 * minutes, STEP_S)
    load = 0.5 - 0.4 * np.cos(2.0 * np.pi * times / (60.0 * minutes))
    profile = RateProfile("day", times, load * CARRIED_PER_S * INSTANCES, 60.0 * minutes)
    shape = llm_model("llama-3.1-8b")
    assert shape is not None
    return Service(
        name="chat",
        model=shape,
        gpu="H100-SXM",
        tensor_parallel=1,
        promise=Promise(ttft_s=1.0, tpot_s=0.05),
        requests=ProfileSource(profile, service_class("chat").token_lengths("chat"), seed=1),
        min_replicas=INSTANCES,
        max_replicas=INSTANCES,
    )


def training() -> list[Job]:
    return [
        Job(
            job_id=f"train-{number}",
            submit_s=0.0,
            num_gpus=GPUS,
            gpu_kind=("H100-SXM",),
            user="trainer",
            workload=CLASSES[number % len(CLASSES)],
            reference_gpu="H100-SXM",
            duration_s=1e6,
        )
        for number in range(JOBS)
    ]


@dataclass(frozen=True, slots=True)
class FixedShare(Budget):
    """The budget policy with instances at the same cap whatever comes."""

    fixed_w: float = RATED_W

    def new_memory(self) -> Any:
        """With needs that stay what they are."""
        from goodwatt.policies.service_needs import ServiceNeeds
        from goodwatt.policies.service_watts import Need

        fixed_w = self.fixed_w

        class Fixed(ServiceNeeds):
            def look(self, view: Any, floor_share: float, hold_s: float) -> bool:  # noqa: ARG002 - as it is asked
                moved = not self.needs
                self.needs = {(0, "both"): Need(fixed_w, fixed_w)}
                return moved

        memory = Budget.new_memory(self)
        memory.services = Fixed()
        memory.services.needs = {(0, "both"): Need(fixed_w, fixed_w)}
        return memory


def policy(power: Budget | None) -> Policy:
    served = with_services(make_policy("fifo"), "fixed")
    return served if power is None else Powered(served, power, power.name)


def run(name: str, power: Budget | None, budget_w: float | None, minutes: int) -> dict[str, Any]:
    options = RunOptions(
        seed=1,
        physics="full",
        start_s=0.0,
        horizon_s=60.0 * minutes,
        services=(service(minutes),),
        guardrails=Guardrails(promises=True),
        budget_w=budget_w,
    )
    sim = Simulation(training(), hall(), policy(power), None, options)
    deciding_s = most_w = 0.0
    asked = 0
    while (view := sim.advance()) is not None:
        before_s = time.process_time()
        decisions = sim.policy.decide(view)
        deciding_s, asked = deciding_s + time.process_time() - before_s, asked + 1
        sim.apply(decisions)
        most_w = max(most_w, sum(sim.physics.power()))
    sim.close()
    assert sim.services is not None
    summary, book = result(sim).summary, sim.services.fleet.books[0]
    arrived, on_time = np.array(book.arrived[: minutes - 1]), np.array(book.on_time[: minutes - 1])
    return {
        "policy": name,
        "most_w": most_w,
        "batch_work_gpu_h": summary["work_gpu_s"] / 3600.0,
        "service_work_gpu_h": summary["service_work_gpu_s"] / 3600.0,
        "total_work_gpu_h": summary["total_work_gpu_s"] / 3600.0,
        "tokens_on_time": float(book.on_time_output_tokens),
        "requests_on_time": float(on_time.sum() / arrived.sum()),
        "minutes_kept": float((on_time >= 0.99 * arrived).mean()),
        "it_kwh": summary["it_energy_j"] / 3.6e6,
        "over_budget_s": summary["over_budget_s"],
        "stopped": sum(run.preemptions for run in sim.live.values()),
        "policy_ms": 1e3 * deciding_s / asked,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, nargs="+", default=[0.7, 0.6])
    parser.add_argument("--minutes", type=int, default=120)
    options = parser.parse_args()
    rows = [run("none", None, None, options.minutes)]
    for share in options.share:
        budget_w = share * rows[0]["most_w"]
        rows.append(run(f"{share:g}: rated power", FixedShare(), budget_w, options.minutes))
        rows.append(run(f"{share:g}: fixed share", FixedShare(fixed_w=share * RATED_W), budget_w, options.minutes))
        rows.append(run(f"{share:g}: by need", Budget(), budget_w, options.minutes))
    report("budget_services", "Services and training under one budget", rows, minutes=options.minutes, jobs=CLASSES)


if __name__ == "__main__":
    main()
