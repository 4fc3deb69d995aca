"""What no policy may do, whatever it decides: the executor holds every decision against it.

`min_clock_mhz`: no GPU of a running job is locked below it. `max_slowdown`: no job is slowed by clocks to more than
this multiple of its time at the greatest clock; since time never stretches more than the clock shrinks (kappa is at
most 1), a lock at `top / max_slowdown` keeps the promise before anything is known of the job. `max_wait_s`: a job that
has waited longer is placed before all others, see `Executor`. `protected`: users whose jobs are never stopped.
`preemption` and `movement`: whether running jobs may be stopped to wait again, and moved to other nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

from goodwatt.cluster.job import JobRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrails:
    """The limits; the defaults allow everything."""

    min_clock_mhz: float = 0.0
    max_slowdown: float | None = None
    max_wait_s: float | None = None
    protected: frozenset[str] = frozenset()
    preemption: bool = True
    movement: bool = True

    def clock(self, wish_mhz: float | None, top_mhz: float | None) -> float | None:
        """The wished lock, raised to what is allowed; None stays the board's own choice."""
        if wish_mhz is None:
            return None
        slowest = top_mhz / self.max_slowdown if top_mhz and self.max_slowdown else 0.0
        return max(wish_mhz, self.min_clock_mhz, slowest)

    def may_stop(self, job: JobRequest) -> bool:
        """Whether a policy may preempt the job."""
        return self.preemption and self._may_touch(job)

    def may_move(self, job: JobRequest) -> bool:
        """Whether a policy may move the job to other nodes."""
        return self.movement and self._may_touch(job)

    def _may_touch(self, job: JobRequest) -> bool:
        return job.preemptible and (job.user is None or job.user not in self.protected)


NO_GUARDRAILS = Guardrails()
