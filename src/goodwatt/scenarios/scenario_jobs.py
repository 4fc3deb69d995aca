"""The jobs of a scenario: drawn from the model of a trace, or cut out of a trace; and a queue at the beginning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from goodwatt.cluster.job import Job
from goodwatt.errors import InputError
from goodwatt.traces import bundled
from goodwatt.traces.trace import Trace

HOUR_S, DAY_S = 3600.0, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSetting:
    """Where jobs come from: `like` the model of a bundled trace (or a model's file), or a `trace` from `from_s` on.

    `gpus`, `load`: the mean demand of drawn jobs is `load` times so many GPUs, gangs are no larger. `waiting_h`: jobs
    submitted in so many hours before the run wait when it begins. `seed`: None: that of the run. Files lie in `folder`.
    """

    like: str | None = None
    trace_name: str | None = None
    gpus: int | None = None
    load: float | None = None
    seed: int | None = None
    waiting_h: float = 0.0
    from_s: float = 0.0
    folder: Path = Path()

    def trace(self, seed: int, horizon_s: float) -> Trace:
        """The jobs submitted before the horizon, those that waited before at 0 s. Raises InputError."""
        waiting_s = self.waiting_h * HOUR_S
        whole = self._drawn(seed, waiting_s + horizon_s) if self.like is not None else self._cut()
        first_s = self.from_s if self.like is None else waiting_s
        jobs = tuple(
            _later(job, max(0.0, job.submit_s - first_s))
            for job in whole.jobs
            if -waiting_s <= job.submit_s - first_s < horizon_s
        )
        if not jobs:
            raise InputError(f"no jobs of {whole.name} come within {waiting_s + horizon_s:g} s: ask for more load")
        return replace(whole, jobs=jobs)

    def _drawn(self, seed: int, span_s: float) -> Trace:
        from goodwatt.traces.generate_model import TraceModel

        assert self.like is not None  # noqa: S101 - the caller has looked
        own = self.like.endswith(".json")
        path = self.folder / self.like if own else bundled.describe(self.like).model_path
        model = TraceModel.load(path)
        used = seed if self.seed is None else self.seed
        return model.draw(used, days=span_s / DAY_S, load=self.load, gpus=self.gpus).trace()

    def _cut(self) -> Trace:
        from goodwatt.traces.reading import read_trace

        assert self.trace_name is not None  # noqa: S101 - the file's schema has looked
        beside = self.folder / self.trace_name
        return read_trace(beside if beside.exists() else bundled.resolve(self.trace_name))


def _later(job: Job, submit_s: float) -> Job:
    return replace(job, submit_s=submit_s)
