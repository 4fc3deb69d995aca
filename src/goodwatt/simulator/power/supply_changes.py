"""Changes of the supply that are known before a run: another power budget, feeds of racks that are lost.

What a lost feed does is in `racks`, what a smaller budget makes of jobs is for power policies to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from goodwatt.cluster.cluster import Cluster, Rack
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.events.timers import action
from goodwatt.simulator.power import power_control, racks
from goodwatt.simulator.settings.engine import LostFeed
from goodwatt.simulator.settings.run_options import RunOptions

if TYPE_CHECKING:
    from goodwatt.simulator.simulation import Simulation


def begin(sim: Simulation) -> None:
    """Put all that is to come on the clock. Raises InputError for a feed that the cluster does not have."""
    for lost in feed_losses(sim.engine.lost_feeds, sim.cluster):
        if lost.to_s > sim.start_s:
            from_s = max(lost.from_s, sim.start_s)
            sim.timers.set(from_s, Kind.NODE, racks.lose_feed, lost.rack, lost.feed, lost.to_s)
    for from_s, watts in sim.options.budget_steps:
        if from_s > sim.start_s:
            sim.timers.set(from_s, Kind.NODE, budget_changes, watts)


def budget_at(options: RunOptions, time_s: float) -> float | None:
    """The power budget of a run at a time; None: there is none."""
    begun = [watts for from_s, watts in options.budget_steps if from_s <= time_s]
    return begun[-1] if begun else options.budget_w


@action
def budget_changes(sim: Simulation, watts: float) -> None:
    """Another budget holds from now on; policies may want to know."""
    sim.budget_w = sim.view.budget_w = watts
    sim.recorder.set_budget(watts)
    if sim.book is not None:
        sim.book.set_budget(watts)
        power_control.room_is_free(sim)
    sim.change_all()


def feed_losses(losses: Iterable[LostFeed], cluster: Cluster) -> list[LostFeed]:
    """Losses in order of time, those of one feed that overlap or touch as one. Raises InputError."""
    known = {node.rack for node in cluster.nodes if node.rack is not None}
    merged: dict[tuple[str, int], list[LostFeed]] = {}
    for lost in sorted(losses, key=lambda lost: (lost.from_s, lost.to_s)):
        if lost.rack not in known:
            raise UnknownNameError("rack in lost_feeds", lost.rack, known)
        feeds = cluster.racks.get(lost.rack, Rack(lost.rack)).feeds
        if lost.feed >= feeds:
            raise InputError(f"rack {lost.rack}: expected a feed from 0 to {feeds - 1}, got {lost.feed}")
        before = merged.setdefault((lost.rack, lost.feed), [])
        if before and lost.from_s <= before[-1].to_s:
            last = before.pop()
            lost = LostFeed(lost.rack, lost.feed, last.from_s, max(last.to_s, lost.to_s))  # noqa: PLW2901
        before.append(lost)
    return sorted((lost for each in merged.values() for lost in each), key=lambda lost: lost.from_s)
