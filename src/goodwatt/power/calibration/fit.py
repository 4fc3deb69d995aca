"""Fits behind a calibration, in closed form or over a grid: clock sensitivity, voltage curve, core and memory watts.

    time per iteration   T(f) = T0 ((1 - kappa) + kappa / x),  x = f / f_max
    watts                P(f) = P_act + U x V(f)^2 + m P_mem,  V(f) = 1 + (r - 1) max(0, (f - f_k) / (f_max - f_k))

U belongs to the kernel, m is its share of the DRAM bandwidth as counted at that clock, P_mem, f_k and r belong to
the GPU. Given f_k and r the rest is linear, so the grid runs over those two only. `gpu.model` uses the same formulas.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RISES = tuple(1.0 + 0.02 * i for i in range(51))
"""Voltage at the greatest clock over its floor: up to 2."""
GRID_MHZ = 25.0


@dataclass(frozen=True, slots=True)
class ClockPoint:
    """A kernel at a held clock; `dram`: share of the DRAM bandwidth there."""

    work: str
    clock_mhz: float
    rate: float
    watts: float
    dram: float


@dataclass(frozen=True, slots=True)
class VoltageFit:
    """Voltage curve, SM watts of each kernel at the greatest clock and floor voltage, DRAM watts at full bandwidth."""

    knee_mhz: float
    rise: float
    activity_w: Mapping[str, float]
    memory_w: float

    @property
    def core_w(self) -> float:
        """SM watts of activity 1: those of a dense GEMM, or of the hungriest kernel without one."""
        return self.activity_w.get("gemm", max(self.activity_w.values()))

    def shape(self, clock_mhz: float, top_mhz: float) -> float:
        """x V(f)^2."""
        above = max(0.0, (clock_mhz - self.knee_mhz) / (top_mhz - self.knee_mhz))
        return clock_mhz / top_mhz * (1.0 + (self.rise - 1.0) * above) ** 2

    def errors(
        self, known: Sequence[ClockPoint], asked: Sequence[ClockPoint], context_w: float, top_mhz: float
    ) -> tuple[float, float]:
        """Relative root mean squares of time and watts on points that were not fitted; `known` are those that were."""
        times, watts = list[float](), list[float]()
        for p in asked:
            same = [q for q in known if q.work == p.work]
            base_s, slope_s = _line([(top_mhz / q.clock_mhz, 1.0 / q.rate) for q in same])
            times.append((base_s + slope_s * top_mhz / p.clock_mhz) * p.rate - 1.0)
            said_w = context_w + self.activity_w[p.work] * self.shape(p.clock_mhz, top_mhz) + p.dram * self.memory_w
            watts.append(said_w / p.watts - 1.0)
        return _rms(times), _rms(watts)


def kappa_of(points: Sequence[ClockPoint], top_mhz: float) -> float:
    """Share of the time at the greatest clock that follows the clock, by least squares; 0 to 1."""
    base_s, slope_s = _line([(top_mhz / p.clock_mhz, 1.0 / p.rate) for p in points])
    return min(1.0, max(0.0, slope_s / (base_s + slope_s)))


def fit_voltage(points: Sequence[ClockPoint], context_w: float, top_mhz: float, step_mhz: float) -> VoltageFit:
    """The curve with the least squares of relative watts; several clocks and kernels are needed to mean much.

    The knee is searched between the clocks that were measured, every `GRID_MHZ` or step, whichever is coarser.
    """
    clocks = sorted({p.clock_mhz for p in points})
    grid_mhz = max(GRID_MHZ, step_mhz)
    count = max(1, int((min(clocks[-1], top_mhz - grid_mhz) - clocks[0]) / grid_mhz))
    candidates = (
        _linear(points, context_w, top_mhz, clocks[0] + grid_mhz * i, rise) for i in range(count + 1) for rise in RISES
    )
    return min(candidates, key=lambda found: found[0])[1]


def solve_default(
    gemm_w: float, copy_w: float, gemm_shape: tuple[float, float], copy_shape: tuple[float, float]
) -> tuple[float, float]:
    """(core, memory) watts from two kernels, whose shapes are (SM, DRAM) factors; neither below 1 W."""
    (a, b), (c, d) = gemm_shape, copy_shape
    determinant = a * d - b * c
    core_w = (gemm_w * d - b * copy_w) / determinant
    memory_w = (a * copy_w - c * gemm_w) / determinant
    return max(1.0, core_w), max(1.0, memory_w)


def _linear(
    points: Sequence[ClockPoint], context_w: float, top_mhz: float, knee_mhz: float, rise: float
) -> tuple[float, VoltageFit]:
    """(squares left, fit) at one knee and rise: each kernel's U eliminated, then P_mem, none below 0."""
    curve = VoltageFit(knee_mhz, rise, {}, 0.0)
    groups = defaultdict[str, list[tuple[float, float, float]]](list)
    for p in points:  # divided by the watts: relative errors count
        shape = curve.shape(p.clock_mhz, top_mhz) / p.watts
        groups[p.work].append((shape, p.dram / p.watts, (p.watts - context_w) / p.watts))
    sums = {work: _sums(rows) for work, rows in groups.items()}
    # For a kernel U = (gy - P_mem gh) / gg; what that leaves for P_mem is linear.
    top = math.fsum(s.hy - s.gh * s.gy / s.gg for s in sums.values())
    bottom = math.fsum(s.hh - s.gh * s.gh / s.gg for s in sums.values())
    memory_w = max(0.0, top / bottom) if bottom > 1e-12 else 0.0
    activity = {work: max(0.0, (s.gy - memory_w * s.gh) / s.gg) for work, s in sums.items()}
    left = math.fsum((activity[work] * g + memory_w * h - y) ** 2 for work, rows in groups.items() for g, h, y in rows)
    return left, VoltageFit(knee_mhz, rise, activity, memory_w)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums of products over the points of one kernel: g SM shape, h DRAM share, y watts above the context."""

    gg: float
    gh: float
    hh: float
    gy: float
    hy: float


def _sums(rows: Sequence[tuple[float, float, float]]) -> _Sums:
    return _Sums(
        gg=math.fsum(g * g for g, _, _ in rows),
        gh=math.fsum(g * h for g, h, _ in rows),
        hh=math.fsum(h * h for _, h, _ in rows),
        gy=math.fsum(g * y for g, _, y in rows),
        hy=math.fsum(h * y for _, h, y in rows),
    )


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """(value at 0, slope) of the least-squares line; a flat one through a single abscissa."""
    n = len(points)
    mean_x, mean_y = math.fsum(x for x, _ in points) / n, math.fsum(y for _, y in points) / n
    spread = math.fsum((x - mean_x) ** 2 for x, _ in points)
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread > 0.0 else 0.0
    return mean_y - slope * mean_x, slope


def _rms(errors: Sequence[float]) -> float:
    return math.sqrt(math.fsum(e * e for e in errors) / len(errors)) if errors else 0.0
