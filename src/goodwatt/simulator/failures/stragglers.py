"""GPUs that run slow from time to time without failing; a gang that holds one runs at its pace.

Which GPUs, how slow and when follows from the seed and the node's name alone: there is no state to copy or save.
"""

from __future__ import annotations

import math
from enum import IntEnum

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.state import Placement
from goodwatt.simulator.events.draws import child, exponential, key_of, uniform
from goodwatt.simulator.settings.failure_rates import StragglerRates


class _Purpose(IntEnum):
    CHOSEN = 1
    DEPTH = 2
    PHASE = 3
    SPELL = 4


class Stragglers:
    """The slow GPUs of a cluster.

    Each has a clock of its own that ticks every `spell_s`; from tick to tick it is slow with probability `duty`.
    `nodes`: by position, a mask of the GPUs concerned, for whoever wants to leave the others out quickly.
    """

    def __init__(self, cluster: Cluster, rates: StragglerRates, seed: int) -> None:
        self._rates = rates
        self._keys: dict[tuple[int, int], int] = {}
        self.nodes: dict[int, int] = {}
        if rates.share <= 0.0:
            return
        for number, node in enumerate(cluster.nodes):
            base = key_of(seed, "straggler", node.name)
            for gpu in range(node.gpus):
                key = child(base, gpu)
                if uniform(key, _Purpose.CHOSEN) < rates.share:
                    self._keys[number, gpu] = key
                    self.nodes[number] = self.nodes.get(number, 0) | 1 << gpu

    def slowdown(self, placement: Placement, now_s: float) -> float:
        """How much longer a gang's computation takes because of its slowest straggler: at least 1."""
        return max((self._gpu_slowdown(key, now_s) for key in self._held(placement)), default=1.0)

    def next_change_s(self, placement: Placement, now_s: float) -> float:
        """When the slowdown may change next, after `now_s`; infinity for a gang without stragglers."""
        return min((self._next_tick_s(key, now_s) for key in self._held(placement)), default=math.inf)

    def _held(self, placement: Placement) -> list[int]:
        """Keys of the stragglers among the GPUs of a placement."""
        if not self.nodes:
            return []
        return [
            self._keys[node, gpu]
            for node, mask in placement
            if (slow := self.nodes.get(node, 0) & mask)
            for gpu in range(slow.bit_length())
            if slow >> gpu & 1
        ]

    def _gpu_slowdown(self, key: int, now_s: float) -> float:
        if uniform(key, _Purpose.SPELL, self._tick(key, now_s)) >= self._rates.duty:
            return 1.0
        return 1.0 + self._rates.slowdown * exponential(key, _Purpose.DEPTH)

    def _tick(self, key: int, now_s: float) -> int:
        return math.floor(now_s / self._rates.spell_s + uniform(key, _Purpose.PHASE))

    def _next_tick_s(self, key: int, now_s: float) -> float:
        """The first border after `now_s` at which another tick counts; rounding may put one at `now_s` itself."""
        tick, phase = self._tick(key, now_s) + 1, uniform(key, _Purpose.PHASE)
        border_s = (tick - phase) * self._rates.spell_s
        while border_s <= now_s or self._tick(key, border_s) < tick:
            border_s = math.nextafter(max(border_s, now_s), math.inf)
        return border_s
