"""The catalogue of workload classes: one YAML file each under `classes`, and what follows for kinds nobody measured.

A class was measured on its reference kind and perhaps on others. To another kind its demand is carried over so:

    g = (kappa C/C' + (1 - kappa) B/B') G/G'          time on the GPU relative to the reference kind
    w = duty g + (1 - duty)                           wall time: the host's part stays
    kappa' = kappa C/C' G/G' / g,  duty' = duty g / w
    m' = m B/B' / g                                   the same bytes in another time, at another bandwidth
    u' = u                                            SMs are as busy as there
    L' = L g, pcie' = pcie / w                        the same kernels and commands in another time

C: peak arithmetic in the precision of the class, B: DRAM bandwidth, G: gain, all from `kind_rates`. Gains are fitted by
benchmarks/calibration/workloads.py, which prints the error on (class, kind) pairs that were left out. Where the speed
was measured and the demand was not, the time is stretched to that speed.

The files are trusted here, because reading them must cost next to nothing; `workloads.schema` checks them in full.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from goodwatt.bundled_yaml import read_bundled
from goodwatt.errors import UnknownNameError
from goodwatt.power.workloads.demand import Demand
from goodwatt.power.workloads.kind_rates import gain, rate_ratios
from goodwatt.power.workloads.workload import Phase, Step, WorkloadClass

FOLDER = Path(__file__).parent / "classes"

MOST = 1.0
"""A share is at most the whole, also where rounding says otherwise."""

Ratios = tuple[float, float, float]
"""Peak arithmetic, bandwidth and gain of a kind relative to the reference kind."""


def workload_class(name: str) -> WorkloadClass:
    """The class of that name. Raises UnknownNameError with the nearest ones."""
    if name not in _known():
        raise UnknownNameError("workload class", name, class_names())
    return _load(name)


@cache
def class_names() -> tuple[str, ...]:
    """Every name of the catalogue, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def all_classes() -> dict[str, WorkloadClass]:
    """The whole catalogue by name, sorted."""
    return {name: _load(name) for name in class_names()}


@lru_cache(maxsize=4096)
def speed_on(workload: WorkloadClass, kind: str) -> float:
    """Work per second on a kind relative to the reference kind, both alone at default clocks.

    As measured where it was; else by the rule of this module; 1 where the rates of either kind are unknown.
    """
    measured = workload.speeds.get(kind)
    if kind == workload.reference_gpu or measured is not None:
        return 1.0 if measured is None else measured
    phases = workload.phases[workload.reference_gpu]
    ratios = _ratios(workload, kind)
    return math.fsum(p.share for p in phases) / math.fsum(p.share * _wall(p.demand, ratios) for p in phases)


@lru_cache(maxsize=4096)
def phases_on(workload: WorkloadClass, kind: str) -> tuple[Phase, ...]:
    """Phases on a kind: as measured, else carried over from the reference kind; shares add up as there."""
    measured = workload.phases.get(kind)
    if measured is not None:
        return measured
    phases = workload.phases[workload.reference_gpu]
    ratios = _ratios(workload, kind)
    walls = [_wall(phase.demand, ratios) for phase in phases]
    total = math.fsum(phase.share for phase in phases)
    derived = math.fsum(phase.share * wall for phase, wall in zip(phases, walls, strict=True)) / total
    stretch = 1.0 / (speed_on(workload, kind) * derived)
    return tuple(
        Phase(
            phase.name, phase.share * wall / derived, phase.length_s * wall * stretch, _carried(phase, ratios, stretch)
        )
        for phase, wall in zip(phases, walls, strict=True)
    )


def measured_on(workload: WorkloadClass, kind: str) -> bool:
    """Whether somebody measured its speed there; else it is derived."""
    return kind == workload.reference_gpu or kind in workload.speeds


def communicating(demand: Demand) -> Demand:
    """The demand of a GPU that takes part in a collective and computes nothing meanwhile.

    h200_measured, node8.json: 1 GiB all-reduces over 8 GPUs draw 260 W each, 134 W above a context that runs
    nothing, and move 357 GB/s of bus bandwidth, about four passes through DRAM of a third of that or 0.1 of its
    peak. SM activity takes the rest of the watts. Sums are not bound by the SM clock.
    """
    return replace(demand, u=0.09, m=0.1, kappa=0.0, duty=1.0, sm=0.2, occupancy=0.05, tensor=0.0)


def class_from(content: Mapping[str, Any]) -> WorkloadClass:
    """A class from the plain content of its file."""
    fields = dict(content)
    fields["phases"] = {kind: tuple(map(_phase, rows)) for kind, rows in fields["phases"].items()}
    fields["step"] = Step(**fields["step"])
    fields["gpus"] = tuple(fields["gpus"])
    return WorkloadClass(**fields)


@cache
def _known() -> frozenset[str]:
    return frozenset(class_names())


@cache
def _load(name: str) -> WorkloadClass:
    return class_from(read_bundled(FOLDER / f"{name}.yaml"))


def _phase(row: Mapping[str, Any]) -> Phase:
    return Phase(row["name"], row["share"], row["length_s"], Demand(**row["demand"]))


def _ratios(workload: WorkloadClass, kind: str) -> Ratios:
    compute, memory = rate_ratios(kind, workload.reference_gpu, workload.math)
    return compute, memory, gain(kind, workload.math) / gain(workload.reference_gpu, workload.math)


def _on_gpu(demand: Demand, ratios: Ratios) -> tuple[float, float]:
    """(part that the SM clock stretches, the other part) of the time on the GPU, relative to the reference kind."""
    compute, memory, more = ratios
    return demand.kappa / (compute * more), (1.0 - demand.kappa) / (memory * more)


def _wall(demand: Demand, ratios: Ratios) -> float:
    return demand.duty * math.fsum(_on_gpu(demand, ratios)) + (1.0 - demand.duty)


def _carried(phase: Phase, ratios: Ratios, stretch: float) -> Demand:
    """The demand on another kind whose time is `stretch` times what the rule says."""
    demand = phase.demand
    scaled, fixed = _on_gpu(demand, ratios)
    longer, wall = scaled + fixed, _wall(demand, ratios)
    busy_s = longer * stretch
    return replace(
        demand,
        m=min(MOST, demand.m / (ratios[1] * busy_s)),
        kappa=scaled / longer,
        duty=min(MOST, demand.duty * longer / wall),
        tensor=min(MOST, demand.tensor / (ratios[0] * busy_s)),
        pcie_gbps=demand.pcie_gbps / (wall * stretch),
        kernel_us=demand.kernel_us * busy_s,
    )
