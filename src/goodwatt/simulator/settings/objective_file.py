"""Objective files of users: YAML, checked against `objective_schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from goodwatt.checked_yaml import Models, build_checked, read_text
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.settings.objective import Objective, PriceSource, ServiceFloor
from goodwatt.simulator.settings.objective_schema import FloorEntry, GuardrailsEntry, ObjectiveFile

SECTIONS: Models = {"guardrails": GuardrailsEntry, "service_floor": FloorEntry}
_PRICE_KEYS = ("price", "carbon", "currency", "time_zone", "epoch", "repeats_h")


def read_objective(path: Path) -> Objective:
    """The objective that the file describes; files named in it lie beside it.

    Raises InputError, with a line for each problem.
    """
    text = read_text(path, "objective file")
    return build_checked(
        text, str(path), "an objective", ObjectiveFile, SECTIONS, lambda content: objective_from(content, path.parent)
    )


def objective_from(content: dict[str, Any], folder: Path) -> Objective:
    """The objective that checked content describes; files named in it lie in `folder`."""
    content = {**content}
    prices = {key: content.pop(key) for key in _PRICE_KEYS if key in content}
    limits, floor = content.pop("guardrails", {}), content.pop("service_floor", {})
    return Objective(**content, guardrails=_guardrails(limits), floor=_floor(floor), prices=_source(prices, folder))


def _guardrails(limits: dict[str, Any]) -> Guardrails:
    if "protected_from" in limits:
        limits["protected_from"] = frozenset(limits["protected_from"])
    return Guardrails(protected=frozenset(limits.pop("protected_users", ())), **limits)


def _floor(floor: dict[str, Any]) -> ServiceFloor:
    if "unfinished_points" in floor:
        floor["unfinished"] = floor.pop("unfinished_points") / 100.0
    return ServiceFloor(**floor)


def _source(prices: dict[str, Any], folder: Path) -> PriceSource | None:
    for key in ("price", "carbon"):
        if isinstance(prices.get(key), str):
            prices[key] = str(folder / prices[key])
    return PriceSource(**prices) if "price" in prices or "carbon" in prices else None
