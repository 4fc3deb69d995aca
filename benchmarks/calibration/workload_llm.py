"""Workload classes of large models: training on A800 (rubick_a800_llm), serving and generation on H100 and B200
(ml_energy_leaderboard), chat on A100 and H100 (llm_perf_models).

Where power was measured, one number scales the SM activity of all phases to it; how prefill and decode share the time
and differ in activity is assumed for the leaderboard and measured for Splitwise.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from calibration.workload_entry import ASSUMED_KAPPA, Entry, step
from calibration.workload_fit import kappa_of, rows_of, solve_u

from goodwatt.power.workloads.catalogue import class_from, phases_on
from goodwatt.power.workloads.demand import Demand
from goodwatt.power.workloads.workload import Phase


def entries(measured: Mapping[str, Entry]) -> list[Entry]:
    """`measured`: the classes with power, by name."""
    return [*_rubick_entries(measured), *_leaderboard_entries(measured), _splitwise_entry(measured)]


# Rubick --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Training:
    """A training job of Rubick: plan and placement of the row its step comes from, and what the table does not say."""

    name: str
    about: str
    app: str
    plan: str
    placement: str
    parameters_m: float
    memory_mib: int
    gpus: tuple[int, int]
    weight: float
    checkpoint_share: float = 0.005
    shards: int = 1
    """Over how many GPUs the parameters are cut."""


TRAINING = (
    Training("bert_pretrain", "BERT large pre-training, data parallel", "bert", "ga", "1", 340, 15_500, (1, 64), 3),
    Training("roberta_pretrain", "RoBERTa large pre-training", "roberta", "zero-dp", "1", 355, 22_000, (1, 64), 2),
    Training("t5_pretrain", "T5 pre-training", "t5", "ga", "1", 737, 30_000, (1, 64), 2),
    Training("vit_train", "vision transformer training", "vit", "ga", "1", 86, 14_000, (1, 64), 3),
    Training("gpt2_pretrain", "GPT-2 XL pre-training", "gpt2", "zero-dp", "1", 1500, 38_000, (1, 128), 3, 0.01),
    Training("llama7b_train", "Llama of 7B parameters, tensor and pipeline parallel", "llama7", "182", "88", 6700,
             60_000, (8, 512), 3, 0.015, 16),
    Training("llama30b_train", "Llama of 30B parameters, three kinds of parallelism", "llama30", "344", "888888",
             32_500, 70_000, (24, 4096), 2, 0.02, 16),
)  # fmt: skip
A800 = "A800-SXM4-80GB"


def _rubick_entries(measured: Mapping[str, Entry]) -> list[Entry]:
    rows = rows_of("rubick_a800_llm/placements_all.csv.gz")
    (like,) = {name: class_from(measured[name].content()) for name in ("bert_train",)}.values()
    demand = phases_on(like, A800)[0].demand
    times = {(row["app"], row["exec_plan"], row["placement"]): float(row["iter_time"]) for row in rows}
    return [_training(job, times[job.app, job.plan, job.placement], demand) for job in TRAINING]


def _training(job: Training, iteration_s: float, demand: Demand) -> Entry:
    busy = replace(demand, memory_mib=job.memory_mib, duty=0.98, host_cores=2.0)
    saving = Demand(u=0.02, m=0.05, kappa=0.0, duty=0.3, host_cores=2.0, pcie_gbps=4.0, memory_mib=job.memory_mib)
    checkpoint_s = max(1.0, job.parameters_m * 1e6 * 12 / max(1, job.gpus[0]) / 2e9)
    return Entry(
        name=job.name,
        about=f"{job.about}; checkpoints included",
        family="vision" if job.app == "vit" else "language",
        reference_gpu=A800,
        math="half",
        gpus=job.gpus,
        weight=job.weight,
        checkpoint_mib=round(job.parameters_m * 12 / 1.048576),
        step=step(iteration_s, job.parameters_m / job.shards, "language", bytes_each=2),
        phases={
            A800: (
                Phase("training", round(1.0 - job.checkpoint_share, 4), round(iteration_s, 4), _plain(busy)),
                Phase("checkpoint", job.checkpoint_share, round(checkpoint_s, 2), saving),
            )
        },
        origin="rubick_a800_llm",
        sources={
            "speeds": "none measured",
            "power": "assumed: like bert_train, carried to this kind",
            "kappa": "assumed: like bert_train, carried to this kind",
            "m": "assumed: like bert_train, carried to this kind",
            "duty": "assumed",
            "counters": "assumed: like bert_train, carried to this kind",
            "memory": "assumed",
            "step": f"rubick_a800_llm: {job.app}, plan {job.plan} on {job.placement}; 2 bytes per parameter that a GPU "
            "holds; overlap as bert",
            "gpus": "assumed; rubick_a800_llm measures up to 64",
            "checkpoint": "weights and two moments in single precision; one each few minutes at 2 GB/s per GPU assumed",
        },
    )


# ML.ENERGY leaderboard -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Served:
    """Configurations of the leaderboard to compare, (GPUs, greatest batch) on H100 and on B200, and what it leaves out.

    `decode_m`: share of the bandwidth while decoding, from the bytes of weights and cache read for each token.
    """

    name: str
    about: str
    task: str
    model: str
    h100: tuple[int, int]
    b200: tuple[int, int]
    decode_m: float
    prefill_share: float
    memory_mib: int
    gpus: tuple[int, int]
    weight: float


SERVED = (
    Served("llm_8b_serving", "Llama 3.1 8B chat, batches up to 64", "lm-arena-chat",
           "meta-llama/Llama-3.1-8B-Instruct", (1, 64), (1, 64), 0.62, 0.10, 70_000, (1, 1), 2),
    Served("llm_32b_serving", "Qwen3 32B chat, batches up to 64", "lm-arena-chat", "Qwen/Qwen3-32B", (2, 64), (1, 64),
           0.52, 0.10, 70_000, (1, 4), 1.5),
    Served("llm_70b_serving", "Llama 3.1 70B chat, batches up to 128", "lm-arena-chat",
           "meta-llama/Llama-3.1-70B-Instruct", (4, 128), (2, 128), 0.50, 0.10, 72_000, (2, 8), 1.5),
    Served("moe_235b_serving", "Qwen3 235B-A22B reasoning in 8 bits, batches up to 128", "gpqa",
           "Qwen/Qwen3-235B-A22B-Thinking-2507-FP8", (8, 128), (4, 128), 0.45, 0.03, 72_000, (4, 8), 1),
    Served("sd35_image", "Stable Diffusion 3.5 medium, batches of 4 images", "text-to-image",
           "stabilityai/stable-diffusion-3.5-medium", (1, 4), (1, 4), 0.25, 0.0, 24_000, (1, 8), 1.5),
    Served("wan_video", "Wan 2.1 14B generating video", "text-to-video", "Wan-AI/Wan2.1-T2V-14B-Diffusers", (1, 1),
           (1, 1), 0.25, 0.0, 60_000, (1, 8), 1),
)  # fmt: skip
RATE = {
    "text-to-image": "throughput_images_per_sec",
    "text-to-video": "throughput_videos_per_sec",
}


def _leaderboard_entries(measured: Mapping[str, Entry]) -> list[Entry]:
    rows = rows_of("ml_energy_leaderboard/inference_power_configs.csv.gz")
    prefill, decode = (measured[name].phases["H200-SXM"][0].demand for name in ("llm_prefill", "llm_decode"))
    return [_served(job, rows, prefill, decode) for job in SERVED]


def _found(rows: list[dict[str, str]], job: Served, gpu: str, gpus: int, batch: int) -> tuple[float, float]:
    """(work per second and GPU, watts per GPU)."""
    rate = RATE.get(job.task, "output_throughput_tokens_per_sec")
    size = "batch_size" if job.task in RATE else "max_num_seqs"
    row = next(
        row
        for row in rows
        if (row["task"], row["model_id"], row["gpu_model"], int(row["num_gpus"])) == (job.task, job.model, gpu, gpus)
        and float(row[size]) == batch
    )
    return float(row[rate]) / gpus, float(row["avg_power_watts"]) / gpus


def _served(job: Served, rows: list[dict[str, str]], prefill: Demand, decode: Demand) -> Entry:
    h100_rate, h100_w = _found(rows, job, "H100", *job.h100)
    b200_rate, b200_w = _found(rows, job, "B200", *job.b200)
    speed = b200_rate / h100_rate
    phases = _served_phases(job, prefill, decode)
    b200 = tuple(_faster(p, speed) for p in phases)
    generative = "diffusion" if job.task in RATE else "decode"
    return Entry(
        name=job.name,
        about=job.about,
        family="generation",
        reference_gpu="H100-SXM",
        math="half",
        gpus=job.gpus,
        weight=job.weight,
        checkpoint_mib=0.0,
        step={"compute_s": phases[-1].length_s, "exchange_bytes": 4e6 if job.gpus[1] > 1 else 0.0, "calls": 64,
              "overlap": 0.0},
        phases={"H100-SXM": _solved("H100-SXM", phases, h100_w), "B200-SXM": _solved("B200-SXM", b200, b200_w)},
        speeds={"B200-SXM": speed},
        watts={"H100-SXM": h100_w, "B200-SXM": b200_w},
        origin="ml_energy_leaderboard",
        sources={
            "speeds": f"ml_energy_leaderboard: {job.task}, {job.model}, per GPU, {job.h100} H100 and {job.b200} B200 "
            "(GPUs, batch)",
            "power": "ml_energy_leaderboard: mean watts per GPU of the same rows",
            "kappa": ASSUMED_KAPPA,
            "m": f"assumed from the bytes that a step of {generative} reads",
            "duty": "assumed",
            "counters": "assumed: like llm_prefill and llm_decode; tensor from u as h200_measured relates them",
            "memory": "assumed",
            "step": "assumed: activations of a token, two all-reduces a layer",
            "gpus": "ml_energy_leaderboard: sizes that were run",
            "checkpoint": "none",
        },
    )  # fmt: skip


def _faster(phase: Phase, speed: float) -> Phase:
    """The same kernels in less time."""
    kernel_us = round(phase.demand.kernel_us / speed, 1)
    return replace(phase, length_s=round(phase.length_s / speed, 4), demand=replace(phase.demand, kernel_us=kernel_us))


def _solved(kind: str, phases: Sequence[Phase], watts: float) -> tuple[Phase, ...]:
    """u from the watts, then tensor activity from u: on H200 u is close to tensor + occupancy / 4."""
    return tuple(
        replace(p, demand=replace(p.demand, tensor=round(min(0.95, max(0.0, p.demand.u - p.demand.occupancy / 4)), 3)))
        for p in solve_u(kind, phases, watts)
    )


def _served_phases(job: Served, prefill: Demand, decode: Demand) -> list[Phase]:
    """SM activity relative to decode: prefill computes about three times as hard (h200_measured: 1.2 to 0.4)."""
    base = Demand(u=1.0, m=job.decode_m, kappa=kappa_of(job.decode_m), duty=0.97, host_cores=2.0,
                  memory_mib=job.memory_mib)  # fmt: skip
    if job.prefill_share == 0.0:
        return [Phase("diffusion", 1.0, 0.05, replace(base, sm=0.93, occupancy=0.2, tensor=0.7))]
    reading = replace(
        base, u=3.0, m=0.22, kappa=1.0, sm=prefill.sm, occupancy=prefill.occupancy, tensor=prefill.tensor,
        kernel_us=prefill.kernel_us,
    )  # fmt: skip
    writing = replace(base, sm=0.7, occupancy=0.09, tensor=0.1, kernel_us=decode.kernel_us)
    return [
        Phase("prefill", job.prefill_share, 0.1, reading),
        Phase("decode", round(1.0 - job.prefill_share, 4), 0.03, writing),
    ]


# Splitwise -----------------------------------------------------------------------------------------------------------

TOKENS = 128
BATCH = {"model": "llama2-70b", "tensor_parallel": "4", "prompt_size": "512", "batch_size": "16", "token_size": "128"}


def _splitwise(rows: list[dict[str, str]], hardware: str) -> tuple[float, float, float, float]:
    """(prefill s, decode s, decode watts, prefill watts) of one batch on four GPUs; watts 0 where nobody read them."""
    found = [r for r in rows if r["hardware"] == hardware and all(r[key] == value for key, value in BATCH.items())]
    prompt_s = statistics.median(float(row["prompt_time"]) for row in found) / 1000.0
    token_s = statistics.median(float(row["token_time"]) for row in found) / 1000.0
    mean, peak = (max(float(row[key]) for row in found) for key in ("average_power", "peak_power"))
    return prompt_s, token_s * TOKENS, mean * 400.0, peak * 400.0


def _splitwise_entry(measured: Mapping[str, Entry]) -> Entry:
    rows = rows_of("llm_perf_models/splitwise_perf_model.csv.gz")
    prompt_s, tokens_s, decode_w, _ = _splitwise(rows, "a100-80gb")
    h100_prompt_s, h100_tokens_s, _, _ = _splitwise(rows, "h100-80gb")
    kind = "A100-SXM4-80GB"
    reading, writing = (
        phases_on(class_from(measured[name].content()), kind)[0].demand for name in ("llm_prefill", "llm_decode")
    )
    decode = Phase(
        "decode", 1.0, round(tokens_s, 3), _plain(replace(writing, m=0.6, kappa=kappa_of(0.6), memory_mib=65_000))
    )
    (decode,) = solve_u(kind, [decode], decode_w)
    share = round(prompt_s / (prompt_s + tokens_s), 4)
    prefill = Phase("prefill", share, round(prompt_s, 3), _plain(replace(reading, memory_mib=65_000)))
    return Entry(
        name="llama2_70b_chat",
        about="Llama 2 70B, batches of 16 prompts of 512 tokens answered by 128",
        family="generation",
        reference_gpu=kind,
        math="half",
        gpus=(4, 8),
        weight=1.5,
        checkpoint_mib=0.0,
        step={"compute_s": round(tokens_s / TOKENS, 5), "exchange_bytes": 4e6, "calls": 160, "overlap": 0.0},
        phases={kind: (prefill, replace(decode, share=round(1.0 - share, 4)))},
        speeds={"H100-SXM": (prompt_s + tokens_s) / (h100_prompt_s + h100_tokens_s)},
        watts={f"{kind} decode": decode_w},
        origin="llm_perf_models",
        sources={
            "speeds": "llm_perf_models: time of the whole batch on four H100 against four A100",
            "power": "llm_perf_models: mean power of an A100 for decode; prefill, at the cap there, like llm_prefill",
            "kappa": f"decode {ASSUMED_KAPPA}; prefill like llm_prefill",
            "m": "assumed from the bytes of weights and cache; prefill like llm_prefill",
            "duty": "assumed: like llm_decode and llm_prefill",
            "counters": "assumed: like llm_decode and llm_prefill",
            "memory": "assumed: weights over four GPUs and the cache",
            "step": "assumed: activations of a token, two all-reduces a layer",
            "gpus": "llm_perf_models: 2, 4 and 8 were run",
            "checkpoint": "none",
        },
    )


def _plain(demand: Demand) -> Demand:
    """Figures with no more digits than they are worth."""
    digits = dict.fromkeys(("u", "m", "kappa", "duty", "sm", "occupancy", "tensor"), 4) | {
        "pcie_gbps": 3,
        "kernel_us": 1,
    }
    rounded: dict[str, Any] = {name: round(getattr(demand, name), places) for name, places in digits.items()}
    return replace(demand, **rounded)
