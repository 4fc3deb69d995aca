"""What goodwatt asks of a GPU and does to it: the one interface, its facts, its readings and its errors.

`nvml` implements it for real boards, `fake` for tests and for trying things out. What to set, and putting it back,
is left to `sweep` and `journal`; what the readings mean to `measuring` and `power.calibration.figures`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from goodwatt.errors import RunError

CAP, APPLICATION_CLOCK, THERMAL, HARDWARE = "cap", "application clock", "thermal", "hardware"
"""Names in `Reading.reasons`: what holds the clock down (software power cap, a clock asked for, heat, the board)."""


class DeviceError(RunError):
    """A GPU or its driver refused or failed."""


class NotPermittedError(DeviceError):
    """This user may not do that: settings need root."""


class NotSupportedError(DeviceError):
    """This board or driver cannot do that."""


class DeviceLostError(DeviceError):
    """The GPU does not answer any more."""


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What does not change while the machine runs.

    `clocks_mhz`: supported SM clocks at the greatest memory clock, ascending; empty where the driver does not say.
    `cap_range_w`: lowest and greatest cap that the driver accepts; None where it manages no power.
    `has_energy`, `has_counters`: whether there are an energy counter and GPU performance monitoring counters.
    """

    index: int
    uuid: str
    name: str
    driver: str
    memory_mib: int
    clocks_mhz: tuple[int, ...]
    cap_range_w: tuple[float, float] | None
    default_cap_w: float | None
    has_energy: bool
    has_counters: bool
    mig: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a GPU; None where the board has no such sensor.

    `power_w`: the board's own mean, over 1 s on Hopper and newer. `energy_j`: since the driver was loaded.
    `utilisation`: share of time with any kernel, 0 to 1. `reasons`: what holds the clock down, see the names above.
    """

    t_s: float
    power_w: float | None
    energy_j: float | None
    clock_mhz: float | None
    utilisation: float | None
    memory_used_mib: int
    temperature_c: float | None
    reasons: frozenset[str]


@dataclass(frozen=True, slots=True)
class Counters:
    """GPU performance monitoring over a stretch of time, as shares of 0 to 1; PCIe in GB/s, both ways together."""

    sm: float
    occupancy: float
    tensor: float
    dram: float
    pcie_gbps: float


class Timer(Protocol):
    """Time, passed in so that tests do not wait."""

    def now_s(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class GpuDevice(Protocol):
    """One physical GPU. Every method raises a DeviceError where the board or the driver fails."""

    def facts(self) -> DeviceFacts:
        """What does not change."""
        ...

    def read(self) -> Reading:
        """One look at its sensors."""
        ...

    def counters(self) -> Counters | None:
        """Performance counters since the previous call; None at the first call and where there are none."""
        ...

    def processes(self) -> tuple[int, ...]:
        """Process ids that hold a compute context on it, as far as this user may see them."""
        ...

    def cap_w(self) -> float:
        """The cap that is set now."""
        ...

    def set_cap(self, watts: float) -> None:
        """Set the power cap; needs root. The board may clamp it: read it back."""
        ...

    def lock_clock(self, clock_mhz: float) -> None:
        """Lock the SM clock; needs root. The board may take the nearest supported clock."""
        ...

    def unlock_clock(self) -> None:
        """Give the SM clock back to the board; needs root."""
        ...


class SystemTimer:
    """The machine's own clock."""

    def now_s(self) -> float:
        """Seconds of the monotonic clock."""
        import time

        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        import time

        time.sleep(max(0.0, seconds))
