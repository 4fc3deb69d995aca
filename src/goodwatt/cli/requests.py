"""`goodwatt requests`: look at, check, convert and make up request traces of inference services.

Only what typer needs is imported here; each command brings its own. Printing is in `requests_view`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Request traces of services: look at, check, convert, generate.", no_args_is_help=True)

FILE_HELP = "A file of requests or of rates over time; the format is recognised."

File = Annotated[Path, typer.Argument(metavar="FILE", help=FILE_HELP)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Format = Annotated[str | None, typer.Option("--format", help="Format of FILE, instead of recognising it.")]
TimeZone = Annotated[str, typer.Option(help="Zone (IANA) of wall-clock times that name none.")]
Select = Annotated[str | None, typer.Option(help="Which rate profile to read where a file holds several.")]
SkipBadRows = Annotated[bool, typer.Option("--skip-bad-rows", help="Go past rows that cannot be used.")]


@app.command("list", short_help="List classes of services and formats.")
def list_requests(as_json: Json = False) -> None:
    """List the classes that requests can be generated for, and the formats that can be read."""
    from goodwatt.cli.requests_view import print_list

    print_list(as_json)


@app.command(short_help="Say what is in a request trace, and what is wrong with it.")
def check(
    file: File,
    trace_format: Format = None,
    time_zone: TimeZone = "UTC",
    select: Select = None,
    skip_bad_rows: SkipBadRows = False,
    as_json: Json = False,
) -> None:
    """Read requests or rates and say what is in the file: how many, what was left out and why, bad rows.

    Ends with exit status 2 if there are bad rows, unless they are to be skipped.
    """
    from goodwatt.cli.requests_input import read
    from goodwatt.cli.requests_view import print_check

    print_check(read(file, trace_format, time_zone, select, skip_bad_rows=True), skip_bad_rows, as_json)


@app.command(short_help="Show when requests come and how long they are.")
def stats(
    file: File,
    trace_format: Format = None,
    time_zone: TimeZone = "UTC",
    skip_bad_rows: SkipBadRows = False,
    as_json: Json = False,
) -> None:
    """Show how many requests come and when, how long prompts and outputs are, and how they burst."""
    from goodwatt.cli.requests_view import print_statistics
    from goodwatt.traces.requests.reading import read_request_trace
    from goodwatt.traces.requests.statistics import summarise

    trace = read_request_trace(file, format=trace_format, skip_bad_rows=skip_bad_rows, time_zone=time_zone)
    print_statistics(summarise(trace), as_json)


@app.command(short_help="Write requests or rates as goodwatt's own tables.")
def convert(
    file: Annotated[Path, typer.Argument(metavar="IN", help=FILE_HELP)],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write: .csv, .csv.gz; requests also .parquet.")],
    mean_rate: Annotated[float | None, typer.Option(metavar="R", help="Scale rates to this mean per second.")] = None,
    peak_rate: Annotated[float | None, typer.Option(metavar="R", help="Scale rates to this peak per second.")] = None,
    trace_format: Format = None,
    time_zone: TimeZone = "UTC",
    select: Select = None,
    skip_bad_rows: SkipBadRows = False,
    as_json: Json = False,
) -> None:
    """Write requests as goodwatt's own request table, or rates over time as its own rate table.

    Rates whose source tells their shape only need --mean-rate or --peak-rate.
    """
    from goodwatt.cli.requests_input import read, scaled
    from goodwatt.cli.requests_view import print_written
    from goodwatt.traces.requests.writing import write

    content = scaled(read(file, trace_format, time_zone, select, skip_bad_rows), mean_rate, peak_rate)
    write(content, out)
    print_written(content, out, as_json)


@app.command(short_help="Make up requests like those of a public trace.")
def generate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write: .csv, .csv.gz or .parquet.")],
    service_class: Annotated[
        str, typer.Option("--class", metavar="CLASS", help="Kind of service (see `goodwatt requests list`).")
    ] = "chat",
    mean_rate: Annotated[
        float | None, typer.Option(metavar="R", help="Mean requests per second; default: that of the public trace.")
    ] = None,
    days: Annotated[float, typer.Option(metavar="D", help="How many days, from a Monday's midnight on.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same requests.", min=0)] = 0,
    peak_to_trough: Annotated[
        float | None, typer.Option(metavar="X", help="Rate at the busiest hour over that at the quietest.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make up requests that are statistically like those of a public trace: any rate, any number of days.

    Lengths and bursts follow figures fitted to an hour of a public service; the rhythm of day and week is assumed
    unless --peak-to-trough says how strong it is.
    """
    from goodwatt.cli.requests_view import print_written
    from goodwatt.traces.requests.generate import generate as drawn
    from goodwatt.traces.requests.writing import write_request_trace

    trace = drawn(service_class, mean_per_s=mean_rate, days=days, seed=seed, peak_to_trough=peak_to_trough)
    write_request_trace(trace, out)
    print_written(trace, out, as_json)
