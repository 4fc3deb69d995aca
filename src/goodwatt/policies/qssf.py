"""Quasi-shortest service first, with durations predicted from history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.policies.history import History
from goodwatt.policies.order import QueueOrder
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Qssf(QueueOrder):
    """The job with the least predicted GPU time first (predicted duration x GPUs), without preemption.

    Predictions come from jobs that have ended, by user, name, size and partition, fading over `history_days`.
    Source: Hu et al., "Characterization and Prediction of Deep Learning Workloads in Large-Scale GPU Datacenters",
    SC 2021; their boosted trees are replaced by means of similar jobs.
    """

    name: ClassVar[str] = "qssf"

    history_days: float = 30.0

    def __post_init__(self) -> None:
        if self.history_days <= 0:
            raise ValueError(f"expected history_days above 0, got {self.history_days:g}")

    def new_memory(self) -> History:
        """What has ended so far."""
        return History(self.history_days)

    def queue_key(self, run: JobRun, view: View) -> float:
        """Predicted GPU-seconds, as of now."""
        history = view.memory
        assert isinstance(history, History)  # noqa: S101 - new_memory above made it
        return history.predict_s(run.spec, view.now_s) * run.gpus
