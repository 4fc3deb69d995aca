"""Makes the bundled traces: cuts two weeks out of a public trace, and fits the model that goes with it.

    python benchmarks/make_sample.py [DATA] [--out FOLDER]

DATA is the folder with the public traces (philly_2017, helios_venus_2020), which are CC BY 4.0: NOTICE names authors
and changes. The jobs are the sources' own; times count from the Monday the weeks begin with. All windows lie in spans
that results are never reported on (Philly October; Venus up to 15 July). Prints one table with a strict-FIFO
estimate of the queue.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import io
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from goodwatt.cluster.job import Job
from goodwatt.traces.generate_model import TraceModel
from goodwatt.traces.trace import Trace

ROOT = Path(__file__).resolve().parents[1]
NODES = (70, 80, 90, 100)
WEEKS = timedelta(days=14)


@dataclass(frozen=True)
class Recipe:
    """One bundled trace: where in the source its two weeks begin, and the span its model is fitted to.

    Moments are in the source's local time; `origin` is its second 0.
    """

    name: str
    file: str
    origin: datetime
    start: datetime
    job_id: str | None
    partition: str | None
    model_source: str
    model_start: datetime
    model_end: datetime


RECIPES = (
    Recipe(
        name="philly",
        file="philly_2017/philly_jobs.csv.gz",
        origin=datetime(2017, 9, 4, 10, 30, 41),  # noqa: DTZ001
        start=datetime(2017, 10, 16),  # noqa: DTZ001
        job_id=None,
        partition="vc",
        model_source="Microsoft Philly (Jeon et al., ATC'19), jobs of 9-29 October 2017",
        model_start=datetime(2017, 10, 9),  # noqa: DTZ001
        model_end=datetime(2017, 10, 30),  # noqa: DTZ001
    ),
    Recipe(
        name="venus",
        file="helios_venus_2020/venus_gpu_jobs.csv.gz",
        origin=datetime(2020, 4, 1),  # noqa: DTZ001
        start=datetime(2020, 6, 29),  # noqa: DTZ001
        job_id="job_id",
        partition=None,
        model_source="SenseTime Helios, cluster Venus (Hu et al., SC'21), jobs of 29 June - 12 July 2020",
        model_start=datetime(2020, 6, 29),  # noqa: DTZ001
        model_end=datetime(2020, 7, 13),  # noqa: DTZ001
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, default=ROOT / "src" / "goodwatt" / "traces" / "samples")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        parser.error(f"expected the folder of public traces, {arguments.data} is none")
    print(f"{'trace':<10}{'jobs':>8}{'GPUs':>8}  mean FIFO wait in minutes by 8-GPU nodes")
    for recipe in RECIPES:
        weeks = cut(recipe, arguments.data, recipe.start, recipe.start + WEEKS)
        write(weeks, arguments.out / f"{recipe.name}.csv.gz")
        fitted = cut(recipe, arguments.data, recipe.model_start, recipe.model_end)
        model = replace(TraceModel.fit(as_trace(fitted, recipe)), source=recipe.model_source)
        model.save(arguments.out / f"{recipe.name}.json")
        print(line(as_trace(weeks, recipe)))


def cut(recipe: Recipe, data: Path, start: datetime, end: datetime) -> pl.DataFrame:
    """The source's jobs submitted in a span, in columns of the job table, times counted from its start."""
    first, last = (int((moment - recipe.origin).total_seconds()) for moment in (start, end))
    table = pl.read_csv(data / recipe.file).filter(pl.col("submit_s").is_between(first, last, closed="left"))
    table = table.sort("submit_s", maintain_order=True).with_row_index("number", offset=1)
    columns = [
        pl.col(recipe.job_id or "number").cast(pl.String).alias("job_id"),
        pl.col("submit_s") - first,
        pl.col("num_gpus", "duration_s"),
    ]
    return table.select(*columns, *([pl.col(recipe.partition).alias("partition")] if recipe.partition else []))


def as_trace(table: pl.DataFrame, recipe: Recipe) -> Trace:
    """In memory, as the fit and the estimate of the queue take it."""
    return replace(Trace(recipe.name, [Job(**row) for row in table.iter_rows(named=True)]), path=Path(recipe.file))


def write(table: pl.DataFrame, path: Path) -> None:
    """The job table, gzipped without a time stamp so that the same jobs are the same bytes."""
    buffer = io.BytesIO()
    table.write_csv(buffer)
    path.write_bytes(gzip.compress(buffer.getvalue(), 9, mtime=0))


def line(trace: Trace) -> str:
    """One row of the table."""
    work = sum(job.num_gpus * job.duration_s for job in trace.jobs)
    waits = ", ".join(f"{nodes}: {fifo_wait_s(trace, nodes * 8) / 60:.0f}" for nodes in NODES)
    return f"{trace.name:<10}{len(trace.jobs):>8}{work / WEEKS.total_seconds():>8.0f}  {waits}"


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
