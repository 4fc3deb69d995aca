"""What a decision may ask for: what boards take, and what the guardrails leave of it.

The executor asks here before it carries out anything. How fast a cap makes a job shows later, see `slowest_clock`; who
has waited too long is known to `longest_wait`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from goodwatt.cluster.bitset import bitset
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.state import DoesNotFitError, NodeCounts, Placement
from goodwatt.simulator import nodes
from goodwatt.simulator.acting import longest_wait
from goodwatt.simulator.acting.requests import MIG
from goodwatt.simulator.decisions import KEPT, Migrate, Place, Preempt, Resize
from goodwatt.simulator.jobs.job_run import EXCLUSIVE, JobRun
from goodwatt.simulator.power import power_control

if TYPE_CHECKING:
    from goodwatt.simulator.simulation import Simulation

SHARING = ("timeslice", "mps")
"""How a job may share whole GPUs with others."""

Wish = tuple[float | None, float | None]
"""A clock to lock and a cap; None leaves the default."""


def setting(sim: Simulation, run: JobRun, others: Sequence[JobRun], wish: Wish, where: NodeCounts | Placement) -> Wish:
    """What is set for a job on these nodes: its wish, within the guardrails of all jobs on the GPUs.

    All kinds of a gang get the same, as near to it as each can. DoesNotFitError for a clock that is none and for a cap
    that all of its boards refuse.
    """
    clock_mhz, cap_w = wish
    if (clock_mhz is None and cap_w is None) or not run.base.num_gpus:
        return None, None
    guardrails, kinds = sim.options.guardrails, kinds_of(sim, where)
    if clock_mhz is not None and not 0 < clock_mhz < math.inf:
        raise DoesNotFitError(f"expected a clock above 0 MHz, got {clock_mhz:g}")
    if cap_w is not None:
        ranges = [(kind.min_cap_w or 0.0, kind.max_cap_w or math.inf) for kind in kinds] or [(0.0, math.inf)]
        if not 0 < cap_w < math.inf or not any(least_w <= cap_w <= most_w for least_w, most_w in ranges):
            least_w, most_w = ranges[0]
            raise DoesNotFitError(f"the boards take caps from {least_w:g} to {most_w:g} W, got {cap_w:g}")
    if not all(guardrails.may_slow(one.base) for one in (run, *others)):
        return None, None
    return None if clock_mhz is None else max(clock_mhz, guardrails.slowest_mhz(kinds)), cap_w


def neighbours(sim: Simulation, run: JobRun) -> Sequence[JobRun]:
    """The jobs with which a running one shares its GPUs, itself among them, as far as a guardrail asks about them."""
    return nodes.together(sim, run) if sim.options.guardrails.protected else (run,)


def elsewhere(sim: Simulation, run: JobRun, step: Migrate | Resize, others: Sequence[JobRun] = ()) -> Wish:
    """The setting with which a job goes on where it is moved to; a cap that goes along, as far as boards there take it.

    DoesNotFitError for a new clock that is none and for a new cap that all of the boards refuse.
    """
    clock_mhz = run.clock_mhz if step.clock_mhz == KEPT else step.clock_mhz
    if step.cap_w != KEPT:
        return setting(sim, run, others, (clock_mhz, step.cap_w), step.nodes)
    try:
        return setting(sim, run, others, (clock_mhz, run.cap_w), step.nodes)
    except DoesNotFitError:
        return setting(sim, run, others, (clock_mhz, None), step.nodes)


def free_clocks(sim: Simulation, run: JobRun, others: Sequence[JobRun]) -> None:
    """Clocks and caps of these jobs are taken back for one that comes to their GPUs and is protected from them.

    DoesNotFitError if there is no power for that.
    """
    if not others or sim.options.guardrails.may_slow(run.base):
        return
    for other in others:
        if other.clock_mhz or other.cap_w or other.command:
            sim.timers.cancel(other.command)
            other.command = 0
            if not power_control.set_now(sim, other, None, None):
                raise DoesNotFitError(f"there is no power to raise the clock of {other.spec.job_id} beside it")
    sim.follow()


def check_sharing(sim: Simulation, run: JobRun, decision: Place, others: Sequence[JobRun]) -> None:
    """DoesNotFitError where a job would share GPUs with others as it cannot, or as somebody is protected from."""
    if decision.sharing not in {None, EXCLUSIVE, MIG, *SHARING} or not 0 < decision.thread_percent <= 100:
        raise DoesNotFitError(
            f"expected sharing by {', '.join(SHARING)} or {MIG} with 0 to 100% of the threads, "
            f"got {decision.sharing} with {decision.thread_percent:g}%"
        )
    if run.alone and (others or decision.profile is not None):
        raise DoesNotFitError("the job did not find the memory that it needs when it shared a GPU")
    guardrails, job = sim.options.guardrails, run.base
    in_slice = decision.sharing == MIG and job.mig_profile is None
    for one in (job, *(other.base for other in others)) if others or in_slice else ():
        if not guardrails.may_pack(one):
            raise DoesNotFitError(f"{one.job_id} is protected from sharing its GPUs")
    if not guardrails.may_limit(decision.thread_percent):
        raise DoesNotFitError(
            f"{decision.thread_percent:g}% of the threads may slow it by more than a guardrail allows"
        )
    limited = decision.thread_percent < 100 or any(o.clock_mhz or o.cap_w or o.command for o in others)
    if limited and not guardrails.may_slow(job):
        raise DoesNotFitError(f"{job.job_id} is protected from slow clocks and limits of threads")


def may_take_away(sim: Simulation, step: Preempt | Migrate, run: JobRun) -> bool:
    """Whether a running job may be stopped, or moved. One that has waited as long as it may is not made to wait."""
    guardrails = sim.options.guardrails
    if too_soon(sim, run):
        return False
    if isinstance(step, Migrate):
        return guardrails.may_move(run.base)
    return guardrails.may_stop(run.base) and not run.waited_enough


def too_soon(sim: Simulation, run: JobRun) -> bool:
    """Whether a running job has not run as long as it may before anything happens to it."""
    return sim.now_s < sim.options.guardrails.left_alone_until_s(run.started_s)


def goes_first(sim: Simulation, where: int, run: JobRun | None = None) -> str | None:
    """Why nothing of these nodes is for this job, or anybody, while somebody waits who has waited too long."""
    if sim.late and longest_wait.kept_free(sim, run) & where:
        return "somebody who has waited too long goes first"
    return None


def given(sim: Simulation, decision: Place | Migrate) -> int:
    """The nodes on which a decision gives a job something."""
    host = sim.live.get(decision.beside) if isinstance(decision, Place) and decision.beside else None
    return bitset(node for node, _ in (host.placement if host else decision.nodes) if node >= 0)


def added(run: JobRun, decision: Resize) -> int:
    """The nodes on which a gang would get more than it has."""
    held = {node: mask.bit_count() for node, mask in run.placement}
    return bitset(node for node, count in decision.nodes if node >= 0 and count > held.get(node, 0))


def kinds_of(sim: Simulation, where: NodeCounts | Placement) -> list[GpuKind]:
    """The kinds of GPUs on these nodes, as far as there are such nodes."""
    cluster = sim.cluster
    names = dict.fromkeys(cluster.nodes[node].gpu_kind for node, _ in where if 0 <= node < len(cluster.nodes))
    return [cluster.kinds[name] for name in names]
