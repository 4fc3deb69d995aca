"""What the physics is told of an instance: its demand and its watts, as means over what its iterations took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goodwatt.power.workloads.demand import Demand
from goodwatt.simulator.physics.served import HOST_CORES, Served, starting

if TYPE_CHECKING:
    from goodwatt.simulator.services.board import Board, Spent
    from goodwatt.simulator.services.serving import Serving

DIGITS = 2
SM_SHARE, OCCUPANCY = 0.9, 0.1
"""Of SMs with work and of warp slots in use while kernels run: h200_measured, large decode batches and prompts."""
DECODE_KERNEL_US, PROMPT_KERNEL_US = 22.0, 150.0
"""Mean length of kernels: those of llm_decode and llm_prefill in the catalogue."""


def memory_mib_of(serving: Serving) -> int:
    """What an instance takes of each of its GPUs, once and for all."""
    return round(serving.service.memory_share * serving.model.kind.memory_mib)


def idle_of(serving: Serving) -> Served:
    """An instance that does nothing yet."""
    return starting(serving.model, memory_mib_of(serving))


def served_by(spent: Spent, board: Board, span_s: float, memory_mib: int) -> Served:
    """What an instance did, as means over a time."""
    model = board.model
    dram_w = model.memory_w * spent.dram_s / span_s
    sm_w = max(0.0, spent.joules / span_s - dram_w)
    x = board.x_of(board.top)
    gpu_s = max(spent.gpu_s, 1e-9)
    kappa = min(1.0, spent.scaled_s / gpu_s)
    demand = demand_of(min(1.0, gpu_s / span_s), spent.sm_s / gpu_s / x, spent.dram_s / gpu_s, kappa, memory_mib)
    return Served(demand, model.clocks_mhz[board.top], sm_w, dram_w)


def demand_of(duty: float, u: float, m: float, kappa: float, memory_mib: int) -> Demand:
    """What an instance asks of a GPU that it shares, rounded so that alike instances share what is computed for one."""
    return Demand(
        u=round(u, DIGITS),
        m=round(min(1.0, m), DIGITS),
        kappa=round(kappa, DIGITS),
        duty=round(max(duty, 0.01), DIGITS),
        sm=SM_SHARE,
        occupancy=OCCUPANCY,
        tensor=round(min(1.0, u), DIGITS),
        host_cores=HOST_CORES,
        memory_mib=memory_mib,
        kernel_us=DECODE_KERNEL_US + round(kappa, DIGITS) * (PROMPT_KERNEL_US - DECODE_KERNEL_US),
    )
