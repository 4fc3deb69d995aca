"""What placements mean in speed and watts: the contract between the simulation and its physics, and the ideal one.

The simulation tells the physics what happened (a job got GPUs, left them, has other clocks; a node came, went, fell
asleep) and gets back the jobs that go on at another rate or power. Which physics it is decides `--physics`: `ideal`
here, `full` in `physics.full`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from goodwatt.cluster.state import ClusterState
from goodwatt.power.gpu.idle_active import IdleActivePower
from goodwatt.simulator.jobs.elastic import doubling
from goodwatt.simulator.jobs.job_run import JobRun

if TYPE_CHECKING:
    from goodwatt.power.telemetry.counters import Counters


FALLING, ASLEEP, WAKING = "falling asleep", "asleep", "waking"
"""Stages of a node's sleep, as `View.asleep` shows them."""


class ClusterPower(NamedTuple):
    """Watts of the cluster at an instant, by where they go; their sum is the IT power.

    `idle_w`: GPUs that nobody holds; `held_w`: idle and context power of GPUs that jobs hold; `sm_w`, `dram_w`: what
    their work adds; `host_w`: CPUs, fans, network cards; `loss_w`: power supplies and distribution inside the rack;
    `asleep_w`: nodes that sleep; while they fall asleep and wake up they count as hosts.
    """

    idle_w: float = 0.0
    held_w: float = 0.0
    sm_w: float = 0.0
    dram_w: float = 0.0
    host_w: float = 0.0
    loss_w: float = 0.0
    asleep_w: float = 0.0

    @property
    def gpu_w(self) -> float:
        """All GPUs that are awake."""
        return self.idle_w + self.held_w + self.sm_w + self.dram_w


class JobPoint(NamedTuple):
    """How a running job goes on: work per second on each GPU, and the watts of its GPUs (None: unknown).

    `slow`: how many times longer it takes because of clocks and caps, of neighbours, and of communication over more
    than the best wires; empty if the physics knows of nothing of the kind.
    """

    rate: float
    power_w: float | None
    slow: tuple[float, ...] = ()


Change = tuple[JobRun, JobPoint]


class Physics(Protocol):
    """Speeds and watts that follow from placements and settings.

    `changes` names the jobs whose point is another since the last call, the job just placed among them.
    """

    gpus_without_energy: int
    limits_memory: bool
    """Whether jobs that share a GPU may fail for want of memory."""

    def placed(self, run: JobRun) -> None:
        """A job has got its GPUs (`run.placement`)."""

    def left(self, run: JobRun) -> None:
        """A job is about to leave its GPUs."""

    def reset(self, run: JobRun) -> None:
        """A running job has other clocks or caps."""

    def pause(self, run: JobRun, on: bool) -> bool:
        """A running job does not compute, or does again; False, and nothing has happened, if that changes nothing."""

    def paused(self, job_id: str) -> bool:
        """Whether a running job does not compute."""

    def set_node(self, node: int, mode: str) -> None:
        """A node is "on", "off" or at a stage of sleep from now on; no job runs on one that is not on."""

    def fits_memory(self, run: JobRun) -> bool:
        """Whether a job finds its device memory beside those who came to its GPUs before it."""

    def checkpoint_mib(self, run: JobRun) -> float:
        """Size of a checkpoint of the whole job; 0 if it costs nothing."""

    def changes(self) -> Sequence[Change]:
        """Jobs that go on differently from now on."""

    def forget(self, run: JobRun) -> None:
        """A job has ended for good."""

    def counters(self, run: JobRun) -> Counters | None:
        """What the sensors of a running job's GPUs show, without noise; None if nothing can be told of it alone."""

    def power(self) -> ClusterPower:
        """Watts now."""

    def held_mhz(self, run: JobRun) -> Mapping[str, float]:
        """By GPU kind the lowest clock of a running job's GPUs, as a mean over its phases; what it knows of them."""

    def clocks(self) -> tuple[float, int]:
        """(sum of SM clocks in MHz over the GPUs that jobs hold, how many these are); (0, 0) if it knows of none."""

    def copy(self, state: ClusterState, live: dict[str, JobRun]) -> Self:
        """The same over copies of the state and of the jobs."""


class IdealPhysics:
    """Every job runs at its traced speed, or as its size makes it; a GPU draws its idle or its active power.

    It does not know what jobs do to each other that hold the same GPUs whole: each runs at full speed and is charged
    their whole power, which the cluster draws once. Studies of sharing need full physics.
    """

    limits_memory = False

    def __init__(self, state: ClusterState) -> None:
        self._state = state
        self._watts = IdleActivePower(state)
        self._placed: list[Change] = []
        self.gpus_without_energy = self._watts.gpus_without_energy

    def placed(self, run: JobRun) -> None:
        """Its power counts from now on."""
        rate = doubling(run.asked)(run.spec.num_gpus) if run.resized else 1.0
        self._placed.append((run, JobPoint(rate, self._watts.job_watts(run.placement, run.spec.gpu_milli))))

    def left(self, run: JobRun) -> None:
        """Nobody else notices."""

    def reset(self, run: JobRun) -> None:
        """Clocks change nothing here."""

    def pause(self, run: JobRun, on: bool) -> bool:  # noqa: ARG002 - the contract
        """Its GPUs draw the same."""
        return False

    def paused(self, job_id: str) -> bool:  # noqa: ARG002 - the contract
        """It knows of no such jobs."""
        return False

    def set_node(self, node: int, mode: str) -> None:
        """A node that takes no jobs draws nothing; the state counts it."""

    def fits_memory(self, run: JobRun) -> bool:  # noqa: ARG002 - the contract
        """It always does."""
        return True

    def checkpoint_mib(self, run: JobRun) -> float:  # noqa: ARG002 - the contract
        """Writing costs nothing here."""
        return 0.0

    def changes(self) -> Sequence[Change]:
        """The jobs just placed."""
        placed, self._placed = self._placed, []
        return placed

    def forget(self, run: JobRun) -> None:
        """Nothing is kept of jobs."""

    def counters(self, run: JobRun) -> Counters | None:  # noqa: ARG002 - the contract
        """There are no sensors."""
        return None

    def power(self) -> ClusterPower:
        """GPU power stands whole under `held_w`: this physics does not tell idle from busy."""
        gpu_w, host_w = self._watts.watts(self._state.up_nodes, self._state.used_milli)
        return ClusterPower(held_w=gpu_w, host_w=host_w)

    def held_mhz(self, run: JobRun) -> Mapping[str, float]:  # noqa: ARG002 - the contract
        """There are no clocks."""
        return {}

    def clocks(self) -> tuple[float, int]:
        """There are no clocks."""
        return 0.0, 0

    def copy(self, state: ClusterState, live: dict[str, JobRun]) -> Self:  # noqa: ARG002 - no job is kept here
        """The tables are facts and shared."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, _state=state, _placed=[])
        return twin
