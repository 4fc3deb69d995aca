"""What one simulated run leaves behind, in memory: the same columns that the files of `--out` hold."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from goodwatt.simulator.jobs.job_run import EXCLUSIVE

Summary = dict[str, Any]


class Occupancy(NamedTuple):
    """One stay of a job on one node, for drawing and explaining; `gpus` is a bit mask over the node's GPUs.

    `sharing`, `clock_mhz` and `cap_w` as they were last set, None being the board's own choice, and `why` by whom set
    them; `ended`: how the stay ended, empty if it has not.
    """

    job: int
    node: int
    gpus: int
    start_s: float
    end_s: float
    sharing: str = EXCLUSIVE
    clock_mhz: float | None = None
    cap_w: float | None = None
    why: str = ""
    ended: str = ""


@dataclass(frozen=True, slots=True)
class JobColumns:
    """One entry per job of the trace, in its order; None where something never happened.

    `state` is finished, running, waiting, refused (it fits no node) or unsubmitted (the run was stopped before).
    `work_gpu_s` is reference GPU-seconds done and not lost; `energy_j` None where a GPU kind has no known power, and
    `lost_energy_j` the part of it that went into work that was lost. `workload` and `reference_gpu` as the run had
    them, `sharing` and `clock_mhz` as they were last set, None being the board's own choice of clock. `waited_for`:
    what last kept it waiting where there were GPUs for it, empty if nothing did. `lost_s` holds a column for each of
    `lost_time.PARTS`: where the job's wall time went.
    """

    job_id: list[str]
    user: list[str | None]
    partition: list[str | None]
    num_gpus: list[int]
    submit_s: list[float]
    start_s: list[float | None]
    end_s: list[float | None]
    queueing_s: list[float | None]
    preemptions: list[int]
    nodes: list[str]
    work_gpu_s: list[float]
    lost_work_gpu_s: list[float]
    energy_j: list[float | None]
    state: list[str]
    workload: list[str | None] = field(default_factory=list)
    reference_gpu: list[str | None] = field(default_factory=list)
    sharing: list[str] = field(default_factory=list)
    clock_mhz: list[float | None] = field(default_factory=list)
    failures: Sequence[int] = ()
    lost_energy_j: Sequence[float] = ()
    gpu_milli: Sequence[int] = ()
    waited_for: Sequence[str] = ()
    lost_s: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The cluster over time: row i holds from t_s[i] to t_s[i + 1], the last row is how the run ended.

    `power_w` is `gpu_w`, `host_w`, `loss_w` and what nodes draw that sleep; `asleep_nodes` counts those, and those that
    fall asleep or wake. `budget_w` holds until the first of `budget_steps`, (second, watts).
    """

    t_s: list[float]
    queued: list[int]
    running: list[int]
    busy_gpus: list[float]
    power_w: list[float]
    budget_w: float | None = None
    gpu_w: Sequence[float] = ()
    host_w: Sequence[float] = ()
    loss_w: Sequence[float] = ()
    asleep_nodes: Sequence[int] = ()
    budget_steps: tuple[tuple[float, float], ...] = ()

    def budgets_w(self) -> list[float | None]:
        """The budget at each of `t_s`."""
        since = [from_s for from_s, _ in self.budget_steps]
        watts = [self.budget_w, *(watts for _, watts in self.budget_steps)]
        return [watts[bisect_right(since, time_s)] for time_s in self.t_s]


class InstanceName(NamedTuple):
    """An instance of a service: it holds GPUs as a job does, and is none; `service` is its name."""

    job_id: str
    service: str
    num_gpus: int
    user: str | None
    partition: str | None


@dataclass(frozen=True, slots=True)
class ServiceResult:
    """A service after a run: `facts` are its row of services.csv, `timeline` its columns of services_timeline.csv.

    `limits_s`: what is promised of TTFT, TPOT and latency, None where nothing is.
    """

    name: str
    facts: Mapping[str, Any]
    timeline: Mapping[str, Sequence[Any]]
    limits_s: tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class RunResult:
    """One policy on one window of one trace with one seed.

    `policy`, `power` and `service_policy` (empty without services) are the specifications as the user wrote
    them, `oracle` says that one of them saw the truth or that there was nothing hidden to see. `window` is a label such
    as "1/3". `summary` holds the fields of summary.json. `node_names[i]` is the name of node i, as `occupancy` counts
    them; occupancy is empty when the run was not recorded for drawing. Its jobs beyond those of `jobs` are `instances`
    of services.
    """

    policy: str
    oracle: bool
    cluster: str
    window: str
    seed: int
    summary: Summary
    jobs: JobColumns
    timeline: Timeline
    node_names: list[str]
    gpus_per_node: list[int]
    occupancy: list[Occupancy] = field(default_factory=list)
    power: str = "default"
    service_policy: str = ""
    instances: Sequence[InstanceName] = ()
    services: Sequence[ServiceResult] = ()
