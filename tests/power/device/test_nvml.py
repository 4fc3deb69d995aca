"""NVML behind the interface, with a library that is not there: calls are translated, errors too."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from goodwatt.errors import InputError
from goodwatt.power.device.interface import (
    CAP,
    THERMAL,
    DeviceError,
    DeviceLostError,
    GpuDevice,
    NotPermittedError,
    NotSupportedError,
)
from goodwatt.power.device.nvml import open_gpu

UUIDS = ("GPU-aaaa-1", "GPU-bbbb-2")


class NVMLError(Exception):
    """As in nvidia-ml-py: the code is its value."""

    def __init__(self, value: int) -> None:
        super().__init__(f"code {value}")
        self.value = value


class Library:
    """nvidia-ml-py as far as it is used. `broken`: error code by function; `asked`: the calls that write."""

    NVMLError = NVMLError
    NVML_GPM_METRICS_GET_VERSION = 1

    def __init__(self) -> None:
        self.broken = dict[str, int]()
        self.asked = list[tuple[Any, ...]]()
        self.freed = 0
        self.answers: dict[str, Any] = {
            "nvmlInit": None,
            "nvmlSystemGetDriverVersion": b"580.1",
            "nvmlDeviceGetCount": 2,
            "nvmlDeviceGetName": b"NVIDIA H200",
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=143771 * 2**20, used=2**30),
            "nvmlDeviceGetPowerManagementLimitConstraints": [200_000, 700_000],
            "nvmlDeviceGetPowerManagementDefaultLimit": 700_000,
            "nvmlDeviceGetPowerManagementLimit": 650_000,
            "nvmlDeviceGetMigMode": [0, 0],
            "nvmlDeviceGetTotalEnergyConsumption": 12_345_678,
            "nvmlDeviceGetClockInfo": 1980,
            "nvmlDeviceGetTemperature": 41,
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=37, memory=5),
            "nvmlDeviceGetCurrentClocksThrottleReasons": 0x4 | 0x20 | 0x1,
            "nvmlDeviceGetPowerUsage": 300_000,
            "nvmlDeviceGetFieldValues": [SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal=250_000))],
            "nvmlDeviceGetSupportedMemoryClocks": [3201, 2201],
            "nvmlDeviceGetComputeRunningProcesses": [SimpleNamespace(pid=9), SimpleNamespace(pid=7)],
            "nvmlGpmQueryDeviceSupport": SimpleNamespace(isSupportedDevice=1),
        }

    def __getattr__(self, name: str) -> Any:
        def function(*values: Any) -> Any:
            if name in self.broken:
                raise NVMLError(self.broken[name])
            if "Set" in name or "Reset" in name:
                self.asked.append((name, *values))
                return None
            return self.answers[name]

        if not name.startswith("nvml"):
            raise AttributeError(name)
        return function

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:  # noqa: N802
        return UUIDS[handle]

    def nvmlDeviceGetSupportedGraphicsClocks(self, handle: int, memory: int) -> list[int]:  # noqa: N802
        assert memory == 3201
        return [1980, 1965, 345]

    def nvmlGpmSampleAlloc(self) -> object:  # noqa: N802
        return object()

    def nvmlGpmSampleGet(self, handle: int, sample: object) -> None:  # noqa: N802
        pass

    def nvmlGpmSampleFree(self, sample: object) -> None:  # noqa: N802
        self.freed += 1

    def c_nvmlGpmMetricsGet_t(self) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(metrics=[SimpleNamespace(metricId=0, value=0.0) for _ in range(333)])

    def nvmlGpmMetricsGet(self, asked: SimpleNamespace) -> None:  # noqa: N802
        told = {2: 84.0, 3: 48.0, 5: 13.0, 10: 41.0, 20: 100.0, 21: 900.0}
        for metric in asked.metrics[: asked.numMetrics]:
            metric.value = told[metric.metricId]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library()
    monkeypatch.setitem(sys.modules, "pynvml", library)
    return library


@pytest.mark.usefixtures("library")
def test_facts() -> None:
    facts = open_gpu("0").facts()
    assert (facts.name, facts.uuid, facts.memory_mib) == ("NVIDIA H200", UUIDS[0], 143771)
    assert facts.clocks_mhz == (345, 1965, 1980)
    assert (facts.cap_range_w, facts.default_cap_w) == ((200.0, 700.0), 700.0)
    assert facts.has_counters
    assert facts.has_energy
    assert not facts.mig


@pytest.mark.usefixtures("library")
def test_a_reading() -> None:
    device: GpuDevice = open_gpu("1")
    reading = device.read()
    assert (reading.power_w, reading.energy_j, reading.clock_mhz) == (250.0, 12345.678, 1980.0)
    assert (reading.utilisation, reading.memory_used_mib, reading.temperature_c) == (0.37, 1024, 41)
    assert reading.reasons == {CAP, THERMAL}
    assert device.processes() == (7, 9)
    assert device.cap_w() == 650.0


def test_an_old_board_tells_what_it_can(library: Library) -> None:
    for name in (
        "nvmlDeviceGetTotalEnergyConsumption",
        "nvmlDeviceGetFieldValues",
        "nvmlGpmQueryDeviceSupport",
        "nvmlDeviceGetSupportedMemoryClocks",
        "nvmlDeviceGetMigMode",
        "nvmlDeviceGetUtilizationRates",
    ):
        library.broken[name] = 3
    gpu = open_gpu("0")
    assert gpu.facts().clocks_mhz == ()
    assert not gpu.facts().has_counters
    assert (gpu.read().energy_j, gpu.read().power_w, gpu.read().utilisation) == (None, 300.0, None)
    assert gpu.counters() is None


def test_counters_are_shares_between_two_calls(library: Library) -> None:
    gpu = open_gpu("0")
    assert gpu.counters() is None
    counters = gpu.counters()
    assert counters is not None
    assert (counters.sm, counters.occupancy, counters.tensor, counters.dram) == (0.84, 0.48, 0.13, 0.41)
    assert counters.pcie_gbps == pytest.approx(1000 * 2**20 / 1e9)
    assert library.freed == 1


def test_writes_go_out_in_the_units_of_nvml(library: Library) -> None:
    gpu = open_gpu("1")
    gpu.set_cap(412.5)
    gpu.lock_clock(1410)
    gpu.unlock_clock()
    assert library.asked == [
        ("nvmlDeviceSetPowerManagementLimit", 1, 412500),
        ("nvmlDeviceSetGpuLockedClocks", 1, 1410, 1410),
        ("nvmlDeviceResetGpuLockedClocks", 1),
    ]


@pytest.mark.parametrize(
    ("code", "expected", "message"),
    [
        (4, NotPermittedError, "need root"),
        (3, NotSupportedError, "cannot set a cap of 300 W"),
        (15, DeviceLostError, "GPU 0"),
        (2, DeviceError, "code 2"),
    ],
)
def test_errors_are_translated_once(library: Library, code: int, expected: type[DeviceError], message: str) -> None:
    gpu = open_gpu("0")
    library.broken["nvmlDeviceSetPowerManagementLimit"] = code
    with pytest.raises(expected, match=message):
        gpu.set_cap(300)


@pytest.mark.usefixtures("library")
def test_a_gpu_is_found_by_index_uuid_or_its_beginning() -> None:
    assert [open_gpu(which).index for which in ("1", "GPU-bbbb-2", "GPU-bb")] == [1, 1, 1]


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("which", ["2", "GPU-", "GPU-cccc"])
def test_an_unknown_gpu_is_an_error_that_lists_them(which: str) -> None:
    with pytest.raises(InputError, match=r"index below 2 or one of GPU-aaaa-1, GPU-bbbb-2"):
        open_gpu(which)


def test_no_driver_is_said_so(library: Library) -> None:
    library.broken["nvmlInit"] = 12
    with pytest.raises(DeviceError, match="is an NVIDIA driver loaded"):
        open_gpu()


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(DeviceError, match=r"pip install 'goodwatt\[nvml\]'"):
        open_gpu()
