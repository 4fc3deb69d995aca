"""Who held which GPUs of which node, as bars for drawing.

A bar is a run of neighbouring GPUs, so a stay on GPUs 0, 1 and 5 makes two bars. Where the bars of a run are too
many for a page, those that hold most GPU time stay, and the page says what share is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from goodwatt.cli.report.dimensions import Dimensions, printable
from goodwatt.cli.report.reduction import Floats, Ints, packed
from goodwatt.simulator.records.result import InstanceName, JobColumns, RunResult

BARS_PER_RUN = 60_000
BARS_PER_PAGE = 160_000


@dataclass(frozen=True)
class Bars:
    """Rows of (job, node, first GPU, number of GPUs) and their spans of time."""

    places: Ints
    spans_s: Floats

    @property
    def gpu_s(self) -> Floats:
        """GPU-seconds of each bar."""
        return np.asarray((self.spans_s[:, 1] - self.spans_s[:, 0]) * self.places[:, 3])

    def only(self, which: Ints) -> Bars:
        """Some of the bars."""
        return Bars(self.places[which], self.spans_s[which])


def lanes(mask: int) -> list[tuple[int, int]]:
    """The runs of set bits as (first, length): 0b100011 gives (0, 2) and (5, 1)."""
    found, first = [], 0
    while mask:
        skip = (mask & -mask).bit_length() - 1
        mask >>= skip
        length = (~mask & (mask + 1)).bit_length() - 1
        found.append((first + skip, length))
        first, mask = first + skip + length, mask >> length
    return found


def bars_of(run: RunResult) -> Bars:
    """All bars of a run in order of node and start."""
    stays = sorted(run.occupancy, key=lambda stay: (stay.node, stay.start_s, stay.job))
    split = {mask: lanes(mask) for mask in {stay.gpus for stay in stays}}
    places = [(s.job, s.node, first, length) for s in stays for first, length in split[s.gpus]]
    spans = [(s.start_s, s.end_s) for s in stays for _ in split[s.gpus]]
    return Bars(np.array(places, dtype=np.int64).reshape(-1, 4), np.array(spans, dtype=np.float64).reshape(-1, 2))


def largest(bars: Bars, most: int) -> Bars:
    """The `most` bars with most GPU time, in their old order."""
    if len(bars.places) <= most:
        return bars
    return bars.only(np.sort(np.argsort(-bars.gpu_s, kind="stable")[:most]))


def occupancy_chart(run: RunResult, start_s: float, most: int) -> dict[str, Any] | None:
    """The bars of one run, times from `start_s`; None where none were recorded."""
    if not run.occupancy:
        return None
    every = bars_of(run)
    bars = largest(every, most)
    total = float(every.gpu_s.sum())
    return {
        "bars": len(every.places),
        "share": float(bars.gpu_s.sum()) / total if total > 0.0 else 1.0,
        "nodes": [printable(name) for name in run.node_names],
        "gpus": run.gpus_per_node,
        "job": packed(bars.places[:, 0], "u32"),
        "node": packed(bars.places[:, 1], "u16"),
        "first": packed(bars.places[:, 2], "u8"),
        "count": packed(bars.places[:, 3], "u8"),
        "start_s": packed(bars.spans_s[:, 0] - start_s, "f32"),
        "end_s": packed(bars.spans_s[:, 1] - start_s, "f32"),
    }


def chosen_runs(runs: Sequence[RunResult]) -> dict[int, int]:
    """Which runs get a chart, and with how many bars: window by window and seed by seed while the page has room."""
    order = sorted(range(len(runs)), key=lambda i: _first_of_its_kind(runs, i))
    room, chosen = BARS_PER_PAGE, {}
    for i in order:
        need = min(len(runs[i].occupancy), BARS_PER_RUN)
        if 0 < need <= room:
            chosen[i] = BARS_PER_RUN
            room -= need
    return chosen


def _first_of_its_kind(runs: Sequence[RunResult], i: int) -> int:
    """Position of the first run with the same window and seed: all policies of one pair come before the next."""
    return next(k for k, run in enumerate(runs) if (run.window, run.seed) == (runs[i].window, runs[i].seed))


def job_facts(
    jobs: JobColumns, dimensions: Dimensions, start_s: float, instances: Sequence[InstanceName] = ()
) -> dict[str, Any]:
    """What a bar's tooltip says of its job or instance; they are counted as the bars count them.

    Instances of services come after the jobs; `instances` says how many there are. They have been there from the start.
    """
    users = [*jobs.user, *(instance.user for instance in instances)]
    gpus = [*jobs.num_gpus, *(instance.num_gpus for instance in instances)]
    partition = [*jobs.partition, *(instance.partition for instance in instances)]
    people = list(dict.fromkeys(users))
    number = {user: i for i, user in enumerate(people)}
    return {
        "id": [printable(name) for name in (*jobs.job_id, *(instance.job_id for instance in instances))],
        "instances": len(instances),
        "users": [None if user is None else printable(user) for user in people],
        "user": packed([number[user] for user in users], "u32"),
        "gang": packed(dimensions.gangs.of(gpus), "u8"),
        "partition": packed(dimensions.partitions.of(partition), "u8"),
        "num_gpus": packed(gpus, "u32"),
        "submit_s": packed(np.array([*jobs.submit_s, *[start_s] * len(instances)]) - start_s, "f32"),
    }
