"""Nodes that take no jobs for a while, for one reason or several, and what they draw meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goodwatt.cluster.state import Placement
from goodwatt.simulator import partitions
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.physics.contract import ASLEEP, FALLING, WAKING

if TYPE_CHECKING:
    from goodwatt.simulator.simulation import Simulation

__all__ = [
    "ASLEEP", "FALLING", "WAKING", "free", "hold", "holding", "jobs_on", "lose", "mode", "regain",
    "set_up", "show", "together",
]  # fmt: skip


def hold(sim: Simulation, node: int) -> None:
    """One more reason why an empty node takes no jobs: maintenance, a failure, sleep, no supply."""
    sim.away[node] = sim.away.get(node, 0) + 1
    set_up(sim, node, False)
    show(sim, node)
    sim.change_all()


def free(sim: Simulation, node: int) -> None:
    """One reason fewer; with the last the node is back."""
    sim.away[node] -= 1
    if not sim.away[node]:
        del sim.away[node]
        set_up(sim, node, True)
        sim.change_all()
    show(sim, node)


def jobs_on(sim: Simulation, node: int) -> list[JobRun]:
    """The jobs that hold something of a node."""
    return [run for run in sim.live.values() if any(n == node for n, _ in run.placement)]


def together(sim: Simulation, run: JobRun) -> list[JobRun]:
    """The jobs that hold one of a running job's GPUs, itself among them."""
    return holding(sim, run.placement)


def holding(sim: Simulation, gpus: Placement) -> list[JobRun]:
    """The jobs that hold one of these GPUs, or a part of it."""
    return [sim.live[i] for i, held in sim.state.placements.items() if _overlap(held, gpus)]


def _overlap(one: Placement, other: Placement) -> bool:
    return any(node == where and mask & masks for node, mask in one for where, masks in other)


def set_up(sim: Simulation, node: int, up: bool) -> None:
    """An empty node goes away or comes back, and with it its share of the pools' sizes."""
    if bool(sim.state.up >> node & 1) != up:
        sim.state.set_up(node, up)
        facts = sim.cluster.nodes[node]
        for partition in {facts.partition, None}:
            sim.pools[partition].gpus += facts.gpus if up else -facts.gpus


def lose(sim: Simulation, node: int, mask: int) -> int:
    """Unused GPUs of a node can no longer be used; those of `mask` that were not lost already."""
    mask &= ~sim.state.lost_mask[node]
    partitions.forget(sim, node, mask)
    sim.state.set_lost(node, mask, True)
    sim.change_all()
    return mask


def regain(sim: Simulation, node: int, mask: int) -> None:
    """GPUs of a node can be used again."""
    sim.state.set_lost(node, mask, False)
    partitions.restore(sim, node, mask)
    sim.change_all()


def show(sim: Simulation, node: int) -> None:
    """Tell the physics whether a node is on, off or at which stage of sleep."""
    sim.physics.set_node(node, mode(sim, node))
    if sim.book is not None:
        sim.book.follow([node])
    sim.follow()


def mode(sim: Simulation, node: int) -> str:
    """What a node is to the meter: "off" when something other than sleep keeps it away, a stage of sleep, or "on"."""
    sleeping = sim.asleep.get(node)
    if sim.away.get(node, 0) > (sleeping is not None):
        return "off"
    return sleeping or "on"
