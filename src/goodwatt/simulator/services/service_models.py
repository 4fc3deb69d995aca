"""The section `model` of a services file: from its content to what the model is like.

A language model by its shape, or a model whose requests are steps; either by name where it is known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.errors import FieldError, InputError, Place, UnknownNameError
from goodwatt.power.serving.llm_models import llm_model, llm_models
from goodwatt.power.serving.llm_shape import HALF_BYTES, HEAD_DIM, LlmShape
from goodwatt.power.serving.step_models import step_model, step_models
from goodwatt.power.serving.step_shape import StepShape

Content = Mapping[str, Any]

PRECISIONS: Mapping[str, float] = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.5}
"""Bytes of a parameter."""
_NEEDED = ("parameters_b", "layers", "hidden", "kv_heads")
_TOKENS = (*_NEEDED, "active_b", "routed", "query_heads", "head_dim", "precision", "weight_bytes", "kv_bytes")
_OF_CLASS = ("workload", "batch", "batch_gain", "steps")
_OF_TIMES = ("request_s", "measured_on", "like", "batch_gain", "floor_s", "steps")


def model_of(content: Content, place: Place, gpu: str) -> LlmShape | StepShape:
    """The model that the content describes; `place` is where it stands, `gpu` what it runs on. Raises FieldError."""
    name = content.get("name")
    rest = {key: value for key, value in content.items() if key != "name"}
    if name is not None and (known := step_model(name)):
        _only(rest, ("steps",), place, f"with {name}")
        return StepShape(like=known.like, figures=known.figures, steps=rest.get("steps", known.steps), most=known.most)
    if name is not None:
        return _language_model(_published(name, place) | rest, place)
    if "workload" in rest or "request_s" in rest:
        return _steps(rest, place, gpu)
    return _language_model(rest, place)


def _published(name: str, place: Place) -> dict[str, Any]:
    """The figures of a published language model, as a file would have them."""
    known = llm_model(name)
    if known is None:
        raise FieldError(place, str(UnknownNameError("model", name, [*llm_models(), *step_models()])))
    figures = {
        "parameters_b": known.parameters / 1e9,
        "active_b": known.active_parameters / 1e9,
        "layers": known.layers,
        "hidden": known.hidden,
        "kv_heads": known.kv_heads,
        "routed": known.routed,
        "query_heads": known.query_width // known.head_dim,
    }
    return {key: value for key, value in figures.items() if value}


def _language_model(content: Content, place: Place) -> LlmShape:
    missing = [key for key in _NEEDED if key not in content]
    if missing:
        expected = f"expected the name of a model, {', '.join(_NEEDED)}, workload, or request_s"
        raise FieldError(place, f"{expected}; missing: {', '.join(missing)}")
    _only(content, _TOKENS, place, "with a language model")
    _check_experts(content, place)
    if "precision" in content and "weight_bytes" in content:
        raise FieldError((*place, "precision"), "expected precision or weight_bytes, got both")
    head_dim = content.get("head_dim", HEAD_DIM)
    return LlmShape(
        parameters=content["parameters_b"] * 1e9,
        active_parameters=content.get("active_b", content["parameters_b"]) * 1e9,
        routed=content.get("routed", 0.0),
        layers=content["layers"],
        hidden=content["hidden"],
        kv_heads=content["kv_heads"],
        head_dim=head_dim,
        query_width=content.get("query_heads", 0) * head_dim,
        weight_bytes=content.get("weight_bytes", PRECISIONS[content.get("precision", "bf16")]),
        kv_bytes=content.get("kv_bytes", HALF_BYTES),
    )


def _check_experts(content: Content, place: Place) -> None:
    parameters, active = content["parameters_b"], content.get("active_b", content["parameters_b"])
    if active > parameters:
        raise FieldError((*place, "active_b"), f"expected at most the {parameters:g} of parameters_b, got {active:g}")
    if "routed" in content and active == parameters:
        raise FieldError((*place, "routed"), "expected with active_b below parameters_b: without, there are no experts")


def _steps(content: Content, place: Place, gpu: str) -> StepShape:
    """By a class of the catalogue, or by what a request takes alone."""
    try:
        if "workload" in content:
            _only(content, _OF_CLASS, place, "with workload")
            return StepShape.of_class(content["workload"], **_without(content, "workload"))
        _only(content, _OF_TIMES, place, "with request_s")
        if "like" not in content:
            raise FieldError(place, "expected like: the workload class that it resembles (goodwatt workloads list)")
        kind = gpu_kind(content.get("measured_on", gpu)).name
        return StepShape.of_times(content["like"], kind, **_without(content, "like", "measured_on"))
    except FieldError:
        raise
    except InputError as error:
        raise FieldError(place, str(error)) from None


def _without(content: Content, *keys: str) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key not in keys}


def _only(content: Content, known: Collection[str], place: Place, where: str) -> None:
    """What would count nowhere is a mistake of whoever wrote it."""
    for key in content:
        if key not in known:
            raise FieldError((*place, key), f"expected {', '.join(known)} {where}")
