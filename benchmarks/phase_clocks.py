"""What clocks that follow a job's phases could save at most: every class of the catalogue at the best clock for each
phase against its best single clock, both within the same slowdown.

    python benchmarks/phase_clocks.py

By the model without residuals, so a bound for policies that know every class exactly. A phase begins at the clock of
the one before it and gets its own after the reaction: none, which nobody can reach; that of a controller on the node
that reads the energy counter ten times a second; that of telemetry, a mean over a second. Phases are taken to come in
stretches as long as their shares and lengths allow, which is kind to clocks that follow.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
from measured import print_table, write_results
from numpy.typing import NDArray

from goodwatt.cluster.catalogue import all_kinds, gpu_kind
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.gpu.point import highest_clock, load_of
from goodwatt.power.gpu.transient import CALL_S, SENSOR_PERIOD_S, SENSOR_WINDOW_S, SETTLING_MEDIAN_S
from goodwatt.power.workloads.catalogue import all_classes, phases_on
from goodwatt.power.workloads.workload import Phase, WorkloadClass, mean_demand

Floats = NDArray[np.float64]

SLOWDOWNS = (0.02, 0.05, 0.10, 0.20)
ACTUATION_S = CALL_S + SETTLING_MEDIAN_S
REACTIONS_S = {
    "none": 0.0,
    "energy counter": SENSOR_PERIOD_S + ACTUATION_S,
    "mean over a second": SENSOR_WINDOW_S + ACTUATION_S,
}
HOSTS_W = {"board": 0.0, "board and host": 81.25}
"""Watts that are charged to a GPU for as long as its work takes; an idle dgx-h100 for each of its GPUs."""
CHAT = "llama2_70b_chat"
PAIR_KINDS = ("A100-SXM4-80GB", "H200-SXM")
ROLLOUTS = (("llama7b_train", "llm_decode"),)
"""Pairs that reinforcement learning of language models would alternate between."""
WORTH_SHOWING = 1.0
"""Per cent from which a class on a kind is written to the results."""


@dataclass(frozen=True)
class Stretch:
    """A phase that lasts `seconds` at a time at default clocks; wall time and joules at each clock that the board's cap
    allows it, the greatest clock of all last, of one second of the job at default clocks.
    """

    seconds: float
    wall_s: Floats
    joules: Floats


@dataclass(frozen=True)
class Found:
    """Joules of a second of a class at default clocks, at the best single clock and at the best clock for each phase;
    `followed`: phases that last longer than the reaction, none if there are not two."""

    default_j: float
    single_j: float
    phase_j: float
    followed: int

    @property
    def percent(self) -> float:
        """What following saves of the joules at a single clock."""
        return 100.0 * (1.0 - self.phase_j / self.single_j)


def main() -> None:
    rows = list(_rows())
    mixes = [_mix(rows, *key) for key in dict.fromkeys((r["reaction"], r["counted"], r["slowdown"]) for r in rows)]
    print_table("The catalogue's classes on their reference kinds, weighted as the catalogue weighs them", mixes)
    lengths = [_followable(name, seconds) for name, seconds in REACTIONS_S.items() if seconds]
    print_table("Classes whose phases can be told apart", lengths)
    chat = [row for row in rows if row["class"] == CHAT and row["reference"] and row["counted"] == "board"]
    print_table("The class that gains most by telemetry, on its reference kind", [_short(row) for row in chat])
    pairs = [_pairs(kind, slowdown) for kind in PAIR_KINDS for slowdown in SLOWDOWNS]
    print_table("Jobs that nobody has: half a minute of one class, then of another, by telemetry", pairs)
    best = [row for row in rows if row["saved_%"] >= WORTH_SHOWING]
    write_results(
        "phase_clocks", reactions_s=REACTIONS_S, hosts_w=HOSTS_W, mixes=mixes, classes=lengths, pairs=pairs, rows=best
    )


def _rows() -> Iterable[dict[str, Any]]:
    models = {name: gpu_model(kind) for name, kind in all_kinds().items() if kind.power_model is not None}
    for workload in all_classes().values():
        for name, model in models.items():
            if (model.kind.memory_mib or 0) < workload.memory_mib:
                continue
            for reaction, counted, slowdown in product(REACTIONS_S, HOSTS_W, SLOWDOWNS):
                yield _row(workload, name, model, reaction, counted, slowdown)


def _row(
    workload: WorkloadClass, kind: str, model: GpuModel, reaction: str, counted: str, slowdown: float
) -> dict[str, Any]:
    found = saving(model, phases_on(workload, kind), slowdown, REACTIONS_S[reaction], HOSTS_W[counted])
    return {
        "class": workload.name,
        "kind": kind,
        "reference": kind == workload.reference_gpu,
        "weight": workload.weight,
        "reaction": reaction,
        "counted": counted,
        "slowdown": slowdown,
        "phases": found.followed,
        "single_%": round(100.0 * (1.0 - found.single_j / found.default_j), 3),
        "saved_%": round(found.percent, 3),
        "default_j": round(found.default_j, 3),
        "single_j": round(found.single_j, 3),
        "phase_j": round(found.phase_j, 3),
    }


def _short(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "class": row["class"],
        "kind": row["kind"],
        "reaction": row["reaction"],
        "slowdown": row["slowdown"],
        "single clock saves %": row["single_%"],
        "following saves of the rest %": row["saved_%"],
    }


def _pairs(kind: str, slowdown: float) -> dict[str, Any]:
    """Every two classes in turn, as the phases of one job."""
    model, reaction_s = gpu_model(gpu_kind(kind)), REACTIONS_S["mean over a second"]
    demands = {name: mean_demand(phases_on(workload, kind)) for name, workload in all_classes().items()}
    found = {}
    for pair in combinations(demands, 2):
        phases = tuple(Phase(name, 0.5, 30.0, demands[name]) for name in pair)
        found[pair] = saving(model, phases, slowdown, reaction_s).percent
    percents = sorted(found.values())
    best = max(found, key=lambda pair: found[pair])
    return {
        "kind": kind,
        "slowdown": slowdown,
        "n": len(percents),
        "median %": round(statistics.median(percents), 2),
        "90th percentile %": round(percents[9 * len(percents) // 10], 2),
        "most %": round(percents[-1], 2),
        "of": " and ".join(best),
        **{f"{' and '.join(pair)} %": round(found[pair], 2) for pair in ROLLOUTS},
    }


def _mix(rows: Sequence[dict[str, Any]], reaction: str, counted: str, slowdown: float) -> dict[str, Any]:
    """All classes together, each for a time by its weight."""
    mine = [r for r in rows if (r["reaction"], r["counted"], r["slowdown"]) == (reaction, counted, slowdown)]
    own = [r for r in mine if r["reference"]]
    default_j, single_j, phase_j = (
        math.fsum(r["weight"] * r[name] for r in own) for name in ("default_j", "single_j", "phase_j")
    )
    greatest = max(mine, key=lambda r: r["saved_%"])
    return {
        "reaction": reaction,
        "joules of": counted,
        "slowdown": slowdown,
        "single clock saves %": round(100.0 * (1.0 - single_j / default_j), 2),
        "following saves of the rest %": round(100.0 * (1.0 - phase_j / single_j), 3),
        "n": len(own),
        "classes of 0.5% or more": sum(r["saved_%"] >= 0.5 for r in own),
        "the most, on any kind %": greatest["saved_%"],
        "of": f"{greatest['class']} on {greatest['kind']}",
    }


def _followable(reaction: str, seconds: float) -> dict[str, Any]:
    able = [workload for workload in all_classes().values() if _followed(workload, seconds)]
    names = ", ".join(f"{w.name} ({_text(w)})" for w in able)
    return {
        "reaction": reaction,
        "seconds": round(seconds, 3),
        "classes": len(able),
        "of": len(all_classes()),
        "which": names,
    }


def _followed(workload: WorkloadClass, seconds: float) -> bool:
    phases = workload.phases[workload.reference_gpu]
    return sum(length > seconds for length in _lengths(phases)) > 1


def _text(workload: WorkloadClass) -> str:
    phases = workload.phases[workload.reference_gpu]
    lengths = _lengths(phases)
    return ", ".join(f"{p.name} {100 * p.share:.3g}% in {s:.3g} s" for p, s in zip(phases, lengths, strict=True))


def _lengths(phases: Sequence[Phase]) -> list[float]:
    """How long each phase lasts at a time if it comes once in the longest cycle that lengths and shares allow."""
    cycle_s = max(phase.length_s / phase.share for phase in phases)
    return [phase.share * cycle_s for phase in phases]


def saving(model: GpuModel, phases: Sequence[Phase], slowdown: float, reaction_s: float, host_w: float = 0.0) -> Found:
    """The least joules of a class within a slowdown, at one clock and at a clock for each phase."""
    stretches = [_stretch(model, p, s, host_w) for p, s in zip(phases, _lengths(phases), strict=True)]
    default_s, default_j = (math.fsum(float(values[-1]) for values in parts) for parts in _columns(stretches))
    longest_s = default_s * (1.0 + slowdown) * (1.0 + 1e-12)
    walls, joules = (np.add.reduce(parts) for parts in _columns(stretches))
    single_j = float(joules[walls <= longest_s].min())
    groups = _groups(stretches, reaction_s)
    phase_j = min(single_j, _following(groups, longest_s, reaction_s)) if len(groups) > 1 else single_j
    return Found(default_j, single_j, phase_j, len(groups) if len(groups) > 1 else 0)


def _columns(stretches: Sequence[Stretch]) -> tuple[list[Floats], list[Floats]]:
    return [s.wall_s for s in stretches], [s.joules for s in stretches]


def _stretch(model: GpuModel, phase: Phase, seconds: float, host_w: float) -> Stretch:
    load = load_of(model, (phase,))
    top = max(0, highest_clock(model, load, len(model.clocks_mhz) - 1, model.default_cap_w))
    index = np.minimum(np.arange(len(model.clocks_mhz)), top)  # a lock above the cap's clock gives the cap's
    stretch, core_w = np.array(model.stretch)[index], np.array(model.core_w)[index]
    wall_s = load.fixed_s + load.scaled_s * stretch
    joules = (model.context_w + host_w) * wall_s + core_w * (load.sm_fixed + load.sm_scaled * stretch) + load.dram_j
    return Stretch(seconds, wall_s, joules)


def _groups(stretches: Sequence[Stretch], reaction_s: float) -> list[Stretch]:
    """Stretches that can have a clock of their own; shorter ones go with what comes before them."""
    able = [s for s in stretches if s.seconds > reaction_s]
    if len(able) < 2:
        return []
    first = next(i for i, s in enumerate(stretches) if s.seconds > reaction_s)
    groups: list[Stretch] = []
    for s in [*stretches[first:], *stretches[:first]]:
        if s.seconds > reaction_s:
            groups.append(s)
        else:
            g = groups[-1]
            groups[-1] = Stretch(g.seconds + s.seconds, g.wall_s + s.wall_s, g.joules + s.joules)
    return groups


def _following(groups: Sequence[Stretch], longest_s: float, reaction_s: float) -> float:
    """The least joules over all choices of a clock for each group."""
    n, count = len(groups), len(groups[0].wall_s)
    if count**n > 50_000_000:
        raise SystemExit(f"{n} phases of {count} clocks are too many to try them all")
    wall_s, joules = np.zeros((count,) * n), np.zeros((count,) * n)
    for i, group in enumerate(groups):
        late_s = group.seconds * group.wall_s / group.wall_s[-1]  # of the whole phase, at the clock before it
        late = np.minimum(1.0, reaction_s / late_s)
        before, own = (i - 1) % n, i
        rest = _along(1.0 - late, before, n)
        wall_s += _along(late * group.wall_s, before, n) + rest * _along(group.wall_s, own, n)
        joules += _along(late * group.joules, before, n) + rest * _along(group.joules, own, n)
    return float(joules[wall_s <= longest_s].min(initial=math.inf))


def _along(values: Floats, axis: int, n: int) -> Floats:
    return values.reshape([-1 if i == axis else 1 for i in range(n)])


if __name__ == "__main__":
    main()
