"""All that a policy can decide. Decisions are facts: the executor validates and applies them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from goodwatt.cluster.state import NodeCounts

Kept = Literal["kept"]
KEPT: Final[Kept] = "kept"
"""For a clock or a cap: as it is."""


@dataclass(frozen=True, slots=True)
class Place:
    """Start a waiting job on these nodes; `gpus` names the GPUs by mask where the engine lets policies choose.

    `beside` names a running job: the new one gets exactly its GPUs and shares them in the mode `sharing`
    (timeslice or mps), under mps with at most `thread_percent` of the SMs. With `sharing` mig a job of one GPU gets a
    MIG instance of the `profile`, or of its own. An elastic job may get any number of GPUs that it allows. `clock_mhz`
    and `cap_w` are set on the job's GPUs for as long as it runs; None leaves the default. `role`: what an instance of
    a service does, "both", "prefill" or "decode"; jobs have none other than "both".
    """

    job_id: str
    nodes: NodeCounts
    gpus: tuple[int, ...] | None = None
    beside: str | None = None
    sharing: str | None = None
    thread_percent: float = 100.0
    profile: str | None = None
    clock_mhz: float | None = None
    cap_w: float | None = None
    role: str = "both"


@dataclass(frozen=True, slots=True)
class Preempt:
    """Stop a running job and put it back into the queue; work since its last checkpoint is lost."""

    job_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Migrate:
    """Move a running job to other nodes, at the price of a restart.

    `clock_mhz` and `cap_w` are set on its GPUs there, None leaves the default; KEPT, what is set on them here goes
    along as far as the boards there take it.
    """

    job_id: str
    nodes: NodeCounts
    gpus: tuple[int, ...] | None = None
    reason: str = ""
    clock_mhz: float | Kept | None = KEPT
    cap_w: float | Kept | None = KEPT


@dataclass(frozen=True, slots=True)
class Resize:
    """Let a running elastic job go on with these GPUs, fewer or more, after the pause that this costs.

    `clock_mhz` and `cap_w` are those of all its GPUs then, None leaves the default, KEPT what they were.
    """

    job_id: str
    nodes: NodeCounts
    gpus: tuple[int, ...] | None = None
    reason: str = ""
    clock_mhz: float | Kept | None = KEPT
    cap_w: float | Kept | None = KEPT


@dataclass(frozen=True, slots=True)
class Partition:
    """Make the MIG instances of a GPU those of `profiles`, none: take it out of MIG mode.

    Instances that should stay stay, with the jobs in them; the others must be idle. An empty GPU is put into MIG mode.
    """

    node: int
    gpu: int
    profiles: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SetClock:
    """Lock the SM clock of a running job's GPUs, or give it back to the board (None); all of a gang's together."""

    job_id: str
    clock_mhz: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SetCap:
    """Cap the board power of a running job's GPUs, or go back to the board's default (None)."""

    job_id: str
    cap_w: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Put an empty node to sleep; no job can run there until it has been woken."""

    node: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Wake:
    """Wake a sleeping node; it is ready after the time that its kind takes."""

    node: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """Let a waiting job wait although there are GPUs for it. Nothing changes; `reason` is kept for whoever asks why."""

    job_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Give an instance of a service no more requests; it gives its GPUs back when it has finished those it has."""

    job_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Ask again at this time even if nothing happens before."""

    time_s: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Decisions that stand or fall together: if one cannot be applied, none is."""

    decisions: tuple[Place | Preempt | Migrate, ...]
    reason: str = ""


PowerDecision = SetClock | SetCap | Sleep | Wake
Decision = Place | Preempt | Migrate | Resize | Partition | Hold | Drain | WaitUntil | Group | PowerDecision


@dataclass(frozen=True, slots=True)
class Malformed:
    """What a policy gave for a decision, or for all of them, and is none, as text: it stands in the refusals."""

    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A decision that was not applied, and why."""

    time_s: float
    decision: Decision | Malformed
    reason: str
