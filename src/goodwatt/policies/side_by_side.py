"""The same work on many cases in several processes, which an interruption ends at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, TypeVar

from goodwatt.cycle_search import search_rarely
from goodwatt.errors import RunError

Case = TypeVar("Case")
Found = TypeVar("Found")


def side_by_side(
    work: Callable[[Case], Found], cases: Sequence[Case], workers: int, prepare: tuple[Any, ...] = ()
) -> Generator[tuple[Case, Found], None, None]:
    """(case, what work found), as they get ready. `prepare`: a function that each process begins with, its arguments.

    Raises what `work` raises, and RunError if a worker was ended from outside.
    """
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, prepare)
    try:
        with _starting_workers():
            waiting = {pool.submit(work, case): case for case in cases}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    except BaseException as error:
        _abandon(pool)
        if isinstance(error, BrokenProcessPool):
            raise RunError("a worker was ended from outside, perhaps for lack of memory: try fewer workers") from error
        raise
    pool.shutdown()


def _begin(prepare: Callable[..., object] | None = None, *given: object) -> None:
    """What every worker does first: as this process does, and what the work needs."""
    search_rarely()
    if prepare is not None:
        prepare(*given)


@contextmanager
def _starting_workers() -> Iterator[None]:
    """Workers started inside never see Ctrl-C, which a terminal sends to all its processes: this one stops them.

    They inherit that the signal is blocked; one that comes meanwhile waits and is delivered here at the end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _abandon(pool: ProcessPoolExecutor) -> None:
    """End the workers in the middle of their runs; a pool by itself would wait for them."""
    workers = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.terminate()
