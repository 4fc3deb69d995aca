"""What a policy returned, taken apart: decisions go on to the executor, what is none is refused here, with the reason.

A policy is third-party code. What it gets wrong by type (a count of 1.0, a numpy integer, a job by its number) or by a
node that does not exist would otherwise show somewhere in the middle of being carried out, or in the saved run.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, get_args

from goodwatt.simulator.decisions import (
    KEPT,
    Decision,
    Group,
    Malformed,
    Migrate,
    Partition,
    Place,
    Preempt,
    Refusal,
    Resize,
    Sleep,
    Wake,
)

if TYPE_CHECKING:
    from goodwatt.simulator.simulation import Simulation

KINDS: tuple[type, ...] = get_args(Decision)
_STEPS = (Place, Preempt, Migrate)
_NONE = type(None)


def sound(sim: Simulation, answer: object) -> Iterator[Decision]:
    """Those that are decisions, in their order; the others are refused when their turn comes."""
    nodes = len(sim.state.capacity)
    for decision in entries(answer):
        if (reason := flaw(decision, nodes)) is None:
            yield decision
        else:
            given = decision if type(decision) in KINDS and flaw_of(decision) is None else _as_text(decision)
            sim.executor.refusals.append(Refusal(sim.now_s, given, reason))


def entries(answer: Any) -> Iterable[Any]:
    """What a policy's answer consists of, whatever that is; `Malformed` alone if it is no list and nothing like one."""
    if isinstance(answer, str | bytes | Mapping) or not isinstance(answer, Iterable):
        return (_as_text(answer),)
    return answer


def flaw(decision: object, nodes: int) -> str | None:
    """What of this is not as a decision must be on a cluster of so many nodes; None if it is one.

    A flawless decision names nodes that exist, and may still be refused for what holds at the moment.
    """
    return flaw_of(decision) or _beyond(decision, nodes)  # type: ignore[arg-type] # the first has seen that it is one


def _as_text(given: object) -> Malformed:
    return given if isinstance(given, Malformed) else Malformed(_told(given, most=200))


def flaw_of(decision: object) -> str | None:
    """What of this is not as a decision must be, its nodes apart; None if it is one."""
    if isinstance(decision, Malformed):
        return f"expected a list of decisions, got {decision.text}"
    checks = _CHECKS.get(type(decision))
    if checks is None:
        return f"expected a decision such as Place, got {_told(decision)}"
    for name, default, types, is_right, expected in checks:
        value = getattr(decision, name)
        if value is default:  # most fields of most decisions
            continue
        if (type(value) not in types and not _like(value, types)) or (is_right is not None and not is_right(value)):
            return f"{name}: expected {expected}, got {_told(value)}"
    return _flaw_of_steps(decision.decisions) if isinstance(decision, Group) else None


def _flaw_of_steps(steps: Sequence[object]) -> str | None:
    for step in steps:
        if not isinstance(step, _STEPS):
            return f"a group holds {', '.join(kind.__name__ for kind in _STEPS)}, got {_told(step)}"
        if flaw := flaw_of(step):
            return f"{type(step).__name__} in a group: {flaw}"
    return None


def _beyond(decision: Decision, count: int) -> str | None:
    """A node that is named and does not exist; None if all do."""
    if isinstance(decision, Group):
        return next((flaw for step in decision.decisions if (flaw := _beyond(step, count))), None)
    if isinstance(decision, (Place, Migrate, Resize)):
        named = [node for node, _ in decision.nodes]
    elif isinstance(decision, (Partition, Sleep, Wake)):
        named = [decision.node]
    else:
        return None
    missing = next((node for node in named if not 0 <= node < count), None)
    return None if missing is None else f"there is no node {_told(missing)}: the cluster has {count}, counted from 0"


def _like(value: object, types: frozenset[type]) -> bool:
    """Whether a value is text or a number of a type that builds on a right one, such as numpy's float64."""
    return (str in types and isinstance(value, str)) or (float in types and isinstance(value, float))


def _told(value: object, most: int = 60) -> str:
    """A value in few words, the same ones in every run."""
    shown = reprlib.Repr()
    shown.maxother = shown.maxstring = shown.maxlong = most
    return re.sub(r"( instance)? at 0x[0-9a-f]+", "", shown.repr(value))[: 2 * most]


# how the fields of decisions must be ----------------------------------------------------------------------------------

_Check = tuple[frozenset[type], Callable[[Any], bool] | None, str]


def _are_counts(nodes: Sequence[Any]) -> bool:
    for entry in nodes:  # a loop, as every decision comes by here
        pair = type(entry) in (tuple, list) and len(entry) == 2
        if not (pair and type(entry[0]) is int and type(entry[1]) is int):
            return False
    return True


def _are_masks(gpus: Sequence[Any] | None) -> bool:
    return gpus is None or all(type(mask) is int for mask in gpus)


def _are_texts(profiles: Sequence[Any]) -> bool:
    return all(isinstance(profile, str) for profile in profiles)


def _is_size(value: float | None) -> bool:
    """Whether a number can be computed with: not an integer beyond all floats."""
    return not isinstance(value, int) or abs(value) < 1 << 1000


def _is_size_or_kept(value: float | str | None) -> bool:
    return value == KEPT if isinstance(value, str) else _is_size(value)


_TEXT = frozenset({str})
_NUMBER = frozenset({int, float})
_MANY = frozenset({tuple, list})
_BY_NAME: Mapping[str, _Check] = {
    "job_id": (_TEXT, None, "the id of a job"),
    "reason": (_TEXT, None, "text"),
    "nodes": (_MANY, _are_counts, "pairs of whole numbers (node, GPUs)"),
    "gpus": (_MANY | {_NONE}, _are_masks, "None or whole numbers, the GPUs of each node as a mask"),
    "beside": (_TEXT | {_NONE}, None, "None or the id of a job"),
    "sharing": (_TEXT | {_NONE}, None, "None or a mode such as mps"),
    "profile": (_TEXT | {_NONE}, None, "None or a MIG profile such as 1g.10gb"),
    "role": (_TEXT, None, "what an instance of a service does, such as both"),
    "thread_percent": (_NUMBER, _is_size, "a Python number"),
    "clock_mhz": (_NUMBER | {_NONE}, _is_size, "None or a Python number of MHz"),
    "cap_w": (_NUMBER | {_NONE}, _is_size, "None or a Python number of watts"),
    "time_s": (_NUMBER, _is_size, "a Python number of seconds"),
    "node": (frozenset({int}), None, "the number of a node"),
    "gpu": (frozenset({int}), None, "the number of a GPU"),
    "profiles": (_MANY, _are_texts, "MIG profiles such as 1g.10gb"),
    "decisions": (_MANY, None, "decisions"),
}
_OR_KEPT: Mapping[str, _Check] = {
    name: (_NUMBER | {str, _NONE}, _is_size_or_kept, f"None, a Python number or {KEPT!r}")
    for name in ("clock_mhz", "cap_w")
}


def _checks(kind: type) -> Iterator[tuple[str, object, frozenset[type], Callable[[Any], bool] | None, str]]:
    """(name, default, how it must be) of each field; the default of one without is equal to nothing."""
    for field in fields(kind):
        check = _OR_KEPT if kind in {Migrate, Resize} and field.name in _OR_KEPT else _BY_NAME
        yield field.name, object() if field.default is MISSING else field.default, *check[field.name]


_CHECKS = {kind: tuple(_checks(kind)) for kind in KINDS}
