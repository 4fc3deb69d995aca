"""Idle nodes sleep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.idle_nodes import IdleNodes, idle_nodes, needed, pays_after_s, sleeping
from goodwatt.policies.power_policy import SteadyPower
from goodwatt.simulator.decisions import Decision, Sleep, WaitUntil, Wake
from goodwatt.simulator.nodes import ASLEEP, WAKING
from goodwatt.simulator.view import View

ASK_AGAIN_S = 60.0
"""While jobs wait no node goes to sleep; so long after it is looked at again."""


@dataclass(frozen=True, slots=True)
class SleepIdle(SteadyPower):
    """Puts a node to sleep once it has stood empty until sleep pays, all but `reserve` nodes, and wakes what is needed.

    A node sleeps after `patience` times the break-even time of its sleep, which at 1 never costs more than twice the
    best (ski rental; Karlin et al., Algorithmica 1988). It wakes when one of the first `depth` jobs of a queue finds no
    room, or when fewer than `reserve` nodes are empty. Goes with a placement that packs jobs onto few nodes.
    """

    name: ClassVar[str] = "sleep"
    restless: ClassVar[bool] = True

    reserve: int = 1
    patience: float = 1.0
    depth: int = 32

    def __post_init__(self) -> None:
        if self.reserve < 0 or not self.patience >= 0 or self.depth < 1:
            raise ValueError("expected reserve and patience of at least 0, depth of at least 1")

    def new_memory(self) -> IdleNodes:
        """Since when nodes have been empty."""
        return IdleNodes()

    def decide(self, view: View) -> Sequence[Decision]:
        """Wake, else sleep; and ask again when the next node may sleep."""
        idle = idle_nodes(view)
        waking = needed(view, self.depth)
        short = self.reserve - len(idle.since_s) - len(waking) - len(sleeping(view, WAKING))
        waking += [node for node in sleeping(view, ASLEEP) if node not in waking][: max(short, 0)]
        spare = idle.longest(len(idle.since_s) - self.reserve)
        due = {node: since_s + self.patience * pays_after_s(view.state.cluster, node) for node, since_s in spare}
        if any(pool.queue for pool in view.pools):  # who is empty now may not be for long
            due = {node: max(time_s, view.now_s + ASK_AGAIN_S) for node, time_s in due.items()}
        later_s = min((time_s for time_s in due.values() if time_s > view.now_s), default=math.inf)
        return [
            *(Wake(node, "jobs wait, or too few nodes are empty") for node in waking),
            *(Sleep(node, "empty for so long that sleep pays") for node, time_s in due.items() if time_s <= view.now_s),
            *([WaitUntil(later_s, "a node may sleep")] if later_s < math.inf else []),
        ]
