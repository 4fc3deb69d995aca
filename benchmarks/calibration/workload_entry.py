"""An entry of the catalogue of workload classes on its way from a data set to its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from calibration.workload_fit import SweepFit, phase_content

from goodwatt.power.workloads.workload import Phase

ASSUMED_KAPPA = "assumed: 1.31 - 1.25 m"


@dataclass(frozen=True)
class Entry:
    """A class with what was measured of it: `watts` by kind at the default setting, `sweeps` by kind."""

    name: str
    about: str
    family: str
    reference_gpu: str
    math: str
    gpus: tuple[int, int]
    weight: float
    checkpoint_mib: float
    step: Mapping[str, float]
    phases: Mapping[str, Sequence[Phase]]
    sources: Mapping[str, str]
    speeds: Mapping[str, float] = field(default_factory=dict)
    watts: Mapping[str, float] = field(default_factory=dict)
    sweeps: Mapping[str, SweepFit] = field(default_factory=dict)
    origin: str = ""

    def content(self) -> dict[str, Any]:
        """As it stands in its file."""
        return {
            "name": self.name,
            "about": self.about,
            "family": self.family,
            "reference_gpu": self.reference_gpu,
            "math": self.math,
            "gpus": list(self.gpus),
            "weight": self.weight,
            "checkpoint_mib": self.checkpoint_mib,
            "step": {key: int(value) if key in {"calls"} else float(value) for key, value in self.step.items()},
            "speeds": {kind: round(speed, 3) for kind, speed in sorted(self.speeds.items())},
            "phases": {kind: phase_content(phases) for kind, phases in self.phases.items()},
            "sources": dict(sorted(self.sources.items())),
        }


OVERLAP = {"vision": 0.15, "language": 0.3, "speech": 0.0, "detection": 0.0, "recommendation": 0.15}
"""Share of the computation that hides the exchange, as fitted by calibration/sia_scaling.py on A100: imagenet and
cifar10, bert, deepspeech2, yolov3, ncf."""


def step(compute_s: float, parameters_m: float, like: str, bytes_each: int = 4) -> dict[str, float]:
    """A data-parallel step: it exchanges one gradient per parameter (millions), in buckets of 25 MB."""
    exchanged = parameters_m * 1e6 * bytes_each
    return {
        "compute_s": round(compute_s, 5),
        "exchange_bytes": exchanged,
        "calls": max(1, round(exchanged / 25e6)),
        "overlap": OVERLAP.get(like, 0.15),
    }
