"""Models that are no language models: diffusion, recommendation, images and text in one pass; their law of iterations.

A request takes a number of steps, one for most, some dozens for diffusion. An iteration does one step of every request
of its batch. With x the SM clock relative to the greatest:

    gpu  = item (b + rows) (kappa / x + 1 - kappa) sharing
    wall = soft(gpu, floor) + between

item: what one more request adds; rows: what an iteration takes beside, counted in requests (fill and drain of the
SMs, weights to read); floor: the host's time to launch the kernels, which neither the clock nor the kind changes;
between: while the GPU waits. SMs are as active as the demand's u says; `fill` of it goes with the time that an
iteration is on the GPU and the rest with the requests in it. DRAM bytes go with the requests.

In the terms of language models a request has one token of prompt and an output token for each step: the first
iteration makes the first, so it is in a batch for exactly as many iterations. Requests join and leave between any two
steps, as one-pass servers that batch what waits do; for diffusion this assumes a server that lets images of different
progress share a batch.

How a model answers to the clock, what it asks of SMs and DRAM, and how fast other kinds are at it comes from a workload
class that is like it. Figures of models that were measured stand in step_models.yaml (`step_models`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.errors import InputError
from goodwatt.power.serving.iteration_law import IterationLaw
from goodwatt.power.workloads.catalogue import phases_on, speed_on, workload_class
from goodwatt.power.workloads.demand import Demand
from goodwatt.power.workloads.workload import WorkloadClass

FILL = 0.2
"""Of the SM activity, what goes with the time on the GPU however few requests are in a batch: where nobody measured
watts against the batch, the median of the diffusion models that were (0.05 to 0.63, step_models.yaml)."""
NO_CACHE_TOKENS = 1e12
"""Room of a KV cache that nobody fills."""
_LEAST_KAPPA = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFigures:
    """On one kind of GPU, whose name is `gpu`, at its greatest clock: the figures of the formulas above.

    `rows` are requests, times seconds. `activity`: u there; None: the class's.
    """

    gpu: str
    item_s: float
    rows: float = 0.0
    floor_s: float = 0.0
    between_s: float = 0.0
    activity: float | None = None
    fill: float = FILL

    @property
    def alone_s(self) -> float:
        """Of an iteration with one request."""
        gpu_s = self.item_s * (1.0 + self.rows)
        return float((gpu_s**4 + self.floor_s**4) ** 0.25 + self.between_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShape:
    """A request is `steps` iterations; `figures` on the kinds where they are known; others follow from the first.

    `like`: the workload class that it resembles. `most`: the largest batch that was measured, 0 where unknown.
    """

    like: str
    figures: tuple[StepFigures, ...]
    steps: int = 1
    most: int = field(default=0, compare=False)

    @classmethod
    def of_class(cls, name: str, *, steps: int = 1, batch: int = 1, batch_gain: float = 1.0) -> Self:
        """A model of a class of the catalogue, whose step (`Step.compute_s`) does one iteration over `batch` requests.

        `batch_gain`: requests per second of the largest batches over that of one request at a time. Raises
        UnknownNameError.
        """
        workload = workload_class(name)
        demand = main_demand(workload, workload.reference_gpu)
        wall_s = workload.step.compute_s
        figures = StepFigures(
            gpu=workload.reference_gpu,
            item_s=demand.duty * wall_s / (batch + batch_gain - 1.0),
            rows=batch_gain - 1.0,
            between_s=(1.0 - demand.duty) * wall_s,
        )
        return cls(like=name, figures=(figures,), steps=steps)

    @classmethod
    def of_times(
        cls, like: str, gpu: str, *, request_s: float, steps: int = 1, batch_gain: float = 1.0, floor_s: float = 0.0
    ) -> Self:
        """A model of which a request alone takes `request_s` on a kind, all its steps; `batch_gain` as in `of_class`.

        Raises InputError if the launches of its steps (`floor_s` each) take longer than that.
        """
        workload_class(like)
        step_s = request_s / steps
        if floor_s >= step_s:
            raise InputError(f"expected launches (floor_s) to take less than a step, {step_s:g} s, got {floor_s:g} s")
        on_gpu_s = (step_s**4 - floor_s**4) ** 0.25
        item_s = min(on_gpu_s, step_s / batch_gain)
        figures = StepFigures(gpu=gpu, item_s=item_s, rows=on_gpu_s / item_s - 1.0, floor_s=floor_s)
        return cls(like=like, figures=(figures,), steps=steps)

    def on(self, kind: str) -> StepFigures:
        """Its figures on a kind: as known, else those of the first known one by the catalogue's speeds."""
        known = next((figures for figures in self.figures if figures.gpu == kind), None)
        return known or _carried(self.figures[0], workload_class(self.like), kind)


@lru_cache(maxsize=256)
def step_law(shape: StepShape, kind: GpuKind) -> IterationLaw:
    """The law of iterations on a kind, one GPU an instance."""
    return law_of(shape.on(kind.name), main_demand(workload_class(shape.like), kind.name))


def law_of(figures: StepFigures, demand: Demand) -> IterationLaw:
    """The law with figures of one's own, as calibrations try them."""
    kappa = max(_LEAST_KAPPA, demand.kappa)
    activity = demand.u if figures.activity is None else figures.activity
    scaled_s, fixed_s = kappa * figures.item_s, (1.0 - kappa) * figures.item_s
    working = activity * (1.0 - figures.fill)
    return IterationLaw(
        multiply_s=scaled_s,
        rows=figures.rows,
        sample_s=fixed_s,
        gap_s=fixed_s * figures.rows,
        launch_s=figures.floor_s,
        between_s=figures.between_s,
        multiply_sm_s=working * scaled_s,
        sample_sm_s=working * fixed_s,
        reading_sm=activity * figures.fill,
        sample_dram_s=demand.m * figures.item_s,
        **dict.fromkeys(_NOTHING, 0.0),
    )


def main_demand(workload: WorkloadClass, kind: str) -> Demand:
    """What the longest phase of a class asks of a kind: what it waits for between is no part of serving."""
    return max(phases_on(workload, kind), key=lambda phase: phase.share * phase.demand.duty).demand


_NOTHING = (
    "weights_s",
    "experts",
    "dormant",
    "token_s",
    "pair_s",
    "context_s",
    "exchange_s",
    "exchange_token_s",
    "slow_tokens",
    "slow",
    "launch_more_s",
    "launch_prompt_s",
    "sequence_s",
    "pair_sm_s",
    "context_sm_s",
    "exchange_sm",
    "weights_dram_s",
    "token_dram_s",
    "context_dram_s",
)
"""What only language models have."""


def _carried(figures: StepFigures, workload: WorkloadClass, kind: str) -> StepFigures:
    """The host's time stays; the activity is as the class's there, relative to what it was."""
    speed = speed_on(workload, kind) / speed_on(workload, figures.gpu)
    activity = figures.activity
    if activity is not None:
        activity *= main_demand(workload, kind).u / main_demand(workload, figures.gpu).u
    return StepFigures(
        gpu=kind,
        item_s=figures.item_s / speed,
        rows=figures.rows,
        floor_s=figures.floor_s,
        between_s=figures.between_s,
        activity=activity,
        fill=figures.fill,
    )
