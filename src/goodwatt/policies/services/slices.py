"""Batch jobs in what instances in MIG slices leave of their GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from goodwatt.cluster.bitset import first
from goodwatt.cluster.mig import COMPUTE_SLICES, MigProfile
from goodwatt.cluster.mig_state import sliced_request
from goodwatt.policies.service_policy import SteadyServices
from goodwatt.policies.slice_hosts import profiles_beside, sliceable, sliced_nodes
from goodwatt.simulator.decisions import Decision, Place
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Slices(SteadyServices):
    """Places waiting jobs of one GPU in MIG slices beside instances that have one themselves (`mig_profile`).

    The largest slice that is to be had, of `least` compute slices or more. Hardware keeps the two apart, so no promise
    is at stake and nobody has to leave when the load returns. Not jobs that fit on free GPUs, nor those that ask for
    more memory. The number of instances is for another policy: `reactive+slices`.
    Source of the idea: MISO (Li et al., SoCC 2022).
    """

    name: ClassVar[str] = "slices"
    sizes: ClassVar[bool] = False

    least: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.least <= COMPUTE_SLICES:
            raise ValueError(f"expected least from 1 to {COMPUTE_SLICES} compute slices, got {self.least}")

    def decide(self, view: View) -> Sequence[Decision]:
        """Who comes."""
        nodes = sliced_nodes(view)
        with view.what_if():
            profiles = [one for one in profiles_beside(view, nodes) if one.compute_slices >= self.least]
            found = [_place(view, run, profiles, nodes) for run in sliceable(view)] if profiles else []
        return [place for place in found if place is not None]


def _place(view: View, run: JobRun, profiles: Sequence[MigProfile], nodes: int) -> Place | None:
    """In the first of these slices that is to be had; the view's state has it then."""
    for profile in profiles:
        job = sliced_request(run.base, profile.name)
        _, room = next(iter(view.state.single_node(job)), (0, 0))
        if room & nodes and job.gpu_memory_mib <= profile.memory_mib:
            where = ((first(room & nodes), 1),)
            view.state.allocate(job, where)
            return Place(job.job_id, where, sharing="mig", profile=profile.name)
    return None
