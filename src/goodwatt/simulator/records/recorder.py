"""What is written down during a run: integrals of power and use, the timeline, and each job's fate.

`advance(now)` is called before the state changes; it accounts for the time since the last change with the use that
held then, so every integral is exact. Totals are summed in the order of events, the same in every run.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, replace

from goodwatt.cluster.job import WHOLE_GPU_MILLI
from goodwatt.cluster.state import ClusterState, Placement
from goodwatt.simulator.jobs.job_run import EXCLUSIVE, JobRun
from goodwatt.simulator.jobs.lost_time import LOST
from goodwatt.simulator.physics.contract import ClusterPower, Physics
from goodwatt.simulator.records.result import Occupancy

NEVER = float("nan")
LOST_WIDTH = 1 + len(LOST)
"""Numbers that say where a job's time went: the wall time and each part of it that was lost."""


@dataclass(slots=True)
class Totals:
    """Integrals since the beginning; joules by where they went as in `physics.contract.ClusterPower`.

    `facility_j` is IT with cooling and losses of the site, `cost` and `co2_g` what that comes to in money and grams, 0
    where the run has no series of them. `clock_mhz_s` is the clock of GPUs that jobs hold times how long they hold
    them, `clocked_s` that time; both stay 0 where the physics knows of no clocks. `queued_s` is time in which a job
    waited, `split_s` the integral over that time of the share of free GPUs that lie on nodes in partial use
    (fragmentation). `work_gpu_s` is filled in when the totals are read.
    """

    idle_j: float = 0.0
    held_j: float = 0.0
    sm_j: float = 0.0
    dram_j: float = 0.0
    host_j: float = 0.0
    loss_j: float = 0.0
    asleep_j: float = 0.0
    asleep_node_s: float = 0.0
    facility_j: float = 0.0
    cost: float = 0.0
    co2_g: float = 0.0
    busy_gpu_s: float = 0.0
    clock_mhz_s: float = 0.0
    clocked_s: float = 0.0
    over_budget_s: float = 0.0
    queued_s: float = 0.0
    split_s: float = 0.0
    peak_w: float = 0.0
    work_gpu_s: float = 0.0
    lost_gpu_s: float = 0.0
    ended: int = 0
    time_s: float = 0.0

    @property
    def gpu_j(self) -> float:
        """Energy of all GPUs that were awake."""
        return self.idle_j + self.held_j + self.sm_j + self.dram_j

    @property
    def it_j(self) -> float:
        """Energy of everything that is plugged into the racks."""
        return self.gpu_j + self.host_j + self.loss_j + self.asleep_j


class Recorder:
    """Columns by job index (NaN: never happened or unknown), the timeline, and the running totals.

    `lost_s` holds LOST_WIDTH numbers a job, as `LostTime.to_plain` has them, `more_gpu_s` [job, its `more_gpu_s`] for
    those that held another number of GPUs than they asked for.
    """

    def __init__(self, jobs: int, start_s: float, budget_w: float | None, draw: bool) -> None:
        self.start_s = array("d", [NEVER]) * jobs
        self.end_s = array("d", [NEVER]) * jobs
        self.work_gpu_s = array("d", [0.0]) * jobs
        self.lost_gpu_s = array("d", [0.0]) * jobs
        self.energy_j = array("d", [0.0]) * jobs
        self.preemptions = array("l", [0]) * jobs
        self.job_failures = array("l", [0]) * jobs
        self.lost_s = array("d", [0.0]) * (jobs * LOST_WIDTH)
        self.more_gpu_s: list[tuple[int, list[float]]] = []
        self.lost_j = array("d", [0.0]) * jobs
        self.clock_mhz = array("d", [NEVER]) * jobs
        self.sharing = [EXCLUSIVE] * jobs
        self.waited_for = [""] * jobs
        self.failures = 0
        self.most_jobs_per_gpu = 1
        self.nodes: list[Placement] = [()] * jobs
        self.times = array("d")
        self.queued = array("l")
        self.running = array("l")
        self.busy = array("d")
        self.power = array("d")
        self.gpu = array("d")
        self.host = array("d")
        self.loss = array("d")
        self.asleep = array("l")
        self.occupancy: list[Occupancy] | None = [] if draw else None
        self.totals = Totals(time_s=start_s)
        self.marks: dict[str, Totals] = {}
        self.dirty = True
        self.set_budget(budget_w)
        self.last_s = start_s
        self._parts: tuple[float, ...] = ClusterPower()
        self._watts = self._busy = self._gpu_w = self._clock_mhz = 0.0
        self._clocked = 0

    def advance(
        self, now_s: float, state: ClusterState, physics: Physics, queued: int, running: int, asleep: int = 0
    ) -> None:
        """Account for the time from `last_s` up to now, in which nothing changed."""
        last, totals = self.last_s, self.totals
        elapsed = now_s - last
        if self.dirty:
            self._parts = parts = physics.power()
            self._gpu_w = parts.gpu_w
            self._clock_mhz, self._clocked = physics.clocks()
            self._busy = sum(state.used_milli) / WHOLE_GPU_MILLI
            self._watts = sum(self._parts)
            totals.peak_w = max(totals.peak_w, self._watts)
            self.dirty = False
        self.times.append(last)
        self.queued.append(queued)
        self.running.append(running)
        self.busy.append(self._busy)
        self.power.append(self._watts)
        self.gpu.append(self._gpu_w)
        self.asleep.append(asleep)
        idle, held, sm, dram, host, loss, standby = self._parts
        self.host.append(host)
        self.loss.append(loss)
        totals.idle_j += idle * elapsed
        totals.held_j += held * elapsed
        totals.sm_j += sm * elapsed
        totals.dram_j += dram * elapsed
        totals.host_j += host * elapsed
        totals.loss_j += loss * elapsed
        totals.asleep_j += standby * elapsed
        if asleep:
            totals.asleep_node_s += asleep * elapsed
        totals.busy_gpu_s += self._busy * elapsed
        if self._clocked:
            totals.clock_mhz_s += self._clock_mhz * elapsed
            totals.clocked_s += self._clocked * elapsed
        if self._watts > self._budget_w:
            totals.over_budget_s += elapsed
        if queued:
            totals.queued_s += elapsed
            free = state.free_gpus
            if free:
                totals.split_s += elapsed * (free - state.whole_node_gpus) / free
        self.last_s = now_s

    def set_budget(self, budget_w: float | None) -> None:
        """Time above this counts as over budget from now on."""
        self._budget_w = math.inf if budget_w is None else budget_w

    def mark(self, name: str, now_s: float, live: list[JobRun]) -> None:
        """Keep the totals as they are now, work of the running jobs included."""
        totals = replace(self.totals, time_s=now_s)
        totals.work_gpu_s += math.fsum(run._truth.work_gpu_s for run in live)
        totals.lost_gpu_s += math.fsum(run._truth.lost_gpu_s for run in live)
        self.marks[name] = totals
        if name == "warm-up":
            self.totals.peak_w, self.dirty = 0.0, True

    def shared(self, jobs: int) -> None:
        """So many jobs hold a GPU whole at once."""
        self.most_jobs_per_gpu = max(self.most_jobs_per_gpu, jobs)

    def stay(self, run: JobRun, now_s: float, ended: str) -> None:
        """A job leaves its GPUs, for good or not."""
        if self.occupancy is not None:
            self.occupancy += _stays(run, now_s, ended)

    def job(self, run: JobRun, end_s: float = NEVER) -> None:
        """Write down how far a job came; once when it ends, or for those still alive when the run ends."""
        i, truth = run.index, run._truth
        self.start_s[i] = NEVER if run.start_s is None else run.start_s
        self.end_s[i] = end_s
        self.work_gpu_s[i] = truth.work_gpu_s
        self.lost_gpu_s[i] = truth.lost_gpu_s
        self.energy_j[i] = NEVER if truth.energy_j is None else truth.energy_j
        self.preemptions[i] = run.preemptions
        self.job_failures[i] = run.failures
        self.lost_s[i * LOST_WIDTH : (i + 1) * LOST_WIDTH] = array("d", truth.lost.to_plain())
        if truth.lost.more_gpu_s is not None:
            self.more_gpu_s.append((i, truth.lost.more_gpu_s[:]))
        self.lost_j[i] = truth.lost_j
        self.clock_mhz[i] = NEVER if run.clock_mhz is None else run.clock_mhz
        self.sharing[i] = run.sharing
        self.waited_for[i] = run.waits_for
        self.nodes[i] = run.placement

    def ended(self, run: JobRun, now_s: float) -> None:
        """A job is done."""
        self.stay(run, now_s, "finished")
        self.job(run, now_s)
        self.totals.work_gpu_s += run._truth.work_gpu_s
        self.totals.lost_gpu_s += run._truth.lost_gpu_s
        self.totals.ended += 1

    def close(self, now_s: float, live: list[JobRun]) -> None:
        """Write down the jobs still alive, and the totals."""
        for run in live:
            self.job(run)
        self.mark("end", now_s, live)

    def stays(self, now_s: float, live: list[JobRun]) -> list[Occupancy]:
        """Where each job ran, those that still run up to now; empty if that is not kept."""
        if self.occupancy is None:
            return []
        return [*self.occupancy, *(stay for run in live for stay in _stays(run, now_s, ""))]

    def copy(self) -> Recorder:
        """An independent copy."""
        twin = object.__new__(Recorder)
        for name, value in self.__dict__.items():
            twin.__dict__[name] = value[:] if isinstance(value, array | list) else value
        twin.totals = replace(self.totals)
        twin.marks = dict(self.marks)
        return twin


def _stays(run: JobRun, now_s: float, ended: str) -> list[Occupancy]:
    """Where a job is now, node by node."""
    setting = run.sharing, run.clock_mhz, run.cap_w, run.why
    return [Occupancy(run.index, node, mask, run.started_s, now_s, *setting, ended) for node, mask in run.placement]
