"""Power policies that lack what they act on, or that can let nothing start: say so before a run, not after."""

from __future__ import annotations

from collections.abc import Iterable

from goodwatt.cli.inputs import note
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.overview import overview
from goodwatt.simulator.settings.run_options import RunOptions


def note_idle_powers(powers: Iterable[str], options: RunOptions, cluster: Cluster) -> None:
    """A line on stderr for each power policy that cannot do what it is for."""
    for part in dict.fromkeys(part for spec in powers for part in spec.split("+")):
        if reason := _lacking(part, options, cluster):
            note(f"--power {part}: {reason}")


def _lacking(part: str, options: RunOptions, cluster: Cluster) -> str | None:
    name, _, settings = part.partition(":")
    if name == "budget":
        return _budget_lacks(options.budget_w, cluster)
    if name == "ramp" and "w_per_s" not in settings and not _ramps(cluster):
        return "no w_per_s, and the cluster gives none (ramp_w_per_s), so it changes nothing"
    if name == "shift" and options.price is None:
        return "no --price or --carbon, so it changes nothing"
    return None


def _budget_lacks(budget_w: float | None, cluster: Cluster) -> str | None:
    if budget_w is None:
        lacks = "no --budget-w, and the cluster gives no limit of its site, rows or racks, so it changes nothing"
        return None if _limits(cluster) else lacks
    idle_w = overview(cluster).it_power.idle_w
    if budget_w > idle_w:
        return None
    return f"the idle cluster draws {idle_w:,.0f} W, more than the {budget_w:,.0f} W allowed: nothing can start"


def _limits(cluster: Cluster) -> bool:
    limits = [rack.power_limit_w for rack in cluster.racks.values()]
    limits += [row.power_limit_w for row in cluster.rows.values()]
    return any(limit is not None for limit in (cluster.power.site_limit_w, *limits))


def _ramps(cluster: Cluster) -> bool:
    return cluster.power.ramp_w_per_s is not None or any(r.ramp_w_per_s is not None for r in cluster.racks.values())
