"""From measurements of one GPU to the figures of its power model: what was seen, and what could not be.

A measurement is one kernel on the GPU at one setting. At default settings alone idle and context watts can be seen,
and, with the shape of another kind's voltage curve, core and memory watts; a sweep of clocks and caps shows the
rest. Measuring is `device.measuring`, stepping `device.sweep`, the file `calibration.entry`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from goodwatt.cluster.gpu_kind import PowerModel
from goodwatt.power.calibration.fit import ClockPoint, VoltageFit, fit_voltage, kappa_of, solve_default


@dataclass(frozen=True, slots=True)
class Measurement:
    """One kernel at one setting, None being the default; `work` "" means a context with no kernel, rate 0.

    `dram`: share of the DRAM bandwidth, None where no counter tells. `rate`: iterations per second. `reasons`: what
    held the clock down.
    """

    work: str
    clock_asked_mhz: float | None
    cap_asked_w: float | None
    rate: float
    watts: float
    clock_mhz: float
    reasons: frozenset[str] = frozenset()
    dram: float | None = None
    temperature_c: float = math.nan
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with how it came about; `seen` False means that it was taken from elsewhere."""

    value: float
    how: str
    seen: bool = True


@dataclass(frozen=True, slots=True)
class Calibration:
    """`power`: the figures of `PowerModel` by name; `idle_w`, `active_w` beside them.

    `kappas`: clock sensitivity by kernel (a sweep tells); `unseen`: what could not be measured and why.
    """

    power: Mapping[str, Figure]
    idle_w: Figure
    active_w: Figure
    kappas: Mapping[str, float] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()


DEFAULT_DRAM = {"gemm": 0.20, "copy": 0.89, "copy_weights": 0.89, "gemv": 0.82, "small": 0.0, "attention": 0.10}
"""Share of the DRAM bandwidth of the built-in kernels where no counter tells: as counted on an H200."""
DATALESS = frozenset({"copy"})
"""Kernels that move zeros: measured and shown, but no part of a fit. They draw less for each byte than anything that
jobs move: 471 W on an H200, a copy of weights 629 W at the same rate (benchmarks/results/h200_data_power.json)."""
COPY_ACTIVITY = 0.087
"""SM activity of a copy of weights where no sweep tells it: on an H200 what its 629 W are more than the DRAM watts that
applications show (benchmarks/calibration/h200_counters.py)."""
LEAST_CLOCKS = 4
"""Fewer clocks than that say nothing about where the voltage begins to rise."""


def calibrated(
    idle_w: float,
    measurements: Sequence[Measurement],
    top_mhz: float,
    clock_step_mhz: float,
    prior: PowerModel,
    prior_name: str,
) -> Calibration:
    """What the measurements tell, filled up from `prior`, the model of the kind `prior_name`.

    `idle_w` was measured without a context. Measurements at an asked clock are the sweep.
    """
    context = next((m for m in measurements if not m.work), None)
    context_w = Figure(context.watts, "measured: a context with no kernel") if context else _borrowed(
        prior.context_w, prior_name, "no context was made")  # fmt: skip
    clocks = _clock_points(measurements)
    swept = len({p.clock_mhz for p in clocks}) >= LEAST_CLOCKS
    figures = {"context_w": context_w, "clock_step_mhz": Figure(clock_step_mhz, "the driver's list of clocks")}
    figures |= {"chip_spread": _borrowed(prior.chip_spread, prior_name, "it takes several boards")}
    if swept:
        told = [p for p in clocks if p.work not in DATALESS]
        figures |= _from_sweep(told, context_w.value, top_mhz, clock_step_mhz)
    else:
        figures |= _from_defaults(measurements, context_w.value, top_mhz, prior, prior_name)
    return Calibration(
        power=figures,
        idle_w=Figure(idle_w, "measured: no context on the GPU"),
        active_w=_active(measurements, prior, idle_w),
        kappas=_kappas(clocks, top_mhz) if swept else {},
        unseen=_unseen(figures, swept),
    )


def _unseen(figures: Mapping[str, Figure], swept: bool) -> tuple[str, ...]:
    """One line for each thing that was taken from elsewhere or is missing."""
    taken = [f"{name}: {figure.how.removeprefix('assumed: ')}" for name, figure in figures.items() if not figure.seen]
    return (*taken, *(() if swept else ("clock sensitivity of the kernels: it takes a sweep of clocks",)))


def power_model(calibration: Calibration) -> PowerModel:
    """The figures as the model that everything computes with."""
    figures = calibration.power
    return PowerModel(
        **{name: figure.value for name, figure in figures.items()},
        sources={name: figure.how for name, figure in figures.items()},
    )


def _clock_points(measurements: Sequence[Measurement]) -> list[ClockPoint]:
    """The sweep of clocks: where the clock that was asked for was held."""
    return [
        ClockPoint(m.work, m.clock_mhz, m.rate, m.watts, _dram(m))
        for m in measurements
        if m.work
        and m.clock_asked_mhz is not None
        and m.cap_asked_w is None
        and abs(m.clock_mhz / m.clock_asked_mhz - 1) < 0.01
    ]


def _from_sweep(points: list[ClockPoint], context_w: float, top_mhz: float, step_mhz: float) -> dict[str, Figure]:
    """Every second clock fits a model that the others test; the figures are of all of them."""
    fit = fit_voltage(points, context_w, top_mhz, step_mhz)
    asked = sorted({p.clock_mhz for p in points})
    known = set(asked[::2]) | {asked[-1]}
    train, test = [p for p in points if p.clock_mhz in known], [p for p in points if p.clock_mhz not in known]
    half = fit_voltage(train, context_w, top_mhz, step_mhz)
    time_error, power_error = half.errors(train, test, context_w, top_mhz)
    how = f"fitted on {len(points)} points at {len(asked)} clocks"
    told = f"{how.replace('fitted', 'fitted on half,')} tested on {len(test)} others"
    return {
        "knee_mhz": Figure(fit.knee_mhz, how),
        "voltage_rise": Figure(fit.rise, how),
        "core_w": Figure(fit.core_w, f"{how}: a dense GEMM is activity 1"),
        "memory_w": Figure(fit.memory_w, how),
        "time_error": Figure(time_error, told),
        "power_error": Figure(power_error, told),
    }


def _from_defaults(
    measurements: Sequence[Measurement], context_w: float, top_mhz: float, prior: PowerModel, name: str
) -> dict[str, Figure]:
    """Core and memory watts from a GEMM and a copy of weights, under the voltage curve of another kind."""
    reason = "it takes a sweep of clocks"
    figures = {
        key: _borrowed(getattr(prior, key), name, reason)
        for key in ("knee_mhz", "voltage_rise", "time_error", "power_error")
    }
    at_default = {m.work: m for m in measurements if m.work and m.clock_asked_mhz is None and m.cap_asked_w is None}
    if not {"gemm", "copy_weights"} <= at_default.keys():
        why = "it takes a GEMM and a copy, and torch or cupy to run them"
        return figures | {key: _borrowed(getattr(prior, key), name, why) for key in ("core_w", "memory_w")}
    gemm, copy = at_default["gemm"], at_default["copy_weights"]
    curve = VoltageFit(prior.knee_mhz, prior.voltage_rise, {}, 0.0)
    core_w, memory_w = solve_default(
        gemm_w=gemm.watts - context_w,
        copy_w=copy.watts - context_w,
        gemm_shape=(curve.shape(gemm.clock_mhz, top_mhz), _dram(gemm)),
        copy_shape=(COPY_ACTIVITY * curve.shape(copy.clock_mhz, top_mhz), _dram(copy)),
    )
    seen = f"GEMM {gemm.watts:.0f} W at {gemm.clock_mhz:.0f} MHz, copy of weights {copy.watts:.0f} W"
    how = f"measured: {seen}; voltage as {name}"
    return figures | {"core_w": Figure(core_w, how), "memory_w": Figure(memory_w, how)}


def _active(measurements: Sequence[Measurement], prior: PowerModel, idle_w: float) -> Figure:
    at_default = [m.watts for m in measurements if m.work and m.clock_asked_mhz is None and m.cap_asked_w is None]
    if not at_default:
        return Figure(max(prior.context_w, idle_w * 1.5), "assumed: no kernel was run", seen=False)
    return Figure(math.fsum(at_default) / len(at_default), f"measured: mean over {len(at_default)} built-in kernels")


def _kappas(points: list[ClockPoint], top_mhz: float) -> dict[str, float]:
    works = dict.fromkeys(p.work for p in points)
    return {work: kappa_of([p for p in points if p.work == work], top_mhz) for work in works}


def _dram(m: Measurement) -> float:
    return DEFAULT_DRAM.get(m.work, 0.0) if m.dram is None else m.dram


def _borrowed(value: float, name: str, reason: str) -> Figure:
    return Figure(value, f"assumed: as {name}, {reason}", seen=False)
