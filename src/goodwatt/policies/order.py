"""The two parts of a scheduling policy: an order says what runs next, a placement says where.

Every order combines with every placement (`sjf+fgd`). Both are frozen dataclasses whose fields are the parameters
that a specification may set (`tiresias:threshold_gpu_s=3600`); their docstrings are what `goodwatt policies show`
prints, so they name the source.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from goodwatt.cluster.beside import allocate_beside
from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.simulator.acting.requests import request_of
from goodwatt.simulator.decisions import Decision, Place
from goodwatt.simulator.held import AllBut
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.policy import Memory, NoMemory
from goodwatt.simulator.view import Pool, View


class Placement(Protocol):
    """Where a job goes. Ties are broken by the lowest node index, or by the view's random numbers.

    A placement that may put a job beside another says so by `shares = True`; one that learns has `new_memory`, whose
    memory is then `view.memory` in `place`, and `observe_s` to be shown telemetry.
    """

    name: ClassVar[str]

    def place(self, job: JobRequest, state: ClusterState, view: View) -> Place | None:
        """Where to start the job in this state, which may be a what-if; None if it does not fit now."""


class Order(Protocol):
    """What runs next."""

    name: ClassVar[str]

    @property
    def oracle(self) -> bool:
        """Whether it reads true durations."""

    @property
    def preemptive(self) -> bool:
        """Whether it stops running jobs."""

    @property
    def head_only(self) -> bool:
        """Whether it never looks behind a job that does not fit."""

    def new_memory(self) -> Memory:
        """What it carries from decision to decision."""

    def queue_key(self, run: JobRun, view: View) -> Any:
        """Where a job stands in the queue."""

    def decide(self, view: View, placement: Placement) -> list[Decision]:
        """The decisions for this moment."""


@dataclass(frozen=True, slots=True)
class QueueOrder:
    """Base of orders that serve the queue by a key and stop at the first job that does not fit.

    A job that its user's or partition's quota holds back is passed over: it waits for its own people, not for GPUs.
    """

    preemptive: ClassVar[bool] = False
    head_only: ClassVar[bool] = True

    @property
    def oracle(self) -> bool:
        """No: it reads what a cluster knows."""
        return False

    def new_memory(self) -> Memory:
        """None needed."""
        return NoMemory()

    def queue_key(self, run: JobRun, view: View) -> Any:  # noqa: ARG002 - the contract of orders
        """By submission."""
        return run.spec.submit_s

    def decide(self, view: View, placement: Placement) -> list[Decision]:
        """Place from the head of each queue until a job does not fit."""
        pools = changed_pools(view)
        if not pools:
            return []
        held = HeldByQuota(view)
        with view.what_if() as state:
            return [place for pool in pools for place in serve(pool, state, view, placement, held)]


def changed_pools(view: View) -> list[Pool]:
    """Pools in which something happened and a job waits."""
    return [pool for pool in view.pools if pool.changed and pool.queue]


def serve(pool: Pool, state: ClusterState, view: View, placement: Placement, held: HeldByQuota) -> list[Place]:
    """Place jobs from the head of the queue until one does not fit.

    A placement is made in `state`, a what-if, only once another job that could fit has to be tried after it.
    """
    placed: list[Place] = []
    tried: JobRequest | None = None
    for _, _, run in queued(pool, view):
        job = run.spec
        if held(job):
            continue
        if tried is not None:
            if not (could_fit(job, state.free_gpus - _wholly_taken(tried)) or shares(placement)):
                break
            hold(tried, placed[-1], state, view)
            tried = None
        place = placement.place(job, state, view) if could_fit(job, state.free_gpus) or shares(placement) else None
        if place is None:
            break
        tried = job
        held.add(job)
        placed.append(place)
    if tried is not None and len(view.pools) > 1:  # jobs of another pool may want the same nodes
        hold(tried, placed[-1], state, view)
    return placed


def queued(pool: Pool, view: View) -> Iterable[tuple[Any, int, JobRun]]:
    """The queue; only who is free where a power policy holds back all others."""
    if not isinstance(view.held, AllBut):
        return pool.queue
    runs = (view.waiting(job_id) for job_id in view.held.free)
    return sorted(entry for run in runs if run and (entry := (run.key, run.sequence, run)) in pool.queue)


def _wholly_taken(job: JobRequest) -> int:
    """GPUs that are certainly no longer free once the job is placed; a share may go to a started one."""
    return job.num_gpus if job.gpu_milli == WHOLE_GPU_MILLI else 0


def could_fit(job: JobRequest, free_gpus: int) -> bool:
    """Whether so many wholly free GPUs may be enough; a share of a GPU may fit without any."""
    return job.num_gpus <= free_gpus or job.gpu_milli < WHOLE_GPU_MILLI


def shares(placement: Placement) -> bool:
    """Whether it may place a job where no GPU is free, beside another."""
    return getattr(placement, "shares", False)


def hold(job: JobRequest, place: Place, state: ClusterState, view: View) -> None:
    """Make a placement in a what-if; DoesNotFitError if it cannot be made."""
    if place.beside is None:
        state.allocate(request_of(job, place), place.nodes, place.gpus)
    else:
        allocate_beside(state, job, view.run(place.beside).spec)


class HeldByQuota:
    """Whether a quota holds a job back, counting what this round has placed already, or a power policy does.

    So does somebody who has waited too long and to whom all nodes belong that it could use.
    """

    def __init__(self, view: View) -> None:
        self._quotas = view.quotas and view.quotas.copy()
        self._held = view.held
        self._view = view

    def __call__(self, job: JobRequest) -> bool:
        """Whether a waiting job has to wait whatever is free."""
        return job.job_id in self._held or self.by_quota(job) or (bool(self._view.kept) and self._by_late(job))

    def _by_late(self, job: JobRequest) -> bool:
        view = self._view
        return job.job_id != view.late and not view.state.eligible(job).nodes & ~view.kept

    def by_quota(self, job: JobRequest) -> bool:
        """Whether its user has no quota left for the job, waiting or running."""
        return self._quotas is not None and self._quotas.excess(job) is not None

    def add(self, job: JobRequest, sign: int = 1) -> None:
        """A job was placed (1) or stopped (-1) in this round."""
        if self._quotas is not None:
            self._quotas.add(job, sign)
