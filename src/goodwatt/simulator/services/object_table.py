"""Objects as plain data and back, without code: numbers, texts, containers, arrays, and instances of our own classes.

Whatever an object holds is found by its attributes, so a class that gets another field is written with it. Objects are
numbered, and who holds one holds its number: what is one object stays one, and circles are no matter. Facts, which
whoever reads has already, are written by name. Only classes, functions and methods of `PACKAGES` are made or named
again, and none of their code runs on reading: attributes are set as they are told. Arrays are for `array_entries`.
"""

from __future__ import annotations

import importlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import FunctionType, MethodType
from typing import Any

import numpy as np

from goodwatt.errors import RunError
from goodwatt.simulator.services.array_entries import (
    array_of,
    entries_of,
    number_of,
    number_to_plain,
    view_of,
)

PACKAGES = ("goodwatt.simulator.services.", "goodwatt.simulator.physics.", "goodwatt.power.serving.")
Entry = list[Any]
_PLAIN = (type(None), bool, int, float, str)
_DEFAULTS: dict[str, type] = {kind.__name__: kind for kind in (int, float, list, dict, set, deque)}


def facts_below(name: str, value: Any, depth: int = 3) -> Iterator[tuple[str, Any]]:
    """(name, fact) of a fact and of the facts that it consists of, by their places."""
    if isinstance(value, _PLAIN):
        return
    yield name, value
    if isinstance(value, list | tuple):
        parts: Iterable[tuple[Any, Any]] = enumerate(value)
    else:
        parts = ((f.name, getattr(value, f.name)) for f in fields(value)) if is_dataclass(value) else ()
    if depth:
        for key, part in parts:
            yield from facts_below(f"{name}.{key}", part, depth - 1)


def written(top: Any, facts: Mapping[str, Any]) -> dict[str, Any]:
    """{"top": the value, "objects": what it refers to}, for JSON. RunError for what cannot be written."""
    writer = _Writer(facts)
    return {"top": writer.value(top), "objects": writer.entries()}


def read(plain: Mapping[str, Any], facts: Mapping[str, Any]) -> Any:
    """What was written; KeyError, ValueError, TypeError, AttributeError or IndexError where it was not."""
    return _Reader(plain["objects"], facts).value(plain["top"])


class _Writer:
    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._names = {id(fact): name for name, fact in reversed(list(facts.items()))}
        self._numbers: dict[int, int] = {}
        self._objects: list[Any] = []

    def value(self, value: Any) -> Any:
        """As it is, or {"#": number}."""
        if type(value) in _PLAIN:
            return value
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)  # kept, or its identity could be given twice
        return {"#": self._numbers[id(value)]}

    def entries(self) -> list[Entry]:
        """Of all that has been referred to, and of what that refers to."""
        entries: list[Entry] = []
        while len(entries) < len(self._objects):
            entries.append(self._entry(self._objects[len(entries)]))
        arrays = {at: self._objects[at] for at, entry in enumerate(entries) if entry == ["array"]}
        for at, entry in entries_of(arrays, len(entries)).items():
            if at == len(entries):
                entries.append(entry)
            entries[at] = entry
        return entries

    def _entry(self, value: Any) -> Entry:
        if (name := self._names.get(id(value))) is not None:
            return ["fact", name]
        if (write := _WRITERS.get(type(value))) is not None:
            return write(self, value)
        if isinstance(value, np.generic):
            return ["number", *number_to_plain(value)]
        if not type(value).__module__.startswith(PACKAGES):
            raise RunError(f"expected what can be saved, got {type(value).__module__}.{type(value).__qualname__}")
        if isinstance(value, tuple):
            return ["named", _path(type(value)), self._all(value)]
        return ["object", _path(type(value)), {name: self.value(getattr(value, name)) for name in _names(value)}]

    def _all(self, values: Iterable[Any]) -> list[Any]:
        return [self.value(value) for value in values]

    def _pairs(self, value: Mapping[Any, Any]) -> list[Any]:
        return [[self.value(key), self.value(part)] for key, part in value.items()]

    def _method(self, value: MethodType) -> Entry:
        return ["method", self.value(value.__self__), value.__name__]

    def _defaults(self, value: defaultdict[Any, Any]) -> Entry:
        kind = getattr(value.default_factory, "__name__", "")
        if _DEFAULTS.get(kind) is not value.default_factory:
            raise RunError(f"expected a default out of {', '.join(_DEFAULTS)}, got {value.default_factory!r}")
        return ["defaultdict", kind, self._pairs(value)]

    def _function(self, value: FunctionType) -> Entry:
        if not value.__module__.startswith(PACKAGES) or "." in value.__qualname__:
            raise RunError(f"expected what can be saved, got {value.__module__}.{value.__qualname__}")
        return ["function", _path(value)]


_WRITERS: dict[type, Callable[[_Writer, Any], Entry]] = {
    list: lambda writer, value: ["list", writer._all(value)],
    tuple: lambda writer, value: ["tuple", writer._all(value)],
    set: lambda writer, value: ["set", writer._all(sorted(value))],
    deque: lambda writer, value: ["deque", writer._all(value), value.maxlen],
    dict: lambda writer, value: ["dict", writer._pairs(value)],
    defaultdict: lambda writer, value: writer._defaults(value),
    np.ndarray: lambda _, __: ["array"],  # all of them later, for two may be views of the same memory
    MethodType: lambda writer, value: writer._method(value),
    FunctionType: lambda writer, value: writer._function(value),
}


class _Reader:
    """Containers and objects are there before what they hold is read, so that this may hold them."""

    def __init__(self, entries: list[Entry], facts: Mapping[str, Any]) -> None:
        self._entries, self._facts = entries, facts
        self._made: dict[int, Any] = {}

    def value(self, plain: Any) -> Any:
        if not isinstance(plain, dict):
            return plain
        number = plain["#"]
        if number not in self._made:
            what, *rest = self._entries[number]
            if what in _FILLED:
                self._fill(number, what, *rest)
            else:
                self._made[number] = _WHOLE[what](self, *rest)
        return self._made[number]

    def _fill(self, number: int, what: str, content: Any, *rest: Any) -> None:
        if what == "object":
            self._made[number] = made = object.__new__(_class(content))
            for name, part in rest[0].items():
                object.__setattr__(made, name, self.value(part))
        elif what == "list":
            self._made[number] = values = list[Any]()
            values.extend(self._all(content))
        elif what == "deque":
            self._made[number] = line = deque[Any](maxlen=rest[0])
            line.extend(self._all(content))
        else:
            pairs = rest[0] if what == "defaultdict" else content
            named: dict[Any, Any] = defaultdict(_DEFAULTS[content]) if what == "defaultdict" else {}
            self._made[number] = named
            named.update((self.value(key), self.value(part)) for key, part in pairs)

    def _all(self, values: list[Any]) -> list[Any]:
        return [self.value(value) for value in values]


_WHOLE: dict[str, Callable[..., Any]] = {
    "fact": lambda reader, name: reader._facts[name],
    "tuple": lambda reader, values: tuple(reader._all(values)),
    "set": lambda reader, values: set(reader._all(values)),
    "named": lambda reader, path, values: tuple.__new__(_class(path), reader._all(values)),
    "array": lambda _, *entry: array_of(*entry),
    "view": lambda reader, owner, *place: view_of(reader.value(owner), *place),
    "number": lambda _, *entry: number_of(*entry),
    "method": lambda reader, owner, name: _method(reader.value(owner), name),
    "function": lambda _, path: _function(path),
}
_FILLED = {"object", "list", "deque", "dict", "defaultdict"}


def _names(value: Any) -> list[str]:
    """The attributes of an object, by slots and by dictionary."""
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return [*(name for name in slots if hasattr(value, name)), *getattr(value, "__dict__", {})]


def _path(thing: Any) -> str:
    return f"{thing.__module__}:{thing.__qualname__}"


def _found(path: str) -> Any:
    module, _, name = path.partition(":")
    if not module.startswith(PACKAGES):
        raise ValueError(f"something of {module}")
    try:
        found = getattr(importlib.import_module(module), name)
    except ImportError:
        raise ValueError(f"a module {module}") from None
    if _path(found) != path:
        raise ValueError(f"something called {path}")
    return found


def _class(path: str) -> Any:
    found = _found(path)
    if not isinstance(found, type):
        raise TypeError(f"expected a class, got {path}")
    return found


def _function(path: str) -> Any:
    found = _found(path)
    if not isinstance(found, FunctionType):
        raise TypeError(f"expected a function, got {path}")
    return found


def _method(owner: Any, name: str) -> Any:
    if not type(owner).__module__.startswith(PACKAGES) or not isinstance(vars(type(owner))[name], FunctionType):
        raise TypeError(f"expected a method, got {name}")
    return getattr(owner, name)
