"""Workload classes from gavel_throughputs and sia_pollux_profiles: speeds on many kinds, no power.

Their demand is that of the measured class that computes most like them. The share of time on the GPU comes from how
two of the same share one: two jobs that need it all the time run at half speed each.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from calibration.workload_entry import Entry, step
from calibration.workload_fit import rows_of

from goodwatt.power.workloads.demand import Demand
from goodwatt.power.workloads.workload import Phase

GAVEL_KINDS = {"K80": "k80", "P100-PCIE": "p100", "V100-SXM2": "v100"}
SIA_KINDS = {"T4": "aws", "V100-SXM2-32GB": "azure", "A100-SXM4-40GB": "dgx-ext", "RTX6000": "quad"}


@dataclass(frozen=True)
class Job:
    """A job of Gavel: what it computes like, its host phase, and what the data set does not say."""

    name: str
    about: str
    family: str
    model: str
    batch: str
    like: str
    duty: float | None
    """None: from the pair of two of it."""
    memory_mib: int
    host_cores: float
    parameters_m: float
    gpus: tuple[int, int]
    weight: float
    host_phase: tuple[str, float] | None = None
    """Name and share of a phase that waits for the host."""
    sia: tuple[str, int] | None = None
    """Job and local batch size at which Sia measured it on more kinds."""


JOBS = (
    Job("resnet18_cifar10", "ResNet-18 on CIFAR-10, batch 256", "vision", "ResNet-18", "256.0", "resnet50_imagenet",
        None, 5500, 4, 11.2, (1, 8), 4, sia=("cifar10", 1024)),
    Job("transformer_multi30k", "Transformer translating Multi30k, batch 128", "language", "Transformer", "128.0",
        "bert_squad", None, 9000, 2, 60.0, (1, 16), 3),
    Job("lstm_wikitext2", "LSTM language model on WikiText-2, batch 40", "language", "LM", "40.0",
        "deepspeech2_librispeech", None, 4000, 2, 28.0, (1, 8), 3),
    Job("autoencoder_ml20m", "autoencoder recommending on MovieLens-20M, batch 2048: bound by the host",
        "recommendation", "Recommendation", "2048.0", "bert_squad", 0.4, 3000, 8, 16.0, (1, 2), 2,
        host_phase=("input stall", 0.5)),
    Job("a3c_pong", "A3C playing Pong with four workers: bound by the host", "reinforcement", "A3C", "",
        "shufflenetv2_cifar100", 0.3, 1500, 4, 1.2, (1, 1), 3, host_phase=("rollout", 0.6)),
    Job("cyclegan_monet", "CycleGAN between Monet's paintings and photographs", "vision", "CycleGAN", "",
        "resnet50_imagenet", None, 5600, 2, 28.0, (1, 2), 2),
)  # fmt: skip


def entries(measured: Mapping[str, Entry]) -> list[Entry]:
    """`measured`: the classes with power, by name."""
    rows = rows_of("gavel_throughputs/isolated_scaling.csv.gz")
    pairs = rows_of("gavel_throughputs/pairs_colocated.csv.gz")
    return [*(_gavel(job, rows, pairs, measured) for job in JOBS), _yolo(measured)]


def _rate(rows: Sequence[Mapping[str, str]], gpu: str, job: Job) -> float:
    return next(
        float(row["steps_per_s"])
        for row in rows
        if (row["gpu"], row["model"], row["batch_size"], row["num_gpus"], row["consolidated"])
        == (gpu, job.model, job.batch, "1", "1")
    )


def _pair_duty(pairs: Sequence[Mapping[str, str]], job: Job) -> float:
    """Two of a job at speed s each fill the GPU: duty = 1 / (2 s), at most 1."""
    speed = next(
        float(row["norm_a"])
        for row in pairs
        if (row["gpu"], row["num_gpus"]) == ("v100", "1")
        and (row["model_a"], row["batch_a"]) == (row["model_b"], row["batch_b"]) == (job.model, job.batch)
    )
    return round(min(1.0, 0.5 / speed), 3)


def _gavel(
    job: Job, rows: Sequence[Mapping[str, str]], pairs: Sequence[Mapping[str, str]], measured: Mapping[str, Entry]
) -> Entry:
    reference = _rate(rows, "v100", job)
    speeds = {kind: _rate(rows, name, job) / reference for kind, name in GAVEL_KINDS.items() if name != "v100"}
    if job.sia:
        speeds |= _sia_speeds(*job.sia, reference="V100-SXM2-32GB")
    duty = _pair_duty(pairs, job) if job.duty is None else job.duty
    demand = _like(measured[job.like], duty, job.memory_mib, job.host_cores)
    return Entry(
        name=job.name,
        about=job.about,
        family=job.family,
        reference_gpu="V100-SXM2",
        math="tf32" if job.name == "transformer_multi30k" else "fp32",
        gpus=job.gpus,
        weight=job.weight,
        checkpoint_mib=round(job.parameters_m * 12 / 1.048576),
        step=step(1.0 / reference, job.parameters_m, job.family),
        phases={"V100-SXM2": _phases(job, demand, 1.0 / reference)},
        speeds=speeds,
        origin="gavel_throughputs",
        sources={
            "speeds": f"gavel_throughputs: {job.model} {job.batch}, one GPU; its V100 assumed to be the SXM2 board"
            + ("; T4, A100, RTX 6000: sia_pollux_profiles against its V100" if job.sia else ""),
            "power": f"assumed: like {job.like}",
            "kappa": f"assumed: like {job.like}",
            "m": f"assumed: like {job.like}",
            "duty": "assumed" if job.duty else "gavel_throughputs: two of it share a V100 at speed s each, 1 / (2 s)",
            "counters": f"assumed: like {job.like}",
            "memory": "assumed",
            "step": "gavel_throughputs: steps per second; 4 bytes per parameter; overlap as sia_scaling fits it",
            "gpus": "assumed; gavel_throughputs measures up to 8",
            "checkpoint": "weights and two moments of the optimizer in single precision",
        },
    )


def _like(entry: Entry, duty: float, memory_mib: int, host_cores: float) -> Demand:
    demand = entry.phases[entry.reference_gpu][0].demand
    return replace(demand, duty=duty, memory_mib=memory_mib, host_cores=host_cores)


def _phases(job: Job, demand: Demand, step_s: float) -> tuple[Phase, ...]:
    if job.host_phase is None:
        return (Phase("training", 1.0, round(step_s, 5), demand),)
    name, share = job.host_phase
    busy = replace(demand, duty=round(min(1.0, demand.duty / (1.0 - share)), 4))
    waiting = replace(demand, u=0.0, m=0.0, kappa=0.0, duty=0.01, sm=0.0, occupancy=0.0, tensor=0.0)
    return (
        Phase("training", round(1.0 - share, 4), round(step_s * (1.0 - share), 5), busy),
        Phase(name, share, round(step_s * share, 5), waiting),
    )


def _sia_speeds(app: str, batch: int, reference: str) -> dict[str, float]:
    """Speeds against the reference at the largest common local batch, at most a tenth off `batch`."""
    rows = rows_of("sia_pollux_profiles/placements_all.csv.gz")
    times: dict[str, float] = {}
    for kind, hardware in SIA_KINDS.items():
        found = [
            (abs(int(row["local_bsz"]) / batch - 1.0), float(row["step_time"]))
            for row in rows
            if (row["app"], row["hw"], row["placement"]) == (app, hardware, "1")
        ]
        nearest = min(off for off, _ in found)
        if nearest < 0.1:
            times[kind] = statistics.median(time_s for off, time_s in found if off == nearest)
    return {kind: times[reference] / time_s for kind, time_s in times.items() if kind != reference}


def _yolo(measured: Mapping[str, Entry]) -> Entry:
    demand = _like(measured["resnet50_imagenet"], 0.9, 12_000, 8)
    rows = rows_of("sia_pollux_profiles/placements_all.csv.gz")
    (step_s,) = {
        float(row["step_time"])
        for row in rows
        if (row["app"], row["hw"], row["placement"], row["local_bsz"]) == ("yolov3", "azure", "1", "16")
    }
    like = "assumed: like resnet50_imagenet"
    return Entry(
        name="yolov3_voc",
        about="YOLOv3 on Pascal VOC, batch 16",
        family="vision",
        reference_gpu="V100-SXM2-32GB",
        math="fp32",
        gpus=(1, 16),
        weight=2,
        checkpoint_mib=709,
        step=step(step_s, 61.9, "detection"),
        phases={"V100-SXM2-32GB": (Phase("training", 1.0, round(step_s, 4), demand),)},
        speeds=_sia_speeds("yolov3", 16, "V100-SXM2-32GB"),
        origin="sia_pollux_profiles",
        sources={
            "speeds": "sia_pollux_profiles: yolov3 at local batch 16, one GPU",
            "power": like,
            "kappa": like,
            "m": like,
            "duty": "assumed",
            "counters": like,
            "memory": "assumed",
            "step": "sia_pollux_profiles: step time; 4 bytes per parameter; overlap as sia_scaling fits it",
            "gpus": "assumed; sia_pollux_profiles measures up to 16 and more",
            "checkpoint": "weights and two moments of the optimizer in single precision",
        },
    )
