"""Models other than language models that were measured, by name: step_models.yaml as facts.

Fitted and written by benchmarks/calibration/step_serving.py; what the figures mean says `step_shape`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from goodwatt.bundled_yaml import read_bundled
from goodwatt.power.serving.step_shape import StepFigures, StepShape

MODELS = Path(__file__).with_suffix(".yaml")


@cache
def step_models() -> Mapping[str, StepShape]:
    """All of them by name."""
    return {name: _shape(row) for name, row in read_bundled(MODELS)["models"].items()}


def step_model(name: str) -> StepShape | None:
    """The model of that name, in any case; None if there is none."""
    return step_models().get(name.casefold())


def _shape(row: Mapping[str, Any]) -> StepShape:
    figures = tuple(StepFigures(gpu=kind, **figures) for kind, figures in row["figures"].items())
    return StepShape(like=row["like"], steps=row["steps"], most=row["most"], figures=figures)
