"""Progress on stderr: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

PLAIN_EVERY_S = 10.0

Advance = Callable[[int, str], None]
"""Tell how much is done, and what was done last."""


@contextmanager
def progress(what: str, total: int, unit: str) -> Iterator[Advance]:
    """A progress display for as long as the block runs."""
    shown = _bar(what, total) if sys.stderr.isatty() else _lines(what, total, unit)
    with shown as advance:
        yield advance


@contextmanager
def _bar(what: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done, last: bar.update(task, completed=done, description=f"{what} {last}".rstrip())


@contextmanager
def _lines(what: str, total: int, unit: str) -> Iterator[Advance]:
    next_s = time.monotonic() + PLAIN_EVERY_S

    def advance(done: int, last: str) -> None:
        nonlocal next_s
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + PLAIN_EVERY_S
            typer.echo(f"goodwatt: {what}: {done:,} of {total:,} {unit} {last}".rstrip(), err=True)

    yield advance
