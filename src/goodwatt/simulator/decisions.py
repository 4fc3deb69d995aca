"""All that a policy can decide. Decisions are facts: the executor validates and applies them."""

from __future__ import annotations

from dataclasses import dataclass

from goodwatt.cluster.state import NodeCounts


@dataclass(frozen=True, slots=True)
class Place:
    """Start a waiting job on these nodes; `gpus` names the GPUs by mask where the engine lets policies choose."""

    job_id: str
    nodes: NodeCounts
    gpus: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Preempt:
    """Stop a running job and put it back into the queue; work since its last checkpoint is lost."""

    job_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Migrate:
    """Move a running job to other nodes, at the price of a restart."""

    job_id: str
    nodes: NodeCounts
    gpus: tuple[int, ...] | None = None
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


Decision = Place | Preempt | Migrate | WaitUntil | Group


@dataclass(frozen=True, slots=True)
class Refusal:
    """A decision that the executor did not apply, and why."""

    time_s: float
    decision: Decision
    reason: str
