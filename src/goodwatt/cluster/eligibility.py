"""Which nodes a job may use: partition, GPU kind, memory per GPU, MIG profile. Facts of the cluster, not of its use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from goodwatt.cluster.bitset import bitset, members
from goodwatt.cluster.catalogue import kind_names
from goodwatt.cluster.cluster import Cluster, Node
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.mig import profiles


@dataclass(frozen=True, slots=True)
class Eligibility:
    """The set of nodes a job may use, and how many GPUs the largest of them has."""

    nodes: int
    largest_node: int


class EligibilityIndex:
    """Looks the set up once for each distinct (partition, kinds, memory, profile) and remembers it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._partitions = frozenset(cluster.partitions)
        self._known: dict[tuple[str | None, tuple[str, ...], int, str | None], Eligibility] = {}

    def __call__(self, job: JobRequest) -> Eligibility:
        """The nodes that `job` may use."""
        key = (job.partition, job.gpu_kind, job.gpu_memory_mib, job.mig_profile)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._find(job)
        return found

    def _find(self, job: JobRequest) -> Eligibility:
        nodes = self._cluster.nodes
        bits = bitset(i for i, node in enumerate(nodes) if self._allows(node, job))
        return Eligibility(bits, max((nodes[i].gpus for i in members(bits)), default=0))

    def _allows(self, node: Node, job: JobRequest) -> bool:
        if self._partitions and job.partition is not None and node.partition != job.partition:
            return False
        kind = self._cluster.kinds[node.gpu_kind]
        if job.gpu_kind and not any(names_kind(wanted, kind) for wanted in job.gpu_kind):
            return False
        if job.mig_profile is not None:
            wanted = profiles(kind).get(job.mig_profile)
            return wanted is not None and job.gpu_memory_mib <= wanted.memory_mib
        return job.gpu_memory_mib <= kind.memory_mib


def names_kind(wanted: str, kind: GpuKind) -> bool:
    """Whether a job's wish means this kind: its name, the beginning of its name, an alias or a product label.

    A whole name of the catalogue means that kind only: who asks for an A10 wants no A100.
    """
    wish = wanted.casefold()
    if wish in _catalogue_names():
        return kind.name.casefold() == wish
    return kind.name.casefold().startswith(wish) or any(
        wish == other.casefold() for other in (*kind.aliases, *kind.product_labels)
    )


@cache
def _catalogue_names() -> frozenset[str]:
    return frozenset(name.casefold() for name in kind_names())
