"""`goodwatt traces fetch`: downloads with a bar on a terminal, plain lines elsewhere, and says what was checked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from goodwatt.cli.inputs import note
from goodwatt.cli.traces_view import plain_table, print_json, print_parts
from goodwatt.traces import fetch
from goodwatt.traces.fetch import Fetched, fetch_file
from goodwatt.traces.fetch_registry import PublicTrace, RemoteFile, chosen_files, public_trace

LINE_EVERY_BYTES = 50_000_000
CHECKED = {
    "published": "the published hash",
    "recorded": "the hash of the first download",
    "nothing": "nothing: no hash is published; this one is kept for the next time",
}


def download(name: str, folder: Path, file_names: tuple[str, ...], as_json: bool) -> None:
    """Fetch a public trace into `folder`. Raises InputError for unknown names, RunError where it fails."""
    trace = public_trace(name)
    fetched = [_download(file, folder) for file in chosen_files(trace, file_names)]
    if as_json:
        print_json({"name": name, **trace.model_dump(exclude={"files"}), "files": [_as_json(f) for f in fetched]})
    else:
        _print(trace, fetched)


def _download(file: RemoteFile, folder: Path) -> Fetched:
    with _progress(file.name) as progress:
        return fetch_file(file, folder, progress, retrying=lambda why: note(f"{file.name}: {why}"))


@contextmanager
def _progress(name: str) -> Iterator[fetch.Progress]:
    if not sys.stderr.isatty():
        yield _Lines(name)
        return
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Lines:
    """A line at the beginning and every 50 MB."""

    def __init__(self, name: str) -> None:
        self.name, self.next = name, 0

    def __call__(self, done: int, total: int | None) -> None:
        if done >= self.next:
            of = f" of {total:,}" if total else ""
            print(f"{self.name}: {done:,}{of} bytes", file=sys.stderr, flush=True)
            self.next = done + LINE_EVERY_BYTES


def _as_json(fetched: Fetched) -> dict[str, object]:
    return {
        "path": str(fetched.path),
        "sha256": fetched.sha256,
        "checked": fetched.checked,
        "downloaded": fetched.downloaded,
    }


def _print(trace: PublicTrace, fetched: list[Fetched]) -> None:
    table = plain_table("file", ">bytes", "", "checked against")
    for file in fetched:
        state = "downloaded" if file.downloaded else "was there"
        table.add_row(str(file.path), f"{file.path.stat().st_size:,}", state, CHECKED[file.checked])
    print_parts(
        table,
        f"next     {trace.next}",
        f"licence  {trace.licence}",
        f"cite     {trace.citation}",
        f"home     {trace.home}",
    )
