"""Measure the phase classes alone and in company on this machine's GPU: rates, watts, clock, counters.

    PYTHONPATH=src:benchmarks python -m h200.phases OUT.json --modes timeslice,mps,mps50 --limit 400

Reads NVML, runs kernels, starts an MPS daemon of its own; changes no setting of the GPU. It stops in good order when
the limit comes near and says what is missing. `compare.py` sets the model beside what was measured.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from h200.mps import Mps

from goodwatt.cli.gpu_load import LoadProcess
from goodwatt.power.device.interface import DeviceError, SystemTimer
from goodwatt.power.device.measuring import Window, measured
from goodwatt.power.device.nvml import NvmlGpu, open_gpu

WORKS = ("gemm", "copy", "gemv", "attention", "small", "resnet50_train", "decode", "prefill")
GROUPS = (
    ("small", "small", "small", "small"),
    ("decode", "small", "small", "small"),
    ("resnet50_train", "small", "small"),
    ("gemm", "copy", "small"),
    ("resnet50_train", "resnet50_train", "resnet50_train", "resnet50_train"),
    ("gemv", "gemv", "gemm"),
)
AGAIN = (("gemm", "copy"), ("decode", "prefill"), ("resnet50_train", "gemv"))
"""Pairs measured twice, so that the spread from run to run is known."""

SETTLE_S = 0.6
WORKER = str(Path(__file__).with_name("worker.py"))


class Session:
    """What is measured, in order, until the time is up."""

    def __init__(self, out: Path, window_s: float, limit_s: float) -> None:
        self.gpu: NvmlGpu = open_gpu()
        self.out, self.window_s, self.end_s = out, window_s, time.monotonic() + limit_s
        self.rows, self.missing = list[dict[str, Any]](), list[str]()

    def measure(self, mode: str, works: Sequence[str], workers: Sequence[LoadProcess], repeat: int = 0) -> None:
        """One set of works side by side; nothing once the time is up."""
        if time.monotonic() + self.window_s + 3 > self.end_s:
            self.missing.append(f"{mode}: {'+'.join(works)}")
            return
        try:
            self._row(mode, repeat, works, self._window(works, workers))
        except DeviceError as error:
            self.rows.append({"mode": mode, "works": list(works), "repeat": repeat, "error": str(error)})
            print(f"{mode:10} {'+'.join(works):50} {error}", flush=True)

    def quiet(self, name: str) -> None:
        """The GPU with no kernel on it."""
        self._row(name, 0, (), (measured(self.gpu, SystemTimer(), self.window_s), []))

    def save(self) -> None:
        """Everything so far."""
        content = {
            "gpu": asdict(self.gpu.facts()),
            "window_s": self.window_s,
            "missing": self.missing,
            "rows": self.rows,
        }
        self.out.write_text(json.dumps(content, indent=1), encoding="utf-8")

    def _window(self, works: Sequence[str], workers: Sequence[LoadProcess]) -> tuple[Window, list[float]]:
        chosen = list(zip(works, workers, strict=False))
        try:
            for work, worker in chosen:
                worker.begin(work)
            for _, worker in chosen:
                worker.await_running()
            time.sleep(SETTLE_S)
            window = measured(self.gpu, SystemTimer(), self.window_s)
            return window, [worker.rate(window.start_s, window.end_s) for _, worker in chosen]
        finally:
            for _, worker in chosen:
                worker.stop()

    def _row(self, mode: str, repeat: int, works: Sequence[str], seen: tuple[Window, list[float]]) -> None:
        window, rates = seen
        counters = asdict(window.counters) if window.counters else {}
        row = {
            "mode": mode,
            "works": list(works),
            "repeat": repeat,
            "rates": [round(rate, 3) for rate in rates],
            "watts": round(window.watts, 1),
            "clock_mhz": round(window.clock_mhz, 1),
            "temperature_c": window.temperature_c,
            "reasons": sorted(window.reasons),
            "seconds": round(window.seconds, 3),
            "counters": {name: round(value, 4) for name, value in counters.items()},
        }
        self.rows.append(row)
        self.save()
        print(f"{mode:10} {'+'.join(works):50} {row['rates']} {row['watts']} W {row['clock_mhz']} MHz", flush=True)


@contextlib.contextmanager
def processes(count: int, environment: dict[str, str]) -> Iterator[list[LoadProcess]]:
    """That many workers, with their contexts made."""
    with contextlib.ExitStack() as stack:
        command = [sys.executable, WORKER]
        workers = [stack.enter_context(LoadProcess(command, environment)) for _ in range(count)]
        for worker in workers:
            worker.ready()
        yield workers


def stage(
    session: Session, mode: str, environment: dict[str, str], works: Sequence[str], repeats: int, groups: bool
) -> None:
    """Every work alone, every pair, and some larger groups, in one mode."""
    with processes(2, environment) as workers:
        if mode == "timeslice":
            session.quiet("context")
        for repeat in range(repeats):
            for work in works:
                session.measure("alone" if mode == "timeslice" else f"alone {mode}", [work], workers, repeat)
        for pair in itertools.combinations_with_replacement(works, 2):
            session.measure(mode, pair, workers)
        for pair in AGAIN:
            if set(pair) <= set(works):
                session.measure(mode, pair, workers, 1)
    if groups:
        with processes(4, environment) as workers:
            for group in GROUPS:
                session.measure(mode, group, workers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--modes", default="timeslice,mps,mps50")
    parser.add_argument("--works", default=",".join(WORKS))
    parser.add_argument("--window", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=400.0)
    options = parser.parse_args()
    session = Session(options.out, options.window, options.limit)
    session.quiet("idle")
    works = options.works.split(",")
    for mode in options.modes.split(","):
        if mode == "timeslice":
            stage(session, mode, {}, works, options.repeats, groups="small" in works)
            continue
        with Mps() as mps:
            threads = int(mode.removeprefix("mps") or 100)
            groups = mode == "mps" and "small" in works
            stage(session, mode, mps.environment(threads), works, options.repeats, groups)
    session.save()
    print("not measured for want of time:", ", ".join(session.missing) or "nothing")


if __name__ == "__main__":
    main()
