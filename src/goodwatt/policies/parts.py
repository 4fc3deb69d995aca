"""Finding named parts: what ships with the package, what others register, and what a specification makes of them.

What ships is found by its file: the part `easy-backfill` is the class of that name in easy_backfill.py of the
package. Others register a class under an entry point group. A specification is a name and parameters,
`name:key=value,key=value`; the parameters are the fields of the class, a dataclass.
"""

from __future__ import annotations

import inspect
import math
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, get_args, get_origin, get_type_hints

from goodwatt.errors import InputError, UnknownNameError

Part = type[Any]


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts in a package and those registered under an entry point group; `noun` names them in messages.

    `left_out`: why there is no part of a name that somebody may look for.
    """

    package: str
    group: str
    noun: str
    left_out: Mapping[str, str] = field(default_factory=dict, hash=False)

    def find(self, name: str) -> Part:
        """The class registered under a name.

        Raises UnknownNameError with the nearest names if there is none, InputError with the reason if it was left out.
        """
        module = f"{self.package}.{name.replace('-', '_')}"
        if name.replace("-", "").isalnum() and find_spec(module) is not None:
            for part in _parts_of(module):
                if part.name == name:
                    return part
        others = _registered(self.group, self.noun)
        if name in others:
            return others[name]
        if name in self.left_out:
            raise InputError(f"{self.noun} {name}: {self.left_out[name]}")
        raise UnknownNameError(self.noun, name, self.names())

    def names(self) -> dict[str, Part]:
        """All by name: those that ship, in alphabetical order, then those of others, who cannot replace them."""
        found = {}
        for info in pkgutil.iter_modules(import_module(self.package).__path__):
            for part in _parts_of(f"{self.package}.{info.name}"):
                if part.name.replace("-", "_") == info.name:
                    found[part.name] = part
        others = _registered(self.group, self.noun)
        return {**found, **{name: part for name, part in others.items() if name not in found}}

    def make(self, text: str) -> Any:
        """What the specification `name:key=value,..` makes. Raises InputError or UnknownNameError."""
        name, _, settings = text.partition(":")
        part = self.find(name.strip())
        known = parameters(part)
        values = {}
        for setting in filter(None, settings.split(",")):
            key, equals, value = (piece.strip() for piece in setting.partition("="))
            if key not in known:
                raise (
                    UnknownNameError(f"parameter of {name}", key, known)
                    if known
                    else InputError(f"{self.noun} {name} has no parameters, got {setting!r}")
                )
            if not equals:
                raise InputError(f"{self.noun} {text!r}: expected {key}=value, got {setting!r}")
            if key in values:
                raise InputError(f"{self.noun} {text!r}: parameter {key} is given twice")
            values[key] = _converted(f"{self.noun} {name}", key, value, known[key][0])
        try:
            return part(**values)
        except ValueError as error:
            raise InputError(f"{self.noun} {text!r}: {error}") from None


def parameters(part: Part) -> dict[str, tuple[Any, Any]]:
    """(type, default) of each parameter of a class."""
    if not is_dataclass(part):
        return {}
    hints = get_type_hints(part)
    return {f.name: (hints[f.name], f.default) for f in fields(part)}


def _converted(what: str, key: str, value: str, kind: Any) -> Any:
    choices = get_args(kind) if get_origin(kind) is Literal else ("true", "false") if kind is bool else None
    if choices and value not in choices:
        raise InputError(f"{what}, parameter {key}: expected one of {', '.join(choices)}, got {value!r}")
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
        expected = "a whole number" if kind is int else "a number"
        raise InputError(f"{what}, parameter {key}: expected {expected}, got {value!r}") from None


def _parts_of(module: str) -> list[Part]:
    """The classes that a module itself defines and names."""
    members: Mapping[str, Any] = vars(import_module(module))
    return [
        member
        for member in members.values()
        if inspect.isclass(member) and member.__module__ == module and isinstance(vars(member).get("name"), str)
    ]


@cache
def _registered(group: str, noun: str) -> dict[str, Part]:
    from importlib.metadata import entry_points

    found = {}
    for point in entry_points(group=group):
        try:
            found[point.name] = point.load()
        except Exception as error:
            raise InputError(f"{noun} {point.name!r}: {point.value} cannot be loaded: {error}") from error
    return found
