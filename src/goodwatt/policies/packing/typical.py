"""The workload that fragmentation is measured for: classes of jobs that want the same, and how common each is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from goodwatt.cluster.job import JobRequest
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View

QUEUE_HEAD = 100
"""So many jobs at the head of each queue count: a bound on what a decision costs when thousands wait."""


class Demand(NamedTuple):
    """What jobs of one class want; the fields mean what they mean in JobRequest."""

    num_gpus: int
    gpu_milli: int
    cpu_milli: int
    memory_mib: int
    gpu_memory_mib: int
    gpu_kind: tuple[str, ...]
    partition: str

    @classmethod
    def of(cls, job: JobRequest) -> Demand:
        """The class of a job."""
        kinds, partition = job.gpu_kind, job.partition or ""
        return cls(job.num_gpus, job.gpu_milli, job.cpu_milli, job.memory_mib, job.gpu_memory_mib, kinds, partition)

    def request(self) -> JobRequest:
        """A job of the class."""
        fields = self._replace(partition="")._asdict() | {"partition": self.partition or None}
        return JobRequest(job_id="", submit_s=0.0, **fields)


Typical = tuple[tuple[Demand, int], ...]
"""(class, number of jobs in it), the most common first."""


def typical(counts: Mapping[Demand, int], popularity: float) -> Typical:
    """The most common classes that together make up the share `popularity` of all jobs (Weng et al.: 0.95)."""
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    enough, taken = popularity * sum(counts.values()), 0
    for position, (_, count) in enumerate(ranked):
        if taken >= enough:
            return tuple(ranked[:position])
        taken += count
    return tuple(ranked)


def typical_of(jobs: Iterable[JobRequest], popularity: float) -> Typical:
    """The typical classes of these jobs."""
    return typical(Counter(map(Demand.of, jobs)), popularity)


def in_percent(classes: Typical) -> Typical:
    """The same in whole percent, at least 1, ordered by class: one job more or less seldom makes a difference."""
    jobs = sum(count for _, count in classes)
    return tuple(sorted((demand, max(1, round(100 * count / jobs))) for demand, count in classes))


class JobsInSight:
    """Counts the classes of the jobs that a view shows: all that run and the next ones in each queue.

    That is what a scheduler knows of its workload without remembering anything; nothing of the future enters. Only
    jobs that came or went since the last call cost anything; the answer follows from the view alone.
    """

    def __init__(self) -> None:
        self._known: dict[str, Demand] = {}
        self._counts: Counter[Demand] = Counter()
        self._typical: Typical = ()
        self._popularity = -1.0

    def typical(self, view: View, popularity: float) -> Typical:
        """The typical classes of the jobs in sight."""
        if self._follow(view) or popularity != self._popularity:
            self._popularity = popularity
            self._typical = in_percent(typical(+self._counts, popularity))
        return self._typical

    def _follow(self, view: View) -> bool:
        present = _present(view)
        if present.keys() == self._known.keys():
            return False
        for gone in self._known.keys() - present.keys():
            self._counts[self._known.pop(gone)] -= 1
        for new in present.keys() - self._known.keys():
            demand = self._known[new] = Demand.of(present[new].spec)
            self._counts[demand] += 1
        return True


def _present(view: View) -> dict[str, JobRun]:
    present: dict[str, JobRun] = {}
    for pool in view.pools:
        present |= pool.running
        for _, _, run in islice(pool.queue, QUEUE_HEAD):
            present[run.spec.job_id] = run
    return present
