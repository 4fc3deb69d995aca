"""Workload classes from zeus_power: six training jobs swept over power caps on V100, A40, RTX 6000 and P100.

Speeds on K80, T4 and A100 of the two that others measured too are chained through the V100 (gavel_throughputs,
sia_pollux_profiles).
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass

from calibration.workload_entry import Entry, step
from calibration.workload_fit import CapRow, SweepFit, fit_sweep, rows_of

from goodwatt.power.workloads.demand import Demand
from goodwatt.power.workloads.workload import Phase

FILES = {"V100-PCIE": "v100", "A40": "a40", "RTX6000": "rtx6000", "P100-PCIE": "p100"}


@dataclass(frozen=True)
class Job:
    """What to take from the sweep, and what the data set does not say."""

    name: str
    about: str
    family: str
    dataset: str
    network: str
    batch: int
    samples: float
    """Per epoch, to tell the time of a step."""
    parameters_m: float
    demand: Demand
    """Duty, memory and host cores; the rest is fitted."""
    gpus: tuple[int, int]
    weight: float
    speeds: dict[str, tuple[float, str]]


def demand(duty: float, memory_mib: int, host_cores: float, occupancy: float, tensor: float = 0.0) -> Demand:
    sm = min(0.95, 1.5 * occupancy)
    return Demand(
        u=0.0, m=0.0, kappa=0.0, duty=duty, sm=sm, occupancy=occupancy, tensor=tensor, host_cores=host_cores,
        memory_mib=memory_mib,
    )  # fmt: skip


GAVEL = "gavel_throughputs, K80 against V100"
SIA = "sia_pollux_profiles, against V100 at the same local batch"
JOBS = (
    Job("shufflenetv2_cifar100", "ShuffleNet v2 on CIFAR-100, batch 1024", "vision", "cifar100", "shufflenetv2", 1024,
        50_000, 1.4, demand(0.95, 6000, 4, 0.40), (1, 2), 2, {}),
    Job("resnet50_imagenet", "ResNet-50 on ImageNet, batch 128 per GPU, single precision", "vision", "imagenet",
        "resnet50", 128, 1_281_167, 25.6, demand(0.97, 13_500, 8, 0.45), (1, 256), 4,
        {"K80": (0.745862 / 4.525762, GAVEL), "T4": (0.31180 / 0.76242, SIA),
         "A100-SXM4-40GB": (0.31180 / 0.24376, SIA)}),
    Job("deepspeech2_librispeech", "DeepSpeech 2 on LibriSpeech, batch 64 per GPU", "speech", "librispeech",
        "deepspeech2", 64, 281_241, 47.4, demand(0.95, 12_500, 6, 0.30), (1, 16), 2, {}),
    Job("ncf_movielens", "neural collaborative filtering on MovieLens, batch 4096: waits for the host",
        "recommendation", "movielens-1m", "ncf", 4096, 4_970_845, 1.62, demand(0.15, 1500, 2, 0.10), (1, 1), 2, {}),
    Job("bert_sentiment140", "BERT base fine-tuned on Sentiment140, batch 64 per GPU", "language", "sentiment140",
        "bert_base_uncased", 64, 1_600_000, 110.0, demand(0.99, 11_000, 2, 0.35), (1, 4), 2, {}),
    Job("bert_squad", "BERT base fine-tuned on SQuAD, batch 24 per GPU", "language", "squad", "bert_base_uncased", 24,
        88_524, 110.0, demand(0.99, 14_000, 2, 0.35), (1, 8), 3,
        {"T4": (0.33023 / 0.85528, SIA), "A100-SXM4-40GB": (0.58472 / 0.21993, SIA)}),
)  # fmt: skip


def entries() -> list[Entry]:
    tables = {kind: rows_of(f"zeus_power/summary_power_{file}.csv.gz") for kind, file in FILES.items()}
    return [_entry(job, {kind: _sweep(rows, job) for kind, rows in tables.items()}) for job in JOBS]


def _sweep(rows: list[dict[str, str]], job: Job) -> list[CapRow]:
    """One row per cap, the mean over optimizers."""
    found = defaultdict(list)
    for row in rows:
        if (row["dataset"], row["network"], int(row["batch_size"])) == (job.dataset, job.network, job.batch):
            found[float(row["power_limit"])].append((float(row["time_per_epoch"]), float(row["average_power"])))
    return [
        CapRow(cap, statistics.fmean(t for t, _ in pairs), statistics.fmean(w for _, w in pairs))
        for cap, pairs in sorted(found.items(), reverse=True)
    ]


def _entry(job: Job, sweeps: dict[str, list[CapRow]]) -> Entry:
    fits: dict[str, SweepFit] = {kind: fit_sweep(kind, rows, job.demand) for kind, rows in sweeps.items()}
    reference = sweeps["V100-PCIE"][0].time_s
    step_s = reference / (job.samples / job.batch)
    speeds = {kind: reference / rows[0].time_s for kind, rows in sweeps.items() if kind != "V100-PCIE"}
    chained = "; ".join(sorted({f"{kind}: {source}" for kind, (_, source) in job.speeds.items()}))
    return Entry(
        name=job.name,
        about=job.about,
        family=job.family,
        reference_gpu="V100-PCIE",
        math="tf32" if job.family == "language" else "fp32",
        gpus=job.gpus,
        weight=job.weight,
        checkpoint_mib=round(job.parameters_m * 12 / 1.048576),
        step=step(step_s, job.parameters_m, job.family),
        phases={kind: (Phase("training", 1.0, round(step_s, 4), fit.demand),) for kind, fit in fits.items()},
        speeds=speeds | {kind: speed for kind, (speed, _) in job.speeds.items()},
        watts={kind: rows[0].watts for kind, rows in sweeps.items()},
        sweeps=fits,
        origin="zeus_power",
        sources={
            "speeds": f"zeus_power: {job.dataset}, {job.network}, batch {job.batch}, time per epoch at the greatest cap"
            + (f"; {chained}" if chained else ""),
            "power": "zeus_power: fitted to the sweep over caps of each kind",
            "kappa": "zeus_power: fitted to the sweep over caps of each kind",
            "m": "tied to kappa, m = (1.31 - kappa) / 1.25: a sweep over caps does not tell the two apart",
            "duty": "assumed",
            "counters": "assumed: nobody read them on these kinds",
            "memory": "assumed; fits the 16 GB of the P100, where it was measured",
            "step": "the epoch over its steps; 4 bytes per parameter; overlap as sia_scaling fits it",
            "gpus": "assumed",
            "checkpoint": "weights and two moments of the optimizer in single precision",
        },
    )
