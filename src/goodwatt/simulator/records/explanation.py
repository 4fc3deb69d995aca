"""Why a job waited, ran where it ran and at that clock, what it cost, and what else could have been.

All of it follows from the record of the run (`explanation_record`) and the cluster; alternatives come from the model
(`explanation_alternatives`). Nodes that slept or were down count as free here: the record does not tell them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goodwatt.cluster.bitset import members
from goodwatt.cluster.cluster import Cluster
from goodwatt.simulator.records.explanation_alternatives import Alternative, ClockChoice, alternatives, clock_choice
from goodwatt.simulator.records.explanation_record import JobRecord, RunRecord, Stay


@dataclass(frozen=True, slots=True)
class Room:
    """The cluster at an instant, without the job: free GPUs in all and on the emptiest node, nodes that could hold it
    whole (0 for a gang wider than a node), and whether it would have fitted somewhere.
    """

    free_gpus: int
    largest: int
    nodes: int
    fits: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """`seconds` to the first start; `room` at submission; `ahead`: jobs that were waiting already; `overtook`: jobs
    that came later and started earlier.
    """

    seconds: float
    room: Room
    ahead: int
    overtook: int


@dataclass(frozen=True, slots=True)
class Place:
    """A stay: the node kinds, the room when it began, who shared its GPUs, and where its clock comes from."""

    stay: Stay
    kinds: tuple[str, ...]
    room: Room
    beside: tuple[str, ...]
    clock: ClockChoice | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What the job took. `energy_j` of its GPUs; `share` of all GPU energy of the run; `money` and `co2_kg`: that part
    of the site's bill, hosts, idle GPUs and cooling with it; None where it is unknown. `lost_s`: where its time went.
    """

    service_s: float
    energy_j: float | None
    share: float | None
    money: float | None
    currency: str | None
    co2_kg: float | None
    lost_s: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All there is to say about a job."""

    job: JobRecord
    policy: str
    power: str
    waiting: Waiting
    places: tuple[Place, ...]
    cost: Cost
    alternatives: tuple[Alternative, ...]


def explain(record: RunRecord, cluster: Cluster, job_id: str) -> Explanation:
    """Explain a job of a recorded run on its cluster. Raises UnknownNameError."""
    job = record.job(job_id)
    own = [stay for stay in record.stays if stay.job_id == job_id]
    places = tuple(_place(record, cluster, job, stay) for stay in own)
    longest = max(own, key=lambda stay: stay.end_s - stay.start_s, default=None)
    service_s = math.fsum(stay.end_s - stay.start_s for stay in own)
    shared = any(place.beside for place in places)
    return Explanation(
        job=job,
        policy=record.summary["policy"],
        power=record.summary["power"],
        waiting=_waiting(record, cluster, job),
        places=places,
        cost=_cost(record, job, service_s),
        alternatives=()
        if longest is None
        else alternatives(job, cluster, longest, free_masks(cluster, record.at(longest.start_s), job_id), shared),
    )


def free_masks(cluster: Cluster, stays: Sequence[Stay], without: str) -> dict[str, int]:
    """Free GPUs of each node as a bit mask, by name, at a time when these stays were; `without` a job."""
    free = {node.name: (1 << node.gpus) - 1 for node in cluster.nodes}
    for stay in stays:
        if stay.job_id != without:
            for node, mask in stay.pieces:
                free[node] &= ~mask
    return free


def _room(record: RunRecord, cluster: Cluster, job: JobRecord, time_s: float) -> Room:
    free = [mask.bit_count() for mask in free_masks(cluster, record.at(time_s), job.job_id).values()]
    nodes = sum(count >= job.num_gpus for count in free)
    widest = max((node.gpus for node in cluster.nodes), default=0)
    wide = job.num_gpus > widest
    return Room(sum(free), max(free, default=0), 0 if wide else nodes, sum(free) >= job.num_gpus if wide else nodes > 0)


def _waiting(record: RunRecord, cluster: Cluster, job: JobRecord) -> Waiting:
    until_s = job.start_s if job.start_s is not None else float(record.summary["horizon_s"])
    others = [other for other in record.jobs.values() if other.job_id != job.job_id and other.state != "refused"]
    ahead = sum(o.submit_s < job.submit_s and (o.start_s is None or o.start_s > job.submit_s) for o in others)
    overtook = sum(o.submit_s > job.submit_s and o.start_s is not None and o.start_s < until_s for o in others)
    room = _room(record, cluster, job, job.submit_s)
    return Waiting(max(until_s - job.submit_s, 0.0), room, ahead, overtook)


def _place(record: RunRecord, cluster: Cluster, job: JobRecord, stay: Stay) -> Place:
    kind_of = {node.name: node.gpu_kind for node in cluster.nodes}
    kinds = tuple(dict.fromkeys(kind_of[node] for node, _ in stay.pieces))
    beside = tuple(dict.fromkeys(other.job_id for other in record.stays if stay.beside(other)))
    clock = clock_choice(job, cluster, kinds[0], stay) if kinds else None
    return Place(stay, kinds, _room(record, cluster, job, stay.start_s), beside, clock)


def _cost(record: RunRecord, job: JobRecord, service_s: float) -> Cost:
    summary = record.summary
    whole_j = summary["gpu_energy_j"]
    share = job.energy_j / whole_j if job.energy_j is not None and whole_j > 0.0 else None
    money, co2_kg = (
        None if share is None or summary.get(name) is None else share * summary[name]
        for name in ("energy_cost", "co2_kg")
    )
    return Cost(service_s, job.energy_j, share, money, summary.get("currency"), co2_kg, job.lost_s)


def gpus_text(mask: int) -> str:
    """GPUs of a node for people: `0-3, 6`."""
    runs: list[list[int]] = []
    for gpu in members(mask):
        if runs and runs[-1][-1] == gpu - 1:
            runs[-1].append(gpu)
        else:
            runs.append([gpu])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
