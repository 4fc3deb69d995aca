"""From GPU watts to the watts of a node at its feed: host, fans, power supplies and distribution.

    out(g, l)  = g + host(l) + fans(g + host(l))          on the output of the power supplies
    wall(g, l) = (out + loss(out)) / distribution efficiency

Facts of node types are in `cluster.host_power`; racks, feeds and the facility are left to `rack_feeds` and `cooling`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from goodwatt.cluster.host_power import PSU_CURVES, HostPower, NodePower


@dataclass(frozen=True, slots=True)
class NodeWatts:
    """Where the watts of a node go; they sum to `wall_w`."""

    gpu_w: float
    host_w: float
    fans_w: float
    psu_loss_w: float
    distribution_loss_w: float

    @property
    def wall_w(self) -> float:
        """What the node draws from its feed."""
        return self.gpu_w + self.host_w + self.fans_w + self.psu_loss_w + self.distribution_loss_w


def node_facts(power: HostPower) -> NodePower:
    """The parts of a node; where only idle and max of the whole host are known, a host without fans and losses."""
    return power.node or NodePower(host_idle_w=power.host_idle_w, host_max_w=power.host_max_w)


def node_watts(gpu_w: float, host_load: float, facts: NodePower) -> NodeWatts:
    """The parts of a node whose GPUs draw `gpu_w` together; `host_load`: share of its GPUs held by jobs, 0 to 1."""
    host = facts.host_idle_w + (facts.host_max_w - facts.host_idle_w) * host_load
    fans = fan_w(gpu_w + host, facts)
    out = gpu_w + host + fans
    loss = psu_loss_w(out, facts)
    return NodeWatts(gpu_w, host, fans, loss, (out + loss) * (1.0 / facts.distribution_efficiency - 1.0))


def node_wall_w(gpu_w: float, host_load: float, facts: NodePower) -> float:
    """What the node draws from its feed, see `node_watts`; strictly rising in `gpu_w`."""
    host = facts.host_idle_w + (facts.host_max_w - facts.host_idle_w) * host_load
    out = gpu_w + host + fan_w(gpu_w + host, facts)
    return (out + psu_loss_w(out, facts)) / facts.distribution_efficiency


class WallLine(NamedTuple):
    """What a node adds to some of its GPUs: `fixed_w` at the feed while they draw nothing, then `slope` a watt."""

    fixed_w: float
    slope: float


@lru_cache(maxsize=1024)
def wall_line(facts: NodePower, idle_w: float, host_load: float, most_w: float) -> WallLine:
    """The least line above the curve of a node whose idle GPUs draw `idle_w`, the others from nothing to `most_w`.

    The curve is convex up to where the fans reach their most, and again from there, so only the ends of the two
    parts can touch the line. With it a limit at the feed becomes one in GPU watts on the safe side.
    """
    fixed = node_wall_w(idle_w, host_load, facts)
    host_w = facts.host_idle_w + (facts.host_max_w - facts.host_idle_w) * host_load
    ends = [w for w in (facts.fan_full_w - host_w - idle_w, most_w) if 0.0 < w <= most_w]
    return WallLine(fixed, max(((node_wall_w(idle_w + w, host_load, facts) - fixed) / w for w in ends), default=1.0))


def fan_w(heat_w: float, facts: NodePower) -> float:
    """Fans that carry `heat_w` away.

    Air flow follows the heat at a constant rise of temperature, and power the cube of the flow (fan affinity laws);
    at rest they turn at their least speed.
    """
    flow = min(heat_w / facts.fan_full_w, 1.0)
    return facts.fan_idle_w + (facts.fan_max_w - facts.fan_idle_w) * flow * flow * flow


def psu_loss_w(out_w: float, facts: NodePower) -> float:
    """What the power supplies of a node turn into heat while they deliver `out_w`.

    Losses, not efficiencies, are linear between the points of the curve, so that the input rises with the output
    everywhere; below the first point the loss is the same (it is fixed), above the last it goes on.
    """
    rated = facts.psu_rated_w
    return rated * _loss(out_w / rated, _losses(facts.psu)) if rated > 0.0 else 0.0


@lru_cache
def _losses(curve: str) -> tuple[tuple[float, float], ...]:
    """(load, loss), both as a share of the rating."""
    return tuple((load, load * (1.0 / efficiency - 1.0)) for load, efficiency in PSU_CURVES[curve])


def _loss(load: float, points: Sequence[tuple[float, float]]) -> float:
    below = points[0]
    if load <= below[0]:
        return below[1]
    for above in points[1:]:
        if load <= above[0] or above is points[-1]:
            return below[1] + (above[1] - below[1]) * (load - below[0]) / (above[0] - below[0])
        below = above
    return below[1]
