"""`goodwatt traces`: look at, check, convert, enrich, generate and fetch job traces.

Only what typer needs is imported here; each command brings its own. Printing is in `traces_view` (tables),
`traces_stats_view` (statistics) and `traces_page` (the HTML page).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Job traces: look at, check, convert, enrich, generate, fetch.", no_args_is_help=True)

FILE_HELP = "A trace file or folder, or the name of a bundled trace (see `goodwatt traces list`)."
OUT_HELP = "File to write: .csv, .csv.gz or .parquet."

File = Annotated[str, typer.Argument(metavar="FILE", help=FILE_HELP)]
Out = Annotated[Path, typer.Argument(metavar="OUT", help=OUT_HELP)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Seed = Annotated[int, typer.Option(help="The same seed makes the same trace.", min=0)]
Format = Annotated[str | None, typer.Option("--format", help="Format of FILE, instead of recognising it.")]
TimeZone = Annotated[str, typer.Option(help="Zone (IANA) of wall-clock times that name none.")]
Select = Annotated[str | None, typer.Option(help="Which workload to read where a file holds several.")]
CpuOnly = Annotated[bool, typer.Option("--cpu-only", help="Keep jobs that ask for no GPU.")]
SkipBadRows = Annotated[bool, typer.Option("--skip-bad-rows", help="Go past rows that cannot be used.")]
Origin = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Local time of submit_s 0, for hours and weekdays. Default: a Monday, 00:00."),
]


@app.command("list", short_help="List bundled and public traces, and formats.")
def list_traces(as_json: Json = False) -> None:
    """List bundled traces, public traces that can be fetched, and the formats that can be read."""
    from goodwatt.cli.traces_view import print_list

    print_list(as_json)


@app.command(short_help="Say what is in a trace, and what is wrong with it.")
def check(
    file: File,
    trace_format: Format = None,
    time_zone: TimeZone = "UTC",
    select: Select = None,
    cpu_only: CpuOnly = False,
    skip_bad_rows: SkipBadRows = False,
    as_json: Json = False,
) -> None:
    """Read a trace and say what is in it: jobs, what was left out and why, bad rows, made-up columns.

    Ends with exit status 2 if there are bad rows, unless they are to be skipped.
    """
    from goodwatt.cli.traces_input import read
    from goodwatt.cli.traces_view import print_check

    trace = read(file, trace_format, time_zone, select, cpu_only, skip_bad_rows=True)
    print_check(trace, skip_bad_rows, as_json)


@app.command(short_help="Show when jobs come, how long and large they are.")
def stats(
    file: File,
    cluster: Annotated[str | None, typer.Option(metavar="C", help="Cluster (file, preset or GPUs) to load.")] = None,
    origin: Origin = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Also write a page with charts.")] = None,
    trace_format: Format = None,
    time_zone: TimeZone = "UTC",
    select: Select = None,
    cpu_only: CpuOnly = False,
    skip_bad_rows: SkipBadRows = False,
    as_json: Json = False,
) -> None:
    """Show when jobs come, how long and large they are, whose they are, and the load they make."""
    from goodwatt.cli.traces_input import read, read_cluster, read_origin
    from goodwatt.cli.traces_stats_view import print_statistics
    from goodwatt.traces.statistics import summarise

    target = read_cluster(cluster)
    trace = read(file, trace_format, time_zone, select, cpu_only, skip_bad_rows)
    statistics = summarise(trace, target, read_origin(origin))
    print_statistics(statistics, as_json)
    if plot is not None:
        from goodwatt.cli.traces_page import write_page

        write_page(plot, statistics)


@app.command(short_help="Write any trace as goodwatt's own job table.")
def convert(
    file: Annotated[str, typer.Argument(metavar="IN", help=FILE_HELP)],
    out: Out,
    trace_format: Format = None,
    time_zone: TimeZone = "UTC",
    select: Select = None,
    cpu_only: CpuOnly = False,
    skip_bad_rows: SkipBadRows = False,
    as_json: Json = False,
) -> None:
    """Write any trace as goodwatt's own job table."""
    from goodwatt.cli.traces_input import read
    from goodwatt.cli.traces_view import print_written
    from goodwatt.traces.writing import write_trace

    trace = read(file, trace_format, time_zone, select, cpu_only, skip_bad_rows)
    write_trace(trace, out)
    print_written(trace, out, {}, as_json)


@app.command(short_help="Add users, names and requested times, made up.")
def enrich(
    file: Annotated[str, typer.Argument(metavar="IN", help=FILE_HELP)],
    out: Out,
    seed: Seed = 0,
    error: Annotated[float, typer.Option(help="Factor by which the best predictor is to be off, at least.")] = 2.0,
    trace_format: Format = None,
    time_zone: TimeZone = "UTC",
    select: Select = None,
    cpu_only: CpuOnly = False,
    skip_bad_rows: SkipBadRows = False,
    as_json: Json = False,
) -> None:
    """Add users, names and requested times that a trace lacks, and mark them as made up.

    A name tells something of how long a job runs, but no predictor that knows user, name and requested time of all
    jobs does better than --error: 2 means that its predictions are off by a factor of 2 on (geometric) average.
    """
    from goodwatt.cli.traces_input import read
    from goodwatt.cli.traces_view import print_enriched
    from goodwatt.traces.enrich import enrich as enriched
    from goodwatt.traces.writing import write_trace

    result = enriched(read(file, trace_format, time_zone, select, cpu_only, skip_bad_rows), seed, error)
    write_trace(result.trace, out)
    print_enriched(result, out, as_json)


@app.command(short_help="Draw a new trace that is like another one.")
def generate(
    out: Out,
    like: Annotated[
        str, typer.Option(metavar="FILE", help="Trace to resemble: a file, a bundled trace, or a saved model (.json).")
    ] = "philly",
    jobs: Annotated[int | None, typer.Option(metavar="N", help="How many jobs.")] = None,
    days: Annotated[float | None, typer.Option(metavar="D", help="How many days; 14 by default.")] = None,
    load: Annotated[float | None, typer.Option(help="Mean demand, as a factor of the source's or of --gpus.")] = None,
    gpus: Annotated[float | None, typer.Option(metavar="G", help="GPUs of the cluster that is to run it.")] = None,
    seed: Seed = 0,
    origin: Origin = None,
    save_model: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Keep the fitted model.")] = None,
    as_json: Json = False,
) -> None:
    """Draw a new trace that is statistically like another one: any length, any load.

    Rhythm of day and week, bursts, sizes, durations by size and users who repeat themselves follow a model fitted to
    the source. With --gpus, the mean demand is --load (default 1) times that many GPUs.
    """
    from goodwatt.cli.traces_input import read_model
    from goodwatt.cli.traces_view import print_generated
    from goodwatt.traces.writing import write_trace

    model = read_model(like, origin)
    drawn = model.draw(seed, jobs=jobs, days=days, load=load, gpus=gpus)
    if save_model is not None:
        model.save(save_model)
    trace = drawn.trace()
    write_trace(trace, out)
    print_generated(drawn, trace, out, as_json)


@app.command(short_help="Download a public trace and check it.")
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a public trace (see `goodwatt traces list`).")],
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where to; ./NAME by default.")] = None,
    file: Annotated[list[str] | None, typer.Option(help="Only this file; repeat for several.")] = None,
    as_json: Json = False,
) -> None:
    """Download a public trace from its home, going on where an earlier download stopped, and check its hash."""
    from goodwatt.cli.traces_download import download

    download(name, out or Path(name), tuple(file or ()), as_json)
