"""Which workload class a traced job is taken for, and the GPU kind on which its duration was measured.

Traces carry no classes. A class is drawn by a hash of the seed and of who runs what, so that the same user and name
keep the same class and history informs; neither the order nor the choice of the jobs nor their durations matter. The
first of a job's draws that suits its gang and fits the memory of its reference GPU is taken: at one size a name always
has one class, at other sizes mostly the same. A row of a `--workloads` file goes before the job's own `workload`
column, and that before the draw.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import accumulate
from struct import Struct

from goodwatt.cluster.bitset import members
from goodwatt.cluster.catalogue import canonical_name
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.eligibility import EligibilityIndex
from goodwatt.cluster.job import WHOLE_GPU_MILLI, Job, JobRequest
from goodwatt.errors import InputError
from goodwatt.power.workloads.catalogue import all_classes, workload_class
from goodwatt.power.workloads.workload import WorkloadClass

Override = Callable[[JobRequest], str | None]
"""The class that somebody wants for a job, None for no wish."""

_DIGEST_BYTES = 64
_numbers = Struct(">16I").unpack
"""The draws in a digest; the last is for those whom none of the others suits."""


def assign(jobs: Iterable[Job], seed: int, cluster: Cluster, override: Override | None = None) -> list[Job]:
    """The jobs with `workload` and `reference_gpu` set, in their order; jobs without GPUs as they are.

    Raises InputError where a job, or `override`, names a class that the catalogue does not have.
    """
    references = ReferenceGpu(cluster)
    lottery = Lottery(seed, tuple(all_classes().values()))
    return [_assigned(job, references, lottery, override) if job.num_gpus else job for job in jobs]


def _assigned(job: Job, references: ReferenceGpu, lottery: Lottery, override: Override | None) -> Job:
    kind = references(job)
    wanted = (override(job) if override else None) or job.workload
    if wanted is None:
        room_mib = references.memory_mib(kind) * job.gpu_milli / WHOLE_GPU_MILLI
        name = lottery.draw(history_key(job), job.num_gpus, room_mib)
    else:
        name = _known(wanted, job)
    return job if (job.workload, job.reference_gpu) == (name, kind) else replace(job, workload=name, reference_gpu=kind)


def _known(name: str, job: JobRequest) -> str:
    try:
        return workload_class(name).name
    except InputError as error:
        raise InputError(f"job {job.job_id}: {error}") from None


def history_key(job: JobRequest) -> str:
    """What of a job decides its class: user and name; the user and the size where it has no name; else the job."""
    if job.name is not None:
        return f"name\x1f{job.user or ''}\x1f{job.name}"
    if job.user is not None:
        return f"user\x1f{job.user}\x1f{job.num_gpus}"
    return f"job\x1f{job.job_id}"


class Lottery:
    """Draws classes by weight, the same for the same key."""

    def __init__(self, seed: int, classes: Sequence[WorkloadClass]) -> None:
        self._classes = classes
        self._seed = str(seed).encode()
        self._bounds = _cumulative([entry.weight for entry in classes])
        self._suiting: dict[tuple[int, float], list[bool]] = {}
        self._drawn: dict[tuple[str, int, float], str] = {}

    def draw(self, key: str, gpus: int, room_mib: float) -> str:
        """The class for a gang of `gpus`, each with `room_mib` of memory (0: unknown)."""
        place = key, gpus, room_mib
        name = self._drawn.get(place)
        if name is None:
            name = self._drawn[place] = self._classes[self._index(*place)].name
        return name

    def _index(self, key: str, gpus: int, room_mib: float) -> int:
        suits = self._suiting.get((gpus, room_mib))
        if suits is None:
            suits = self._suiting[gpus, room_mib] = self._suit(gpus, room_mib)
        digest = blake2b(key.encode(errors="surrogatepass"), key=self._seed, digest_size=_DIGEST_BYTES)
        *draws, last = _numbers(digest.digest())
        for number in draws:
            index = bisect_right(self._bounds, number)
            if suits[index]:
                return index
        fitting = [i for i, suit in enumerate(suits) if suit]
        return fitting[bisect_right(_cumulative([self._classes[i].weight for i in fitting]), last)]

    def _suit(self, gpus: int, room_mib: float) -> list[bool]:
        """Which classes suit; where none does, the size counts for more than the memory, and the nearest is taken."""
        sized = [entry.gpus[0] <= gpus <= entry.gpus[1] for entry in self._classes]
        if not any(sized):
            largest = max(entry.gpus[1] for entry in self._classes)
            sized = [entry.gpus[1] == largest for entry in self._classes]
        both = [ok and _fits(entry, room_mib) for ok, entry in zip(sized, self._classes, strict=True)]
        if any(both):
            return both
        least = min(entry.memory_mib for ok, entry in zip(sized, self._classes, strict=True) if ok)
        return [ok and entry.memory_mib == least for ok, entry in zip(sized, self._classes, strict=True)]


class ReferenceGpu:
    """On which kind a job's duration counts: the one it names, else the most frequent of the nodes it may use."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._eligible = EligibilityIndex(cluster)
        self._named: dict[str, str] = {}
        self._usual: dict[tuple[str | None, tuple[str, ...], int], str] = {}

    def __call__(self, job: JobRequest) -> str:
        """A name of the catalogue, or the name of a kind of the cluster. Raises InputError for an unknown name."""
        if job.reference_gpu is not None:
            return self._canonical(job.reference_gpu, job)
        key = job.partition, job.gpu_kind, job.gpu_memory_mib
        kind = self._usual.get(key)
        if kind is None:
            kind = self._usual[key] = self._most_frequent(job)
        return kind

    def memory_mib(self, kind: str) -> int:
        """Of one GPU of a kind; 0 where it is unknown."""
        found = self._cluster.kinds.get(kind)
        return found.memory_mib if found else 0

    def _most_frequent(self, job: JobRequest) -> str:
        nodes = self._cluster.nodes
        usable = [nodes[i] for i in members(self._eligible(job).nodes) if nodes[i].gpus]
        if not usable and len(job.gpu_kind) == 1:
            return self._canonical(job.gpu_kind[0], job)
        count: Counter[str] = Counter()
        for node in usable or nodes:
            count[node.gpu_kind] += node.gpus
        return min(count, key=lambda kind: (-count[kind], kind))

    def _canonical(self, name: str, job: JobRequest) -> str:
        known = self._named.get(name)
        if known is None:
            known = self._named[name] = name if name in self._cluster.kinds else _catalogue_name(name, job)
        return known


def _catalogue_name(name: str, job: JobRequest) -> str:
    try:
        return canonical_name(name)
    except InputError as error:
        raise InputError(f"job {job.job_id}: {error}") from None


def _fits(entry: WorkloadClass, room_mib: float) -> bool:
    return not room_mib or entry.memory_mib <= room_mib


def _cumulative(weights: Sequence[float]) -> list[float]:
    """Upper bounds of the classes on the scale of the numbers drawn."""
    scale = 2**32 / sum(weights)
    return [*(scale * bound for bound in accumulate(weights[:-1])), math.inf]
