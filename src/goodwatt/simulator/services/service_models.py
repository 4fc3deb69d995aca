"""The section `model` of a services file: from its content to what the model is like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from goodwatt.errors import FieldError, Place, UnknownNameError
from goodwatt.power.serving.llm_models import llm_model, llm_models
from goodwatt.power.serving.llm_shape import HALF_BYTES, HEAD_DIM, LlmShape

Content = Mapping[str, Any]

PRECISIONS: Mapping[str, float] = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.5}
"""Bytes of a parameter."""
NEEDED = ("parameters_b", "layers", "hidden", "kv_heads")


def model_of(content: Content, place: Place) -> LlmShape:
    """The model that the content describes; `place` is where it stands. Raises FieldError."""
    return _language_model(_filled(content, place), place)


def has_tokens(model: LlmShape) -> bool:
    """Whether its requests have prompts and outputs."""
    return isinstance(model, LlmShape)


def _filled(content: Content, place: Place) -> dict[str, Any]:
    """The content with the figures of the named model where it says nothing itself."""
    name = content.get("name")
    if name is None:
        return dict(content)
    known = llm_model(name)
    if known is None:
        raise FieldError(place, str(UnknownNameError("model", name, llm_models())))
    published = {
        "parameters_b": known.parameters / 1e9,
        "active_b": known.active_parameters / 1e9,
        "layers": known.layers,
        "hidden": known.hidden,
        "kv_heads": known.kv_heads,
    }
    if known.routed:
        published["routed"] = known.routed
    if known.query_width:
        published["query_heads"] = known.query_width // known.head_dim
    return {**published, **content}


def _language_model(content: Content, place: Place) -> LlmShape:
    missing = [key for key in NEEDED if key not in content]
    if missing:
        raise FieldError(place, f"expected {', '.join(NEEDED)}, or the name of a model; missing: {', '.join(missing)}")
    parameters, active = content["parameters_b"], content.get("active_b", content["parameters_b"])
    if active > parameters:
        raise FieldError((*place, "active_b"), f"expected at most the {parameters:g} of parameters_b, got {active:g}")
    if "routed" in content and active == parameters:
        raise FieldError((*place, "routed"), "expected with active_b below parameters_b: without, there are no experts")
    if "precision" in content and "weight_bytes" in content:
        raise FieldError((*place, "precision"), "expected precision or weight_bytes, got both")
    head_dim = content.get("head_dim", HEAD_DIM)
    return LlmShape(
        parameters=parameters * 1e9,
        active_parameters=active * 1e9,
        routed=content.get("routed", 0.0),
        layers=content["layers"],
        hidden=content["hidden"],
        kv_heads=content["kv_heads"],
        head_dim=head_dim,
        query_width=content.get("query_heads", 0) * head_dim,
        weight_bytes=content.get("weight_bytes", PRECISIONS[content.get("precision", "bf16")]),
        kv_bytes=content.get("kv_bytes", HALF_BYTES),
    )
