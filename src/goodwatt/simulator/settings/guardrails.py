"""What no policy may do, whatever it decides: the executor holds every decision against it.

Here are the limits and what they mean for a job, a user and a kind of GPU. What takes time to enforce is elsewhere:
`longest_wait` serves jobs that have waited too long, `slowest_clock` takes back caps that turn out too low.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.job import JobRequest

PROTECTIONS = ("preemption", "movement", "slowing", "sharing")
"""What protected users can be protected from: being stopped; being moved or resized; clocks and caps below the
board's own and limits of threads; other jobs on GPUs that they did not ask to share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrails:
    """The limits; the defaults allow everything.

    `min_clock_mhz`: no GPU that a job holds is locked or capped below it. `max_slowdown`: no job is slowed by clocks
    and caps to more than this multiple of its time at the greatest clock. `max_wait_s`: a job that has waited longer,
    all its waits together, is served before all others. `min_run_s`: no job is stopped, moved or resized before it has
    run so long since it last was, or started. `protected`: users whose jobs are spared what `protected_from`
    names, see PROTECTIONS. `preemption` and `movement`: whether running jobs may be stopped to wait again, and moved
    to other nodes, at all. `promises`: those of services are kept against any policy, see `acting.promise_guard`. What
    a board does at its own clock and cap, and what failures do, is no policy's doing.
    """

    min_clock_mhz: float = 0.0
    max_slowdown: float | None = None
    max_wait_s: float | None = None
    min_run_s: float = 0.0
    protected: frozenset[str] = frozenset()
    protected_from: frozenset[str] = frozenset(PROTECTIONS)
    preemption: bool = True
    movement: bool = True
    promises: bool = True

    def __post_init__(self) -> None:
        unknown = sorted(self.protected_from - set(PROTECTIONS))
        if unknown:
            raise ValueError(f"expected protected_from out of {', '.join(PROTECTIONS)}, got {', '.join(unknown)}")
        if not self.min_clock_mhz >= 0:
            raise ValueError(f"expected min_clock_mhz of at least 0, got {self.min_clock_mhz}")
        if self.max_slowdown is not None and not self.max_slowdown >= 1:
            raise ValueError(f"expected max_slowdown of at least 1, got {self.max_slowdown}")
        if not self.min_run_s >= 0:
            raise ValueError(f"expected min_run_s of at least 0, got {self.min_run_s}")
        if self.max_wait_s is not None and not self.max_wait_s >= 0:
            raise ValueError(f"expected max_wait_s of at least 0, got {self.max_wait_s}")

    def __repr__(self) -> str:
        """The same in every process, whatever the order of its sets: runs are saved with it."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        shown = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}
        return f"Guardrails({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    # clocks ------------------------------------------------------------------------------------------------------

    @property
    def limits_clocks(self) -> bool:
        """Whether a cap may turn out to be too low."""
        return self.min_clock_mhz > 0 or self.max_slowdown is not None

    def slowest_mhz(self, kinds: Iterable[GpuKind]) -> float:
        """The lowest clock at which a policy may hold GPUs of these kinds together; 0: any.

        Time never stretches more than the clock shrinks (kappa is at most 1), so that `top / max_slowdown` keeps the
        promise before anything is known of the job. Kinds whose clocks are unknown are not held to it.
        """
        return max((self._slowest_of(kind) for kind in kinds), default=0.0)

    def _slowest_of(self, kind: GpuKind) -> float:
        top_mhz = kind.max_clock_mhz
        if top_mhz is None:
            return 0.0
        for_time = 0.0 if self.max_slowdown is None else top_mhz / self.max_slowdown
        least_mhz = min(max(self.min_clock_mhz, for_time), top_mhz)
        if kind.power_model is None or not least_mhz:
            return least_mhz
        step_mhz = kind.power_model.clock_step_mhz
        supported = top_mhz - step_mhz * int((top_mhz - least_mhz) / step_mhz + 1e-9)
        return max(supported, float(kind.min_clock_mhz or 0.0))

    # jobs --------------------------------------------------------------------------------------------------------

    def may_stop(self, job: JobRequest) -> bool:
        """Whether a policy may preempt the job."""
        return self.preemption and job.preemptible and not self._spared(job, "preemption")

    def may_move(self, job: JobRequest) -> bool:
        """Whether a policy may move the job to other nodes."""
        return self.movement and job.preemptible and not self._spared(job, "movement")

    def left_alone_until_s(self, started_s: float) -> float:
        """Until when no policy takes anything from a job that started then, or gives it something else."""
        return started_s + self.min_run_s

    def may_resize(self, job: JobRequest) -> bool:
        """Whether a policy may change the size of a running job: growing there and shrinking here would move it."""
        return self.may_move(job)

    def may_limit(self, thread_percent: float) -> bool:
        """Whether a job may have no more than these threads: time stretches at most as much as they shrink."""
        return self.max_slowdown is None or thread_percent * self.max_slowdown >= 100.0

    def may_slow(self, job: JobRequest) -> bool:
        """Whether a policy may hold the job's GPUs below the board's own clock and cap, or limit its threads."""
        return not self._spared(job, "slowing")

    def may_pack(self, job: JobRequest) -> bool:
        """Whether a policy may let the job share GPUs that it asked to have for itself."""
        return not self._spared(job, "sharing")

    def _spared(self, job: JobRequest, what: str) -> bool:
        return job.user is not None and job.user in self.protected and what in self.protected_from


NO_GUARDRAILS = Guardrails()
