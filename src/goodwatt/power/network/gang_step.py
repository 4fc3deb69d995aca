"""How long a step of a gang takes: the slowest member's computation and what of the exchange it cannot hide.

Which wires the exchange uses is in the `Layout`, who else uses them in `load`; the work done per second that follows
is left to the simulator.
"""

from __future__ import annotations

from dataclasses import dataclass

from goodwatt.cluster.network import Network
from goodwatt.power.network.collectives import all_reduce_s
from goodwatt.power.network.layout import Layout
from goodwatt.power.workloads.workload import Step


@dataclass(frozen=True, slots=True)
class StepTime:
    """Seconds of a step, and those of them in which every GPU waits for the exchange."""

    total_s: float
    exposed_s: float

    @property
    def exposed_share(self) -> float:
        """Share of the step spent waiting for the exchange."""
        return self.exposed_s / self.total_s if self.total_s else 0.0


def exchange_s(step: Step, layout: Layout, network: Network, load: float = 1.0) -> float:
    """Seconds that the exchange of a step takes by itself: `calls` all-reduces of equal size, one after the other."""
    if layout.gpus < 2 or step.exchange_bytes <= 0.0:
        return 0.0
    return step.calls * all_reduce_s(layout, network, step.exchange_bytes / step.calls, load)


def step_s(step: Step, slowdown: float, layout: Layout, network: Network, load: float = 1.0) -> StepTime:
    """One step of a gang.

    `slowdown`, at least 1 at default clocks and alone, stretches the computation of the slowest member, for whom all
    wait. The exchange hides behind `step.overlap` of the computation, as long as that lasts. `load` is how many times
    slower than alone the network is, see `network.loads`.
    """
    compute_s = step.compute_s * slowdown
    exposed_s = max(0.0, exchange_s(step, layout, network, load) - step.overlap * compute_s)
    return StepTime(compute_s + exposed_s, exposed_s)


def network_share(step: Step, layout: Layout, network: Network) -> float:
    """Share of a step, alone and at default clocks, in which the gang uses the network between machines (0 to 1)."""
    if layout.num_machines < 2:
        return 0.0
    total_s = step_s(step, 1.0, layout, network).total_s
    return min(1.0, exchange_s(step, layout, network) / total_s) if total_s else 0.0
