"""Jobs that have waited as long as a guardrail allows are served before all others, whatever the policy decides.

All waits of a job count together. Once they reach `max_wait_s` it is late, and until it has been placed nobody else
gets anything on a node where it could run: no placement, no move, no larger gang, no MIG instance, no sleep. The policy
may place it itself; if it has not, the executor does, on the first nodes that fit. Late jobs go by submission.

A user's quota comes before the promise: who is over it is not late for others. So do failures and budgets: a job whose
GPUs are not there, or that would not have its power whoever else ran, holds nobody up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from goodwatt.cluster.bitset import first, members
from goodwatt.cluster.gang import gang_nodes
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.mig_state import layout
from goodwatt.cluster.state import ClusterState, NodeCounts
from goodwatt.simulator import nodes, partitions
from goodwatt.simulator.decisions import Partition
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.events.timers import action
from goodwatt.simulator.power import power_control

if TYPE_CHECKING:
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.simulation import Simulation


def watch(sim: Simulation, run: JobRun) -> None:
    """A job waits, for the first time or again: it will be late at some time."""
    limit_s = sim.options.guardrails.max_wait_s
    if limit_s is not None:
        run._truth.due_s = run.since_s + max(limit_s - run._truth.lost.queue_s, 0.0)
        sim.timers.set(run._truth.due_s, Kind.WAKE, is_late, run.spec.job_id, run._truth.due_s)


@action
def is_late(sim: Simulation, job_id: str, due_s: float) -> None:
    """A job that still waits has waited too long."""
    run = sim.live.get(job_id)
    if run is not None and not run.placement and run._truth.due_s == due_s:
        sim.late.add((run.index, job_id))
        sim.change_pool_of(run)


def kept_free(sim: Simulation, run: JobRun | None = None) -> int:
    """The nodes that are for late jobs that come before this one."""
    found, everything = 0, (1 << len(sim.cluster.nodes)) - 1
    for late in _late(sim, sim.late):
        if late is run or found == everything:
            break
        found |= sim.state.eligible(late.base).nodes
    return found


def show(sim: Simulation) -> None:
    """Let policies see who goes first, and on which nodes."""
    view, first_late = sim.view, next(_late(sim, sim.late), None) if sim.late else None
    view.late = None if first_late is None else first_late.spec.job_id
    view.kept = 0 if first_late is None else kept_free(sim)


def serve(sim: Simulation) -> bool:
    """Place late jobs that fit, and wake nodes for those that do not; whether any was placed."""
    served, taken, everything = False, 0, (1 << len(sim.cluster.nodes)) - 1
    for run in _late(sim, tuple(sim.late)):
        where = first_fit(run.base, sim.state, ~taken)
        if where is not None and sim.executor.start_late(run, where):
            served = True
            continue
        usable = sim.state.eligible(run.base).nodes
        _wake(sim, run.base, usable & ~taken)
        _make_whole(sim, usable & ~taken)
        taken |= usable
        if taken == everything:
            break
    return served


def first_fit(job: JobRequest, state: ClusterState, among: int = -1) -> NodeCounts | None:
    """The first node that holds the job now, or nodes for a gang; None if it does not fit."""
    found = 0
    for _, fitting in state.single_node(job):
        found |= fitting & among
    if found:
        return ((first(found), job.num_gpus),)
    return gang_nodes(job, state, among) if job.num_gpus > 1 else None


def _late(sim: Simulation, late: Iterable[tuple[int, str]]) -> Iterator[JobRun]:
    """Of these late jobs those that only the policy keeps waiting."""
    for _, job_id in late:
        run = sim.live[job_id]
        allowed = sim.quotas is None or sim.quotas.excess(run.base) is None
        if allowed and _there(sim, run.base) and _fed(sim, run):
            yield run


def _there(sim: Simulation, job: JobRequest) -> bool:
    """Whether the nodes that a job may use have its GPUs, held by others or asleep perhaps, but not broken."""
    state, gpus = sim.state, 0
    for node in members(state.eligible(job).nodes):
        if state.up >> node & 1 or (node in sim.asleep and sim.away[node] == 1):
            gpus += state.capacity[node] - state.lost_mask[node].bit_count()
            if gpus >= max(job.num_gpus, 1) or not job.num_gpus:
                return True
    return False


def _fed(sim: Simulation, run: JobRun) -> bool:
    """Whether a job would have power on nodes of one kind if nobody else ran; looked at once while the limits stay."""
    book = sim.book
    if book is None or not run.base.num_gpus:
        return True
    known = run.spec.job_id, tuple(book.limit_uw)
    if known not in book.fed:
        plan, cluster = book.plan(sim.state.placements), sim.cluster
        found: dict[str, list[int]] = {}
        for node in members(sim.state.eligible(run.base).nodes):
            found.setdefault(cluster.nodes[node].gpu_kind, []).append(node)
        ways = [(_first(run.base.num_gpus, some, sim), cluster.kinds[kind]) for kind, some in found.items()]
        book.fed[known] = any(where and not plan.shortage(where, _least_w(sim, run, kind)) for where, kind in ways)
    return book.fed[known]


def _first(gpus: int, nodes: Sequence[int], sim: Simulation) -> NodeCounts:
    """So many GPUs on the first of these nodes; none if they have not got as many."""
    counts = []
    for node in nodes:
        if gpus > 0:
            counts.append((node, min(gpus, sim.cluster.nodes[node].gpus)))
            gpus -= counts[-1][1]
    return tuple(counts) if gpus <= 0 else ()


def _least_w(sim: Simulation, run: JobRun, kind: GpuKind) -> float:
    """The lowest cap under which a job may run."""
    slowed = sim.options.guardrails.may_slow(run.base)
    return float((kind.min_cap_w if slowed else kind.max_w) or kind.max_w or 0.0)


def _make_whole(sim: Simulation, usable: int) -> None:
    """Cut idle GPUs again as the cluster file does, mostly not at all, where a policy has cut them otherwise."""
    for node in members(usable & sim.state.up):
        facts = sim.cluster.nodes[node]
        kind = sim.cluster.kinds[facts.gpu_kind]
        for one in sim.state.slices.of_node[node]:
            file = layout(kind, facts.mig, one.gpu).slots if facts.mig else ()
            kept = tuple(slot.profile for slot in file)
            idle = one.ready and not any(slot.holder for slot in one.slots)
            if idle and sorted(kept) != sorted(slot.profile for slot in one.slots):
                partitions.partition(sim, Partition(node, one.gpu, kept))


def _wake(sim: Simulation, job: JobRequest, usable: int) -> None:
    """Wake sleeping nodes with as many GPUs as the job wants, those that wake already included."""
    waking = sum(sim.state.capacity[n] for n, how in sim.asleep.items() if usable >> n & 1 and how == nodes.WAKING)
    for node in sorted(n for n, how in sim.asleep.items() if usable >> n & 1 and how == nodes.ASLEEP):
        if waking >= max(job.num_gpus, 1):
            return
        power_control.wake(sim, node)
        waking += sim.state.capacity[node]
