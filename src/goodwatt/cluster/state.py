"""What of a cluster is in use, with indexes that answer where a job would fit, and transactions for what-if.

All changes of a node go through `_set_free`, `_set_shares` and `_set_host`, which keep the indexes and totals right;
`_remember` logs what it was inside `what_if`, `rollback` makes it that again. Time, queues and policies it knows not.
"""

from __future__ import annotations

from collections.abc import Iterator

from goodwatt.cluster.bitset import LevelIndex, bitset
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.eligibility import EligibilityIndex
from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.mig_state import Sliced, SlicedGpu, holds, idle_mask, leave, with_gpu, without_gpu
from goodwatt.cluster.node_choice import Shares, shared_gpu, whole_gpus
from goodwatt.cluster.nvlink import CliqueIndex
from goodwatt.cluster.packed import Packed, pack, unpack
from goodwatt.cluster.placement import DoesNotFitError, NodeCounts, Placement
from goodwatt.cluster.shortage import find_shortage, host_share
from goodwatt.cluster.slice_index import SliceIndex
from goodwatt.cluster.what_if import WhatIf
from goodwatt.errors import RunError

__all__ = ["UNLIMITED", "ClusterState", "DoesNotFitError", "NodeCounts", "Placement", "WhatIf", "host_share"]

UNLIMITED = 1 << 62
"""Stands for the CPU or memory of a node where the cluster file sets no limit."""

_NodeState = tuple[int, int, Shares, Packed, Sliced, int, int]
_LogEntry = _NodeState | tuple[str, Placement | None] | tuple[dict[str, Placement]]


class ClusterState:
    """Free and used GPUs, CPU and memory of every node.

    Read these, never write them: `free_mask[node]` wholly free GPUs, `shares[node]` GPUs in use by shares,
    `lost_mask[node]` GPUs that nobody can use, `packed[node]` GPUs that several jobs hold whole at once (they count as
    used once, until the last has left), `slices.of_node[node]` GPUs in MIG mode and what is in their instances,
    `free_cpu_milli[node]`, `free_memory_mib[node]`, `by_free[k]` the set of nodes with k free GPUs,
    `full_of[k]` the set of nodes that have k GPUs in all, `shapes` the distinct (GPU kind, GPUs) of nodes,
    `up_nodes[shape]` how many nodes of it are up and `used_milli[shape]` how many GPU thousandths they have in use,
    `free_gpus` wholly free GPUs in all and `whole_node_gpus` those of them on empty nodes.
    """

    def __init__(self, cluster: Cluster) -> None:
        nodes = cluster.nodes
        self.cluster = cluster
        self.eligible = EligibilityIndex(cluster)
        self.max_gpus = max((node.gpus for node in nodes), default=0)
        self.capacity = tuple(node.gpus for node in nodes)
        self.full_of = tuple(
            bitset(i for i, gpus in enumerate(self.capacity) if gpus == k) for k in range(self.max_gpus + 1)
        )
        self.limits_hosts = any(n.cpu_milli is not None or n.memory_mib is not None for n in nodes)
        self._domains = tuple(node.domains for node in nodes)
        self._full_mask = tuple((1 << gpus) - 1 for gpus in self.capacity)
        self.up = (1 << len(nodes)) - 1
        self.free_mask = list(self._full_mask)
        self.shares: list[Shares] = [()] * len(nodes)
        self.packed: list[Packed] = [()] * len(nodes)
        self.lost_mask = [0] * len(nodes)
        self.free_cpu_milli = [UNLIMITED if n.cpu_milli is None else n.cpu_milli for n in nodes]
        self.free_memory_mib = [UNLIMITED if n.memory_mib is None else n.memory_mib for n in nodes]
        self.by_free = list(self.full_of)
        self.cliques = CliqueIndex(cluster)
        self._cpu_index = LevelIndex([0 if v == UNLIMITED else v for v in self.free_cpu_milli])
        self._memory_index = LevelIndex([0 if v == UNLIMITED else v for v in self.free_memory_mib])
        self._no_cpu_limit = bitset(i for i, n in enumerate(nodes) if n.cpu_milli is None)
        self._no_memory_limit = bitset(i for i, n in enumerate(nodes) if n.memory_mib is None)
        self._room = [0] * len(nodes)
        self._room_index = LevelIndex([WHOLE_GPU_MILLI] * len(nodes))
        for i in range(len(nodes)):
            self._room_index.move(i, WHOLE_GPU_MILLI, 0)
        self.shapes = tuple(dict.fromkeys((node.gpu_kind, node.gpus) for node in nodes))
        number = {shape: i for i, shape in enumerate(self.shapes)}
        self._shape_of = tuple(number[node.gpu_kind, node.gpus] for node in nodes)
        self.used_milli = [0] * len(self.shapes)
        self.up_nodes = [self._shape_of.count(i) for i in range(len(self.shapes))]
        self.free_gpus = self.whole_node_gpus = sum(self.capacity)
        self.placements: dict[str, Placement] = {}
        self.slices = SliceIndex(cluster)
        self._log: list[_LogEntry] | None = None
        self._order_logged = False
        for node in range(len(nodes)):
            if nodes[node].mig:
                self._set_slices(node, self.slices.layout(node))
                self._set_free(node, 0)

    # what fits ---------------------------------------------------------------------------------------------------

    def single_node(self, job: JobRequest) -> Iterator[tuple[int, int]]:
        """(free GPUs, nodes) for all nodes that could take the whole job, by ascending number of free GPUs.

        For a share of a GPU the first entry is (0, nodes where a started GPU has room), for any number of free GPUs,
        for a MIG instance the same with GPUs in MIG mode; a CPU-only job finds all its nodes in one entry (0, nodes).
        """
        if job.num_gpus == 0:
            yield 0, self.host_fit(self.eligible(job).nodes & self.up, job.cpu_milli, job.memory_mib)
            return
        allowed = self.eligible(job).nodes
        if job.gpu_milli < WHOLE_GPU_MILLI or job.mig_profile is not None:
            started = self._started(job, allowed & self.up)
            yield 0, self.host_fit(started, job.cpu_milli, job.memory_mib)
            allowed &= ~started if job.mig_profile is None or self.slices.creates else 0
        for free in range(job.num_gpus, self.max_gpus + 1):
            nodes = self.by_free[free] & allowed
            if nodes:
                nodes = self.host_fit(nodes, job.cpu_milli, job.memory_mib)
            if nodes:
                yield free, nodes

    def _started(self, job: JobRequest, among: int) -> int:
        if job.mig_profile is not None:
            return self.slices.room.get(job.mig_profile, 0) & among if job.num_gpus == 1 else 0
        return self._room_index.at_least(job.gpu_milli, self._room, among)

    def host_fit(self, nodes: int, cpu_milli: int, memory_mib: int) -> int:
        """Those of `nodes` with so much CPU and memory free."""
        if not self.limits_hosts or not nodes:
            return nodes
        if cpu_milli:
            enough = self._cpu_index.at_least(cpu_milli, self.free_cpu_milli, nodes & ~self._no_cpu_limit)
            nodes &= enough | self._no_cpu_limit
        if memory_mib:
            enough = self._memory_index.at_least(memory_mib, self.free_memory_mib, nodes & ~self._no_memory_limit)
            nodes &= enough | self._no_memory_limit
        return nodes

    def shortage(self, job: JobRequest, nodes: NodeCounts, gpus: tuple[int, ...] | None = None) -> str | None:
        """Why this placement cannot be made now; None if it can."""
        return find_shortage(self, job, nodes, gpus)

    # changes -----------------------------------------------------------------------------------------------------

    def allocate(self, job: JobRequest, nodes: NodeCounts, gpus: tuple[int, ...] | None = None) -> Placement:
        """Take the GPUs, CPU and memory; `gpus` names them by mask, otherwise the node chooses.

        Raises DoesNotFitError, and changes nothing, if the job holds a placement or something is not free.
        """
        if job.job_id in self.placements:
            raise DoesNotFitError(f"job {job.job_id} is placed already")
        if reason := self.shortage(job, nodes, gpus):
            raise DoesNotFitError(f"job {job.job_id}: {reason}")
        if len(nodes) == 1:
            node, count = nodes[0]
            placement: Placement = ((node, gpus[0] if gpus else self._choose(job, node, count)),)
            self._take(job, *placement[0])
        else:
            masks = gpus or [self._choose(job, node, count) for node, count in nodes]
            placement = tuple((node, mask) for (node, _), mask in zip(nodes, masks, strict=True))
            for node, mask in placement:
                self._take(job, node, mask)
        self._record(job.job_id, placement)
        return placement

    def take_back(self, job: JobRequest, placement: Placement) -> None:
        """Hold exactly these GPUs whole, beside the jobs that hold them already, or what a job held when it was saved.

        Whether it may is for the caller to know: see `beside`.
        """
        for node, mask in placement:
            if job.mig_profile is not None and holds(self.slices.of_node[node], mask.bit_length() - 1, job.job_id):
                self._take_host(job, node, mask)
            elif self.free_mask[node] & mask == mask or job.gpu_milli < WHOLE_GPU_MILLI:
                self._take(job, node, mask)
            else:
                self._pack(job, node, mask)
        self._record(job.job_id, placement)

    def release(self, job: JobRequest) -> Placement:
        """Give back what `allocate` took and return it; KeyError if the job holds nothing."""
        placement = self.placements[job.job_id]
        for node, mask in placement:
            self._give_back(job, node, mask)
        self._record(job.job_id, None)
        return placement

    def in_use(self, node: int) -> bool:
        """Whether a job holds anything of the node."""
        cpu = self.cluster.nodes[node].cpu_milli
        return self._holds_gpus(node) or (cpu is not None and self.free_cpu_milli[node] != cpu)

    def _holds_gpus(self, node: int) -> bool:
        unused = self.free_mask[node] | self.lost_mask[node] | idle_mask(self.slices.of_node[node])
        return unused != self._full_mask[node]

    def set_slices(self, node: int, gpu: int, new: SlicedGpu | None) -> None:
        """Put a wholly free GPU into MIG mode, give one there other instances, or take an idle one out of it (None)."""
        if self._log is not None:
            self._remember(node)
        others, bit = without_gpu(self.slices.of_node[node], gpu), 1 << gpu
        self._set_slices(node, others if new is None else with_gpu(others, new))
        old, free = self.free_mask[node], self.free_mask[node] | bit if new is None else self.free_mask[node] & ~bit
        if self.up >> node & 1:
            self._set_free(node, free)
        elif self._log is None:  # a node that is down has free GPUs, but none to be had
            self.used_milli[self._shape_of[node]] += (old.bit_count() - free.bit_count()) * WHOLE_GPU_MILLI
            self.free_mask[node] = free
        else:
            raise RunError(f"node {node} is down: its GPUs cannot be tried out")

    def set_lost(self, node: int, mask: int, lost: bool) -> None:
        """Take unused GPUs of a node away, or give them back; a node whose GPUs are lost may be up or not."""
        before = self.free_mask[node]
        self.lost_mask[node] ^= mask
        self.free_mask[node] = after = before & ~mask if lost else before | mask
        if self.up >> node & 1:
            self._count(node, before.bit_count(), after.bit_count())

    def set_up(self, node: int, up: bool) -> None:
        """Take an empty node out of the cluster or bring it back."""
        bit, gpus = 1 << node, self.free_mask[node].bit_count()
        if bool(self.up & bit) == up:
            return
        if self._holds_gpus(node) or self._log is not None:
            raise RunError(f"node {node} is in use or a checkpoint is open: it cannot change now")
        sign = 1 if up else -1
        self.up ^= bit
        self.by_free[gpus] ^= bit
        self.up_nodes[self._shape_of[node]] += sign
        self.free_gpus += sign * gpus
        self.whole_node_gpus += sign * gpus * (gpus == self.capacity[node])
        self.cliques.move(node, 0 if up else gpus, gpus if up else 0)

    def what_if(self) -> WhatIf:
        """Change the state freely inside a `with` block; all of it is undone at the end. Blocks may be nested."""
        return WhatIf(self)

    def checkpoint(self) -> int:
        """A mark to `rollback` to; only inside `what_if`."""
        if self._log is None:
            raise RunError("checkpoint outside what_if")
        return len(self._log)

    def rollback(self, mark: int) -> None:
        """Undo all changes since the mark, last first."""
        log, self._log = self._log, None
        assert log is not None, "rollback outside what_if"  # noqa: S101 - a broken invariant, not input
        while len(log) > mark:
            entry = log.pop()
            if len(entry) == 1:
                (self.placements,), self._order_logged = entry, False
            elif len(entry) == 2:
                self._record(*entry)
            else:
                self._restore(*entry)
        self._log = log

    def copy(self) -> ClusterState:
        """An independent copy; facts of the cluster are shared."""
        twin = object.__new__(ClusterState)
        twin.__dict__.update(self.__dict__)
        for name in (
            "free_mask",
            "shares",
            "packed",
            "lost_mask",
            "free_cpu_milli",
            "free_memory_mib",
            "by_free",
            "_room",
            "used_milli",
            "up_nodes",
        ):
            setattr(twin, name, getattr(self, name)[:])
        for name in ("_cpu_index", "_memory_index", "_room_index", "placements", "cliques", "slices"):
            setattr(twin, name, getattr(self, name).copy())
        twin._log, twin._order_logged = None, False
        return twin

    # inside ------------------------------------------------------------------------------------------------------

    def _choose(self, job: JobRequest, node: int, count: int) -> int:
        if job.mig_profile is not None:
            return self.slices.gpu_for(job, node, self.free_mask[node]) or 0
        if job.gpu_milli < WHOLE_GPU_MILLI:
            return shared_gpu(self.shares[node], self.free_mask[node], job.gpu_milli)
        return whole_gpus(self.free_mask[node], count, self._domains[node])

    def _record(self, job_id: str, placement: Placement | None) -> None:
        if self._log is not None:
            if placement is None and not self._order_logged:  # who came first counts: jobs on one GPU go by it
                self._log.append((self.placements.copy(),))
                self._order_logged = True
            self._log.append((job_id, self.placements.get(job_id)))
        if placement is None:
            del self.placements[job_id]
        else:
            self.placements[job_id] = placement

    def _take(self, job: JobRequest, node: int, mask: int) -> None:
        if self._log is not None:
            self._remember(node)
        if job.mig_profile is not None:
            self._set_slices(node, self.slices.after_take(job, node, mask))
        elif job.gpu_milli < WHOLE_GPU_MILLI:
            gpu = mask.bit_length() - 1
            used = dict(self.shares[node])
            used[gpu] = used.get(gpu, 0) + job.gpu_milli
            self._set_shares(node, tuple(sorted(used.items())))
        self._set_free(node, self.free_mask[node] & ~mask)
        self._take_host(job, node, mask)

    def _take_host(self, job: JobRequest, node: int, mask: int) -> None:
        if self.limits_hosts:
            cpu, memory = host_share(job, mask.bit_count())
            self._set_host(node, self.free_cpu_milli[node] - cpu, self.free_memory_mib[node] - memory)

    def _give_back(self, job: JobRequest, node: int, mask: int) -> None:
        if self._log is not None:
            self._remember(node)
        if self.limits_hosts:
            cpu, memory = host_share(job, mask.bit_count())
            self._set_host(node, self.free_cpu_milli[node] + cpu, self.free_memory_mib[node] + memory)
        if job.mig_profile is not None:
            gpu = mask.bit_length() - 1
            rest = leave(self.slices.of_node[node], gpu, job.job_id)
            mask = 0 if any(one.gpu == gpu for one in rest) else mask
            self._set_slices(node, rest)
        elif job.gpu_milli < WHOLE_GPU_MILLI:
            gpu = mask.bit_length() - 1
            used = dict(self.shares[node])
            used[gpu] -= job.gpu_milli
            mask = 0 if used[gpu] else mask
            self._set_shares(node, tuple(sorted((g, milli) for g, milli in used.items() if milli)))
        elif self.packed[node]:
            self.packed[node], mask = unpack(self.packed[node], mask)
        self._set_free(node, self.free_mask[node] | mask)

    def _pack(self, job: JobRequest, node: int, mask: int) -> None:
        """One more job holds these GPUs whole."""
        if self._log is not None:
            self._remember(node)
        self.packed[node] = pack(self.packed[node], mask)
        self._take_host(job, node, mask)

    def _remember(self, node: int) -> None:
        """Log what the node is now, for a rollback."""
        assert self._log is not None  # noqa: S101 - asked by the callers
        host = self.free_cpu_milli[node], self.free_memory_mib[node]
        slices = self.slices.of_node[node]
        self._log.append((node, self.free_mask[node], self.shares[node], self.packed[node], slices, *host))

    def _restore(
        self, node: int, mask: int, shares: Shares, packed: Packed, slices: Sliced, cpu: int, memory: int
    ) -> None:
        """Make the node what it was."""
        self.packed[node] = packed
        if slices is not self.slices.of_node[node]:
            self._set_slices(node, slices)
        if shares != self.shares[node]:
            self._set_shares(node, shares)
        self._set_free(node, mask)
        if self.limits_hosts:
            self._set_host(node, cpu, memory)

    def _set_free(self, node: int, mask: int) -> None:
        """The node's wholly free GPUs, as a mask, with all that follows from their number."""
        old, new = self.free_mask[node].bit_count(), mask.bit_count()
        self.free_mask[node] = mask
        if old == new:
            return
        self.used_milli[self._shape_of[node]] += (old - new) * WHOLE_GPU_MILLI
        self._count(node, old, new)

    def _count(self, node: int, old: int, new: int) -> None:
        """The node has another number of wholly free GPUs."""
        bit, gpus, by_free = 1 << node, self.capacity[node], self.by_free
        by_free[old] ^= bit
        by_free[new] ^= bit
        self.free_gpus += new - old
        if gpus in (old, new):
            self.whole_node_gpus += gpus if new == gpus else -gpus
        if self.cliques.names:
            self.cliques.move(node, old, new)

    def _set_shares(self, node: int, shares: Shares) -> None:
        """GPUs in use by shares: `_set_free` counts each as used whole, here the unused rest is taken off."""
        unused = [WHOLE_GPU_MILLI - used for _, used in shares]
        before = sum(WHOLE_GPU_MILLI - used for _, used in self.shares[node])
        self.used_milli[self._shape_of[node]] += before - sum(unused)
        room = max(unused, default=0)
        self._room_index.move(node, self._room[node], room)
        self._room[node] = room
        self.shares[node] = shares

    def _set_slices(self, node: int, sliced: Sliced) -> None:
        """GPUs in MIG mode: `_set_free` counts each as used whole, here what lies idle is taken off."""
        self.used_milli[self._shape_of[node]] += self.slices.set(node, sliced)

    def _set_host(self, node: int, cpu: int, memory: int) -> None:
        """The node's free CPU and memory."""
        if self.free_cpu_milli[node] < UNLIMITED >> 1:
            self._cpu_index.move(node, self.free_cpu_milli[node], cpu)
        if self.free_memory_mib[node] < UNLIMITED >> 1:
            self._memory_index.move(node, self.free_memory_mib[node], memory)
        self.free_cpu_milli[node] = cpu
        self.free_memory_mib[node] = memory
