"""Policies by name: what ships with the package, what others register, and what a specification makes.

A specification is `order`, `placement` or `order+placement`, each with parameters: `qssf:history_days=30+fgd`. An
order alone is combined with best-fit, a placement alone with fifo. What ships is found by its file: the policy
`easy-backfill` is the class of that name in easy_backfill.py. Others register a class (an order, a placement or a
whole policy) under the entry point group `goodwatt.policies`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, get_args, get_origin, get_type_hints

import goodwatt.policies
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.policies.composite import Composite
from goodwatt.simulator.policy import Policy

GROUP = "goodwatt.policies"
DEFAULT_ORDER, DEFAULT_PLACEMENT = "fifo", "best-fit"

Part = type[Any]
Role = Literal["order", "placement", "policy"]


def make_policy(spec: str) -> Policy:
    """The policy that a specification describes. Raises InputError or UnknownNameError."""
    parts = [_make_part(text) for text in spec.split("+")]
    roles = [role_of(type(part)) for part in parts]
    if roles == ["policy"]:
        policy: Policy = parts[0]
        return policy
    named = dict(zip(roles, parts, strict=True))
    if len(parts) > 2 or len(named) < len(parts) or "policy" in named:
        raise InputError(f"policy {spec!r}: expected order, placement or order+placement, got {'+'.join(roles)}")
    order = named.get("order") or find(DEFAULT_ORDER)()
    return Composite(spec, order, named.get("placement") or find(DEFAULT_PLACEMENT)())


def find(name: str) -> Part:
    """The class registered under a name; UnknownNameError with the nearest names if there is none."""
    module = f"{goodwatt.policies.__name__}.{name.replace('-', '_')}"
    if name.replace("-", "").isalnum() and find_spec(module) is not None:
        for part in _parts_of(module):
            if part.name == name:
                return part
    others = _registered()
    if name in others:
        return others[name]
    raise UnknownNameError("policy", name, names())


def names() -> dict[str, Part]:
    """All policies by name: those that ship, in alphabetical order, then those of others, who cannot replace them."""
    import pkgutil

    found = {}
    for info in pkgutil.iter_modules(goodwatt.policies.__path__):
        for part in _parts_of(f"{goodwatt.policies.__name__}.{info.name}"):
            if part.name.replace("-", "_") == info.name:
                found[part.name] = part
    return {**found, **{name: part for name, part in _registered().items() if name not in found}}


def role_of(part: Part) -> Role:
    """What a class is: a placement has `place`; an order decides with a placement, a whole policy without."""
    if hasattr(part, "place"):
        return "placement"
    if not hasattr(part, "decide"):
        raise InputError(f"{part.__qualname__} is no policy: expected a method place or decide")
    return "order" if "placement" in inspect.signature(part.decide).parameters else "policy"


def parameters(part: Part) -> dict[str, tuple[Any, Any]]:
    """(type, default) of each parameter of a class."""
    if not is_dataclass(part):
        return {}
    hints = get_type_hints(part)
    return {f.name: (hints[f.name], f.default) for f in fields(part)}


def _make_part(text: str) -> Any:
    name, _, settings = text.partition(":")
    part = find(name.strip())
    known = parameters(part)
    values = {}
    for setting in filter(None, settings.split(",")):
        key, equals, value = (piece.strip() for piece in setting.partition("="))
        if key not in known:
            raise (
                UnknownNameError(f"parameter of {name}", key, known)
                if known
                else InputError(f"policy {name} has no parameters, got {setting!r}")
            )
        if not equals:
            raise InputError(f"policy {text!r}: expected {key}=value, got {setting!r}")
        if key in values:
            raise InputError(f"policy {text!r}: parameter {key} is given twice")
        values[key] = _converted(name, key, value, known[key][0])
    try:
        return part(**values)
    except ValueError as error:
        raise InputError(f"policy {text!r}: {error}") from None


def _converted(name: str, key: str, value: str, kind: Any) -> Any:
    choices = get_args(kind) if get_origin(kind) is Literal else ("true", "false") if kind is bool else None
    if choices and value not in choices:
        raise InputError(f"policy {name}, parameter {key}: expected one of {', '.join(choices)}, got {value!r}")
    if kind is bool:
        return value == "true"
    if kind not in {int, float}:
        return value
    try:
        number = kind(value)
        if isinstance(number, float) and math.isnan(number):
            raise ValueError
        return number
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise InputError(f"policy {name}, parameter {key}: expected {what}, got {value!r}") from None


def _parts_of(module: str) -> list[Part]:
    """The classes that a module itself defines and names."""
    members: Mapping[str, Any] = vars(import_module(module))
    return [
        member
        for member in members.values()
        if inspect.isclass(member) and member.__module__ == module and isinstance(vars(member).get("name"), str)
    ]


@cache
def _registered() -> dict[str, Part]:
    from importlib.metadata import entry_points

    found = {}
    for point in entry_points(group=GROUP):
        try:
            found[point.name] = point.load()
        except Exception as error:
            raise InputError(f"policy {point.name!r}: {point.value} cannot be loaded: {error}") from error
    return found
