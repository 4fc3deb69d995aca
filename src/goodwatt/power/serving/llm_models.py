"""Published language models by name: their shapes stand in `llm_models.yaml`, from each one's config.json."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from goodwatt.bundled_yaml import read_bundled
from goodwatt.power.serving.llm_shape import HEAD_DIM, LlmShape

MODELS = Path(__file__).with_suffix(".yaml")


@cache
def llm_models() -> Mapping[str, LlmShape]:
    """All of them by name, in 16-bit."""
    return {name: _shape(row) for name, row in read_bundled(MODELS).items()}


def llm_model(name: str) -> LlmShape | None:
    """The model of that name, in any case; None if there is none."""
    return llm_models().get(name.casefold())


def _shape(row: Mapping[str, Any]) -> LlmShape:
    return LlmShape(
        parameters=row["parameters_b"] * 1e9,
        active_parameters=row.get("active_b", row["parameters_b"]) * 1e9,
        routed=row.get("routed", 0.0),
        layers=row["layers"],
        hidden=row["hidden"],
        kv_heads=row["kv_heads"],
        query_width=row.get("query_heads", 0) * HEAD_DIM,
    )
