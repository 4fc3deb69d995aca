"""A scenario: a cluster, jobs, services, a supply of power and a horizon, as facts from which runs are made.

It names no policy: whoever has one makes a simulation from the parts here, for as many seeds as he likes. How scenarios
are written and found is for `scenario_file` and `library`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from goodwatt.cluster.cluster import Cluster
from goodwatt.scenarios.scenario_jobs import JobSetting
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.settings.engine import Engine
from goodwatt.simulator.settings.objective import NO_OBJECTIVE, Objective
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.traces.trace import Trace


@dataclass(frozen=True, slots=True)
class ServiceSetting:
    """Services as checked entries of a services file, whose files lie in `folder`; a seed makes services of them."""

    entries: tuple[Mapping[str, Any], ...]
    folder: Path

    def of(self, seed: int) -> Sequence[Service]:
        """The services whose requests are drawn from a seed. Raises InputError."""
        from goodwatt.simulator.services.services_file import services_from

        return services_from(self.entries, self.folder, seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Runs begin at second 0, a Monday's midnight, and end at `horizon_s`.

    `about`: what it is for; `look_at`: what to look at in its results. `budget_w` holds until the first of
    `budget_steps`, (second, watts); None: there is none. `path`: the file that it was read from.
    """

    name: str
    about: str
    look_at: str
    cluster: Cluster
    engine: Engine
    horizon_s: float
    job_setting: JobSetting | None = None
    service_setting: ServiceSetting | None = None
    objective: Objective = NO_OBJECTIVE
    budget_w: float | None = None
    budget_steps: tuple[tuple[float, float], ...] = ()
    path: Path = Path()

    def jobs(self, seed: int = 0) -> Trace:
        """The jobs of runs with a seed; none: an empty trace. Raises InputError."""
        if self.job_setting is None:
            return Trace(self.name, (), format="none")
        return replace(self.job_setting.trace(seed, self.horizon_s), name=self.name)

    def services(self, seed: int = 0) -> Sequence[Service]:
        """The services of runs with a seed. Raises InputError."""
        return () if self.service_setting is None else self.service_setting.of(seed)

    def options(self, seed: int = 0) -> RunOptions:
        """The options of a run with a seed: from 0 to the horizon, under full physics, without prices."""
        return RunOptions(
            seed=seed,
            start_s=0.0,
            horizon_s=self.horizon_s,
            physics="full",
            guardrails=self.objective.guardrails,
            services=tuple(self.services(seed)),
            budget_w=self.budget_w,
            budget_steps=self.budget_steps,
        )
