"""How long a job is expected to run, for policies that plan ahead."""

from __future__ import annotations

from typing import Literal

from goodwatt.policies.history import History
from goodwatt.simulator.job_run import JobRun
from goodwatt.simulator.view import View

Source = Literal["requested", "predicted", "true"]
"""The user's time limit (predicted where there is none), a prediction from history, or the truth."""

OVERRUN_S = 60.0
"""A job that has outlived its estimate is expected to end this much later, again and again."""


def duration_s(run: JobRun, view: View, source: Source) -> float:
    """Expected duration of a waiting job, or what a running one was expected to take in all."""
    if source == "true":
        return view.true_remaining_s(run) + (run.attained(view.now_s) / run.gpus if run.placement else 0.0)
    if source == "requested" and run.spec.requested_s is not None:
        return run.spec.requested_s
    history = view.memory
    assert isinstance(history, History)  # noqa: S101 - policies that estimate have this memory
    return history.predict_s(run.spec, view.now_s)


def end_s(run: JobRun, view: View, source: Source) -> float:
    """When a running job is expected to end; never in the past."""
    if source == "true":
        return view.now_s + view.true_remaining_s(run)
    return max(run.started_s + duration_s(run, view, source), view.now_s + OVERRUN_S)
