"""A plan on top of a power book."""

from __future__ import annotations

from collections.abc import Iterable

from goodwatt.simulator.power.power_plan import PowerPlan


class Asked:
    """A book of no nodes that keeps in which order it is asked about jobs."""

    granted_uw = (0,)

    def __init__(self) -> None:
        self.jobs: list[list[str]] = []

    def nodes_of(self, jobs: Iterable[str]) -> tuple[int, ...]:
        self.jobs.append(list(jobs))
        return ()


def test_jobs_leave_in_the_order_in_which_they_are_named() -> None:
    """Sums of watts depend on the order: that of a set of names is another in every process."""
    book, names = Asked(), [f"job {i}" for i in range(30)]
    plan = PowerPlan(book, names[:10])  # type: ignore[arg-type] # what a plan asks when jobs leave
    plan.leave([*names[5:], names[20]])
    assert book.jobs == [names[:10], names[10:]]
