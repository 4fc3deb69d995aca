"""The fake GPU: it behaves as boards do, and breaks on demand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.device.fake import DEMANDS, RATES, FakeGpu, FakeLoad, FakeTimer
from goodwatt.power.device.interface import CAP, DeviceError, DeviceLostError, GpuDevice, NotPermittedError
from goodwatt.power.workloads.demand import Demand, Setting

KIND = gpu_kind("H200-SXM")


@pytest.fixture
def timer() -> FakeTimer:
    return FakeTimer()


@pytest.fixture
def gpu(timer: FakeTimer) -> FakeGpu:
    return FakeGpu(KIND, timer)


def test_it_is_a_gpu_device(gpu: FakeGpu) -> None:
    device: GpuDevice = gpu
    assert device.facts().name == "NVIDIA H200"


def test_idle_context_and_load_draw_more_and_more(gpu: FakeGpu, timer: FakeTimer) -> None:
    seen = []
    for demand, context in ((None, False), (None, True), (DEMANDS["gemm"], True)):
        gpu.load(demand, context=context)
        timer.sleep(3.0)
        seen.append(gpu.read().power_w or 0.0)
    assert seen == sorted(seen)
    assert seen[0] == pytest.approx(gpu.model.idle_w, rel=0.02)
    assert seen[1] == pytest.approx(gpu.model.context_w, rel=0.02)


def test_the_power_sensor_lags_by_its_window(gpu: FakeGpu, timer: FakeTimer) -> None:
    gpu.load(DEMANDS["gemm"])
    timer.sleep(0.5)
    early = gpu.read().power_w or 0.0
    timer.sleep(2.0)
    late = gpu.read().power_w or 0.0
    assert early < 0.75 * late


def test_the_energy_counter_moves_in_steps_and_is_the_integral(gpu: FakeGpu, timer: FakeTimer) -> None:
    gpu.load(DEMANDS["copy"])
    timer.sleep(2.0)
    first = gpu.read()
    timer.sleep(0.02)
    assert gpu.read().energy_j == first.energy_j
    timer.sleep(9.98)
    last = gpu.read()
    settled_w = ((last.energy_j or 0.0) - (first.energy_j or 0.0)) / (last.t_s - first.t_s)
    assert settled_w == pytest.approx(gpu.read().power_w, rel=0.02)


def test_a_load_from_idle_overshoots_the_cap_before_it_is_regulated(gpu: FakeGpu, timer: FakeTimer) -> None:
    gpu.load(DEMANDS["gemm"])
    before = gpu.read()
    timer.sleep(0.2)
    after = gpu.read()
    assert ((after.energy_j or 0.0) - (before.energy_j or 0.0)) / 0.2 > KIND.max_w  # type: ignore[operator]
    timer.sleep(3.0)
    reading = gpu.read()
    assert (reading.power_w or 0.0) < 1.02 * (KIND.max_w or 0.0)
    assert CAP in reading.reasons


def test_a_locked_clock_takes_effect_after_a_delay(gpu: FakeGpu, timer: FakeTimer) -> None:
    gpu.load(DEMANDS["copy"])
    timer.sleep(1.0)
    gpu.lock_clock(1000)
    assert gpu.read().clock_mhz != 990.0
    timer.sleep(1.0)
    assert gpu.read().clock_mhz == 990.0


def test_rates_follow_the_clock_as_the_demand_says(gpu: FakeGpu, timer: FakeTimer) -> None:
    load = FakeLoad(gpu)
    gpu.lock_clock(990)
    timer.sleep(1.0)
    for work, kappa in (("copy", 0.0), ("gemm", 1.0)):
        load.run(work)
        timer.sleep(1.0)
        start_s = timer.now_s()
        timer.sleep(5.0)
        assert load.rate(start_s, timer.now_s()) == pytest.approx(
            {"copy": RATES["copy"], "gemm": RATES["gemm"] / 2}[work]
        ), kappa


@pytest.mark.parametrize(
    ("work", "watts", "clock_mhz", "rate"),
    [
        ("gemm", 684.2, 1465, 598.3),
        ("copy", 470.8, 1980, 988.2),
        ("copy_weights", 629.2, 1980, 991.4),
        ("gemv", 603.1, 1980, None),  # 1521 and 1839 iterations a second on two days
        ("small", 128.3, 1980, None),  # as fast as the host lets it
        ("attention", 686.8, 1677, None),  # 1720 and 1633 MHz
    ],
)
def test_built_in_kernels_draw_what_a_real_h200_does(
    gpu: FakeGpu, timer: FakeTimer, work: str, watts: float, clock_mhz: float, rate: float | None
) -> None:
    load = FakeLoad(gpu)
    load.run(work)
    timer.sleep(3.0)
    start_s, seen = timer.now_s(), gpu.read()
    timer.sleep(5.0)
    assert seen.power_w == pytest.approx(watts, rel=0.03)
    assert seen.clock_mhz == pytest.approx(clock_mhz, rel=0.04 if work == "attention" else 0.01)
    assert rate is None or load.rate(start_s, timer.now_s()) == pytest.approx(rate, rel=0.02)


def test_a_copy_of_zeros_is_counted_like_any_copy_and_draws_less(gpu: FakeGpu, timer: FakeTimer) -> None:
    load = FakeLoad(gpu)
    load.run("copy")
    timer.sleep(1.0)
    gpu.counters()
    timer.sleep(1.0)
    counters = gpu.counters()
    assert counters is not None
    assert counters.dram == pytest.approx(0.888)


def test_counters_say_the_demand_and_need_two_looks(gpu: FakeGpu, timer: FakeTimer) -> None:
    gpu.load(Demand(u=0.1, m=0.5, kappa=0.0, duty=0.5, sm=0.8))
    timer.sleep(1.0)
    assert gpu.counters() is None
    timer.sleep(1.0)
    counters = gpu.counters()
    assert counters is not None
    assert counters.sm == pytest.approx(0.4)
    assert counters.dram == pytest.approx(0.25)


def test_kinds_before_hopper_have_no_counters(timer: FakeTimer) -> None:
    gpu = FakeGpu(gpu_kind("V100-SXM2"), timer)
    assert not gpu.facts().has_counters
    gpu.counters()
    timer.sleep(1.0)
    assert gpu.counters() is None


def test_an_injected_error_comes_once(gpu: FakeGpu) -> None:
    gpu.next_error = DeviceError("busy")
    with pytest.raises(DeviceError, match="busy"):
        gpu.read()
    gpu.read()


def test_without_permission_nothing_changes(gpu: FakeGpu) -> None:
    gpu.permitted = False
    writes: tuple[Callable[[], None], ...] = (
        partial(gpu.set_cap, 500),
        partial(gpu.lock_clock, 1000),
        gpu.unlock_clock,
    )
    for write in writes:
        with pytest.raises(NotPermittedError):
            write()
    assert gpu.setting == Setting()
    assert gpu.writes == 0


def test_a_lost_gpu_answers_nothing(gpu: FakeGpu) -> None:
    gpu.lost = True
    with pytest.raises(DeviceLostError):
        gpu.facts()


def test_caps_outside_the_range_are_refused_and_some_are_clamped(gpu: FakeGpu) -> None:
    with pytest.raises(DeviceError, match="Invalid Argument"):
        gpu.set_cap(100)
    gpu.clamp_w = (300.0, 600.0)
    gpu.set_cap(250)
    assert gpu.cap_w() == 300.0


def test_settings_outlive_the_process(timer: FakeTimer, tmp_path: Path) -> None:
    FakeGpu(KIND, timer, state_path=tmp_path / "state").set_cap(400)
    assert FakeGpu(KIND, timer, state_path=tmp_path / "state").cap_w() == 400.0


def test_every_call_is_logged_refused_ones_too(gpu: FakeGpu) -> None:
    gpu.permitted = False
    with pytest.raises(NotPermittedError):
        gpu.set_cap(500)
    assert [(call.name, call.value) for call in gpu.calls] == [("set_cap", 500)]
