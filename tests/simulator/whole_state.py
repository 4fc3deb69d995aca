"""All that a simulation is made of, found by walking its fields, to compare two of them and to find what they share.

Facts end the walk: what never changes, or only remembers what was computed from facts. Everything else must be found in
a fork and in a saved run, so a new field of any class on the way is compared without anybody naming it.
"""

from __future__ import annotations

import math
import random
from array import array
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import is_dataclass
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

import numpy as np
from sortedcontainers import SortedDict, SortedList, SortedSet

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.eligibility import EligibilityIndex
from goodwatt.cluster.gang import Feasibility
from goodwatt.policies.job_budget import Ask, Share
from goodwatt.power.gpu.model import GpuModel
from goodwatt.simulator.events.clock import Clock
from goodwatt.simulator.failures.schedule import _Sites
from goodwatt.simulator.failures.stragglers import Stragglers
from goodwatt.simulator.physics.job_facts import JobFacts
from goodwatt.simulator.physics.truth import Truth

PLAIN = (int, float, str, bytes, bool, complex, type(None), range, Enum)
CODE = (type, ModuleType, FunctionType, BuiltinFunctionType)
FACTS = (Ask, Cluster, EligibilityIndex, Feasibility, GpuModel, JobFacts, Share, Stragglers, Truth, _Sites)
"""Of these classes objects are shared: they hold facts and what was computed from facts."""
REBUILT = (Clock,)
"""What is to come stands in fields, from which the clock is filled anew."""

UNORDERED = {
    "JobPoints._pace", "JobPoints.launching", "NetworkLoads._gangs", "NetworkLoads._asked", "NodeBook._dormant",
}  # fmt: skip
"""Looked up by name and never gone through, so that their order says nothing."""
CONTAINERS = (list, dict, set, deque, array, np.ndarray)
Found = tuple[str, Any]


def is_fact(value: Any) -> bool:
    """Whether it cannot change, nor anything that it holds, or only remembers what follows from facts."""
    if isinstance(value, (*PLAIN, *CODE, *FACTS)):
        return True
    if not is_dataclass(value) or isinstance(value, type) or not _frozen(type(value)):
        return False
    return all(_holds_facts(part) for part in fields_of(value).values())


def _holds_facts(value: Any) -> bool:
    return all(map(_holds_facts, value)) if isinstance(value, tuple | frozenset) else is_fact(value)


def _frozen(kind: Any) -> bool:
    return bool(kind.__dataclass_params__.frozen)


def fields_of(value: Any) -> dict[str, Any]:
    """The attributes of an object, by slots and by dictionary."""
    slots = {name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())}
    found = {name: getattr(value, name) for name in sorted(slots) if hasattr(value, name)}
    return {**found, **getattr(value, "__dict__", {})}


def parts_of(value: Any, known: Collection[str] = ()) -> list[Found]:
    """(name, part) of everything that a value directly consists of, without fields that are known as "Class.field"."""
    if isinstance(value, random.Random):
        return [("state", value.getstate())]
    if isinstance(value, MethodType):
        return [("of", value.__self__)]
    if isinstance(value, array):
        return [("bytes", value.tobytes())]
    if isinstance(value, np.ndarray | np.generic):
        return [("type", str(value.dtype)), ("shape", str(value.shape)), ("bytes", value.tobytes())]
    own: Mapping[str, Any] = fields_of(value) if type(value).__module__.startswith(("goodwatt", "tests")) else {}
    of = type(value).__name__
    kept = {name: _in_order(part) if f"{of}.{name}" in UNORDERED else part for name, part in own.items()}
    return [*((f".{name}", part) for name, part in kept.items() if f"{of}.{name}" not in known), *_entries(value)]


def _in_order(part: dict[Any, Any]) -> dict[Any, Any]:
    return dict(sorted(part.items()))


def _entries(value: Any) -> Iterator[Found]:
    if isinstance(value, Mapping | MappingProxyType | SortedDict):
        for i, (key, part) in enumerate(value.items()):
            yield from ((f"[key {i}]", key), (f"[{key!r}]", part))
    elif isinstance(value, set | frozenset) and not isinstance(value, SortedSet):
        yield from ((f"{{{i}}}", part) for i, part in enumerate(sorted(value, key=repr)))
    elif isinstance(value, list | tuple | deque | SortedList | SortedSet):
        yield from ((f"[{i}]", part) for i, part in enumerate(value))


def shared(one: Any, other: Any, known: Collection[str] = ()) -> list[str]:
    """Paths of what can change and belongs to both."""
    there = {id(value): value for _, value in walked(other, known)}  # kept, or an identity could be given twice
    return [path for path, value in walked(one, known) if id(value) in there and not unchanging(value)]


def unchanging(value: Any) -> bool:
    """Whether a container cannot change itself, or an object has nothing that could."""
    return isinstance(value, tuple | frozenset) or not (parts_of(value) or isinstance(value, CONTAINERS))


def walked(top: Any, known: Collection[str] = ()) -> Iterator[Found]:
    """(path, value) of everything that can change below this, each once."""
    left: list[Found] = [("", top)]
    seen, kept = set[int](), list[Any]()
    while left:
        path, value = left.pop()
        if id(value) in seen or is_fact(value) or isinstance(value, REBUILT):
            continue
        seen.add(id(value))
        kept.append(value)
        yield path, value
        left += [(path + name, part) for name, part in parts_of(value, known)]


def differences(one: Any, other: Any, known: Collection[str] = (), most: int = 20) -> list[str]:
    """Where two are not alike, path by path; also where one object stands for two, or two for one."""
    left = [("", one, other)]
    twins, kept, found = dict[int, int](), list[Any](), list[str]()
    while left and len(found) < most:
        path, a, b = left.pop()
        if isinstance(a, REBUILT):
            continue
        if type(a) is not type(b):
            found.append(f"{path}: {a!r:.80} and {b!r:.80}")
        elif is_fact(a):
            if a is not b and not _equal(a, b):
                found.append(f"{path}: {a!r:.80} and {b!r:.80}")
        elif id(a) in twins or id(b) in twins:
            if not unchanging(a) and (twins.get(id(a)) != id(b) or twins.get(id(b)) != id(a)):
                found.append(f"{path}: one object for two")
            elif unchanging(a) and twins.get(id(a)) != id(b):
                left += _pairs(path, a, b, found, known)
        else:
            twins[id(a)], twins[id(b)] = id(b), id(a)
            kept += (a, b)
            left += _pairs(path, a, b, found, known)
    return found


def _pairs(path: str, a: Any, b: Any, found: list[str], known: Collection[str]) -> list[tuple[str, Any, Any]]:
    ones, others = parts_of(a, known), parts_of(b, known)
    if [name for name, _ in ones] != [name for name, _ in others]:
        found.append(f"{path}: {a!r:.200} and {b!r:.200}")
        return []
    return [(path + name, x, y) for (name, x), (_, y) in zip(ones, others, strict=True)]


def _equal(a: Any, b: Any) -> bool:
    return bool(a == b) or (isinstance(a, float) and math.isnan(a) and math.isnan(b)) or isinstance(a, FACTS)
