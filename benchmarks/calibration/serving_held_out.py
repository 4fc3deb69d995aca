"""Serving predicted where the fit did not look: what benchmarks/fidelity/serving.py and the tests print and hold.

Every function gives rows beside what was told of them; the fits are those of `serving`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from calibration import serving
from calibration.serving_fit import Figures, Told, tell, watts_of
from calibration.serving_leaderboard import FITTED, Served, is_host_bound, served, tell_served
from calibration.serving_rows import (
    INSTANCE_SHAPES,
    Measured,
    h200_instance,
    h200_phases,
    h200_ranks,
    instance_rows,
    splitwise,
    work_of,
)

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.gpu.model import CAP_KEPT, gpu_model
from goodwatt.power.serving.llm_on_gpu import law_with
from goodwatt.power.serving.serving_figures import Software

BATCHES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Held:
    """Relative errors of a row, signed; NaN where nothing was measured."""

    row: Measured
    seconds: float
    watts: float
    clock: float

    @property
    def rate(self) -> float:
        """Of iterations per second."""
        return 1.0 / (1.0 + self.seconds) - 1.0


def beside(rows: Sequence[Measured], told: Told) -> list[Held]:
    """Each row with its errors."""
    pairs = zip(rows, told.seconds, told.watts, told.clock_mhz, strict=True)
    return [Held(row, s / row.seconds - 1, w / row.watts - 1, c / row.clock_mhz - 1) for row, s, w, c in pairs]


def phases(parity: int) -> list[Held]:
    """H200 phases: every second row, the others fitted. `parity`: which ones the fit sees, 0 the first."""
    rows = h200_phases()
    others = rows[1 - parity :: 2]
    return beside(others, tell(others, serving.fit_torch(hopper().chip, rows[parity::2])))


@cache
def hopper() -> Figures:
    """As it is shipped."""
    return serving.fit_hopper()


def pure() -> list[Measured]:
    """Decode and prefill of the instance."""
    return [row for row in h200_instance() if row.group != "mixed"]


def instance(parity: int) -> list[Held]:
    """Decode and prefill of the instance: every second row, the others fitted."""
    rows = pure()
    others = rows[1 - parity :: 2]
    return beside(others, tell(others, serving.fit_hopper(rows[parity::2])))


def other_model(fitted: str) -> list[Held]:
    """Decode and prefill of the model that the fit did not see."""
    rows = pure()
    others = [row for row in rows if row.model != fitted]
    return beside(others, tell(others, serving.fit_hopper([row for row in rows if row.model == fitted])))


def mixed() -> list[Held]:
    """Iterations over a chunk and a batch at once, from decode and prefill."""
    rows = [row for row in h200_instance() if row.group == "mixed"]
    return beside(rows, tell(rows, hopper()))


def splitwise_batches() -> Iterator[tuple[int, Held]]:
    """Each batch size in turn, the others fitted, each kind by itself."""
    everything = splitwise()
    for kind in dict.fromkeys(row.kind for row in everything):
        own = [row for row in everything if row.kind == kind]
        for batch in BATCHES:
            others = [row for row in own if row.batch == batch]
            figures = serving.fit_splitwise([row for row in own if row.batch != batch])
            yield from ((batch, held) for held in beside(others, tell(others, figures)))


@cache
def vllm() -> Figures:
    """As it is shipped, with the leaderboard's prompts."""
    return serving.fit_vllm(hopper().chip)


def leaderboard(hardware: str, *, fitted: bool = False, host_bound: bool = False) -> list[Held]:
    """Models that no fit has seen, or those `fitted`; or the runs whose host was busy."""
    rows = [row for row in served(hardware) if _wanted(row, fitted, host_bound)]
    return beside(rows, tell_served(rows, vllm()))


def _wanted(row: Served, fitted: bool, host_bound: bool) -> bool:
    return is_host_bound(row) if host_bound else not is_host_bound(row) and (row.model in FITTED) == fitted


# two GPUs, cycles of several iterations, gaps -------------------------------------------------------------------------


def two_gpus(exchange: Software | None = None) -> list[Held]:
    """Tensor parallel over two GPUs: all-reduces as NCCL's by themselves, or as another software's."""
    figures = hopper()
    if exchange is not None:
        own = {"exchange": exchange.exchange, "exchange_start": exchange.exchange_start}
        figures = Figures(figures.chip, {"": replace(figures.of(""), **own)})
    rows = h200_ranks()
    return beside(rows, tell(rows, figures))


@dataclass(frozen=True)
class Cycle:
    """A row of several iterations or with gaps: relative errors of the mean iteration, and of watts gaps included."""

    part: str
    seconds: float
    watts: float


def cycles() -> list[Cycle]:
    """Alternations, bursts with gaps, bursts too short for the cap."""
    return [_cycle(row) for row in instance_rows("alternation", "gaps", "bursts")]


def _cycle(row: Mapping[str, Any]) -> Cycle:
    """At the greatest clock at which the mean over the iterations holds the cap; short bursts at the clock measured.

    A gap draws what a context draws. The share of time in bursts follows from the measured rate: they begin by the
    clock, not by the work.
    """
    kind, shape = gpu_kind("H200-SXM"), INSTANCE_SHAPES[row["model"]]
    model, law = gpu_model(kind), law_with(shape, kind, 1, hopper().chip, hopper().of(""))
    entries = [(entry["repeat"], work_of(**entry["tokens"])) for entry in row["cycle"]["cycle"]]
    count = sum(n for n, _ in entries)

    def at(clock_mhz: float) -> tuple[float, float]:
        x = clock_mhz / model.top_mhz
        costs = [(n, law.cost(**work, x=x)) for n, work in entries]
        seconds = sum(n * cost.wall_s for n, cost in costs)
        joules = sum(n * cost.wall_s * float(watts_of(cost, model, np.array(x))) for n, cost in costs)
        return seconds / count, joules / seconds

    kept_w = CAP_KEPT * model.default_cap_w
    if row["part"] == "bursts":
        (clock,) = (value for name, value in row["clocks"].items() if name != "gap")
    else:
        clock = next(clock for clock in reversed(model.clocks_mhz) if at(clock)[1] <= kept_w)
    seconds, watts = at(clock)
    if row["part"] == "alternation":
        return Cycle(row["part"], seconds * row["rate"] - 1.0, watts / row["watts"] - 1.0)
    (times,) = row["times"].values()
    measured_s = times["mean_ms"] / 1e3
    mean_w = model.context_w + row["rate"] * measured_s * (watts - model.context_w)
    return Cycle(row["part"], seconds / measured_s - 1.0, mean_w / row["watts"] - 1.0)


def mean_absolute(errors: Iterable[float]) -> float:
    """In per cent; what was not measured does not count."""
    found = np.abs(np.array(list(errors)))
    return float(100 * found[np.isfinite(found)].mean())
