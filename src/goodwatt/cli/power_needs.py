"""Power policies that lack what they act on do nothing: say so before a run, not after."""

from __future__ import annotations

from collections.abc import Iterable

from goodwatt.cli.inputs import note
from goodwatt.cluster.cluster import Cluster
from goodwatt.simulator.run_options import RunOptions


def note_idle_powers(powers: Iterable[str], options: RunOptions, cluster: Cluster) -> None:
    """A line on stderr for each power policy that will leave everything as it is."""
    for part in dict.fromkeys(part for spec in powers for part in spec.split("+")):
        if reason := _lacking(part, options, cluster):
            note(f"--power {part}: {reason}, so it changes nothing")


def _lacking(part: str, options: RunOptions, cluster: Cluster) -> str | None:
    name, _, settings = part.partition(":")
    if name == "budget" and options.budget_w is None and not _limits(cluster):
        return "no --budget-w, and the cluster gives no limit of its site, rows or racks"
    if name == "ramp" and "w_per_s" not in settings and not _ramps(cluster):
        return "no w_per_s, and the cluster gives none (ramp_w_per_s)"
    if name == "shift" and options.price is None:
        return "no --price or --carbon"
    return None


def _limits(cluster: Cluster) -> bool:
    limits = [rack.power_limit_w for rack in cluster.racks.values()]
    limits += [row.power_limit_w for row in cluster.rows.values()]
    return any(limit is not None for limit in (cluster.power.site_limit_w, *limits))


def _ramps(cluster: Cluster) -> bool:
    return cluster.power.ramp_w_per_s is not None or any(r.ramp_w_per_s is not None for r in cluster.racks.values())
