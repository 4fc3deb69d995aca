"""Measuring a GPU with built-in kernels: as it stands, and, with the right to, over its clocks and caps.

A sweep changes settings only inside a `Journal`, which puts them back whatever happens. What the measurements mean
is `power.calibration.figures`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from goodwatt.errors import RunError
from goodwatt.power.calibration.figures import Measurement
from goodwatt.power.device.interface import APPLICATION_CLOCK, DeviceFacts, GpuDevice, Timer
from goodwatt.power.device.journal import CAP_SLACK_W, Journal
from goodwatt.power.device.measuring import Window, measured

SETTLE_S = 1.2
"""The averaged sensor forgets within 1 s, the cap regulates within 0.2 s, clocks settle within 0.1 s."""
Say = Callable[[str], object]


class Load(Protocol):
    """A process that runs one kernel at a time on the GPU."""

    def run(self, name: str) -> None:
        """Start a kernel; returns when it runs."""
        ...

    def stop(self) -> None:
        """Stop it; the context stays."""
        ...

    def rate(self, start_s: float, end_s: float) -> float:
        """Iterations per second between two moments of the timer."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """One setting of a sweep; None leaves it at the default."""

    clock_mhz: float | None = None
    cap_w: float | None = None


def steps(facts: DeviceFacts, clocks: int = 8, caps: int = 4) -> tuple[Step, ...]:
    """Clocks spread evenly over the supported ones, then caps over the range.

    The lowest third of the clocks is left out: nobody runs there, and every measurement would take longest there.
    """
    supported = [c for c in facts.clocks_mhz if c >= facts.clocks_mhz[-1] / 3]
    chosen = (
        dict.fromkeys(supported[round(i * (len(supported) - 1) / (clocks - 1))] for i in range(clocks))
        if supported
        else {}
    )
    stepped = [Step(clock_mhz=float(clock)) for clock in chosen]
    if facts.cap_range_w:
        low, high = facts.cap_range_w
        stepped += [Step(cap_w=round(low + (high - low) * i / caps)) for i in range(caps)]
    return tuple(stepped)


def as_it_stands(
    device: GpuDevice, load: Load, works: Iterable[str], timer: Timer, seconds: float, say: Say
) -> list[Measurement]:
    """A context with no kernel, then each kernel, at the settings that the GPU has. Changes none."""
    timer.sleep(SETTLE_S)
    found = [_measurement("", Step(), 0.0, measured(device, timer, seconds))]
    for work in works:
        found.append(_with_kernel(device, load, work, Step(), timer, seconds))
        say(described(found[-1]))
    return found


def swept(
    device: GpuDevice,
    load: Load,
    works: Sequence[str],
    timer: Timer,
    seconds: float,
    say: Say,
    *,
    folder: Path,
    plan: Sequence[Step],
    clock_mhz: float | None = None,
) -> list[Measurement]:
    """Every kernel at every step. `folder` keeps the journal; `clock_mhz` was locked before, None for no lock.

    Raises a DeviceError at the first write that the board refuses; the settings are put back before it leaves.
    """
    found = list[Measurement]()
    with Journal(folder, device, timer, clock_mhz) as journal:
        say(f"the settings as they stand are in {journal.path}")
        default_w = device.cap_w()
        for step in plan:
            held = _set(device, step, default_w)
            if held != step:
                say(f"the board made {held.cap_w:g} W of a cap of {step.cap_w:g} W")
            for work in works:
                found.append(_with_kernel(device, load, work, held, timer, seconds))
                say(described(found[-1]))
    say("the settings are as they stood")
    return found


def check_unlocked(found: Iterable[Measurement], clock_mhz: float | None) -> None:
    """Raises RunError if a clock was locked before and nobody said so: it could not be put back."""
    locked = [m for m in found if APPLICATION_CLOCK in m.reasons]
    if locked and clock_mhz is None:
        raise RunError(
            f"this GPU's clock is locked already, at about {locked[0].clock_mhz:.0f} MHz, and NVML cannot say so: "
            "release it (nvidia-smi -rgc), or say what to put back with --clock-before"
        )


def described(m: Measurement) -> str:
    """One line about a measurement."""
    setting = (
        f"{m.clock_asked_mhz:.0f} MHz"
        if m.clock_asked_mhz
        else f"{m.cap_asked_w:.0f} W"
        if m.cap_asked_w
        else "default"
    )
    held = f", held by {' and '.join(sorted(m.reasons))}" if m.reasons else ""
    return f"{m.work:12} {setting:>9}: {m.rate:9.1f}/s {m.watts:6.1f} W {m.clock_mhz:5.0f} MHz{held}"


def _set(device: GpuDevice, step: Step, default_w: float) -> Step:
    """Set a step and say what the board made of it: some clamp caps without a word."""
    if step.clock_mhz is None:
        device.unlock_clock()
    else:
        device.lock_clock(step.clock_mhz)
    device.set_cap(default_w if step.cap_w is None else step.cap_w)
    now_w = device.cap_w()
    if step.cap_w is None or abs(now_w - step.cap_w) <= CAP_SLACK_W:
        return step
    return Step(step.clock_mhz, now_w)


def _with_kernel(device: GpuDevice, load: Load, work: str, step: Step, timer: Timer, seconds: float) -> Measurement:
    load.run(work)
    try:
        timer.sleep(SETTLE_S)
        window = measured(device, timer, seconds)
        return _measurement(work, step, load.rate(window.start_s, window.end_s), window)
    finally:
        load.stop()


def _measurement(work: str, step: Step, rate: float, window: Window) -> Measurement:
    return Measurement(
        work=work,
        clock_asked_mhz=step.clock_mhz,
        cap_asked_w=step.cap_w,
        rate=rate,
        watts=window.watts,
        clock_mhz=window.clock_mhz,
        reasons=window.reasons,
        dram=window.counters.dram if window.counters else None,
        temperature_c=window.temperature_c,
        seconds=window.seconds,
    )
