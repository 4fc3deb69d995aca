"""What a batch job would do to an instance of a service, and the instance to it, by what policies know of both.

An instance under MPS with a job beside it that may use some of the SMs: by how much its kernels and its slow iterations
become longer (`power.colocation`), and which share of its speed the job keeps. Of the instance that is computed from
the law of its iterations; of the job from telemetry of runs in which it was alone. Sensors tell nothing of a job that
shares its GPU, so for a job that nobody has seen alone `UNKNOWN` stands, which is as bad as training gets.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from goodwatt.policies.service_queueing import Beside, Lengths
from goodwatt.power.colocation.kernel_length import kernel_length_us
from goodwatt.power.colocation.sharing import Resident, iteration_tail, stretches_of
from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.telemetry.estimator import Estimator
from goodwatt.power.workloads.demand import Demand
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.physics.instance_facts import InstanceFacts
from goodwatt.simulator.services.service import Role
from goodwatt.simulator.services.serving import Serving

UNKNOWN = Demand(u=0.8, m=0.5, kappa=0.6, duty=1.0, sm=0.95, kernel_us=150.0)
"""A job of which nobody knows anything: long kernels on all SMs and much bandwidth. At 25% of the threads it slows an
instance more than any training class of the catalogue that is on the GPU all the time."""
STEP = 0.05
"""What is computed of demands, and of what they do, is rounded to this, so that jobs alike share it."""


class Pair(NamedTuple):
    """What the instance suffers, and the job's speed relative to alone on the GPU."""

    beside: Beside
    speed: float


class Asked(NamedTuple):
    """By an instance of its GPUs: its demand while it computes, and mean seconds of an iteration."""

    demand: Demand
    iteration_s: float


def asked(serving: Serving, lengths: Lengths, role: Role, rate_per_s: float, batch: float) -> Asked:
    """At the greatest clock, under so many requests a second with `batch` sequences that decode."""
    held, law = max(1.0, batch), serving.law
    context, prompt = held * lengths.context, float(lengths.prompt.mean())
    decode = law.cost(held, context, held, context)
    mixed = law.cost(held + prompt, context + 0.5 * prompt * prompt, held + 1.0, context + 0.5 * prompt)
    prompts = {"prefill": 1.0, "decode": 0.0}.get(role, min(1.0, rate_per_s * float(mixed.wall_s)))
    parts = ((1.0 - prompts) / float(decode.wall_s), decode), (prompts / float(mixed.wall_s), mixed)
    gpu_s, scaled_s, sm_s, dram_s = (
        sum(each * float(getattr(cost, name)) for each, cost in parts)
        for name in ("gpu_s", "scaled_s", "sm_s", "dram_s")
    )
    facts = InstanceFacts(
        serving.model.top_mhz, 0, duty=1.0, u=sm_s / gpu_s, m=dram_s / gpu_s, kappa=min(1.0, scaled_s / gpu_s)
    )
    return Asked(_rounded(facts.demand), _even(1.0 / sum(each for each, _ in parts)))


def believed(job: JobRun, kind: str, demands: Estimator) -> Demand:
    """What a job asks, if it or runs of its user and name have been seen alone on this kind; else UNKNOWN."""
    estimate = demands.estimate(job.spec, kind)
    if estimate is None or not estimate.known:
        return UNKNOWN
    return _rounded(estimate.demand)


def pair_of(model: GpuModel, instance: Asked, guest: Demand, threads_percent: float) -> Pair:
    """How the two would do with so many per cent of the SMs for the job, rounded to the instance's disadvantage."""
    return _pair(model, instance, guest, threads_percent)


@lru_cache(maxsize=4096)
def _pair(model: GpuModel, instance: Asked, guest: Demand, threads_percent: float) -> Pair:
    residents = Resident(instance.demand), Resident(guest, threads_percent / 100.0)
    mine, theirs = stretches_of(model, residents, "mps")
    tail = iteration_tail(model, residents, "mps", 0, instance.iteration_s * mine)
    return Pair(Beside(_up(mine), _up(tail)), 1.0 / theirs)


def _up(factor: float) -> float:
    return max(1.0, round(STEP * math.ceil(factor / STEP - 1e-9), 6))


def _even(seconds: float) -> float:
    """To a tenth, so that little changes do not make everything new."""
    return float(f"{seconds:.1e}")


@lru_cache(maxsize=4096)
def _rounded(demand: Demand) -> Demand:
    octaves = round(4.0 * math.log2(kernel_length_us(demand)))
    shares = {name: round(round(getattr(demand, name) / STEP) * STEP, 6) for name in ("u", "m", "kappa", "sm")}
    duty = max(STEP, round(round(demand.duty / STEP) * STEP, 6))
    return replace(demand, **shares, duty=duty, kernel_us=2.0 ** (octaves / 4.0), memory_mib=0, pcie_gbps=0.0,
                   host_cores=0.0, occupancy=0.0, tensor=0.0)  # fmt: skip
