"""A day of a chat service under each service policy: promises kept, joules, instances, clocks.

Two services on H100-SXM, each alone on DGX H100 nodes that are as many as its most instances need: a 70B model on four
GPUs (up to 12 instances) and an 8B model on one (up to 4). Their load is that of the class `chat` (fitted to Azure's
conversations of 2023) with its daily rhythm, and, where ../shared has it, that real hour again and again, as much of it
as the same rhythm asks for. Each run is a day in ticks of a second, the promises' guardrail included; policies begin
knowing nothing. With the power policy `sleep` nodes whose instances have left go to sleep; without, they idle.

    python benchmarks/serving_day.py [--hours 24] [--only 70b] [--workers 2]
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from measured import report

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.power.serving.llm_models import llm_model
from goodwatt.simulator.run import result
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.traces.requests.generate import class_source
from goodwatt.traces.requests.reading import read_request_trace
from goodwatt.traces.requests.request_source import RequestSource, TraceSource
from goodwatt.traces.requests.request_trace import RequestTrace

AZURE = Path(__file__).parents[2] / "shared/data/llm_request_traces/AzureLLMInferenceTrace_conv.csv.gz"
SLEPT = ("fixed", "predictive", "predictive+follow")
SLEPT_ON = ("70b/chat", "70b/azure")
"""What is run again with nodes that sleep, under which load."""
UNGUARDED, UNGUARDED_ON = ("predictive+follow",), ("70b/chat",)
"""And without the guardrail of promises."""
POLICIES = ("fixed", "reactive", "predictive", "follow", "reactive+follow", "predictive+follow")
HOUR_S = 3600.0


@dataclass(frozen=True)
class Case:
    """`mean_per_s`: such that the busiest hour takes what is promised of the most instances, with some room."""

    name: str
    model: str
    tensor_parallel: int
    most: int
    mean_per_s: float
    load: str

    def service(self, hours: int) -> Service:
        """With the load of so many hours."""
        shape = llm_model(self.model)
        assert shape is not None
        return Service(
            name="chat",
            model=shape,
            gpu="H100-SXM",
            tensor_parallel=self.tensor_parallel,
            promise=Promise(ttft_s=1.0, tpot_s=0.05),
            requests=self.requests(hours),
            min_replicas=1,
            max_replicas=self.most,
        )

    def requests(self, hours: int) -> RequestSource:
        """Made up, or the real hour."""
        chat = class_source("chat", mean_per_s=self.mean_per_s, seed=1)
        return chat if self.load == "chat" else azure_day(chat, hours)

    def cluster(self) -> Cluster:
        """As many nodes as the most instances fill."""
        nodes = -(-self.most * self.tensor_parallel // 8)
        known = load_cluster("dgx-h100")
        return replace(known, nodes=known.nodes[:nodes])


CASES = (
    Case("70b/chat", "llama-3.1-70b", 4, 12, 14.0, "chat"),
    Case("8b/chat", "llama-3.1-8b", 1, 4, 16.0, "chat"),
    Case("70b/azure", "llama-3.1-70b", 4, 12, 14.0, "azure"),
)


def azure_day(chat: Any, hours: int) -> RequestSource:
    """The real hour once an hour, as many requests of it as the rhythm asks for."""
    hour = read_request_trace(AZURE)
    expected = np.diff(chat.profile.expected_before(np.arange(hours + 1) * HOUR_S, repeat=True))
    pieces = []
    for number, count in enumerate(expected.tolist()):
        drawn = TraceSource(hour, rate_factor=count / len(hour.arrival_s), seed=number).between(0.0, HOUR_S)
        pieces.append(drawn._replace(arrival_s=np.minimum(drawn.arrival_s, HOUR_S - 1e-3) + number * HOUR_S))
    arrival_s, prompt, output = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return TraceSource(RequestTrace("azure-day", arrival_s, prompt, output))


def run(case: Case, spec: str, power: str, guarded: bool, hours: int) -> dict[str, Any]:
    """One day; `guarded`: the guardrail of promises acts."""
    service, began_s = case.service(hours), time.process_time()
    guardrails = Guardrails(promises=guarded)
    options = RunOptions(
        seed=1, physics="full", start_s=0.0, horizon_s=hours * HOUR_S, services=(service,), guardrails=guardrails
    )
    policy = with_power(with_services(make_policy("fifo+best-fit"), spec), power)
    sim = Simulation([], case.cluster(), policy, None, options)
    counts, clocks, deciding_s = list[int](), list[float](), 0.0
    while (view := sim.advance()) is not None:
        if view.services is not None and view.services.due:
            here = [one for one in view.services.instances(0) if one.state != "idle"]
            top_mhz = view.services.servings[0].model.top_mhz
            counts.append(len(here))
            clocks += [one.run.clock_mhz or top_mhz for one in here]
        before_s = time.process_time()
        decisions = sim.policy.decide(view)
        deciding_s += time.process_time() - before_s
        sim.apply(decisions)
    sim.close()
    assert sim.services is not None
    summary, book = result(sim).summary, sim.services.fleet.books[0]
    return {
        "load": case.name,
        "services": spec,
        "power": power,
        "guarded": guarded,
        "requests": int(book.arrived.sum()),
        "attainment": book.attainment,
        "minutes_kept": book.minutes_kept,
        "ttft_s": book.percentile_s("ttft_s"),
        "tpot_s": book.percentile_s("tpot_s"),
        "it_energy_j": summary["it_energy_j"],
        "gpu_energy_j": summary["gpu_energy_j"],
        "tokens": book.on_time_output_tokens,
        "instances": float(np.mean(counts)),
        "clock_mhz": float(np.mean(clocks)),
        "refused": summary["refused_decisions"],
        "cpu_s": time.process_time() - began_s,
        "policy_cpu_s": deciding_s,
    }


def row_of(row: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """For the table and the file: with what is saved against all instances at full clocks, nodes awake."""
    return {
        "load": row["load"],
        "services": row["services"],
        "power": row["power"],
        "guarded": str(row["guarded"]),
        "requests": row["requests"],
        "on time %": 100.0 * row["attainment"],
        "minutes %": 100.0 * row["minutes_kept"],
        "p99 TTFT s": row["ttft_s"],
        "p99 TPOT s": row["tpot_s"],
        "GPU MJ": row["gpu_energy_j"] / 1e6,
        "GPU saved %": 100.0 * (1.0 - row["gpu_energy_j"] / base["gpu_energy_j"]),
        "IT MJ": row["it_energy_j"] / 1e6,
        "IT saved %": 100.0 * (1.0 - row["it_energy_j"] / base["it_energy_j"]),
        "tokens/J": row["tokens"] / row["gpu_energy_j"],
        "instances": row["instances"],
        "MHz": row["clock_mhz"],
        "refused": row["refused"],
        "CPU s": row["cpu_s"],
        "policy CPU s": row["policy_cpu_s"],
    }


def main() -> None:
    """Run all, print the table, write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--only", default="")
    parser.add_argument("--policy", action="append")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    cases = [case for case in CASES if args.only in case.name and (case.load == "chat" or AZURE.exists())]
    specs = args.policy or POLICIES
    todo = [(case, spec, "default", True) for case in cases for spec in specs]
    for case in cases:
        todo += [(case, spec, "sleep", True) for spec in specs if spec in SLEPT and case.name in SLEPT_ON]
        todo += [(case, spec, "default", False) for spec in specs if spec in UNGUARDED and case.name in UNGUARDED_ON]
    todo.sort(key=lambda each: cases.index(each[0]))
    with ProcessPoolExecutor(args.workers) as pool:
        rows = list(pool.map(run, *zip(*todo, strict=True), [args.hours] * len(todo)))
    base = {row["load"]: row for row in reversed(rows)}
    told = [row_of(row, base[row["load"]]) for row in rows]
    report("serving_day", f"{args.hours} h of a service by its policy; saved: against the first row of its load", told)


if __name__ == "__main__":
    main()
