"""Which nodes have room for an instance of which MIG profile on GPUs that are in MIG mode."""

from __future__ import annotations

from goodwatt.cluster import mig_state
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.mig import profiles
from goodwatt.cluster.mig_state import Sliced, SlicedGpu


class SliceIndex:
    """The slices of every node (`of_node`), and `room[profile]`, the nodes where one more such instance is to be had.

    `creates`: whether jobs may have instances made for them, on GPUs in MIG mode and on wholly free ones; otherwise
    they take those that exist. Nobody but `ClusterState` changes it.
    """

    __slots__ = ("_cluster", "creates", "of_node", "room")

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.creates = True
        self.of_node: list[Sliced] = [()] * len(cluster.nodes)
        self.room: dict[str, int] = {}

    def copy(self) -> SliceIndex:
        """An independent copy."""
        twin = object.__new__(SliceIndex)
        twin._cluster, twin.creates = self._cluster, self.creates
        twin.of_node, twin.room = self.of_node[:], dict(self.room)
        return twin

    def set(self, node: int, sliced: Sliced) -> int:
        """The node's GPUs in MIG mode are these; by how many thousandths fewer of them lie idle than before."""
        before, self.of_node[node] = self.of_node[node], sliced
        bit, kind = 1 << node, self._cluster.kinds[self._cluster.nodes[node].gpu_kind]
        for name in profiles(kind):
            has = mig_state.chosen_gpu(kind, sliced, name, self.creates) is not None
            self.room[name] = self.room.get(name, 0) & ~bit | (bit if has else 0)
        return _idle_milli(before) - _idle_milli(sliced)

    def settle(self, creates: bool) -> None:
        """Say whether instances are made for jobs."""
        self.creates = creates
        for node, sliced in enumerate(self.of_node):
            if sliced:
                self.set(node, sliced)

    def gpu_for(self, job: JobRequest, node: int, free_mask: int, among: int = -1) -> int | None:
        """The GPU, as a mask, on which the job gets an instance; None if there is none on the node."""
        assert job.mig_profile is not None  # noqa: S101 - asked by the callers
        kind = self._cluster.kinds[self._cluster.nodes[node].gpu_kind]
        sliced = self.of_node[node]
        if among != -1:
            sliced = tuple(one for one in sliced if among >> one.gpu & 1)
        gpu = mig_state.chosen_gpu(kind, sliced, job.mig_profile, self.creates)
        if gpu is not None:
            return 1 << gpu
        free = free_mask & among
        return free & -free if free and self.creates and job.mig_profile in profiles(kind) else None

    def after_take(self, job: JobRequest, node: int, mask: int) -> Sliced:
        """The node's slices once the job has its instance on the GPU of the mask."""
        assert job.mig_profile is not None  # noqa: S101 - asked by the callers
        kind, gpu = self._cluster.kinds[self._cluster.nodes[node].gpu_kind], mask.bit_length() - 1
        return mig_state.take(kind, self.of_node[node], gpu, job.mig_profile, job.job_id)

    def layout(self, node: int) -> Sliced:
        """The slices that the cluster file gives a node from the start."""
        facts = self._cluster.nodes[node]
        kind = self._cluster.kinds[facts.gpu_kind]
        return tuple(mig_state.layout(kind, facts.mig, gpu) for gpu in range(facts.gpus)) if facts.mig else ()

    def gpu(self, node: int, gpu: int) -> SlicedGpu | None:
        """A GPU that is in MIG mode."""
        return mig_state.gpu_of(self.of_node[node], gpu)


def _idle_milli(sliced: Sliced) -> int:
    """Thousandths that nobody uses of GPUs in MIG mode."""
    return WHOLE_GPU_MILLI * len(sliced) - mig_state.used_milli(sliced)
