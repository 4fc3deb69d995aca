"""What the physics is told of an instance: its demand and its watts, as means over what its iterations took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goodwatt.simulator.physics.instance_facts import InstanceFacts

if TYPE_CHECKING:
    from goodwatt.simulator.services.board import Board, Spent
    from goodwatt.simulator.services.serving import Serving

TINY_S = 1e-9


def memory_mib_of(serving: Serving) -> int:
    """What an instance takes of each of its GPUs, once and for all."""
    return round(serving.service.memory_share * serving.model.kind.memory_mib)


def idle_of(serving: Serving) -> InstanceFacts:
    """An instance that does nothing yet."""
    return InstanceFacts(serving.model.top_mhz, memory_mib_of(serving))


def facts_by(spent: Spent, board: Board, span_s: float, memory_mib: int) -> InstanceFacts:
    """What an instance did, as means over a time."""
    model = board.model
    clock_mhz, gpu_s = model.clocks_mhz[board.top], max(spent.gpu_s, TINY_S)
    dram_w = model.memory_w * spent.dram_s / span_s
    return InstanceFacts(
        clock_mhz,
        memory_mib,
        sm_w=max(0.0, spent.joules / span_s - dram_w),
        dram_w=dram_w,
        duty=gpu_s / span_s,
        u=spent.sm_s / gpu_s * model.top_mhz / clock_mhz,
        m=spent.dram_s / gpu_s,
        kappa=spent.scaled_s / gpu_s,
    )
