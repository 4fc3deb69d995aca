"""How far a live job is, in truth: remaining work and a rate that is constant between changes.

Progress is settled lazily: `settle` moves what the rate has done since the last time out of what remains. Overhead
(restarting after a preemption) is paid first, at rate 1, and is no work. Policies see `JobRun` and never this.
"""

from __future__ import annotations

import math

from goodwatt.cluster.job import Job
from goodwatt.simulator.jobs.lost_time import NONE, STOPPED, LostTime, Slowdowns
from goodwatt.simulator.settings.checkpointing import lost_work_s


class Progress:
    """The truth about one live job; only the simulation reads and writes it.

    `job` is the traced job, `gpus` what it asked for: its duration holds for those. `remaining_s` is work at rate 1,
    `overhead_s` what it has to wait through first; it holds its GPUs for `lag_s` after its work is done and, as things
    are, until `end_s`. The last orderly stop has saved `saved_s` of its work.
    `rate` is `pace`, what the physics says, less the checkpoints (one of `write_s` after every `interval_s` of work)
    and its stragglers, which make it `straggle` times slower. `slow` says what makes it slow, `lost` where its time
    went. `work_gpu_s` is work done and not lost, `lost_gpu_s` and `lost_j` work that was lost and its energy. `power_w`
    is what its GPUs draw, None if unknown. `fault` is the timer of its next fatal fault, 0 if there is none.
    `due_s` is when it has waited, or had, as long as a guardrail allows, infinity if none does.
    """

    __slots__ = (
        "due_s",
        "end_s",
        "energy_j",
        "fault",
        "gpus",
        "interval_s",
        "job",
        "lag_s",
        "lost",
        "lost_gpu_s",
        "lost_j",
        "overhead_s",
        "pace",
        "power_w",
        "rate",
        "remaining_s",
        "saved_s",
        "slow",
        "straggle",
        "work_gpu_s",
        "write_s",
    )

    def __init__(self, job: Job) -> None:
        self.job = job
        self.gpus = job.gpus
        self.remaining_s = job.duration_s
        self.overhead_s = self.lag_s = self.saved_s = self.end_s = 0.0
        self.rate = self.pace = self.straggle = 1.0
        self.interval_s = self.write_s = 0.0
        self.slow = NONE
        self.lost = LostTime()
        self.power_w: float | None = 0.0
        self.energy_j: float | None = 0.0
        self.work_gpu_s = self.lost_gpu_s = self.lost_j = 0.0
        self.fault = 0
        self.due_s = math.inf

    @property
    def saving(self) -> float:
        """How many times longer running takes because of checkpoints."""
        return 1.0 + self.write_s / self.interval_s if self.interval_s > 0.0 else 1.0

    @property
    def ran_s(self) -> float:
        """Seconds that it has run, restarts, checkpoints and work done again left out: what anybody can observe."""
        parts = self.lost.parts
        return self.lost.wall_s - math.fsum(parts[name] for name in STOPPED)

    def settle(self, elapsed_s: float, held: float) -> None:
        """Account for time in which it held so many GPUs."""
        overhead, more = min(elapsed_s, self.overhead_s), held - self.gpus
        running_s = elapsed_s - overhead
        if overhead:
            self.lost.restarted(overhead, more)
        if self.rate:
            self.lost.ran(running_s, self.slow, more)
        else:
            self.lost.restarted(running_s, more)
        progress = min(running_s * self.rate, self.remaining_s)
        if progress == self.remaining_s and self.rate:
            self.lag_s = max(self.lag_s - (running_s - progress / self.rate), 0.0)
        self.overhead_s -= overhead
        self.remaining_s -= progress
        self.work_gpu_s += progress * self.gpus
        if self.energy_j is not None:
            self.energy_j = None if self.power_w is None else self.energy_j + self.power_w * elapsed_s

    def draws(self, elapsed_s: float, power_w: float) -> None:
        """Other watts so long after it was settled; when it is settled next, the new ones count for all that time."""
        if self.energy_j is not None and self.power_w is not None:
            self.energy_j += (self.power_w - power_w) * elapsed_s
        self.power_w = power_w

    def remaining_at(self, elapsed_s: float) -> float:
        """Seconds of overhead and of work at rate 1 that are left so long after it was settled, holding GPUs."""
        overhead = min(elapsed_s, self.overhead_s)
        return self.overhead_s - overhead + max(self.remaining_s - (elapsed_s - overhead) * self.rate, 0.0)

    def finish_time(self, now_s: float) -> float:
        """When it ends at the present rate, if settled at `now_s`; never while it is being launched."""
        if not self.rate:
            return math.inf
        return now_s + self.overhead_s + self.remaining_s / self.rate + self.lag_s

    def go(self, pace: float, slow: tuple[float, ...]) -> bool:
        """It goes on at what the physics says, settled before; whether its rate is another now.

        `slow`: how many times longer clocks, neighbours and the network make it take.
        """
        self.pace = pace
        saving = self.saving
        rate = pace / (saving * self.straggle)
        clock, neighbours, network = slow or (1.0, 1.0, 1.0)
        slower = Slowdowns(saving, clock, neighbours, network, self.straggle)
        self.slow = NONE if slower == NONE else slower
        changed, self.rate = rate != self.rate, rate
        return changed

    def lose(self, overhead_s: float, failed: bool = False) -> None:
        """Stop: work since the last checkpoint has to be done again, and starting again takes `overhead_s`.

        Without checkpoints a stop in an orderly way saves everything, and a failure loses all since the last one. What
        never ends (an instance of a service) has no work that could be lost.
        """
        if self.job.duration_s == math.inf:
            self.overhead_s += overhead_s
            return
        done = self.job.duration_s - self.remaining_s
        lost = 0.0
        if failed or self.interval_s > 0.0:
            lost = lost_work_s(done, self.interval_s, self.saved_s)
        if lost > 0.0:
            share = lost / done
            if self.energy_j is not None:
                self.lost_j += (self.energy_j - self.lost_j) * share
            self.lost.redo(self.lost.productive_s * share)
        self.remaining_s += lost
        self.work_gpu_s -= lost * self.gpus
        self.lost_gpu_s += lost * self.gpus
        self.saved_s = done - lost
        self.overhead_s += overhead_s

    def finish(self) -> None:
        """All of it is done: the work is the duration exactly, whatever rounding did on the way."""
        self.remaining_s = 0.0
        self.work_gpu_s = self.job.duration_s * self.gpus

    def copy(self) -> Progress:
        """An independent copy; the job itself is a fact and shared."""
        twin = object.__new__(Progress)
        for name in Progress.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.lost = self.lost.copy()
        return twin
