"""Makes the bundled traces: fits a model to weeks of a public trace, keeps the model, and draws the sample from it.

    python benchmarks/make_sample.py [DATA] [--out FOLDER]

DATA is the folder with the public traces (philly_2017, helios_venus_2020). What goes into the package are fitted
parameters and jobs drawn from them, no job of the sources. Both windows lie in spans that results are never
reported on (Philly October; Venus up to 15 July). Prints one table with a strict-FIFO estimate of the queue.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import io
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from goodwatt.cluster.job import Job
from goodwatt.traces.generate import Drawn
from goodwatt.traces.generate_model import TraceModel
from goodwatt.traces.statistics_columns import DAY_S
from goodwatt.traces.trace import Trace

ROOT = Path(__file__).resolve().parents[1]
SEED = 0


@dataclass(frozen=True)
class Recipe:
    """One bundled trace: the window of the source and what is drawn from its model."""

    name: str
    file: str
    source: str
    origin: datetime
    start: datetime
    end: datetime
    partition: str | None
    days: float
    load: float
    nodes: tuple[int, ...]


RECIPES = (
    Recipe(
        name="philly-like",
        file="philly_2017/philly_jobs.csv.gz",
        source="Microsoft Philly (Jeon et al., ATC'19), jobs of 9-29 October 2017",
        origin=datetime(2017, 9, 4, 10, 30, 41),  # noqa: DTZ001 - the source's local time
        start=datetime(2017, 10, 9),  # noqa: DTZ001
        end=datetime(2017, 10, 30),  # noqa: DTZ001
        partition="vc",
        days=14,
        load=1.0,
        nodes=(70, 80, 90, 100),
    ),
    Recipe(
        name="venus-like",
        file="helios_venus_2020/venus_gpu_jobs.csv.gz",
        source="SenseTime Helios, cluster Venus (Hu et al., SC'21), jobs of 29 June - 12 July 2020",
        origin=datetime(2020, 4, 1),  # noqa: DTZ001
        start=datetime(2020, 6, 29),  # noqa: DTZ001
        end=datetime(2020, 7, 13),  # noqa: DTZ001
        partition=None,
        days=14,
        load=0.8,
        nodes=(70, 80, 90, 100),
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, default=ROOT / "src" / "goodwatt" / "traces" / "samples")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        parser.error(f"expected the folder of public traces, {arguments.data} is none")
    print(f"{'trace':<14}{'jobs':>8}{'GPUs':>8}  mean FIFO wait in minutes by 8-GPU nodes")
    for recipe in RECIPES:
        window = window_of(recipe, arguments.data)
        model = rounded(replace(TraceModel.fit(window), source=recipe.source), arguments.out / f"{recipe.name}.json")
        drawn = model.draw(SEED, days=recipe.days, load=recipe.load)
        write(drawn, arguments.out / f"{recipe.name}.csv.gz")
        print(line("(source)", window, recipe))
        print(line(recipe.name, drawn.trace(), recipe))


def rounded(model: TraceModel, path: Path) -> TraceModel:
    """The model as it will be read back from its file, so that the sample can be drawn again from the package."""
    model.save(path)
    return TraceModel.load(path)


def window_of(recipe: Recipe, data: Path) -> Trace:
    """The source's jobs of the window, counted from its start, which is a Monday's midnight."""
    offset, end = ((moment - recipe.origin).total_seconds() for moment in (recipe.start, recipe.end))
    table = pl.read_csv(data / recipe.file).filter(pl.col("submit_s").is_between(offset, end, closed="left"))
    jobs = [
        Job(
            job_id=str(number),
            submit_s=row["submit_s"] - offset,
            num_gpus=row["num_gpus"],
            duration_s=row["duration_s"],
            partition=row[recipe.partition] if recipe.partition else None,
        )
        for number, row in enumerate(table.sort("submit_s", maintain_order=True).iter_rows(named=True), start=1)
    ]
    return replace(Trace(recipe.name, jobs), path=Path(recipe.file))


def write(drawn: Drawn, path: Path) -> None:
    """The job table, gzipped without a time stamp so that the same jobs are the same bytes."""
    trace = drawn.trace()
    fields = ["job_id", "submit_s", "num_gpus", "duration_s", "user", "name"]
    if trace.jobs[0].partition:
        fields.append("partition")
    table = pl.DataFrame({field: [getattr(job, field) for job in trace.jobs] for field in fields})
    table = table.with_columns(pl.col("submit_s", "duration_s").cast(pl.Int64))
    table = table.with_columns(pl.lit("; ".join(trace.synthetic)).alias("synthetic"))
    buffer = io.BytesIO()
    table.write_csv(buffer)
    path.write_bytes(gzip.compress(buffer.getvalue(), 9, mtime=0))


def line(name: str, trace: Trace, recipe: Recipe) -> str:
    """One row of the table."""
    work = sum(job.num_gpus * job.duration_s for job in trace.jobs)
    waits = ", ".join(f"{nodes}: {fifo_wait_s(trace, nodes * 8) / 60:.0f}" for nodes in recipe.nodes)
    days = recipe.days if name != "(source)" else (recipe.end - recipe.start).days
    return f"{name:<14}{len(trace.jobs):>8}{work / days / DAY_S:>8.0f}  {waits}"


def fifo_wait_s(trace: Trace, gpus: int) -> float:
    """Mean wait under strict FIFO where only the count of GPUs limits."""
    running: list[tuple[float, int]] = []
    free, now, waits = gpus, 0.0, []
    for job in trace.jobs:
        now = max(now, job.submit_s)
        while running and (running[0][0] <= now or free < job.num_gpus):
            end, released = heapq.heappop(running)
            now, free = max(now, end), free + released
        free -= job.num_gpus
        heapq.heappush(running, (now + job.duration_s, job.num_gpus))
        waits.append(now - job.submit_s)
    return float(np.mean(waits))


if __name__ == "__main__":
    main()
