"""How job logs in the manner of Slurm say that a job ended, and what of it is a `JobStatus`."""

from __future__ import annotations

from goodwatt.cluster.job import JobStatus
from goodwatt.traces.intake import NEVER_STARTED, STILL_RUNNING, NotAJob

STATUS = {
    "COMPLETED": JobStatus.COMPLETED,
    "FAILED": JobStatus.FAILED,
    "NODE_FAIL": JobStatus.FAILED,
    "BOOT_FAIL": JobStatus.FAILED,
    "LAUNCH_FAILED": JobStatus.FAILED,
    "RECONFIG_FAIL": JobStatus.FAILED,
    "OUT_OF_MEMORY": JobStatus.FAILED,
    "CANCELLED": JobStatus.CANCELLED,
    "TIMEOUT": JobStatus.TIMEOUT,
    "DEADLINE": JobStatus.TIMEOUT,
    # Ended by the scheduler, to go on elsewhere or later: how the job itself fared is not told.
    "PREEMPTED": JobStatus.UNKNOWN,
    "REQUEUED": JobStatus.UNKNOWN,
    "REQUEUE_FED": JobStatus.UNKNOWN,
    "REQUEUE_HOLD": JobStatus.UNKNOWN,
    "SPECIAL_EXIT": JobStatus.UNKNOWN,
    "REVOKED": JobStatus.UNKNOWN,
}
WAITING = {"PENDING", "CONFIGURING", "RESV_DEL_HOLD"}
RUNNING = {"RUNNING", "SUSPENDED", "COMPLETING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED"}
EXPECTED = f"a job state ({', '.join((*STATUS, *sorted(WAITING | RUNNING)))})"


def parse_state(text: str) -> str:
    """The state itself: `CANCELLED by 1000` and the clipped `CANCELLED+` are CANCELLED."""
    words = text.split()
    state = words[0].rstrip("+") if words else ""
    if state not in STATUS and state not in WAITING and state not in RUNNING:
        raise ValueError(text)
    return state


def status_of(state: str) -> JobStatus:
    """The end of a job that had one; NotAJob for jobs that wait or run."""
    if state in WAITING:
        raise NotAJob(NEVER_STARTED)
    if state in RUNNING:
        raise NotAJob(STILL_RUNNING)
    return STATUS[state]
