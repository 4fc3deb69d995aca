"""What `goodwatt calibrate` does, in order: restore what a crash left, measure, sweep if asked, fit, write, print."""

from __future__ import annotations

import contextlib
import datetime
import json
import signal
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from goodwatt.cli.calibrate_view import print_calibration
from goodwatt.cli.gpu_kernels import BUILDERS
from goodwatt.cli.gpu_load import LoadProcess, backend, kernel_process
from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.errors import InputError, RunError, UnknownNameError
from goodwatt.power.calibration.entry import as_yaml, entry, label
from goodwatt.power.calibration.figures import Calibration, Measurement, calibrated
from goodwatt.power.calibration.sweep import Load, as_it_stands, check_unlocked, steps, swept
from goodwatt.power.device.fake import DEMANDS, FakeGpu, FakeLoad, FakeTimer
from goodwatt.power.device.interface import DeviceFacts, GpuDevice, SystemTimer, Timer
from goodwatt.power.device.journal import default_folder, path_of, pending, restore
from goodwatt.power.device.measuring import measured
from goodwatt.power.device.nvml import open_gpu

NEAREST = "H100-SXM"
"""Lends what cannot be seen where neither the catalogue knows the GPU nor --like names a kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The options of the command."""

    gpu: str
    out: Path | None
    raw: Path | None
    like: str
    seconds: float
    sweep: bool
    clocks: int
    caps: int
    yes: bool
    clock_before_mhz: float | None
    restore: bool
    journal: Path | None
    fake: str
    as_json: bool


@dataclass(frozen=True, slots=True)
class _Bench:
    """What is measured and what with; `works` empty where neither torch nor cupy is installed."""

    device: GpuDevice
    timer: Timer
    works: tuple[str, ...]


def run(wishes: Wishes) -> None:
    """The whole command. Raises InputError or RunError."""
    folder = wishes.journal or default_folder()
    bench = _bench(wishes)
    facts = bench.device.facts()
    if wishes.restore:
        _restore(folder, bench)
        return
    if path_of(folder, facts.uuid) in pending(folder):
        _restore(folder, bench)
    like, same = _lender(facts, wishes.like)
    if like.power_model is None:
        raise InputError(f"{like.name} has no power model to lend: name another kind with --like")
    _refuse_company(bench)
    if wishes.sweep:
        _consent(wishes, facts)
    idle_w, found = _measurements(wishes, bench, folder)
    top_mhz = float(facts.clocks_mhz[-1] if facts.clocks_mhz else like.max_clock_mhz or 0)
    fitted = calibrated(idle_w, found, top_mhz, _step_mhz(facts, like), like.power_model, like.name)
    _write(wishes, facts, fitted, found, like, same)
    print_calibration(facts, fitted, found, like, wishes.as_json)


def _bench(wishes: Wishes) -> _Bench:
    if wishes.fake:
        timer = FakeTimer()
        return _Bench(FakeGpu(gpu_kind(wishes.fake), timer), timer, tuple(DEMANDS))
    name = backend()
    if name is None:
        typer.echo("neither torch nor cupy is installed here: only what needs no kernel is measured", err=True)
    return _Bench(open_gpu(wishes.gpu), SystemTimer(), tuple(BUILDERS[name]) if name else ())


def _restore(folder: Path, bench: _Bench) -> None:
    before = restore(folder, bench.device, bench.timer)
    if before is None:
        typer.echo("nothing to restore: no interrupted sweep of this GPU", err=True)
        return
    lock = "no clock lock" if before.clock_mhz is None else f"a lock at {before.clock_mhz:g} MHz"
    typer.echo(f"put back what an interrupted sweep left: {lock}, a cap of {before.cap_w:g} W", err=True)


def _lender(facts: DeviceFacts, like: str) -> tuple[GpuKind, bool]:
    """The kind that lends what cannot be seen, and whether it is this GPU's own."""
    try:
        own = gpu_kind(label(facts))
    except (UnknownNameError, InputError):
        own = None
    if like:
        lender = gpu_kind(like)
        return lender, own is not None and lender.name == own.name
    return (own, True) if own else (gpu_kind(NEAREST), False)


def _refuse_company(bench: _Bench) -> None:
    """Raises RunError if anybody else computes on this GPU: nothing could be told from its watts."""
    if others := bench.device.processes():
        raise RunError(f"processes {', '.join(map(str, others))} hold this GPU: calibrate one that nobody uses")


def _consent(wishes: Wishes, facts: DeviceFacts) -> None:
    plan = steps(facts, wishes.clocks, wishes.caps)
    typer.echo(
        f"--sweep sets {facts.name} (GPU {facts.index}) to {len(plan)} clocks and caps in turn and then puts back what "
        "stood before. Nobody else should use this GPU meanwhile.",
        err=True,
    )
    if not wishes.yes and not typer.confirm("Go on?", err=True):
        raise RunError("not swept: not agreed to")


def _measurements(wishes: Wishes, bench: _Bench, folder: Path) -> tuple[float, list[Measurement]]:
    """(idle watts, everything measured)."""
    idle_w = measured(bench.device, bench.timer, wishes.seconds).watts
    typer.echo(f"no context: {idle_w:.1f} W", err=True)
    if not bench.works:
        if wishes.sweep:
            raise RunError("a sweep needs kernels: install torch or cupy")
        return idle_w, []
    with _load(bench) as load, _signals_as_exceptions():
        found = as_it_stands(bench.device, load, bench.works, bench.timer, wishes.seconds, _say)
        if wishes.sweep:
            check_unlocked(found, wishes.clock_before_mhz)
            plan = steps(bench.device.facts(), wishes.clocks, wishes.caps)
            found += swept(
                bench.device,
                load,
                bench.works,
                bench.timer,
                wishes.seconds,
                _say,
                folder=folder,
                plan=plan,
                clock_mhz=wishes.clock_before_mhz,
            )
    return idle_w, found


@contextlib.contextmanager
def _load(bench: _Bench) -> Iterator[Load]:
    """The process that runs the kernels, holding its context."""
    if isinstance(bench.device, FakeGpu):
        fake = FakeLoad(bench.device)
        fake.open()
        yield fake
        fake.close()
        return
    environment = {"CUDA_VISIBLE_DEVICES": bench.device.facts().uuid}
    process: LoadProcess
    with kernel_process(backend() or "", environment) as process:
        process.ready()
        yield process


@contextlib.contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """A polite kill ends the sweep as Ctrl-C does, so that the settings are put back."""

    def stop(*_: object) -> None:
        for also in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(also, signal.SIG_IGN)  # a second one must not cut the restoring short
        raise KeyboardInterrupt

    watched = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = [signal.signal(number, stop) for number in watched]
    try:
        yield
    finally:
        for number, handler in zip(watched, before, strict=True):
            signal.signal(number, handler)


def _step_mhz(facts: DeviceFacts, like: GpuKind) -> float:
    """The usual distance of supported clocks: the median."""
    gaps = sorted(b - a for a, b in zip(facts.clocks_mhz, facts.clocks_mhz[1:], strict=False))
    if gaps:
        return float(gaps[len(gaps) // 2])
    return like.power_model.clock_step_mhz if like.power_model else 15.0


def _write(
    wishes: Wishes, facts: DeviceFacts, fitted: Calibration, found: Sequence[Measurement], like: GpuKind, same: bool
) -> None:
    now = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    if wishes.out:
        content = entry(facts, fitted, like, same, now)
        wishes.out.write_text(as_yaml(content, fitted.unseen), encoding="utf-8")
        typer.echo(f"wrote {wishes.out}", err=True)
    if wishes.raw:
        rows = [asdict(m) | {"reasons": sorted(m.reasons)} for m in found]
        facts_row = asdict(facts)
        content = {"gpu": facts_row, "date": now, "idle_w": fitted.idle_w.value, "measurements": rows}
        wishes.raw.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        typer.echo(f"wrote {wishes.raw}", err=True)


def _say(text: str) -> None:
    typer.echo(text, err=True)
