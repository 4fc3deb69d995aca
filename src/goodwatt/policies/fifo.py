"""Strict first in, first out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.order import QueueOrder


@dataclass(frozen=True, slots=True)
class Fifo(QueueOrder):
    """Strict FIFO: jobs start in the order of submission, and one that does not fit holds up all behind it.

    Source: the plain queue of Slurm without backfill and of most in-house schedulers.
    """

    name: ClassVar[str] = "fifo"
