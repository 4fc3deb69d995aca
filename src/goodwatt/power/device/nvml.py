"""GPUs of this machine through NVML (`pip install goodwatt[nvml]`); the one module that knows nvidia-ml-py.

Its errors are translated here, once, into those of `interface`. The library is loaded when the first GPU is opened,
so that importing this costs nothing where there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from types import ModuleType
from typing import Any, TypeVar

from goodwatt.errors import InputError
from goodwatt.power.device.interface import (
    APPLICATION_CLOCK,
    CAP,
    HARDWARE,
    THERMAL,
    Counters,
    DeviceError,
    DeviceFacts,
    DeviceLostError,
    NotPermittedError,
    NotSupportedError,
    Reading,
)

T = TypeVar("T")

# NVML's codes; their names in the library differ between its versions, the numbers do not.
_NOT_SUPPORTED, _NO_PERMISSION = {3, 13, 25}, {4, 17}
_LOST, _NO_DRIVER = {15, 16}, {9, 12, 18}
_REASONS = {0x2: APPLICATION_CLOCK, 0x4: CAP, 0x8: HARDWARE, 0x20: THERMAL, 0x40: THERMAL, 0x80: HARDWARE}
_GPM = {"sm": 2, "occupancy": 3, "tensor": 5, "dram": 10, "pcie_tx": 20, "pcie_rx": 21}
_POWER_AVERAGE_FIELD = 185


def open_gpu(which: str = "0") -> NvmlGpu:
    """The GPU with this index or UUID (or the beginning of one).

    Raises InputError if there is no such GPU, DeviceError if there is no driver or the library is not installed.
    """
    try:
        import pynvml
    except ImportError:
        raise DeviceError("reading a GPU needs nvidia-ml-py: pip install 'goodwatt[nvml]'") from None
    library: ModuleType = pynvml
    _call(library, "start NVML", library.nvmlInit)
    count: int = _call(library, "count GPUs", library.nvmlDeviceGetCount)
    found = [gpu for gpu in (NvmlGpu(library, i) for i in range(count)) if which in {str(gpu.index), gpu.uuid}]
    if not found:
        every = [NvmlGpu(library, i).uuid for i in range(count)]
        begun = [i for i, uuid in enumerate(every) if len(which) > 4 and uuid.startswith(which)]
        if len(begun) != 1:
            raise InputError(f"no GPU {which!r}: expected an index below {count} or one of {', '.join(every)}")
        return NvmlGpu(library, begun[0])
    return found[0]


class NvmlGpu:
    """A `GpuDevice` over NVML. Make it by `open_gpu`."""

    def __init__(self, library: Any, index: int) -> None:
        self._nvml, self.index = library, index
        self._handle = self._ask("open the GPU", "nvmlDeviceGetHandleByIndex", index, device=False)
        self.uuid = _text(self._ask("read its UUID", "nvmlDeviceGetUUID"))
        self._sample: Any = None

    def facts(self) -> DeviceFacts:
        """What does not change; looked up once."""
        return self._facts

    @cached_property
    def _facts(self) -> DeviceFacts:
        limits = self._maybe("nvmlDeviceGetPowerManagementLimitConstraints")
        default = self._maybe("nvmlDeviceGetPowerManagementDefaultLimit")
        mig = self._maybe("nvmlDeviceGetMigMode")
        return DeviceFacts(
            index=self.index,
            uuid=self.uuid,
            name=_text(self._ask("read its name", "nvmlDeviceGetName")),
            driver=_text(self._call("read the driver's version", self._nvml.nvmlSystemGetDriverVersion)),
            memory_mib=self._ask("read its memory", "nvmlDeviceGetMemoryInfo").total // 2**20,
            clocks_mhz=self._clocks(),
            cap_range_w=None if limits is None else (limits[0] / 1e3, limits[1] / 1e3),
            default_cap_w=None if default is None else default / 1e3,
            has_energy=self._maybe("nvmlDeviceGetTotalEnergyConsumption") is not None,
            has_counters=self._has_counters(),
            mig=bool(mig and mig[0]),
        )

    def read(self) -> Reading:
        """One look at its sensors; takes microseconds, the sensors themselves change every 100 ms or so."""
        import time

        energy, clock = self._maybe("nvmlDeviceGetTotalEnergyConsumption"), self._maybe("nvmlDeviceGetClockInfo", 1)
        used = self._ask("read its memory", "nvmlDeviceGetMemoryInfo").used
        utilisation = self._maybe("nvmlDeviceGetUtilizationRates")
        return Reading(
            t_s=time.monotonic(),
            power_w=self._power_w(),
            energy_j=None if energy is None else energy / 1e3,
            clock_mhz=None if clock is None else float(clock),
            utilisation=None if utilisation is None else utilisation.gpu / 100,
            memory_used_mib=used // 2**20,
            temperature_c=self._maybe("nvmlDeviceGetTemperature", 0),
            reasons=_reasons(self._maybe("nvmlDeviceGetCurrentClocksThrottleReasons") or 0),
        )

    def counters(self) -> Counters | None:
        """Performance counters since the previous call; None at the first one and before Hopper."""
        if not self._facts.has_counters:
            return None
        nvml = self._nvml
        before, self._sample = self._sample, self._call("keep a sample", nvml.nvmlGpmSampleAlloc)
        self._ask("sample its counters", "nvmlGpmSampleGet", self._sample)
        if before is None:
            return None
        try:
            return self._between(before, self._sample)
        finally:
            nvml.nvmlGpmSampleFree(before)

    def processes(self) -> tuple[int, ...]:
        """Process ids with a compute context, as far as this user may see them."""
        found = self._maybe("nvmlDeviceGetComputeRunningProcesses") or []
        return tuple(sorted(process.pid for process in found))

    def cap_w(self) -> float:
        """The cap that is set now."""
        return float(self._ask("read its cap", "nvmlDeviceGetPowerManagementLimit")) / 1e3

    def set_cap(self, watts: float) -> None:
        """Set the power cap; needs root."""
        self._ask(f"set a cap of {watts:g} W", "nvmlDeviceSetPowerManagementLimit", round(watts * 1e3))

    def lock_clock(self, clock_mhz: float) -> None:
        """Lock the SM clock; needs root."""
        clock = round(clock_mhz)
        self._ask(f"lock its clock at {clock} MHz", "nvmlDeviceSetGpuLockedClocks", clock, clock)

    def unlock_clock(self) -> None:
        """Give the SM clock back to the board; needs root."""
        self._ask("unlock its clock", "nvmlDeviceResetGpuLockedClocks")

    def _clocks(self) -> tuple[int, ...]:
        memory = self._maybe("nvmlDeviceGetSupportedMemoryClocks")
        clocks = self._maybe("nvmlDeviceGetSupportedGraphicsClocks", max(memory)) if memory else None
        return tuple(sorted(clocks or ()))

    def _has_counters(self) -> bool:
        if not hasattr(self._nvml, "nvmlGpmQueryDeviceSupport"):
            return False
        support = self._maybe("nvmlGpmQueryDeviceSupport")
        return bool(support is not None and support.isSupportedDevice)

    def _power_w(self) -> float | None:
        """The averaged field where there is one: `nvmlDeviceGetPowerUsage` is an instant on some kinds."""
        values = self._maybe("nvmlDeviceGetFieldValues", [_POWER_AVERAGE_FIELD])
        if values and values[0].nvmlReturn == 0 and values[0].value.uiVal:
            return float(values[0].value.uiVal) / 1e3
        milliwatts = self._maybe("nvmlDeviceGetPowerUsage")
        return None if milliwatts is None else float(milliwatts) / 1e3

    def _between(self, before: Any, after: Any) -> Counters:
        asked = self._nvml.c_nvmlGpmMetricsGet_t()
        asked.version, asked.numMetrics = self._nvml.NVML_GPM_METRICS_GET_VERSION, len(_GPM)
        asked.sample1, asked.sample2 = before, after
        for place, metric in enumerate(_GPM.values()):
            asked.metrics[place].metricId = metric
        self._call("read its counters", self._nvml.nvmlGpmMetricsGet, asked)
        value = {name: float(asked.metrics[place].value) for place, name in enumerate(_GPM)}
        pcie_gbps = (value["pcie_tx"] + value["pcie_rx"]) * 2**20 / 1e9
        return Counters(
            value["sm"] / 100, value["occupancy"] / 100, value["tensor"] / 100, value["dram"] / 100, pcie_gbps
        )

    def _ask(self, doing: str, function: str, *values: Any, device: bool = True) -> Any:
        """A call of NVML about this GPU."""
        handle = (self._handle,) if device else ()
        return self._call(f"{doing} (GPU {self.index})", getattr(self._nvml, function), *handle, *values)

    def _maybe(self, function: str, *values: Any) -> Any:
        """The same where the board may not have it: None then."""
        with suppress(NotSupportedError):
            return self._ask("read", function, *values)
        return None

    def _call(self, doing: str, function: Callable[..., T], *values: Any) -> T:
        return _call(self._nvml, doing, function, *values)


def _call(library: Any, doing: str, function: Callable[..., T], *values: Any) -> T:
    try:
        return function(*values)
    except library.NVMLError as error:
        raise _translated(doing, error) from None


def _translated(doing: str, error: Any) -> DeviceError:
    code, text = int(error.value), f"cannot {doing}: {error}"
    if code in _NO_PERMISSION:
        return NotPermittedError(f"{text}; settings of a GPU need root, and a container the right capabilities")
    if code in _NOT_SUPPORTED:
        return NotSupportedError(text)
    if code in _LOST:
        return DeviceLostError(text)
    if code in _NO_DRIVER:
        return DeviceError(f"{text}; is an NVIDIA driver loaded on this machine?")
    return DeviceError(text)


def _reasons(bits: int) -> frozenset[str]:
    return frozenset(name for bit, name in _REASONS.items() if bits & bit)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
