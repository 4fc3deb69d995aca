"""Workload classes from h200_measured (six applications with counters) and miso_mig_a100 (training with power, MIG).

On the H200 nobody varied the clock, but every application also ran alone on half the SMs (a thread limit of 50%): how
much that slows it is taken for its sensitivity to the SM clock.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from typing import Any

from calibration.workload_entry import ASSUMED_KAPPA, Entry, step
from calibration.workload_fit import kappa_of, model_of, rows_of, solve_u, u_at_clock
from measured import SHARED

from goodwatt.power.colocation.kernel_length import length_from_traffic_us
from goodwatt.power.workloads.demand import Demand
from goodwatt.power.workloads.workload import Phase

DATA = SHARED / "data"


@dataclass(frozen=True)
class App:
    """What the measurement does not say of an application."""

    name: str
    about: str
    family: str
    gpus: tuple[int, int]
    weight: float
    parameters_m: float
    trained: bool
    host_cores: float
    phases: tuple[tuple[str, float, float], ...]
    """Name, share of wall time, SM activity relative to the mean."""


APPS = (
    App("resnet50_train", "ResNet-50 training, batch 128, mixed precision", "vision", (1, 64), 2, 25.6, True, 4.0,
        (("training", 0.98, 1.0), ("input stall", 0.02, 0.0))),
    App("bert_train", "BERT base training, 12 layers of 768, sequence 128, batch 64", "language", (1, 64), 2, 110.0,
        True, 2.0, (("training", 0.98, 1.0), ("input stall", 0.02, 0.0))),
    App("llm_decode", "decoder of 7B parameters generating tokens, batch 16 with 1,024 tokens of cache", "generation",
        (1, 8), 1, 6700.0, False, 1.0, (("decode", 1.0, 1.0),)),
    App("llm_prefill", "decoder of 7B parameters reading prompts, 2 x 2,048 tokens", "generation", (1, 8), 1, 6700.0,
        False, 1.0, (("prefill", 1.0, 1.0),)),
    App("dlrm", "recommendation inference: embedding lookups, then dense layers", "recommendation", (1, 1), 2, 1000.0,
        False, 1.0, (("inference", 1.0, 1.0),)),
    App("rl_small", "reinforcement learning with a small network: launch bound", "reinforcement", (1, 1), 2, 0.2, True,
        1.0, (("training", 1.0, 1.0),)),
)  # fmt: skip


def entries() -> list[Entry]:
    return [*h200_entries(), *miso_entries()]


def h200_entries() -> list[Entry]:
    whole, half = (_alone(name) for name in ("apps_alone_timeslice.json", "apps_mps50.json"))
    memory = json.loads((DATA / "h200_measured/apps_alone_timeslice.json").read_text())["memory_mib"]
    return [_app(app, whole[app.name], half[app.name], int(memory[app.name])) for app in APPS]


def _alone(name: str) -> dict[str, dict[str, Any]]:
    runs = json.loads((DATA / "h200_measured" / name).read_text())["runs"]
    return {run["kinds"][0]: run for run in runs if len(run["kinds"]) == 1}


def clock_sensitivity(whole: dict[str, Any], half: dict[str, Any], duty: float) -> float:
    """kappa from the time on half the SMs, each run at the clock it held."""
    slower: float = whole["rate"][0] / half["rate"][0]
    throughput: float = 2.0 * whole["sm_mhz"] / half["sm_mhz"]
    return round(min(1.0, max(0.0, (slower - 1.0) / ((throughput - 1.0) * duty))), 3)


def _app(app: App, whole: dict[str, Any], half: dict[str, Any], memory_mib: int) -> Entry:
    duty = min(1.0, whole["util"] / 100.0)
    counters = {name: whole["gpm"][key] / 100.0 / duty for name, key in COUNTERS.items()}
    pcie_gbps = round((whole["gpm"]["pcie_tx"] + whole["gpm"]["pcie_rx"]) / 1000.0, 3)
    demand = Demand(
        u=1.0,
        m=min(1.0, counters["dram"]),
        kappa=clock_sensitivity(whole, half, duty),
        duty=duty,
        sm=round(counters["sm"], 4),
        occupancy=round(counters["occupancy"], 4),
        tensor=round(counters["tensor"], 4),
        host_cores=app.host_cores,
        pcie_gbps=pcie_gbps,
        memory_mib=memory_mib,
        kernel_us=round(length_from_traffic_us(duty, pcie_gbps), 1),
    )
    phases = _phases(app, demand, 1.0 / whole["rate"][0], whole)
    return Entry(
        name=app.name,
        about=app.about,
        family=app.family,
        reference_gpu="H200-SXM",
        math="half",
        gpus=app.gpus,
        weight=app.weight,
        checkpoint_mib=round(app.parameters_m * 12 / 1.048576) if app.trained else 0.0,
        step=step(1.0 / whole["rate"][0], app.parameters_m if app.trained else 0.0, app.family, bytes_each=2),
        phases={"H200-SXM": phases},
        watts={"H200-SXM": whole["watts"]},
        origin="h200_measured",
        sources=H200_SOURCES,
    )


COUNTERS = {"sm": "sm_util", "occupancy": "sm_occupancy", "tensor": "tensor", "dram": "dram_bw"}
H200_SOURCES = {
    "speeds": "none measured",
    "power": "h200_measured: apps_alone_timeslice.json, energy counter over 2.4 s at default settings",
    "kappa": "h200_measured: apps_mps50.json, alone on half the SMs",
    "m": "h200_measured: counter dram_bw over the share of time with a kernel",
    "duty": "h200_measured: share of time with a kernel",
    "counters": "h200_measured: GPU performance monitor, over the share of time with a kernel; kernel_us: traffic on "
    "PCIe, 4.2 kB a launch",
    "memory": "h200_measured",
    "step": "h200_measured: iterations per second; training: 2 bytes per parameter, overlap of sia_scaling",
    "gpus": "assumed",
    "checkpoint": "weights and two moments of the optimizer in single precision where it trains",
}


def _phases(app: App, demand: Demand, iteration_s: float, whole: dict[str, Any]) -> tuple[Phase, ...]:
    capped = whole["sm_mhz"] < model_of("H200-SXM").top_mhz
    if capped:
        u = u_at_clock("H200-SXM", demand, whole["sm_mhz"], whole["watts"])
        return (Phase(app.phases[0][0], 1.0, round(iteration_s, 5), replace(demand, u=round(u, 4))),)
    busy = app.phases[0][1]
    first = replace(demand, duty=min(1.0, demand.duty / busy), m=demand.m, u=demand.u)
    phases = [Phase(app.phases[0][0], busy, round(iteration_s * busy, 5), first)]
    for name, share, _ in app.phases[1:]:
        stalled = replace(demand, u=0.0, m=0.0, kappa=0.0, sm=0.0, occupancy=0.0, tensor=0.0, kernel_us=0.0)
        phases.append(Phase(name, share, round(iteration_s * share, 5), stalled))
    return solve_u("H200-SXM", phases, whole["watts"])


# MISO ----------------------------------------------------------------------------------------------------------------

MISO = (
    ("mobilenet_train", "MobileNet training, batch 256", "vision", "mobilenet", 256, 3.5, (1, 2), 2, 4.0),
    ("gnn_train", "graph neural network training, batch 256", "graph", "gnn", 256, 0.5, (1, 1), 2, 2.0),
    ("embedding_train", "training of word embeddings, batch 256", "language", "embedding", 256, 40.0, (1, 1), 2, 2.0),
)


def miso_entries() -> list[Entry]:
    with gzip.open(DATA / "miso_mig_a100/profile_configs_and_util.json.gz", "rt") as text:
        facts = json.load(text)
    steps = {
        (row["model"], int(row["batch_size"])): float(row["step_s_mean"])
        for row in rows_of("miso_mig_a100/mig_step_times.csv.gz")
        if row["mig_profile"] == "7g.40gb"
    }
    return [_miso(job, facts, steps[job[3], job[4]]) for job in MISO]


def _miso(job: tuple[Any, ...], facts: dict[str, Any], step_s: float) -> Entry:
    name, about, family, model, batch, parameters_m, gpus, weight, host_cores = job

    def fact(what: str) -> float:
        return float(facts[f"util_collection/{what}_{model}.json"][str(batch)])

    duty = fact("util_sm") / 100.0
    m = min(0.9, fact("util_mem") / 100.0 / duty)
    demand = Demand(
        u=1.0, m=m, kappa=kappa_of(m), duty=duty, sm=0.5, occupancy=0.2, host_cores=host_cores,
        memory_mib=int(fact("memory")),
    )  # fmt: skip
    watts = fact("power")
    return Entry(
        name=name,
        about=about,
        family=family,
        reference_gpu="A100-PCIE-80GB",
        math="fp32",
        gpus=gpus,
        weight=weight,
        checkpoint_mib=round(parameters_m * 12 / 1.048576, 1),
        step=step(step_s, parameters_m, family),
        phases={"A100-PCIE-80GB": solve_u("A100-PCIE-80GB", [Phase("training", 1.0, round(step_s, 5), demand)], watts)},
        watts={"A100-PCIE-80GB": watts},
        origin="miso_mig_a100",
        sources={
            "speeds": "none measured",
            "power": "miso_mig_a100: on the 250 W A100-PCIE with 40 GB, the nearest kind that the catalogue has",
            "kappa": ASSUMED_KAPPA,
            "m": "miso_mig_a100: share of time with memory traffic over that with a kernel, which is a proxy",
            "duty": "miso_mig_a100: share of time with a kernel",
            "counters": "assumed: nobody read them",
            "memory": "miso_mig_a100",
            "step": "miso_mig_a100: mean step on the whole GPU; 4 bytes per parameter; overlap as sia_scaling fits it",
            "gpus": "assumed",
            "checkpoint": "weights and two moments of the optimizer in single precision",
        },
    )
