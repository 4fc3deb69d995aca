"""Time, power and energy of a GPU kind against clock and cap, drawn in the terminal by `goodwatt gpus show`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.gpu.point import GpuPoint, alone_point
from goodwatt.power.workloads.demand import Demand, Setting
from goodwatt.power.workloads.workload import Phase

EXAMPLES: Mapping[str, Demand] = {
    "dense GEMM": Demand(u=0.9, m=0.2, kappa=0.9),
    "training": Demand(u=0.4, m=0.4, kappa=0.7),
    "LLM decode": Demand(u=0.15, m=0.7, kappa=0.3),
    "launch bound": Demand(u=0.05, m=0.0, kappa=0.1, duty=0.3),
}
"""Demands that differ, where no workload class is named."""
BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Curve:
    """Points over evenly spaced settings. `time` and `energy`: relative to the default setting."""

    settings: tuple[float, ...]
    time: tuple[float, ...]
    watts: tuple[float, ...]
    energy: tuple[float, ...]
    violated: int
    """How many of the settings, from the least, are caps that cannot be met."""


def example_phases() -> dict[str, tuple[Phase, ...]]:
    """The example demands as phases."""
    return {name: (Phase(name, 1.0, 1.0, demand),) for name, demand in EXAMPLES.items()}


def clock_curve(kind: GpuKind, phases: tuple[Phase, ...], columns: int) -> Curve:
    """Over locked SM clocks from the least to the greatest, the default cap in force."""
    model = gpu_model(kind)
    return _curve(model, phases, _spaced(model.clocks_mhz[0], model.top_mhz, columns), lambda v: Setting(clock_mhz=v))


def cap_curve(kind: GpuKind, phases: tuple[Phase, ...], columns: int) -> Curve:
    """Over power caps that the driver accepts."""
    model = gpu_model(kind)
    low, high = kind.min_cap_w or model.default_cap_w, kind.max_cap_w or model.default_cap_w
    return _curve(model, phases, _spaced(low, high, columns), lambda v: Setting(cap_w=v))


def text(kind: GpuKind, demands: Mapping[str, tuple[Phase, ...]], columns: int) -> str:
    """All curves as lines of block characters, with their ends and the setting of least energy."""
    parts = [part for name, phases in demands.items() for part in _both(name, kind, phases, columns)]
    legend = (
        "Time and energy of the same work, relative to the default setting; x: a cap that cannot be met. Each line is "
        "drawn between its own least and greatest value, which stand behind it."
    )
    return "\n".join([*parts, legend])


def _both(name: str, kind: GpuKind, phases: tuple[Phase, ...], columns: int) -> list[str]:
    by_clock, by_cap = clock_curve(kind, phases, columns), cap_curve(kind, phases, columns)
    return [*_lines(f"{name}, SM clock", "MHz", by_clock), *_lines(f"{name}, power cap", "W", by_cap), ""]


def _curve(
    model: GpuModel, phases: tuple[Phase, ...], values: Sequence[float], setting: Callable[[float], Setting]
) -> Curve:
    free = alone_point(model, phases)
    points: list[GpuPoint] = [alone_point(model, phases, setting(value)) for value in values]
    time = tuple(1.0 / point.speeds[0] for point in points)
    watts = tuple(point.watts for point in points)
    energy = tuple(t * w / free.watts for t, w in zip(time, watts, strict=True))
    return Curve(tuple(values), time, watts, energy, sum(point.bound_by == "violated" for point in points))


def _spaced(low: float, high: float, columns: int) -> list[float]:
    if high <= low:
        return [high]
    return [low + (high - low) * i / (columns - 1) for i in range(columns)]


def _lines(title: str, unit: str, curve: Curve) -> list[str]:
    best = min(range(curve.violated, len(curve.energy)), key=curve.energy.__getitem__, default=None)
    least = "" if best is None else f", least at {curve.settings[best]:.0f} {unit}"
    return [
        f"{title} {curve.settings[0]:.0f} to {curve.settings[-1]:.0f} {unit}",
        f"  time   {_blocks(curve.time, curve.violated)} {_range(curve.time, 'x', 2)}",
        f"  watts  {_blocks(curve.watts, curve.violated)} {_range(curve.watts, ' W', 0)}",
        f"  energy {_blocks(curve.energy, curve.violated)} {_range(curve.energy, 'x', 2)}{least}",
    ]


def _range(values: Sequence[float], unit: str, digits: int) -> str:
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}{unit}"


def _blocks(values: Sequence[float], violated: int) -> str:
    """One character a value, between the least and the greatest; x where the cap is violated."""
    low, high = min(values), max(values)
    span = high - low
    if span <= 1e-3 * high:
        drawn = [BLOCKS[0]] * len(values)
    else:
        drawn = [BLOCKS[min(len(BLOCKS) - 1, int((value - low) / span * len(BLOCKS)))] for value in values]
    return "x" * violated + "".join(drawn[violated:])
