"""How `goodwatt predict --service` prints: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import orjson
from rich import box
from rich.markup import escape
from rich.table import Table

from goodwatt.cli.counted import counted
from goodwatt.cli.terminal import console
from goodwatt.simulator.services.batch_work import BatchWork, BesideRow
from goodwatt.simulator.services.load_trial import MOST_INSTANCES, ServedLoad
from goodwatt.simulator.services.service_prediction import MARGIN, LoadRow, ServicePrediction

NAMES = {"ttft_s": "time to first token", "tpot_s": "time per output token", "latency_s": "latency"}
ROLES = {"both": "", "prefill": " for prompts", "decode": " for what follows"}


def show(found: ServicePrediction, as_json: bool) -> None:
    """Print a prediction."""
    if as_json:
        print(orjson.dumps(service_json(found), option=orjson.OPT_INDENT_2).decode())
        return
    screen = console()
    for part in (_title(found), _latencies(found), _figures(found), *_loads(found), *_beside(found), *_notes(found)):
        screen.print(part)


def service_json(found: ServicePrediction) -> dict[str, Any]:
    """The content of --json: the load asked for, the best clock there, the greatest load, and loads up to it."""
    service = found.service
    return {
        "service": service.name,
        "gpu": service.gpu,
        "gpus_per_instance": service.tensor_parallel,
        "instances": found.instances,
        "promise": asdict(service.promise),
        "clock_mhz": found.setting.clock_mhz,
        "cap_w": found.setting.cap_w,
        "margin": MARGIN,
        "asked": asdict(found.asked),
        "best": found.best and asdict(found.best),
        "greatest_per_s": found.greatest_per_s,
        "loads": [asdict(row) for row in found.rows],
        "beside": found.batch and asdict(found.batch),
    }


def _title(found: ServicePrediction) -> str:
    service = found.service
    parts = " and ".join(f"{counted(count, 'instance')}{ROLES[role]}" for role, count in found.instances.items())
    on = f"{parts} of {service.tensor_parallel} x {service.gpu}"
    asked = [f"at most {found.asked.clock_mhz:,.0f} MHz"]
    asked += [] if found.setting.cap_w is None else [f"{found.setting.cap_w:,.0f} W a GPU"]
    return (
        f"[bold]{escape(service.name)}[/bold]: {_rate(found.asked.rate_per_s)} requests/s on {on}, {', '.join(asked)}"
    )


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for place, title in enumerate(titles):
        table.add_column(title, justify="left" if place == 0 else "right", no_wrap=place > 0)
    return table


def _latencies(found: ServicePrediction) -> Table:
    table = _table("", "p50", "p99", "promised p99")
    for measure in _measures(found):
        limit = getattr(found.service.promise, measure)
        promised = "-" if limit is None else _seconds(limit)
        table.add_row(
            NAMES[measure], _seconds(found.asked.p50_s[measure]), _seconds(found.asked.p99_s[measure]), promised
        )
    return table


def _figures(found: ServicePrediction) -> Table:
    """The load asked for beside the same at the best clock."""
    table = _table("", "as asked", "best clock")
    columns = (found.asked, found.best)
    for title, of in _rows(found):
        table.add_row(title, *["-" if load is None else of(load) for load in columns])
    return table


def _rows(found: ServicePrediction) -> Iterator[tuple[str, Callable[[ServedLoad], str]]]:
    yield "SM clock at most", lambda load: f"{load.clock_mhz:,.0f} MHz"
    yield "requests on time", lambda load: f"{100.0 * load.attainment:.2f}%{'' if load.kept else ' (99% promised)'}"
    yield "watts of a GPU", lambda load: f"{load.gpu_w:,.0f} W"
    yield "watts of an instance", lambda load: f"{load.instance_w:,.0f} W"
    if found.asked.tokens_per_j is not None:
        yield "output tokens per joule", lambda load: f"{load.tokens_per_j:.3g}"
    yield "joules per request", _joules
    yield "utilisation (kernels on the GPU)", lambda load: f"{100.0 * load.utilisation:.0f}%"
    if found.asked.kv_use is not None:
        yield "KV cache taken", lambda load: f"{100.0 * (load.kv_use or 0.0):.1f}%"


def _loads(found: ServicePrediction) -> Iterator[str | Table]:
    if not found.rows:
        return
    yield f"Keeps its promise up to {_rate(found.greatest_per_s)} requests/s. On the way there:"
    measures = _measures(found)
    work = "tokens/J" if found.asked.tokens_per_j is not None else "J/request"
    titles = [f"p99 {name.removesuffix('_s')}" for name in measures]
    table = _table("load", "requests/s", *titles, "on time", "W/GPU", work, "best MHz", "W/GPU", work)
    for row in found.rows:
        table.add_row(*_load_cells(row, measures))
    yield table


def _load_cells(row: LoadRow, measures: list[str]) -> Iterator[str]:
    yield f"{100.0 * row.share:.0f}%"
    yield _rate(row.asked.rate_per_s)
    yield from (_seconds(row.asked.p99_s[measure]) for measure in measures)
    yield f"{100.0 * row.asked.attainment:.2f}%"
    yield from _work_cells(row.asked)
    yield "-" if row.best is None else f"{row.best.clock_mhz:,.0f}"
    yield from ("-", "-") if row.best is None else _work_cells(row.best)


def _work_cells(load: ServedLoad) -> tuple[str, str]:
    if load.tokens_per_j is not None:
        return f"{load.gpu_w:,.0f}", f"{load.tokens_per_j:.3g}"
    return f"{load.gpu_w:,.0f}", _joules(load)


def _joules(load: ServedLoad) -> str:
    """For each request that was finished."""
    if not load.requests_per_j:
        return "-"
    joules = 1.0 / load.requests_per_j
    return f"{joules:,.0f}" if joules >= 100.0 else f"{joules:.3g}"


def _beside(found: ServicePrediction) -> Iterator[str | Table]:
    """Batch jobs beside the instances, and instances that need not be."""
    batch = found.batch
    if batch is None:
        return
    if batch.rows:
        yield f"Batch jobs beside every instance under MPS at {_rate(found.asked.rate_per_s)} requests/s:"
        measures = _measures(found)
        titles = [f"p99 {name.removesuffix('_s')}" for name in measures]
        table = _table("job", "SMs", "its speed", "kernels", *titles, "promise", "W/GPU", "")
        for row in batch.rows:
            table.add_row(*_beside_cells(row, measures))
        yield table
    yield from _freed(found, batch)


def _beside_cells(row: BesideRow, measures: list[str]) -> Iterator[str]:
    yield row.workload
    yield f"{row.percent:.0f}%"
    yield f"{100.0 * row.speed:.0f}%"
    yield f"x {row.stretch:.2f}"
    yield from (_seconds(row.p99_s[measure]) for measure in measures)
    yield "kept" if row.kept else "not kept"
    yield f"{row.gpu_w:,.0f}"
    yield "best" if row.best else "" if row.fits else "no memory"


def _freed(found: ServicePrediction, batch: BatchWork) -> Iterator[str]:
    """What fewer instances would give, beside what jobs get on the GPUs of all."""
    count = found.instances["both"]
    if batch.fewest is None:
        yield "No GPU can be spared: not even all instances keep the promise with a margin."
        return
    best = max((row.speed for row in batch.rows if row.best), default=0.0)
    gpus = count * found.service.tensor_parallel
    yield (
        f"{counted(batch.fewest, 'instance')} would do: {counted(batch.freed_gpus, 'GPU')} free for other work. "
        f"Jobs beside all {count} do at most that of {best * gpus:.1f} GPUs."
    )
    if any(not row.fits for row in batch.rows):
        yield "For memory beside the instances lower the service's memory_share."


def _notes(found: ServicePrediction) -> Iterator[str]:
    if found.best is None:
        yield (
            f"No clock keeps the promise with a margin of {MARGIN:.0%} at this load: expected more replicas, or less."
            if found.asked.kept
            else "The promise is not kept at this load: expected more replicas, or less."
        )
    else:
        saved = 1.0 - found.best.gpu_w / found.asked.gpu_w
        yield f"Best clock: of least energy with latencies {MARGIN:.0%} below the promise; {saved:.0%} fewer watts."
    if not found.rows:
        yield "No load keeps the promise on these instances."
    if found.asked.attainment < 1.0 and not found.asked.kept:
        yield "Latencies are of the requests that finished; those that did not count as late."
    yield (
        f"Simulated: {found.asked.requests:,} requests that come at random at a constant rate, with lengths of the "
        "service's own source; bursts and the rhythm of the day are not in it."
    )
    if found.instances.get("both", 0) > MOST_INSTANCES:
        yield f"{MOST_INSTANCES} of the instances were simulated, with their part of the load."


def _measures(found: ServicePrediction) -> list[str]:
    """Without tokens there is only the whole."""
    return list(NAMES) if found.asked.tokens_per_j is not None else ["latency_s"]


def _rate(per_s: float) -> str:
    return f"{per_s:,.0f}" if per_s >= 1000.0 else f"{per_s:.3g}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{1000.0 * value:,.3g} ms" if value < 1.0 else f"{value:,.3g} s"
