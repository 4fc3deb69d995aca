"""A stretch of time on one GPU."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.device.fake import DEMANDS, FakeGpu, FakeTimer
from goodwatt.power.device.interface import DeviceError, Reading
from goodwatt.power.device.measuring import measured


class Partial(FakeGpu):
    """A fake some of whose sensors are missing or stuck."""

    missing: dict[str, Any] = {}
    stuck_energy = False

    def read(self) -> Reading:
        reading = dataclasses.replace(super().read(), **self.missing)
        return dataclasses.replace(reading, energy_j=1.0) if self.stuck_energy else reading


@pytest.fixture
def timer() -> FakeTimer:
    return FakeTimer()


@pytest.fixture
def gpu(timer: FakeTimer) -> Partial:
    gpu = Partial(gpu_kind("H200-SXM"), timer)
    gpu.load(DEMANDS["copy"])
    timer.sleep(3.0)
    return gpu


def test_watts_are_those_of_the_energy_counter_without_edges(gpu: Partial, timer: FakeTimer) -> None:
    window = measured(gpu, timer, 1.03)
    true_w = gpu._stretches[-1].point.watts
    assert window.watts == pytest.approx(true_w, rel=0.06)  # up to a poll at either end
    assert window.seconds >= 1.03
    assert window.counters is not None
    assert window.counters.dram == pytest.approx(DEMANDS["copy"].m, rel=0.05)


def test_without_an_energy_counter_power_is_averaged(gpu: Partial, timer: FakeTimer) -> None:
    gpu.missing = {"energy_j": None}
    assert measured(gpu, timer, 1.0).watts == pytest.approx(gpu._stretches[-1].point.watts, rel=0.01)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ({"energy_j": None, "power_w": None}, "neither its power nor its energy"),
        ({"clock_mhz": None}, "does not tell its SM clock"),
    ],
)
def test_what_a_gpu_does_not_tell_is_an_error(
    gpu: Partial, timer: FakeTimer, missing: dict[str, Any], message: str
) -> None:
    gpu.missing = missing
    with pytest.raises(DeviceError, match=message):
        measured(gpu, timer, 0.5)


def test_a_stuck_energy_counter_does_not_hang(gpu: Partial, timer: FakeTimer) -> None:
    gpu.stuck_energy = True
    with pytest.raises(DeviceError, match="stands still"):
        measured(gpu, timer, 0.5)
