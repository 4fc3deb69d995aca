"""Fits figures of serving to measured iterations, through the package's own law and model of the GPU.

A fit moves named figures of a chip and of software in the logarithm, each pulled to what is believed before with the
strength of its spread; errors are those of the logarithm of seconds and watts, large ones weighing less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from calibration.least_squares import least_squares
from calibration.serving_rows import Measured

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.gpu.model import CAP_KEPT, GpuModel, gpu_model
from goodwatt.power.serving.iteration_law import Cost, IterationLaw
from goodwatt.power.serving.llm_on_gpu import law_with
from goodwatt.power.serving.serving_figures import ChipFigures, Software

Array = npt.NDArray[np.float64]
PRIOR = 0.05
"""A figure one spread away from its prior weighs as an error of so much in one measurement: the scatter of repeats."""
LARGE = 0.08
"""Errors beyond count by their size, not by their square."""


@dataclass(frozen=True)
class Figures:
    """Of the chip, and of the software by `Measured.model`; "" is that of all other models.

    `work`: what rows did, as far as nobody wrote it down. `others`: chips of kinds that have their own.
    """

    chip: ChipFigures
    software: Mapping[str, Software]
    work: Mapping[str, float] = field(default_factory=dict)
    others: Mapping[str, ChipFigures] = field(default_factory=dict)

    def of(self, model: str) -> Software:
        """That of a model."""
        return self.software.get(model) or self.software[""]


@dataclass(frozen=True)
class Told:
    """What the law says of rows: arrays over them."""

    seconds: Array
    watts: Array
    clock_mhz: Array


Free = Mapping[str, float]
"""Figures that a fit may move, each with the spread of its logarithm around where it starts: `chip.NAME`,
`KIND.NAME` of another chip, `software.NAME` in all software alike, `MODEL.NAME` in that of one model, `work.NAME`."""


def tell(rows: Sequence[Measured], figures: Figures) -> Told:
    """Seconds, watts, clock of each row at default settings: the greatest clock that the rated cap allows."""
    seconds, watts, clocks = (np.empty(len(rows)) for _ in range(3))
    for instance in dict.fromkeys(row.instance for row in rows):
        own = [i for i, row in enumerate(rows) if row.instance == instance]
        first, kind = rows[own[0]], gpu_kind(instance[1])
        chip = figures.others.get(instance[1], figures.chip)
        law = law_with(first.shape, kind, first.tensor_parallel, chip, figures.of(first.model))
        seconds[own], watts[own], clocks[own] = _settled(law, gpu_model(kind), [rows[i] for i in own])
    return Told(seconds, watts, clocks)


def _settled(law: IterationLaw, model: GpuModel, rows: Sequence[Measured]) -> tuple[Array, Array, Array]:
    """Bisection over all rows at once; between supported clocks too, so that a fit sees slopes and no steps."""
    names = ("tokens", "pairs", "sequences", "context")
    tokens, pairs, sequences, context = (np.array([getattr(row, name) for row in rows]) for name in names)
    cost_at = partial(law.cost, tokens, pairs, sequences, context)
    high, kept_w = np.ones(len(rows)), CAP_KEPT * model.default_cap_w
    free = watts_of(cost_at(high), model, high) <= kept_w
    low = np.where(free, 1.0, model.clocks_mhz[0] / model.top_mhz)
    for _ in range(14):
        middle = (low + high) / 2
        fits = watts_of(cost_at(middle), model, middle) <= kept_w
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    cost = cost_at(low)
    return cost.wall_s, watts_of(cost, model, low), low * model.top_mhz


def watts_of(cost: Cost, model: GpuModel, x: Array) -> Array:
    """Mean watts of a GPU over an iteration at x of its greatest clock."""
    voltage = 1.0 + (model.power.voltage_rise - 1.0) * np.maximum(
        0.0, (x * model.top_mhz - model.power.knee_mhz) / (model.top_mhz - model.power.knee_mhz)
    )
    return np.asarray(
        model.context_w + (model.power.core_w * voltage**2 * cost.sm_s + model.memory_w * cost.dram_s) / cost.wall_s
    )


def fit(rows: Sequence[Measured], start: Figures, free: Free, teller: Callable[[Any, Figures], Told] = tell) -> Figures:
    """The figures that tell the rows best; `teller` says what figures make of them."""
    spreads = np.array(list(free.values()))

    def residuals(moves: Array) -> Array:
        told = teller(rows, moved(start, free, moves))
        return np.concatenate([errors(rows, told), PRIOR * moves / spreads])

    return moved(start, free, least_squares(residuals, [0.0] * len(free), steps=40))


def moved(start: Figures, free: Free, moves: Array) -> Figures:
    """Each figure times the exponential of its move."""
    factors = dict(zip(free, np.exp(moves), strict=True))
    software = {
        model: _times(own, {**_of("software", factors), **_of(model, factors)}) for model, own in start.software.items()
    }
    unknown = _of("work", factors)
    work = {name: value * float(unknown.get(name, 1.0)) for name, value in start.work.items()}
    others = {kind: _times(own, _of(kind, factors)) for kind, own in start.others.items()}
    return Figures(_times(start.chip, _of("chip", factors)), software, work, others)


def _of(part: str, factors: Mapping[str, float]) -> dict[str, float]:
    return {name.rpartition(".")[2]: factor for name, factor in factors.items() if name.rpartition(".")[0] == part}


def _times(old: Any, factors: Mapping[str, float]) -> Any:
    return replace(old, **{name: getattr(old, name) * float(factor) for name, factor in factors.items()})


def errors(rows: Sequence[Measured], told: Told) -> Array:
    """Logarithmic errors of seconds, and of watts where they were measured; large ones tempered."""
    seconds = np.log(told.seconds / np.array([row.seconds for row in rows]))
    watts = np.array([row.watts for row in rows])
    known = np.isfinite(watts)
    return tempered(np.concatenate([seconds, np.log(told.watts[known] / watts[known])]))


def tempered(error: Array) -> Array:
    """Whose square grows as the size of the error where it is large (pseudo-Huber)."""
    return np.asarray(np.sign(error) * LARGE * np.sqrt(2.0 * (np.sqrt(1.0 + (error / LARGE) ** 2) - 1.0)))
