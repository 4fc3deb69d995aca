"""GPUs on which instances of services have MIG slices, and the jobs that could have another there."""

from __future__ import annotations

from collections.abc import Iterator

from goodwatt.cluster import mig
from goodwatt.cluster.bitset import bitset, members
from goodwatt.cluster.job import WHOLE_GPU_MILLI
from goodwatt.policies.wiring import tightest_node
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View

DEPTH = 64
"""Jobs of each queue that are looked at."""


def sliced_nodes(view: View) -> int:
    """Nodes on which instances of services have slices."""
    assert view.services is not None  # noqa: S101 - a service policy is asked where there are services
    return bitset(
        node
        for number, serving in enumerate(view.services.servings)
        if serving.service.mig_profile is not None
        for one in view.services.instances(number)
        for node, _ in one.run.placement
    )


def profiles_beside(view: View, nodes: int) -> list[mig.MigProfile]:
    """The slices that GPUs of these nodes can have, largest first."""
    cluster = view.state.cluster
    kinds = dict.fromkeys(cluster.nodes[node].gpu_kind for node in members(nodes))
    found = {name: one for kind in kinds for name, one in mig.profiles(cluster.kinds[kind]).items()}
    return sorted(found.values(), key=lambda one: (-one.compute_slices, -one.memory_slices))


def sliceable(view: View) -> Iterator[JobRun]:
    """Waiting jobs of one whole GPU that may share it and fit on no free one, in the order of their queues."""
    for pool in view.pools:
        for _, _, run in pool.queue[:DEPTH]:
            job = run.base
            whole = job.num_gpus == 1 and job.mig_profile is None and job.gpu_milli == WHOLE_GPU_MILLI
            if not whole or run.alone or job.job_id == view.late or not view.guardrails.may_pack(job):
                continue
            if not view.state.free_gpus or tightest_node(job, view.state) is None:
                yield run
