"""MIG in a run: cutting GPUs into instances by decision, and instances that are made for a job and go with it.

Which instances can stand together is `cluster.mig`, what exists and who has what is in the state. Here is the time that
changes take. A GPU that a decision cuts is not ready until a timer says so; jobs in its other instances go on. A job
for which an instance is made holds it from its start and begins to work once it is there; so does one that gets a GPU
whose last instance has just gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from goodwatt.cluster.bitset import members
from goodwatt.cluster.mig import check_mode_change, delays, profiles
from goodwatt.cluster.mig_state import SlicedGpu, Slot, layout, repartition
from goodwatt.errors import InputError, RunError
from goodwatt.simulator.events.clock import Kind
from goodwatt.simulator.events.timers import action

if TYPE_CHECKING:
    from goodwatt.cluster.state import ClusterState
    from goodwatt.simulator.decisions import Partition
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.simulation import Simulation


def partition(sim: Simulation, decision: Partition) -> str | None:
    """Cut a GPU as decided, or say why the hardware refuses."""
    state, node, gpu = sim.state, decision.node, decision.gpu
    if not 0 <= node < len(state.capacity) or not state.up >> node & 1:
        return "the node is not up"
    if not 0 <= gpu < state.capacity[node] or state.lost_mask[node] >> gpu & 1:
        return f"{sim.cluster.nodes[node].name} has no GPU {gpu} to cut"
    there = state.slices.gpu(node, gpu)
    if there is not None and not there.ready:
        return "the GPU is being changed already"
    try:
        _cut(sim, decision, there)
    except (InputError, RunError) as error:
        return str(error)
    return None


def _cut(sim: Simulation, decision: Partition, there: SlicedGpu | None) -> None:
    state, node, gpu = sim.state, decision.node, decision.gpu
    kind = sim.cluster.kinds[sim.cluster.nodes[node].gpu_kind]
    if not profiles(kind):
        raise RunError(f"{kind.name} has no MIG, or its geometry is unknown")
    if there is None:
        check_mode_change((), processes=0 if state.free_mask[node] >> gpu & 1 else 1)
        if not decision.profiles:
            raise RunError("the GPU is not in MIG mode")
    new = repartition(kind, there.slots if there else (), decision.profiles)
    takes, mode = delays(), there is None or not decision.profiles
    seconds = mode * takes.mode_change_s + new.created * takes.create_s + new.destroyed * takes.destroy_s
    state.set_slices(node, gpu, SlicedGpu(gpu, False, new.slots))
    sim.timers.set(sim.now_s + seconds, Kind.NODE, gpu_is_cut, node, gpu)
    sim.change_all()


@action
def gpu_is_cut(sim: Simulation, node: int, gpu: int) -> None:
    """The instances that were asked for are there; a GPU without any is whole again."""
    there = sim.state.slices.gpu(node, gpu)
    if there is not None and not there.ready:
        sim.state.set_slices(node, gpu, there._replace(ready=True) if there.slots else None)
        sim.change_all()


# instances made for a job --------------------------------------------------------------------------------------------


def wait_s(sim: Simulation, run: JobRun) -> float:
    """How long a job that has just got its GPUs waits until they are as it needs them."""
    seconds = 0.0
    for node, mask in run.placement:
        for gpu in members(mask):
            ready_s = sim.resetting.pop((node, gpu), 0.0)
            seconds = max(seconds, ready_s - sim.now_s)
    return seconds + _making_s(sim, run)


def _making_s(sim: Simulation, run: JobRun) -> float:
    slots, mine = _own_slot(sim, run)
    if mine is None or mine.kept:
        return 0.0
    takes = delays()
    return takes.create_s + (takes.mode_change_s if len(slots) == 1 else 0.0)


def leave(sim: Simulation, run: JobRun) -> None:
    """A job is about to leave its instance: if that goes with it, whoever comes next waits until it is gone."""
    slots, mine = _own_slot(sim, run)
    if mine is None or mine.kept:
        return
    node, mask = run.placement[0]
    takes = delays()
    gone_s = takes.destroy_s + (takes.mode_change_s if len(slots) == 1 else 0.0)
    sim.resetting[node, mask.bit_length() - 1] = sim.now_s + gone_s


def _own_slot(sim: Simulation, run: JobRun) -> tuple[tuple[Slot, ...], Slot | None]:
    """All instances of the GPU in which a job has one, and which of them; nothing if it is not in MIG mode."""
    if run.spec.mig_profile is None:
        return (), None
    node, mask = run.placement[0]
    one = sim.state.slices.gpu(node, mask.bit_length() - 1)
    slots = one.slots if one else ()
    return slots, next((slot for slot in slots if slot.holder == run.spec.job_id), None)


# GPUs that fail ------------------------------------------------------------------------------------------------------


def forget(sim: Simulation, node: int, mask: int) -> None:
    """GPUs without jobs lose their instances: they fail."""
    for gpu in members(mask):
        if sim.state.slices.gpu(node, gpu) is not None:
            sim.state.set_slices(node, gpu, None)


def restore(sim: Simulation, node: int, mask: int) -> None:
    """GPUs that are back are cut as the cluster file says; what was decided since is forgotten."""
    facts = sim.cluster.nodes[node]
    if facts.mig:
        kind = sim.cluster.kinds[facts.gpu_kind]
        for gpu in members(mask):
            sim.state.set_slices(node, gpu, layout(kind, facts.mig, gpu))


# saving --------------------------------------------------------------------------------------------------------------


def slices_to_plain(state: ClusterState) -> list[Any]:
    """GPUs in MIG mode by node, where there are any or the cluster file has some."""
    nodes = state.cluster.nodes
    return [[i, [list(one) for one in s]] for i, s in enumerate(state.slices.of_node) if s or nodes[i].mig]


def restore_slices(state: ClusterState, plain: list[Any]) -> None:
    """Take over what `slices_to_plain` gave, who holds what included; the jobs are placed afterwards."""
    for node, gpus in plain:
        for old in state.slices.of_node[node]:
            state.set_slices(node, old.gpu, None)
        for gpu, ready, slots in gpus:
            state.set_slices(node, gpu, SlicedGpu(gpu, ready, tuple(Slot(*slot) for slot in slots)))
