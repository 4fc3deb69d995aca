"""Sweeps and their journal: whatever happens, the settings stand as before, or a journal says how they stood."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.errors import RunError
from goodwatt.power.calibration.figures import Measurement
from goodwatt.power.calibration.sweep import Step, as_it_stands, check_unlocked, described, steps, swept
from goodwatt.power.device.fake import FakeGpu, FakeLoad, FakeTimer
from goodwatt.power.device.interface import DeviceError
from goodwatt.power.device.journal import Journal, path_of, pending, restore
from goodwatt.power.workloads.demand import Setting

KIND = gpu_kind("H200-SXM")
PLAN = (Step(clock_mhz=1005.0), Step(clock_mhz=1500.0), Step(cap_w=350.0))
BEFORE_W = 650.0


@pytest.fixture
def timer() -> FakeTimer:
    return FakeTimer()


@pytest.fixture
def gpu(timer: FakeTimer, tmp_path: Path) -> FakeGpu:
    gpu = FakeGpu(KIND, timer, state_path=tmp_path / "state.json")
    gpu.set_cap(BEFORE_W)
    gpu.calls.clear()
    gpu.writes = 0
    return gpu


def sweep(
    gpu: FakeGpu, folder: Path, said: list[str] | None = None, clock_mhz: float | None = None
) -> list[Measurement]:
    load = FakeLoad(gpu)
    load.open()
    say = (said if said is not None else []).append
    return swept(gpu, load, ("gemm",), gpu.timer, 0.5, say, folder=folder, plan=PLAN, clock_mhz=clock_mhz)


def test_a_sweep_measures_every_step_and_puts_the_settings_back(gpu: FakeGpu, tmp_path: Path) -> None:
    found = sweep(gpu, tmp_path)
    assert [(m.clock_asked_mhz, m.cap_asked_w) for m in found] == [(1005.0, None), (1500.0, None), (None, 350.0)]
    assert gpu.setting == Setting(None, BEFORE_W)
    assert not list(tmp_path.glob("FAKE*"))


def test_the_journal_is_on_disk_before_the_first_change(gpu: FakeGpu, tmp_path: Path) -> None:
    seen = list[str]()
    gpu.on_write = lambda number: seen.append(path_of(tmp_path, "FAKE-H200-SXM").read_text()) if number == 1 else None
    sweep(gpu, tmp_path)
    assert json.loads(seen[0])["cap_w"] == BEFORE_W


@pytest.mark.parametrize("number", range(1, 9))
def test_an_error_at_any_write_ends_the_sweep_with_the_settings_as_before(
    gpu: FakeGpu, tmp_path: Path, number: int
) -> None:
    gpu.write_errors = {number: DeviceError("the driver is busy")}
    if number <= 2 * len(PLAN):
        with pytest.raises(DeviceError, match="busy"):
            sweep(gpu, tmp_path)
    else:  # an error while restoring is tried again
        sweep(gpu, tmp_path)
    assert gpu.setting == Setting(None, BEFORE_W)
    assert not pending(tmp_path)


@pytest.mark.parametrize("number", [1, 2, 4, 6])
def test_ctrl_c_at_any_write_puts_the_settings_back(gpu: FakeGpu, tmp_path: Path, number: int) -> None:
    def interrupt(at: int) -> None:
        if at == number:
            raise KeyboardInterrupt

    gpu.on_write = interrupt
    with pytest.raises(KeyboardInterrupt):
        sweep(gpu, tmp_path)
    assert gpu.setting == Setting(None, BEFORE_W)


def test_without_permission_the_sweep_says_so_and_nothing_changed(gpu: FakeGpu, tmp_path: Path) -> None:
    gpu.permitted = False
    with pytest.raises(DeviceError, match="Insufficient Permissions"):
        sweep(gpu, tmp_path)
    assert gpu.setting == Setting(None, BEFORE_W)
    assert gpu.writes == 0


def test_a_cap_that_the_board_clamps_is_counted_as_what_it_is(gpu: FakeGpu, tmp_path: Path) -> None:
    gpu.clamp_w = (500.0, 700.0)
    said = list[str]()
    found = sweep(gpu, tmp_path, said)
    assert found[-1].cap_asked_w == 500.0
    assert "the board made 500 W of a cap of 350 W" in said
    assert gpu.setting.cap_w == BEFORE_W


def test_a_cap_that_cannot_be_put_back_keeps_the_journal_and_says_what_to_do(gpu: FakeGpu, tmp_path: Path) -> None:
    def clamp_from_now_on(number: int) -> None:
        if number == 3:
            gpu.clamp_w = (200.0, 400.0)

    gpu.on_write = clamp_from_now_on
    with pytest.raises(DeviceError, match=r"reads 400 W after 650 W was set.*--restore"):
        sweep(gpu, tmp_path)
    assert [path.name for path in pending(tmp_path)] == ["FAKE-H200-SXM.json"]
    gpu.clamp_w = None
    restore(tmp_path, gpu, gpu.timer)
    assert gpu.setting.cap_w == BEFORE_W
    assert not pending(tmp_path)


def test_a_lost_gpu_keeps_its_journal(gpu: FakeGpu, tmp_path: Path) -> None:
    def lose(number: int) -> None:
        gpu.lost = number >= 3

    gpu.on_write = lose
    with pytest.raises(DeviceError, match="lost"):
        sweep(gpu, tmp_path)
    assert pending(tmp_path)


def test_a_clock_that_was_locked_before_is_locked_again(gpu: FakeGpu, tmp_path: Path) -> None:
    gpu.lock_clock(1200)
    sweep(gpu, tmp_path, clock_mhz=1200.0)
    assert gpu.setting == Setting(1200.0, BEFORE_W)


KILLED = """
import os, sys
from pathlib import Path
from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.device.fake import FakeGpu, FakeLoad, FakeTimer
from goodwatt.power.calibration.sweep import Step, swept

folder, number = Path(sys.argv[1]), int(sys.argv[2])
gpu = FakeGpu(gpu_kind("H200-SXM"), FakeTimer(), state_path=folder / "state.json")
gpu.on_write = lambda at: os._exit(137) if at == number else None
load = FakeLoad(gpu)
plan = (Step(clock_mhz=1005.0), Step(clock_mhz=1500.0), Step(cap_w=350.0))
swept(gpu, load, ("gemm",), gpu.timer, 0.5, str, folder=folder, plan=plan)
"""


@pytest.mark.parametrize("number", [1, 2, 3, 5, 6, 7, 8])
def test_a_killed_sweep_is_made_good_by_the_next_start(gpu: FakeGpu, tmp_path: Path, number: int) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(number)], check=False)  # noqa: S603
    assert done.returncode == 137
    assert [path.name for path in pending(tmp_path)] == ["FAKE-H200-SXM.json"]
    after = FakeGpu(KIND, gpu.timer, state_path=tmp_path / "state.json")
    before = restore(tmp_path, after, after.timer)
    assert before is not None
    assert after.setting == Setting(None, BEFORE_W)
    assert not pending(tmp_path)


def test_a_new_sweep_puts_back_what_a_crash_left_before_it_begins(gpu: FakeGpu, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), "7"], check=False)  # noqa: S603
    after = FakeGpu(KIND, gpu.timer, state_path=tmp_path / "state.json")
    assert after.cap_w() != BEFORE_W
    sweep(after, tmp_path)
    assert after.setting == Setting(None, BEFORE_W)


def test_restoring_without_permission_keeps_the_journal(gpu: FakeGpu, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), "4"], check=False)  # noqa: S603
    after = FakeGpu(KIND, gpu.timer, state_path=tmp_path / "state.json")
    after.permitted = False
    with pytest.raises(DeviceError, match="Insufficient Permissions"):
        restore(tmp_path, after, after.timer)
    assert pending(tmp_path)


def test_two_sweeps_of_one_gpu_exclude_each_other(gpu: FakeGpu, tmp_path: Path) -> None:
    with Journal(tmp_path, gpu, gpu.timer):
        assert not pending(tmp_path)
        with pytest.raises(RunError, match="another process changes"):
            restore(tmp_path, gpu, gpu.timer)


@pytest.mark.parametrize("text", ["", '{"uuid": "FAKE-H2'])
def test_a_journal_cut_short_means_that_nothing_was_changed(gpu: FakeGpu, tmp_path: Path, text: str) -> None:
    path_of(tmp_path, "FAKE-H200-SXM").write_text(text)
    assert not pending(tmp_path)
    assert restore(tmp_path, gpu, gpu.timer) is None
    assert gpu.writes == 0


def test_a_journal_that_somebody_edited_is_not_acted_on(gpu: FakeGpu, tmp_path: Path) -> None:
    path_of(tmp_path, "FAKE-H200-SXM").write_text('{"cap": 3}\n')
    with pytest.raises(RunError, match="as goodwatt wrote them"):
        restore(tmp_path, gpu, gpu.timer)


def test_nothing_to_restore_is_nothing(gpu: FakeGpu, tmp_path: Path) -> None:
    assert restore(tmp_path / "none", gpu, gpu.timer) is None
    assert pending(tmp_path / "none") == []


def test_as_it_stands_writes_nothing(gpu: FakeGpu, timer: FakeTimer) -> None:
    load = FakeLoad(gpu)
    load.open()
    found = as_it_stands(gpu, load, ("gemm", "copy"), timer, 0.5, str)
    assert [m.work for m in found] == ["", "gemm", "copy"]
    assert gpu.writes == 0


def test_a_clock_that_is_locked_already_is_noticed(gpu: FakeGpu, timer: FakeTimer) -> None:
    gpu.lock_clock(990)
    load = FakeLoad(gpu)
    load.open()
    found = as_it_stands(gpu, load, ("gemm",), timer, 0.5, str)
    with pytest.raises(RunError, match="about 990 MHz"):
        check_unlocked(found, None)
    check_unlocked(found, 990.0)


def test_steps_cover_the_clocks_and_caps() -> None:
    found = steps(FakeGpu(KIND, FakeTimer()).facts(), clocks=5, caps=2)
    assert [s.clock_mhz for s in found if s.clock_mhz] == [660.0, 990.0, 1320.0, 1650.0, 1980.0]
    assert [s.cap_w for s in found if s.cap_w] == [200, 450]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [((1005.0, None), "1005 MHz"), ((None, 350.0), "350 W"), ((None, None), "default")],
)
def test_a_measurement_is_told_in_one_line(asked: tuple[float | None, float | None], expected: str) -> None:
    line = described(Measurement("gemm", *asked, 500.0, 600.0, 1005.0, frozenset({"cap"})))
    assert expected in line
    assert "held by cap" in line
