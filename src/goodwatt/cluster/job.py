"""What a job is: the request that a scheduler sees, and the truth that only time (and a trace) tells."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter

WHOLE_GPU_MILLI = 1000


class JobStatus(StrEnum):
    """How a traced job ended. Failed, cancelled and timed-out jobs used GPUs too."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What is known of a job when it is submitted; all that a policy which is no oracle may read.

    `num_gpus` GPUs, of each `gpu_milli` thousandths (below 1000 only with `num_gpus` 1); 0 is a CPU-only job.
    `cpu_milli` and `memory_mib` are for the whole job and spread over its nodes in proportion to GPUs.
    `gpu_kind` empty means any kind. `requested_s` is the user's time limit.
    """

    job_id: str
    submit_s: float
    num_gpus: int
    gpu_milli: int = WHOLE_GPU_MILLI
    cpu_milli: int = 0
    memory_mib: int = 0
    gpu_memory_mib: int = 0
    gpu_kind: tuple[str, ...] = ()
    user: str | None = None
    partition: str | None = None
    name: str | None = None
    priority: int = 0
    workload: str | None = None
    reference_gpu: str | None = None
    requested_s: float | None = None
    deadline_s: float | None = None
    min_gpus: int | None = None
    max_gpus: int | None = None
    mig_profile: str | None = None
    preemptible: bool = True
    checkpoint_interval_s: float | None = None

    @property
    def gpus(self) -> float:
        """GPUs in use while it runs, a fraction counted as such."""
        return self.num_gpus * self.gpu_milli / WHOLE_GPU_MILLI


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(JobRequest):
    """A traced job: the request and what really happened.

    `duration_s`: run time on the reference GPU kind, alone, well placed.
    """

    duration_s: float
    status: JobStatus = JobStatus.UNKNOWN
    observed_start_s: float | None = None
    observed_end_s: float | None = None
    observed_nodes: str | None = None

    @property
    def request(self) -> JobRequest:
        """The request alone, from which nobody can read what happened."""
        return JobRequest(**dict(zip(_REQUESTED, _REQUESTED_OF(self), strict=True)))


_REQUESTED = tuple(field.name for field in fields(JobRequest))
_REQUESTED_OF = attrgetter(*_REQUESTED)
