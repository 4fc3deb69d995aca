"""By what the page divides jobs: gang size, partition, user, and runs: policy, window, seed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from goodwatt.cli.report.reduction import Ints
from goodwatt.simulator.records.result import RunResult

GANG_BOUNDS = (0, 1, 2, 4, 8, 16, 32, 64)
MOST_USERS = 24
MOST_USERS_OF_MANY_RUNS = 12
MANY_RUNS = 24
MOST_PARTITIONS = 15


def printable(text: Any) -> str:
    """Text that UTF-8 can carry: a lone surrogate in a name must not cost the report."""
    return str(text).encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True)
class Names:
    """Labels in order of weight; whatever is not among them falls to the last label, "n others"."""

    labels: list[str]
    codes: dict[str | None, int]
    rest: int

    def of(self, values: Sequence[str | None]) -> Ints:
        """The code of each value."""
        return np.fromiter((self.codes.get(v, self.rest) for v in values), np.int64, len(values))

    @property
    def known(self) -> bool:
        """Whether the trace names anybody at all."""
        return any(value is not None for value in self.codes)


def ranked_names(weights: Counter[str | None], most: int, nobody: str) -> Names:
    """The `most` heaviest names, ties by name; None is shown as `nobody`."""
    order = sorted(weights, key=lambda name: (-weights[name], name or ""))
    kept, others = order[:most], len(order) - most
    labels = [nobody if name is None else printable(name) for name in kept]
    labels += [f"{others} others"] if others > 0 else []
    return Names(labels, {name: i for i, name in enumerate(kept)}, len(kept) if others > 0 else 0)


@dataclass(frozen=True)
class Gangs:
    """Classes of gang size: 1, 2, 3-4, 5-8, ...; only those that occur, named by the sizes that occur."""

    labels: list[str]
    bounds: Ints

    def of(self, num_gpus: Sequence[int]) -> Ints:
        """The class of each job."""
        return np.searchsorted(self.bounds, np.asarray(num_gpus, dtype=np.int64), "left")


def gang_classes(sizes: Iterable[int]) -> Gangs:
    """The classes that hold at least one of the sizes."""
    distinct = np.unique(np.fromiter(sizes, np.int64))
    classes = np.searchsorted(GANG_BOUNDS, distinct, "left")
    members = [distinct[classes == c] for c in np.unique(classes)]
    return Gangs([_span(m) for m in members], np.array([m[-1] for m in members], dtype=np.int64))


def _span(sizes: Ints) -> str:
    low, high = int(sizes[0]), int(sizes[-1])
    return str(low) if low == high else f"{low}\u2013{high}"


@dataclass(frozen=True)
class Dimensions:
    """All divisions of one page."""

    policies: list[str]
    windows: list[str]
    seeds: list[int]
    gangs: Gangs
    partitions: Names
    users: Names


def run_labels(runs: Sequence[RunResult]) -> list[str]:
    """One label per run: the policy, with the service policy and the power policy where the runs differ in them."""
    named = True, len({run.service_policy for run in runs}) > 1, len({run.power for run in runs}) > 1
    names = [(run.policy, run.service_policy, run.power) for run in runs]
    return [printable(" / ".join(itertools.compress(parts, named))) for parts in names]


def dimensions_of(runs: Sequence[RunResult]) -> Dimensions:
    """The divisions that cover all the runs, in order of appearance or of weight."""
    users: Counter[str | None] = Counter()
    partitions: Counter[str | None] = Counter()
    for run in _one_per_trace(runs):
        for user, work in zip(run.jobs.user, run.jobs.work_gpu_s, strict=True):
            users[user] += int(work) + 1
        partitions.update(run.jobs.partition)
        partitions.update(instance.partition for instance in run.instances)
    return Dimensions(
        policies=list(dict.fromkeys(run_labels(runs))),
        windows=list(dict.fromkeys(run.window for run in runs)),
        seeds=list(dict.fromkeys(run.seed for run in runs)),
        gangs=gang_classes(n for run in runs for n in {*run.jobs.num_gpus, *(i.num_gpus for i in run.instances)}),
        partitions=ranked_names(partitions, MOST_PARTITIONS, "(none)"),
        users=ranked_names(users, MOST_USERS_OF_MANY_RUNS if len(runs) > MANY_RUNS else MOST_USERS, "(no user)"),
    )


def _one_per_trace(runs: Sequence[RunResult]) -> list[RunResult]:
    """The runs of one window and seed share their jobs: the first stands for all."""
    return list({(run.window, run.seed): run for run in reversed(runs)}.values())[::-1]
