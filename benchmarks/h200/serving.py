"""What one LLM serving instance does on this machine's GPU: decode, prefill, mixed iterations, gaps, company.

    PYTHONPATH=src:benchmarks python -m h200.serving OUT.json --parts decode,prefill,mixed --limit 500
    PYTHONPATH=src:benchmarks python -m h200.serving OUT.json --parts beside,first --limit 500
    PYTHONPATH=src:benchmarks python -m h200.serving OUT.json --parts ranks --limit 200    (two GPUs)

Reads NVML, runs kernels, starts an MPS daemon of its own for `beside`; changes no setting of the GPU. Rows that lie in
OUT.json already are not measured again. It stops in good order when the limit comes near and says what is missing.
`serving_parts` lists the rows, `serving_model` is the model, ABOUT below says how to read the result.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from h200 import serving_summary as summary
from h200.mps import Mps
from h200.serving_parts import THREADS, Cycle, Row, planned

from goodwatt.cli.gpu_load import LoadProcess
from goodwatt.power.device.interface import Counters, DeviceError, GpuDevice, Reading, SystemTimer
from goodwatt.power.device.measuring import Window, measured
from goodwatt.power.device.nvml import open_gpu

ABOUT = (
    "One LLM serving instance on an NVIDIA H200 (driver {driver}, CUDA 13.0, PyTorch 2.11, Triton 3.6) at default"
    " clocks, 700 W; settings only read. Models with random normal weights in bf16: 8b is Llama-3.1-8B's shape (8"
    " heads of keys), 30b LLaMA-30B's (60 layers, 6656 wide, 52 heads each with its own keys). Iterations are "
    "CUDA graphs unless the cycle says graph false; the host keeps 2 ahead unless ahead is false. Attention: "
    "decode split over the context (Triton), prefill FlashAttention 2 of PyTorch (what cuDNN's takes instead: "
    "prefill of 2048 tokens 2% less, of 8192 9% less). rate: iterations/s of the instance; batch_rate: of the "
    "batch job; watts: NVML energy counter over the window; counters: shares by GPM of the whole GPU; times: "
    "milliseconds of an iteration on the GPU from start to end, by kind; clocks: mean SM clock while each kind "
    "ran. decode n tokens: batch sequences, one token each, over context tokens of cache. mixed: one forward pass"
    " over a prompt's chunk and a batch that decodes. beside: under MPS, the batch job at threads per cent of the"
    " threads, the instance at 100; first: the same with the batch job at the lower MPS priority. bursts: one "
    "iteration after the other for 0.03 s, then a pause, so that the power cap hardly bites. ranks: tensor "
    "parallel over 2 GPUs by NCCL without NVLink multicast, watts of each; rows of all-reduces alone sum the same"
    " data on and on, so their watts are of constant data. again: rows of other parts a second time. trace: "
    "seconds, watts, MHz at each step of the energy counter."
)
SETTLE_S, START_S = 0.6, 1.5
PROBE = 20
"""Iterations by which ranks learn how many of them fill a window."""
WORKER = str(Path(__file__).with_name("serving_worker.py"))
Started = tuple["Instance", Cycle | str]


class Instance:
    """A worker process that is started again when it has failed, and the times of its iterations."""

    def __init__(self, folder: Path, name: str, environment: Mapping[str, str]) -> None:
        self._times, self._environment = folder / f"{name}.json", environment
        self.process = self._start()

    def renew(self) -> None:
        """A new process in the old one's place."""
        self.process.close()
        self.process = self._start()
        self.process.ready()

    def close(self) -> None:
        """End the process."""
        self.process.close()

    def iterations(self) -> list[summary.Iteration]:
        """Of the last cycle, once it has stopped."""
        return [(kind, start_s, ms) for kind, start_s, ms in json.loads(self._times.read_text(encoding="utf-8"))]

    def _start(self) -> LoadProcess:
        return LoadProcess([sys.executable, WORKER, str(self._times)], self._environment)


class Watched:
    """A GPU that keeps what was read from it."""

    def __init__(self, gpu: GpuDevice) -> None:
        self._gpu, self.readings = gpu, list[Reading]()

    def read(self) -> Reading:
        """One look, kept."""
        self.readings.append(self._gpu.read())
        return self.readings[-1]

    def counters(self) -> Counters | None:
        """As the GPU has them."""
        return self._gpu.counters()

    def window(self, seconds: float) -> Window:
        """A stretch of time."""
        return measured(self, SystemTimer(), seconds)  # type: ignore[arg-type]  # only reading and counters are used


class Session:
    """What is measured, in order, until the time is up."""

    def __init__(self, out: Path, gpus: Sequence[GpuDevice], limit_s: float) -> None:
        self.out, self.gpus, self.end_s = out, gpus, time.monotonic() + limit_s
        found = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
        self.rows: list[dict[str, Any]] = [row for row in found.get("rows", []) if "error" not in row]
        self.missing = list[str]()

    def todo(self, rows: Sequence[Row]) -> list[Row]:
        """Those that were not measured before."""
        done = {(row["part"], row["name"], row["beside"], row["threads"]) for row in self.rows}
        return [row for row in rows if row.key() not in done]

    def measure(self, row: Row, started: Sequence[Started]) -> None:
        """One row; nothing once the time is up, the error where it fails."""
        if time.monotonic() + row.window_s + SETTLE_S + START_S > self.end_s:
            self.missing.append(" ".join(map(str, row.key())))
            return
        try:
            found = self._watch(row, started)
        except DeviceError as error:
            found = {"error": str(error)}
            for instance, _ in started:
                instance.renew()
        cycle = {} if row.cycle is None else {"cycle": json.loads(row.cycle.text())}
        for name in ("entries", "model"):
            cycle.get("cycle", {}).pop(name, None)
        head = {"part": row.part, "name": row.name, "model": row.cycle.model if row.cycle else ""}
        self.rows.append({**head, "beside": row.beside, "threads": row.threads, **cycle, **found})
        self.save()
        print(_line(self.rows[-1]), flush=True)

    def quiet(self, name: str) -> None:
        """The GPU with no kernel on it."""
        watched = Watched(self.gpus[0])
        self.rows.append({"part": "quiet", "name": name, "beside": "", "threads": 0, **_window(watched.window(2.0))})
        print(_line(self.rows[-1]), flush=True)

    def save(self) -> None:
        """Everything so far."""
        head = {"about": ABOUT.format(driver=self.gpus[0].facts().driver), "date": time.strftime("%Y-%m-%d")}
        lines = ",\n ".join(json.dumps(row) for row in self.rows)
        self.out.write_text(f'{json.dumps(head)[:-1]}, "rows": [\n {lines}\n]}}\n', encoding="utf-8")

    def _watch(self, row: Row, started: Sequence[Started]) -> dict[str, Any]:
        processes = [instance.process for instance, _ in started]
        for instance, work in started:
            instance.process.begin(work if isinstance(work, str) else work.text())
        watched = [Watched(gpu) for gpu in self.gpus[: row.ranks]]
        try:
            for process in processes:
                process.await_running()
            time.sleep(SETTLE_S)
            with ThreadPoolExecutor(len(watched)) as pool:
                windows = list(pool.map(lambda each: each.window(row.window_s), watched))
            window = windows[0]
            rates = [round(process.rate(window.start_s, window.end_s), 3) for process in processes]
        finally:
            for process in processes:
                process.stop()
        found = _window(window) | ({"watts_each": [round(w.watts, 1) for w in windows]} if row.ranks > 1 else {})
        if row.cycle is None:
            return {"batch_rate": rates[0], **found}
        batch = {"batch_rate": rates[-1]} if row.beside else {}
        return {"rate": rates[0], **batch, **found, **_details(row, started[0][0], watched[0].readings, window)}


def _window(window: Window) -> dict[str, Any]:
    counters = asdict(window.counters) if window.counters else {}
    return {
        "watts": round(window.watts, 1),
        "clock_mhz": round(window.clock_mhz, 1),
        "temperature_c": window.temperature_c,
        "reasons": sorted(window.reasons),
        "seconds": round(window.seconds, 3),
        "counters": {name: round(value, 4) for name, value in counters.items()},
    }


def _details(row: Row, instance: Instance, readings: list[Reading], window: Window) -> dict[str, Any]:
    """Times and clocks by kind; what the gaps draw where there are some."""
    iterations = instance.iterations()
    seen = [each for each in iterations if window.start_s <= each[1] < window.end_s]
    found: dict[str, Any] = {
        "times": summary.iteration_times(seen),
        "clocks": summary.clocks(iterations, readings),
    }
    if row.cycle and row.cycle.off_s:
        found["gap_watts"] = summary.watts_within(summary.power(readings), summary.gaps(iterations))
    return found | ({"trace": summary.trace(readings)} if row.trace else {})


def _line(row: dict[str, Any]) -> str:
    """A row to read while it runs."""
    if "error" in row:
        return f"{row['part']:11} {row['name'][:70]:70} {row['beside']} {row['threads']} {row['error']}"
    times = " ".join(
        f"{t['mean_ms']:.3f} ({t['p50_ms']:.2f}, {t['p99_ms']:.2f})" for t in row.get("times", {}).values()
    )
    rates = f"{row.get('rate', '')} {row.get('batch_rate', '')}"
    beside = f" | {row['beside']} {row['threads']}" if row["beside"] else ""
    dram = row["counters"].get("dram", 0.0)
    text = f"{row['part']:11} {row['name'] + beside:66} {rates:14} {row['watts']:5.0f} W {row['clock_mhz']:5.0f} MHz"
    return f"{text} dram {dram:.2f} ms {times}" + (f" gap {row['gap_watts']} W" if "gap_watts" in row else "")


@contextlib.contextmanager
def instances(environments: Mapping[str, Mapping[str, str]]) -> Iterator[dict[str, Instance]]:
    """A worker for every name, with its context made."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        made = {name: Instance(Path(folder), name, environment) for name, environment in environments.items()}
        for instance in made.values():
            stack.callback(instance.close)
        for instance in made.values():
            instance.process.ready()
        yield made


def alone(session: Session, rows: Sequence[Row]) -> None:
    """Rows of one instance with the GPU to itself."""
    session.quiet("idle")
    with instances({"instance": {}}) as made:
        session.quiet("context")
        for row in rows:
            session.measure(row, [(made["instance"], row.cycle)] if row.cycle else [])


def beside(session: Session, rows: Sequence[Row], priority: int = 0) -> None:
    """Rows under MPS; `priority` of the batch job: 0 is the instance's, 1 is below."""
    with Mps() as mps:
        lower = {"CUDA_MPS_CLIENT_PRIORITY": str(priority)}
        environments = {str(threads): mps.environment(threads, **lower) for threads in THREADS}
        with instances({"instance": mps.environment(), **environments}) as made:
            for row in rows:
                started: list[Started] = [(made["instance"], row.cycle)] if row.cycle else []
                session.measure(row, [*started, (made[str(row.threads)], row.beside)] if row.beside else started)


def ranks(session: Session, rows: Sequence[Row]) -> None:
    """Rows over two GPUs: a first short run tells how many iterations fill the window."""
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511", "WORLD_SIZE": "2", "NCCL_NVLS_ENABLE": "0"}
    environments = {str(r): {**shared, "RANK": str(r), "CUDA_VISIBLE_DEVICES": str(r)} for r in range(2)}
    with instances(environments) as made:
        for row in rows:
            assert row.cycle is not None
            count = _count(row, row.cycle, list(made.values()))
            session.measure(row, [(instance, replace(row.cycle, count=count)) for instance in made.values()])


def _count(row: Row, cycle: Cycle, made: Sequence[Instance]) -> int:
    for instance in made:
        instance.process.begin(replace(cycle, count=PROBE).text())
    for instance in made:
        instance.process.await_running()
    for instance in made:
        instance.process.stop()
    iterations = made[0].iterations()[PROBE // 2 :]
    mean_s = sum(ms for _, _, ms in iterations) / len(iterations) / 1e3
    return int((row.window_s + SETTLE_S + 1.0) / mean_s) + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--parts", default="decode,prefill,mixed,alternation,bursts,gaps,host,again")
    parser.add_argument("--only", default="", help="rows with this in their name")
    parser.add_argument("--limit", type=float, default=400.0)
    options = parser.parse_args()
    parts = options.parts.split(",")
    session = Session(options.out, [open_gpu(str(n)) for n in range(2 if parts == ["ranks"] else 1)], options.limit)
    run(session, parts, options.only)


def run(session: Session, parts: Sequence[str], only: str = "") -> None:
    """Every part in its surroundings."""
    surroundings: dict[str, Callable[[Session, Sequence[Row]], None]] = {
        "beside": beside,
        "first": partial(beside, priority=1),
        "ranks": ranks,
    }
    for group in ([p for p in parts if p not in surroundings], *([p] for p in parts if p in surroundings)):
        rows = session.todo([row for row in planned(list(group)) if only in row.name])
        if rows:
            surroundings.get(group[0], alone)(session, rows)
    session.save()
    print("not measured for want of time:", "; ".join(session.missing) or "nothing")


if __name__ == "__main__":
    main()
