"""The process that loads a GPU, with a stand-in for torch that computes nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goodwatt.cli.gpu_kernels import BACKENDS, BUILDERS, WORKS
from goodwatt.cli.gpu_load import LoadProcess, kernel_process
from goodwatt.power.device.fake import DEMANDS, RATES
from goodwatt.power.device.interface import DeviceError

STAND_IN = """
import os, time
class cuda:
    class Event:
        def record(self): pass
        def synchronize(self): pass
    init = synchronize = staticmethod(lambda: None)
class Tensor:
    def copy_(self, other): time.sleep(0.001)
class nn: pass
bfloat16 = uint8 = None
def randn(*shape, **options): return Tensor()
zeros = empty_like = randn
def mm(*tensors, **options):
    if os.environ.get("DIE"):
        os._exit(3)
    raise RuntimeError("CUDA error: out of memory")
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoadProcess]:
    (tmp_path / "torch.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with kernel_process("torch", {}) as process:
        process.ready()
        yield process


def test_a_kernel_is_run_counted_and_stopped(load: LoadProcess) -> None:
    for _ in range(2):
        load.run("copy")
        time.sleep(0.2)
        start_s = time.monotonic()
        time.sleep(0.3)
        assert load.rate(start_s, time.monotonic()) > 0
        load.stop()


def test_what_fails_on_the_gpu_is_told_and_the_process_goes_on(load: LoadProcess) -> None:
    with pytest.raises(DeviceError, match="out of memory"):
        load.run("gemm")
    load.stop()
    load.run("copy")
    load.stop()


def test_a_process_that_dies_is_an_error_not_a_wait(load: LoadProcess) -> None:
    load._process.kill()
    with pytest.raises(DeviceError, match="ended with status -9"):
        load.run("copy")


def test_a_moment_outside_the_counts_is_an_error(load: LoadProcess) -> None:
    load.run("copy")
    with pytest.raises(DeviceError, match="stood still"):
        load.rate(time.monotonic() - 100.0, time.monotonic() - 99.0)
    load.stop()


def test_a_backend_that_is_not_installed_ends_at_once() -> None:
    with LoadProcess([sys.executable, "-c", "raise SystemExit(4)"]) as process, pytest.raises(DeviceError, match="4"):
        process.ready()


def test_the_fake_knows_every_kernel() -> None:
    assert set(DEMANDS) == set(RATES) == set(WORKS)
    assert tuple(BUILDERS) == BACKENDS
    assert all(set(builders) <= set(WORKS) for builders in BUILDERS.values())
