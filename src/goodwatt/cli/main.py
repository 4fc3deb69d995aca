"""The command `goodwatt`: mounts the commands and turns errors into one message and an exit status."""

from __future__ import annotations

import sys

import typer

from goodwatt import __version__
from goodwatt.cli import (
    bounds,
    calibrate,
    clusters,
    compare,
    explain,
    gpus,
    policies,
    predict,
    replay,
    requests,
    scenarios,
    traces,
    workloads,
)
from goodwatt.cycle_search import search_rarely
from goodwatt.errors import GoodwattError, InputError

app = typer.Typer(
    name="goodwatt",
    help="Schedule GPU clusters for the most useful work per joule: replay job traces, compare policies.",
    epilog="To begin: goodwatt compare (a minute or two, on a bundled trace), goodwatt traces list, "
    "goodwatt COMMAND --help.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # importing rich for help texts takes longer than everything else at start-up
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("replay", short_help="Replay a trace under one policy.")(replay.replay)
app.command("compare", short_help="Compare policies; alone, on a bundled trace.")(compare.compare)
app.command("predict", short_help="Predict speed and watts of jobs that share one GPU.")(predict.predict)
app.command("bounds", short_help="Bound what the best of all policies could do on a trace.")(bounds.bounds)
app.command("explain", short_help="Explain a job of a replay: why then, there and so fast.")(explain.explain)
app.command("calibrate", short_help="Measure this machine's GPU for the catalogue.")(calibrate.calibrate)
app.add_typer(traces.app, name="traces")
app.add_typer(requests.app, name="requests")
app.add_typer(clusters.app, name="clusters")
app.add_typer(gpus.app, name="gpus")
app.add_typer(policies.app, name="policies")
app.add_typer(scenarios.app, name="scenarios")
app.add_typer(workloads.app, name="workloads")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"goodwatt {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


def run() -> None:
    """Entry point: exit status 0 done, 1 failed while running, 2 wrong input or call, 130 interrupted."""
    search_rarely()
    try:
        app()
    except InputError as error:
        _fail(str(error), 2)
    except GoodwattError as error:
        _fail(str(error), 1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        _fail(str(error), 1)


def _fail(message: str, status: int) -> None:
    typer.echo(f"goodwatt: {message}", err=True)
    sys.exit(status)
