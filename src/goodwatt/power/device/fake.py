"""A GPU that is not there: the physics of `gpu.model` behind the interface of real ones, with faults to inject.

Its sensors lag and are noisy as measured on real boards, settings take effect after a delay, a cap bites after the
regulation time. It keeps a log of calls. Like a real board it keeps its settings when the process that set them
dies: give it a `state_path` and the next FakeGpu on that path finds them.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.errors import InputError
from goodwatt.power.device.interface import (
    APPLICATION_CLOCK,
    CAP,
    Counters,
    DeviceError,
    DeviceFacts,
    DeviceLostError,
    NotPermittedError,
    Reading,
)
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.gpu.point import GpuPoint, alone_point, idle_point
from goodwatt.power.gpu.transient import REGULATION_S, SENSOR_PERIOD_S, SENSOR_WINDOW_S, actuation_delay_s, surge_w
from goodwatt.power.workloads.demand import Demand, Setting
from goodwatt.power.workloads.workload import Phase

DEMANDS: Mapping[str, Demand] = {
    "gemm": Demand(u=1.0, m=0.24, kappa=1.0, sm=0.97, occupancy=0.14, tensor=0.94),
    "copy": Demand(u=0.0, m=0.734, kappa=0.0, sm=0.99, occupancy=0.80),
    "copy_weights": Demand(u=0.087, m=0.888, kappa=0.0, sm=0.99, occupancy=0.80),
    "gemv": Demand(u=0.10, m=0.82, kappa=0.15, sm=0.85, occupancy=0.12, tensor=0.03),
    "small": Demand(u=0.008, m=0.0, kappa=0.3, duty=0.3, sm=0.07, occupancy=0.01),
    "attention": Demand(u=0.86, m=0.12, kappa=0.95, sm=0.96, occupancy=0.13, tensor=0.65),
}
"""What the built-in kernels ask of the fake: an H200 of the catalogue then draws what a real one did, 684, 471, 629,
603 to 620, 128 to 131 and 696 W (h200_measured, benchmarks/results/h200_data_power.json and h200_phases.json), with the
counters of those runs. kappa is assumed."""

COUNTED_DRAM = {"copy": 0.888}
"""Share of the DRAM bandwidth that counters show where the watts are of another: zeros cost less per byte than data."""

RATES = {
    "gemm": 810.0, "copy": 990.0, "copy_weights": 990.0, "gemv": 1840.0, "small": 3500.0, "attention": 1100.0
}  # fmt: skip
"""Iterations per second alone at the greatest clock."""

NO_CAP_W = 1e9
BORN_J = 1e5
"""What the energy counter holds when the fake begins."""
SENSOR_NOISE = 0.004
"""Relative standard deviation of a power reading: of the order seen from window to window on H200."""


class FakeTimer:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.t_s = 1000.0

    def now_s(self) -> float:
        """Seconds."""
        return self.t_s

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.t_s += seconds


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the fake, refused ones included."""

    t_s: float
    name: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class _Stretch:
    """From `start_s` on: the point, and energy and finished work up to then."""

    start_s: float
    point: GpuPoint
    energy_j: float
    work_s: float


class FakeGpu:
    """A `GpuDevice` of a catalogue kind.

    To inject faults set: `next_error`, raised by the next call and then forgotten; `write_errors`, by number of the
    write (from 1); `permitted`, whether this user may write; `lost`, whether it answers at all; `clamp_w`, the range
    into which it forces caps without a word; `on_write`, called with the number of each write before it takes effect
    (to kill the process there).
    """

    def __init__(
        self, kind: GpuKind, timer: FakeTimer, *, chip: float = 1.0, seed: int = 0, state_path: Path | None = None
    ) -> None:
        if kind.min_cap_w is None or kind.max_cap_w is None:
            raise InputError(f"GPU kind {kind.name}: expected a range of caps")
        self.kind, self.timer, self.chip = kind, timer, chip
        self.model: GpuModel = gpu_model(kind)
        self.cap_range_w = (float(kind.min_cap_w), float(kind.max_cap_w))
        self.calls = list[Call]()
        self.writes = 0
        self.next_error: DeviceError | None = None
        self.write_errors = dict[int, DeviceError]()
        self.permitted, self.lost = True, False
        self.clamp_w: tuple[float, float] | None = None
        self.on_write: Callable[[int], object] = int
        self._random, self._state_path = Random(seed), state_path
        self.setting = self._remembered()
        self.demand: Demand | None = None
        self._counted_dram: float | None = None
        self._free_speed = 1.0  # speeds of a point are relative to the default setting, where the cap may bite
        self.has_context = False
        self._stretches = [_Stretch(timer.now_s(), idle_point(self.model), BORN_J, 0.0)]
        self._sampled_s: float | None = None

    def load(self, demand: Demand | None, context: bool = True, counted_dram: float | None = None) -> None:
        """Put a workload on it, or None for nothing; `context`: whether a process still holds it then.

        `counted_dram`: share of the DRAM bandwidth that counters show while it is on the GPU, by default its `m`.
        """
        was_idle, self.demand, self.has_context = self.demand is None, demand, context
        self._counted_dram = counted_dram
        self._settle(self.timer.now_s(), surge=was_idle and demand is not None)

    def work_s(self, t_s: float) -> float:
        """Seconds of work done by a moment: one a second at the greatest clock without a cap."""
        stretch = self._stretch_at(t_s)
        return stretch.work_s + sum(stretch.point.speeds) / self._free_speed * (t_s - stretch.start_s)

    def facts(self) -> DeviceFacts:
        """What does not change."""
        self._call("facts")
        return DeviceFacts(
            index=0,
            uuid=f"FAKE-{self.kind.name}",
            name=self.kind.product_labels[0].replace("-", " ", 1) if self.kind.product_labels else self.kind.name,
            driver="fake",
            memory_mib=self.kind.memory_mib,
            clocks_mhz=tuple(round(clock) for clock in self.model.clocks_mhz),
            cap_range_w=self.cap_range_w,
            default_cap_w=self.model.default_cap_w,
            has_energy=True,
            has_counters=self.kind.architecture in {"Hopper", "Blackwell"},
            mig=False,
        )

    def read(self) -> Reading:
        """One look at its sensors, which moved last at the latest whole period."""
        self._call("read")
        now_s = self.timer.now_s()
        moved_s = math.floor(now_s / SENSOR_PERIOD_S + 1e-9) * SENSOR_PERIOD_S
        mean_w = (self._energy_j(moved_s) - self._energy_j(moved_s - SENSOR_WINDOW_S)) / SENSOR_WINDOW_S
        point = self._stretch_at(now_s).point
        return Reading(
            t_s=now_s,
            power_w=mean_w * (1.0 + self._random.gauss(0.0, SENSOR_NOISE)),
            energy_j=self._energy_j(moved_s),
            clock_mhz=self.model.top_mhz if self.has_context and self.demand is None else point.clock_mhz,
            utilisation=min(1.0, self.demand.duty) if self.demand else 0.0,
            memory_used_mib=self.demand.memory_mib if self.demand else 0,
            temperature_c=35.0 + 25.0 * point.watts / self.model.default_cap_w,
            reasons=self._reasons(point),
        )

    def counters(self) -> Counters | None:
        """Since the previous call, as the demand says; None at the first call."""
        self._call("counters")
        before_s, self._sampled_s = self._sampled_s, self.timer.now_s()
        if before_s is None or self.kind.architecture not in {"Hopper", "Blackwell"}:
            return None
        d = self.demand or Demand(u=0.0, m=0.0, kappa=0.0, duty=0.0)
        done = (self.work_s(self._sampled_s) - self.work_s(before_s)) / (self._sampled_s - before_s)
        dram = (d.m if self._counted_dram is None else self._counted_dram) * d.duty * done
        return Counters(d.sm * d.duty, d.occupancy * d.duty, d.tensor * d.duty, dram, d.pcie_gbps)

    def processes(self) -> tuple[int, ...]:
        """Nobody's."""
        self._call("processes")
        return ()

    def cap_w(self) -> float:
        """The cap that is set now."""
        self._call("cap_w")
        return self.model.default_cap_w if self.setting.cap_w is None else self.setting.cap_w

    def set_cap(self, watts: float) -> None:
        """Set the cap; outside the range it is refused, within it `clamp_w` may change it."""
        self._write("set_cap", watts)
        low, high = self.cap_range_w
        if not low <= watts <= high:
            raise DeviceError(f"cannot set a cap of {watts:g} W: Invalid Argument")
        if self.clamp_w:
            watts = min(max(watts, self.clamp_w[0]), self.clamp_w[1])
        self._set(Setting(self.setting.clock_mhz, watts))

    def lock_clock(self, clock_mhz: float) -> None:
        """Lock the clock at the supported one that is not above."""
        self._write("lock_clock", clock_mhz)
        self._set(Setting(self.model.clocks_mhz[self.model.index_of(clock_mhz)], self.setting.cap_w))

    def unlock_clock(self) -> None:
        """Give the clock back to the board."""
        self._write("unlock_clock", None)
        self._set(Setting(None, self.setting.cap_w))

    def _call(self, name: str, value: float | None = None) -> None:
        self.calls.append(Call(self.timer.now_s(), name, value))
        if self.lost:
            raise DeviceLostError("GPU is lost")
        if self.next_error:
            error, self.next_error = self.next_error, None
            raise error

    def _write(self, name: str, value: float | None) -> None:
        self._call(name, value)
        if not self.permitted:
            raise NotPermittedError(f"cannot {name.replace('_', ' ')}: Insufficient Permissions")
        self.writes += 1
        self.on_write(self.writes)
        if self.writes in self.write_errors:
            raise self.write_errors[self.writes]

    def _set(self, setting: Setting) -> None:
        self.setting = setting
        if self._state_path:
            content = {"clock_mhz": setting.clock_mhz, "cap_w": setting.cap_w}
            self._state_path.write_text(json.dumps(content), encoding="utf-8")
        delay_s = actuation_delay_s(self._random)
        self.timer.sleep(0.010)
        self._settle(self.timer.now_s() + delay_s, surge=False)

    def _remembered(self) -> Setting:
        if self._state_path and self._state_path.exists():
            return Setting(**json.loads(self._state_path.read_text(encoding="utf-8")))
        return Setting()

    def _settle(self, from_s: float, surge: bool) -> None:
        """What happens from then on: a surge that the cap does not catch yet, then the settled point."""
        self._stretches = [s for s in self._stretches if s.start_s <= from_s]
        if self.demand is None:
            self._append(from_s, self._unloaded())
            return
        phases = (Phase("only", 1.0, SENSOR_PERIOD_S / 2, self.demand),)
        self._free_speed = alone_point(self.model, phases, Setting(None, NO_CAP_W)).speeds[0]
        point = alone_point(self.model, phases, self.setting, self.chip)
        if surge and point.bound_by == "cap":
            free = alone_point(self.model, phases, Setting(self.setting.clock_mhz, NO_CAP_W), self.chip)
            high_w = surge_w(free.watts, point.watts)
            sm_w = high_w - free.idle_w - free.context_w - free.dram_w
            self._append(
                from_s,
                GpuPoint(free.clock_mhz, high_w, free.speeds, "cap", free.idle_w, free.context_w, sm_w, free.dram_w),
            )
            from_s += REGULATION_S
        self._append(from_s, point)

    def _unloaded(self) -> GpuPoint:
        idle = idle_point(self.model)
        if not self.has_context:
            return idle
        watts = self.model.context_w
        return GpuPoint(self.model.top_mhz, watts, (), "none", idle.idle_w, watts - idle.idle_w, 0.0, 0.0)

    def _append(self, start_s: float, point: GpuPoint) -> None:
        self._stretches.append(_Stretch(start_s, point, self._energy_j(start_s), self.work_s(start_s)))

    def _stretch_at(self, t_s: float) -> _Stretch:
        place = bisect_right(self._stretches, t_s, key=lambda stretch: stretch.start_s)
        return self._stretches[max(0, place - 1)]

    def _energy_j(self, t_s: float) -> float:
        stretch = self._stretch_at(t_s)
        return stretch.energy_j + stretch.point.watts * (t_s - stretch.start_s)

    def _reasons(self, point: GpuPoint) -> frozenset[str]:
        if self.demand is None:
            return frozenset()
        return {"clock": frozenset({APPLICATION_CLOCK}), "none": frozenset[str]()}.get(point.bound_by, frozenset({CAP}))


class FakeLoad:
    """The built-in kernels on a FakeGpu; a `Load` of `sweep`."""

    def __init__(self, gpu: FakeGpu) -> None:
        self._gpu, self._name = gpu, ""

    def open(self) -> None:
        """Hold a context."""
        self._gpu.load(None, context=True)

    def close(self) -> None:
        """Leave the GPU."""
        self._gpu.load(None, context=False)

    def run(self, name: str) -> None:
        """Start a kernel."""
        self._name = name
        self._gpu.load(DEMANDS[name], counted_dram=COUNTED_DRAM.get(name))

    def stop(self) -> None:
        """Stop it; the context stays."""
        self._gpu.load(None, context=True)

    def rate(self, start_s: float, end_s: float) -> float:
        """Iterations per second between two moments."""
        return RATES[self._name] * (self._gpu.work_s(end_s) - self._gpu.work_s(start_s)) / (end_s - start_s)
