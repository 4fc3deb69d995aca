"""What is known of a run in advance: when nodes go away and come back, when counting begins and ends."""

from __future__ import annotations

from collections.abc import Iterable

from goodwatt.cluster.cluster import Cluster
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.simulator.settings.engine import Outage


def outage_times(outages: Iterable[Outage], cluster: Cluster) -> list[tuple[float, int, bool]]:
    """(time, node, whether it is up from then on); windows of one node that overlap or touch are one."""
    number = {node.name: i for i, node in enumerate(cluster.nodes)}
    windows: dict[int, list[tuple[float, float]]] = {}
    for outage in sorted(outages, key=lambda outage: (outage.from_s, outage.to_s)):
        if outage.node not in number:
            raise UnknownNameError("node", outage.node, number)
        merged = windows.setdefault(number[outage.node], [])
        if merged and outage.from_s <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], outage.to_s)
        else:
            merged.append((outage.from_s, outage.to_s))
    changes = [(window, node) for node, merged in windows.items() for window in merged]
    times = [(time_s, node, up) for window, node in changes for time_s, up in zip(window, (False, True), strict=True)]
    return sorted(times, key=lambda change: (change[0], change[2], change[1]))


def mark_times(start_s: float, warm_up_s: float, horizon_s: float | None) -> list[tuple[float, str]]:
    """(time, name) of the end of the warm-up and of the horizon, where there are such. Raises InputError."""
    begin_s = start_s + warm_up_s
    times = [(begin_s, "warm-up")] if warm_up_s > 0 else []
    if horizon_s is not None:
        if horizon_s < begin_s:
            raise InputError(f"the horizon, {horizon_s:g} s, is before {begin_s:g} s, when counting begins")
        times.append((horizon_s, "horizon"))
    return times
