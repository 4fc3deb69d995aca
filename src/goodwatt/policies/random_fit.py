"""Random fit: the baseline that shows what choosing well is worth."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.placement import chooses_gpu, feasible_nodes, place_gang, room_on_gpus, single_node_job
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class RandomFit:
    """Any node that fits, all with the same chance, and there for a share any GPU with room; gangs take whole nodes.

    Reproducible: the random numbers are those of the run. Source: the baseline Random of Weng et al. (USENIX ATC 2023).
    """

    name: ClassVar[str] = "random-fit"

    def place(self, job: JobRequest, state: ClusterState, view: View) -> Place | None:
        """A node drawn from those that fit."""
        if not single_node_job(job, state):
            return place_gang(job, state)
        feasible = feasible_nodes(job, state)
        if not feasible:
            return None
        node = nth(feasible, _drawn(view.random, feasible.bit_count()))
        if not chooses_gpu(job, view):
            return Place(job.job_id, ((node, job.num_gpus),))
        fitting = [gpu for gpu, room in room_on_gpus(state, node).items() if room >= job.gpu_milli]
        return Place(job.job_id, ((node, 1),), (1 << fitting[_drawn(view.random, len(fitting))],))


def _drawn(rng: random.Random, count: int) -> int:
    return int(rng.random() * count)


def nth(bits: int, position: int) -> int:
    """The member of a set that has `position` smaller ones, by halving."""
    low, high = 0, bits.bit_length() - 1
    while low < high:
        middle = (low + high) // 2
        if (bits & ((2 << middle) - 1)).bit_count() > position:
            high = middle
        else:
            low = middle + 1
    return low
