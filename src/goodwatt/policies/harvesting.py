"""Who runs beside an instance of a service, and who could."""

from __future__ import annotations

from collections.abc import Iterator

from goodwatt.cluster.beside import shortage_beside
from goodwatt.cluster.packed import packed_gpus
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View

DEPTH = 64
"""Jobs of each queue that are looked at."""


def beside(view: View, host: JobRun) -> JobRun | None:
    """The job that shares an instance's GPUs; None if it has them for itself."""
    if not any(packed_gpus(view.state.packed[node]) & mask for node, mask in host.placement):
        return None
    held = dict(host.placement)
    for pool in view.pools:
        for run in pool.running_on(host.spec.num_gpus).values():
            if any(held.get(node, 0) & mask for node, mask in run.placement):
                return run
    return None


def fitting(view: View, host: JobRun) -> Iterator[JobRun]:
    """Waiting jobs that could share an instance's GPUs, in the order of their queues; those that may be stopped again.

    Whether its memory fits shows only when a job allocates it; one that has failed so goes alone from then on.
    """
    for pool in view.pools:
        for _, _, run in pool.queue[:DEPTH]:
            allowed = view.guardrails.may_stop(run.base) and view.guardrails.may_pack(run.base)
            if allowed and not run.alone and shortage_beside(view.state, run.base, host.spec) is None:
                yield run
