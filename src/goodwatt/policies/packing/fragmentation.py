"""How much of the free GPUs a workload could not use, and how a placement would change that.

The measure of Weng et al., "Beware of Fragmentation" (USENIX ATC 2023): the fragmentation F of a node is the free
GPU (thousandths) that a job of the workload cannot use there, in the mean over the classes of the workload. A class
that cannot run on the node at all (too few GPUs with room, too little CPU or memory, the wrong kind of GPU, or no
wish for a GPU) can use nothing of it; any other can use the GPUs whose free part suffices for one of its shares.
Here F is kept times the number of jobs of the workload, which makes it a whole number: no rounding, and the same
result in whatever order and company it is computed. A gang counts on each node as the part of it that would be
there: an empty node, or nothing.

Whole scores: the authors' scheduler, as all kube-schedulers, compares nodes by whole numbers from 0 to 100, here of
the sigmoid of the decrease of F in GPUs. Increases within some 0.04 GPU of each other are thereby equal and the first
node wins, which on their trace allocates 2% more of the GPUs than comparing exactly (benchmarks/fgd.py shows both).

Nodes alike share a profile and are computed once.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.state import ClusterState, host_share
from goodwatt.policies.packing.free_arrays import Array, indices
from goodwatt.policies.packing.node_watch import NodeWatch
from goodwatt.policies.packing.typical import Demand, Typical
from goodwatt.policies.per_state import PerState

NEVER = 1 << 30
"""So many GPUs no node has: stands where a class cannot run."""
_CHUNK = 2048
_WORKLOADS_KEPT = 8

Bools = npt.NDArray[np.bool_]
Profile = tuple[int, tuple[int, ...], int, int]
"""(sort of node, thousandths free of each GPU ascending, CPU, memory)."""
Need = tuple[int, int, int]
"""GPUs, CPU and memory that a job of a class takes on a node."""


class Profiles:
    """The distinct profiles seen so far; `of_node` says which one each node has now."""

    def __init__(self, state: ClusterState) -> None:
        nodes = state.cluster.nodes
        self.width = max(state.max_gpus, 1)
        sorts = [(node.gpu_kind, node.gpus, node.partition) for node in nodes]
        first_of = {sort: node for node, sort in reversed(list(enumerate(sorts)))}
        self.examples = tuple(first_of.values())
        number = {sort: i for i, sort in enumerate(first_of)}
        self.sort_of = [number[sort] for sort in sorts]
        self.of_node = np.zeros(len(nodes), np.int64)
        self.seen: list[Profile] = []
        self._number: dict[Profile, int] = {}
        self._watch = NodeWatch()

    def follow(self, state: ClusterState) -> None:
        """Take over what changed."""
        for node in self._watch(state):
            profile = self._profile(state, node)
            number = self._number.setdefault(profile, len(self.seen))
            if number == len(self.seen):
                self.seen.append(profile)
            self.of_node[node] = number

    def _profile(self, state: ClusterState, node: int) -> Profile:
        shared = sorted(WHOLE_GPU_MILLI - used for _, used in state.shares[node])
        whole = state.free_mask[node].bit_count()
        left = (0,) * (self.width - whole - len(shared)) + tuple(shared) + (WHOLE_GPU_MILLI,) * whole
        cpu, memory = state.free_cpu_milli[node], state.free_memory_mib[node]
        return self.sort_of[node], left, cpu, memory


class Workload:
    """The classes as arrays: what each needs on a node of each sort."""

    def __init__(self, classes: Typical, needs: list[list[Need]]) -> None:
        shares = sorted({demand.gpu_milli for demand, _ in classes})
        self.jobs = sum(count for _, count in classes)
        self._count = np.array([count for _, count in classes], np.int64)
        self._share = np.array(shares, np.int64)
        self._which = np.array([shares.index(demand.gpu_milli) for demand, _ in classes], np.int64)
        self._gpus, self._cpu, self._memory = np.array(needs, np.int64).reshape(len(needs), -1, 3).transpose(2, 0, 1)

    def unusable(self, sort: Array, left: Array, cpu: Array, memory: Array) -> Array:
        """F of nodes: (B,) sorts, (B, GPUs) thousandths free, (B,) CPU and memory. Returns (B,)."""
        parts = [slice(start, start + _CHUNK) for start in range(0, len(sort), _CHUNK)]
        return np.concatenate([self._unusable(sort[p], left[p], cpu[p], memory[p]) for p in parts])

    def _unusable(self, sort: Array, left: Array, cpu: Array, memory: Array) -> Array:
        too_small = left[:, :, None] < self._share
        crumbs = (left[:, :, None] * too_small).sum(1)[:, self._which]
        enough = left.shape[1] - too_small.sum(1)[:, self._which]
        runs = (
            (enough >= self._gpus[sort]) & (cpu[:, None] >= self._cpu[sort]) & (memory[:, None] >= self._memory[sort])
        )
        lost: Array = np.where(runs, crumbs, left.sum(1)[:, None]) @ self._count
        return lost


def _need(demand: Demand, state: ClusterState, node: int) -> Need:
    job, capacity = demand.request(), state.capacity[node]
    eligible = state.eligible(job)
    if not demand.num_gpus or not eligible.nodes >> node & 1:
        return NEVER, 0, 0
    gang = demand.num_gpus > eligible.largest_node
    gpus = min(demand.num_gpus, capacity) if gang else demand.num_gpus
    return gpus, *host_share(job, gpus)


class Gradient:
    """F of profiles, and by how much a job would change it, for one workload: computed once, when asked for."""

    def __init__(self, workload: Workload, profiles: Profiles) -> None:
        self._workload = workload
        self._profiles = profiles
        self._now = _Known()
        self._steps: dict[tuple[int, ...], tuple[_Known, _Known]] = {}
        gpu = workload.jobs * WHOLE_GPU_MILLI
        self._bounds = np.array([math.floor(math.log((100 - score) / score) * gpu) for score in range(99, 0, -1)])

    def now(self, profiles: Array) -> Array:
        """F of each of these profiles."""
        new = self._now.missing(profiles, len(self._profiles.seen))
        if len(new):
            self._now.learn(new, self._workload.unusable(*self._arrays(new)))
        return self._now.values[profiles]

    def steps(self, job: JobRequest, any_gpu: bool, profiles: Array) -> tuple[Array, Array]:
        """For each of these profiles (increase of F, thousandths free of the GPU that a share should take).

        Without `any_gpu` a share takes the GPU with the least room that suffices, as a node chooses. The job fits.
        """
        key = (job.num_gpus, job.gpu_milli, job.cpu_milli, job.memory_mib, any_gpu)
        increase, room = self._steps.setdefault(key, (_Known(), _Known()))
        new = increase.missing(profiles, len(self._profiles.seen))
        if len(new):
            after, rooms = self._after(job, any_gpu, *self._arrays(new))
            increase.learn(new, after - self.now(new))
            room.missing(profiles, len(self._profiles.seen))
            room.learn(new, rooms)
        return increase.values[profiles], room.values[profiles]

    def steps_down(self, increase: Array) -> Array:
        """How far the score, floor(100 / (1 + exp(increase of F in GPUs))), stays below 99: found without rounding."""
        return np.searchsorted(self._bounds, increase)

    def _arrays(self, profiles: Array) -> tuple[Array, Array, Array, Array]:
        found = [self._profiles.seen[profile] for profile in profiles.tolist()]
        left = np.array([left for _, left, _, _ in found], np.int64)
        sort, cpu, memory = np.array([(s, c, m) for s, _, c, m in found], np.int64).T
        return sort, left, cpu, memory

    def _after(
        self, job: JobRequest, any_gpu: bool, sort: Array, left: Array, cpu: Array, memory: Array
    ) -> tuple[Array, Array]:
        cpu, memory = cpu - job.cpu_milli, memory - job.memory_mib
        if job.gpu_milli < WHOLE_GPU_MILLI:
            return self._after_share(job.gpu_milli, any_gpu, sort, left, cpu, memory)
        if job.num_gpus:
            left = left.copy()
            left[:, -job.num_gpus :] = 0
        return self._workload.unusable(sort, left, cpu, memory), np.zeros(len(sort), np.int64)

    def _after_share(
        self, milli: int, any_gpu: bool, sort: Array, left: Array, cpu: Array, memory: Array
    ) -> tuple[Array, Array]:
        row, gpu = np.nonzero(_choices(left, milli, any_gpu))
        tried = left[row]
        tried[np.arange(len(row)), gpu] -= milli
        after = np.full(left.shape, np.iinfo(np.int64).max)
        after[row, gpu] = self._workload.unusable(sort[row], tried, cpu[row], memory[row])
        best = after.argmin(1)
        each = np.arange(len(left))
        return after[each, best], left[each, best]


class _Known:
    """A number for each profile, as far as it is known."""

    def __init__(self) -> None:
        self.values: Array = np.zeros(0, np.int64)
        self._known: Bools = np.zeros(0, np.bool_)

    def missing(self, profiles: Array, count: int) -> Array:
        """Which of these are not known yet, each once; there are `count` profiles in all by now."""
        if count > len(self.values):
            self.values, self._known = np.resize(self.values, 2 * count), _padded(self._known, 2 * count)
        unknown = profiles[~self._known[profiles]]
        return np.unique(unknown) if len(unknown) else unknown

    def learn(self, profiles: Array, values: Array) -> None:
        """These have become known."""
        self.values[profiles] = values
        self._known[profiles] = True


def _padded(known: Bools, size: int) -> Bools:
    return np.concatenate([known, np.zeros(size - len(known), np.bool_)])


def _choices(left: Array, milli: int, any_gpu: bool) -> Bools:
    """Where a share might go: one GPU of each amount of room that suffices, or only the tightest."""
    fits: Bools = left >= milli
    other = np.diff(left, axis=1, prepend=-1) > 0 if any_gpu else np.cumsum(fits, axis=1) == 1
    return fits & other


class Fragmentation:
    """Profiles and gradients of one state."""

    def __init__(self, state: ClusterState) -> None:
        self._restart(state)

    def _restart(self, state: ClusterState) -> None:
        self.profiles = Profiles(state)
        self._gradients: dict[Typical, Gradient] = {}
        self._needs: dict[Demand, list[Need]] = {}

    def follow(self, state: ClusterState) -> Fragmentation:
        """Take over what changed; forget all when most of what is kept is of the past."""
        if len(self.profiles.seen) > 4 * len(state.capacity) + 10_000:
            self._restart(state)
        self.profiles.follow(state)
        return self

    def gradient(self, classes: Typical, state: ClusterState) -> Gradient:
        """The gradient for a workload; those used last are kept."""
        found = self._gradients.pop(classes, None)
        if found is None:
            needs = [self._need(demand, state) for demand, _ in classes]
            found = Gradient(Workload(classes, [list(on) for on in zip(*needs, strict=True)]), self.profiles)
            if len(self._gradients) >= _WORKLOADS_KEPT:
                del self._gradients[next(iter(self._gradients))]
        self._gradients[classes] = found
        return found

    def _need(self, demand: Demand, state: ClusterState) -> list[Need]:
        """What the class needs on each sort of node."""
        found = self._needs.get(demand)
        if found is None:
            found = self._needs[demand] = [_need(demand, state, node) for node in self.profiles.examples]
        return found


_of_state = PerState(Fragmentation)


def fragmentation(state: ClusterState) -> Fragmentation:
    """Profiles and gradients of a state as it is now."""
    return _of_state(state).follow(state)


def steepest(
    job: JobRequest, feasible: int, classes: Typical, state: ClusterState, any_gpu: bool, exact: bool
) -> tuple[int, int]:
    """The node of a non-empty set where F increases least, and the room of the GPU there that a share should take.

    Unless `exact`, increases are compared by their scores, and equal scores mean the lower index.
    """
    found = fragmentation(state)
    gradient = found.gradient(classes, state)
    nodes = indices(feasible)
    increase, room = gradient.steps(job, any_gpu, found.profiles.of_node[nodes])
    best = int(np.argmin(increase if exact else gradient.steps_down(increase)))
    return int(nodes[best]), int(room[best])


def fragmented_gpus(state: ClusterState, classes: Typical) -> float:
    """GPUs that are free and that a job of the workload, in the mean, cannot use."""
    if not classes:
        return 0.0
    found = fragmentation(state)
    total = int(found.gradient(classes, state).now(found.profiles.of_node).sum())
    return total / (sum(count for _, count in classes) * WHOLE_GPU_MILLI)
