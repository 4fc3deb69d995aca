"""What the jobs of each node ask of its CPU cores and of PCIe, and how much slower they are for want of them.

Speeds are relative to having the node for oneself: that is how traces were measured. So a job is slowed only where
others ask too. The law is `power.colocation.host_contention`, what a node has `power.colocation.host_capacity`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from goodwatt.cluster.cluster import Cluster
from goodwatt.power.colocation.host_capacity import node_cores, node_pcie_gbps
from goodwatt.power.colocation.host_contention import PCIE_EFFICIENCY, host_slowdown
from goodwatt.power.workloads.demand import Demand

NOBODY: Mapping[str, float] = {}


class Asker(NamedTuple):
    """A job on a node: its demand per GPU, GPUs there, and its speed as far as these GPUs go."""

    job_id: str
    demand: Demand
    gpus: int
    speed: float


class HostShare:
    """Factors on the speeds of jobs by node; only nodes where somebody is slowed are kept.

    What is asked is counted in whole thousandths of cores and MB/s, so that it returns to zero exactly.
    """

    def __init__(self, cluster: Cluster) -> None:
        kinds = [(node, cluster.kinds[node.gpu_kind]) for node in cluster.nodes]
        self._has = [(node_cores(node, kind), node_pcie_gbps(node, kind)) for node, kind in kinds]
        self._asked = [(0, 0)] * len(kinds)
        self._factors: dict[int, Mapping[str, float]] = {}

    def add(self, node: int, demand: Demand, gpus: int, sign: int) -> None:
        """A job came to so many GPUs of a node (sign 1) or goes (-1)."""
        cores, mbps = self._asked[node]
        more = round(demand.host_cores * gpus * 1000.0), round(demand.pcie_gbps * gpus * 1000.0)
        self._asked[node] = cores + sign * more[0], mbps + sign * more[1]

    def crowded(self, node: int) -> bool:
        """Whether the node's jobs ask for more than it has, were they all at full speed, or did just now."""
        (cores, mbps), (has_cores, has_gbps) = self._asked[node], self._has[node]
        short = 0.0 < has_cores * 1000.0 < cores or 0.0 < has_gbps * PCIE_EFFICIENCY * 1000.0 < mbps
        return short or node in self._factors

    def factor(self, node: int, job_id: str) -> float:
        """Speed of a job relative to having the node for itself."""
        return self._factors.get(node, NOBODY).get(job_id, 1.0)

    def settle(self, node: int, askers: Sequence[Asker]) -> Iterable[str]:
        """Share a node out among the jobs on it; those whose factor is another now."""
        before = self._factors.pop(node, NOBODY)
        now = self._shared_out(node, askers)
        if now:
            self._factors[node] = now
        return [asker.job_id for asker in askers if before.get(asker.job_id, 1.0) != now.get(asker.job_id, 1.0)]

    def copy(self) -> HostShare:
        """An independent copy."""
        twin = object.__new__(HostShare)
        twin._has, twin._asked, twin._factors = self._has, self._asked[:], dict(self._factors)
        return twin

    def _shared_out(self, node: int, askers: Sequence[Asker]) -> dict[str, float]:
        cores, gbps = self._has[node]
        demands = [(_at_speed(asker), asker.gpus) for asker in askers]
        found = {}
        for asker, own, together in zip(askers, demands, host_slowdown(demands, cores, gbps), strict=True):
            if together < 1.0:
                factor = min(1.0, together / host_slowdown([own], cores, gbps)[0])
                found.update({asker.job_id: factor} if factor < 1.0 else {})
        return found


def _at_speed(asker: Asker) -> Demand:
    """What a job asks of the host for each GPU while it goes at its speed."""
    demand, speed = asker.demand, asker.speed
    return Demand(u=0.0, m=0.0, kappa=0.0, host_cores=demand.host_cores * speed, pcie_gbps=demand.pcie_gbps * speed)
