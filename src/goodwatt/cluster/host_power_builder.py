"""From the `power` section of a cluster file to `HostPower`: known node types and ways to sleep, or changed ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from goodwatt.cluster.host_power import PSU_CURVES, Cooling, HostPower, NodePower, NodeSleep, node_power, node_sleep
from goodwatt.errors import FieldError, InputError, Place, UnknownNameError

Content = Mapping[str, Any]
T = TypeVar("T", NodePower, NodeSleep)


def host_power(entry: Content) -> HostPower:
    """Power beside the GPUs as the section describes it. Raises FieldError."""
    node = _known(entry, "node", node_power, NodePower(host_idle_w=0.0, host_max_w=0.0))
    idle = float(entry.get("host_idle_w", 0.0))
    most = float(entry.get("host_max_w", idle))
    _refuse_falling(idle, most, ("power",))
    if node is not None:
        _check_node(node)
    cooling = entry.get("cooling")
    return HostPower(
        float(entry.get("pue", 1.0)),
        idle,
        most,
        node=node,
        sleep=_known(entry, "sleep", node_sleep, NodeSleep(**dict.fromkeys(_names(NodeSleep), 0.0))),
        cooling=None if cooling is None else Cooling(**{key: float(value) for key, value in cooling.items()}),
        site_limit_w=_watts(entry, "site_limit_w"),
        ramp_w_per_s=_watts(entry, "ramp_w_per_s"),
    )


def _known(entry: Content, key: str, find: Callable[[str], T], nothing: T) -> T | None:
    """What `key` names, or describes from `nothing` or from the known one that it names by `type`."""
    value = entry.get(key)
    if value is None:
        return None
    given = {"type": value} if isinstance(value, str) else dict(value)
    name = given.pop("type", None)
    try:
        start = nothing if name is None else find(name)
    except InputError as error:
        raise FieldError(("power", key) if isinstance(value, str) else ("power", key, "type"), str(error)) from None
    changes: dict[str, Any] = {k: v if isinstance(v, str) else float(v) for k, v in given.items()}
    return replace(start, **changes)


def _check_node(node: NodePower) -> None:
    _refuse_falling(node.host_idle_w, node.host_max_w, ("power", "node"))
    if node.fan_max_w < node.fan_idle_w:
        problem = f"expected at least fan_idle_w, {node.fan_idle_w:g}, got {node.fan_max_w:g}"
        raise FieldError(("power", "node", "fan_max_w"), problem)
    if node.psu not in PSU_CURVES:
        raise FieldError(("power", "node", "psu"), str(UnknownNameError("class of power supply", node.psu, PSU_CURVES)))


def _refuse_falling(idle_w: float, most_w: float, place: Place) -> None:
    if most_w < idle_w:
        raise FieldError((*place, "host_max_w"), f"expected at least host_idle_w, {idle_w:g}, got {most_w:g}")


def _names(facts: type) -> list[str]:
    return [field.name for field in fields(facts)]


def _watts(entry: Content, key: str) -> float | None:
    return float(entry[key]) if key in entry else None
