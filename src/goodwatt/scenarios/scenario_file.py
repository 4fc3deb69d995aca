"""Scenario files: YAML, checked against `scenario_schema`, and built into scenarios."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from goodwatt.checked_yaml import build_checked, read_text
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.cluster.presets import load_cluster
from goodwatt.errors import FieldError, InputError, Place
from goodwatt.scenarios.scenario import Scenario, ServiceSetting
from goodwatt.scenarios.scenario_jobs import JobSetting
from goodwatt.scenarios.scenario_schema import SECTIONS, ScenarioFile
from goodwatt.simulator.settings.engine import Engine, engine_from, load_engine
from goodwatt.simulator.settings.objective import NO_OBJECTIVE, Objective

Content = Mapping[str, Any]
T = TypeVar("T")


def read_scenario(path: Path) -> Scenario:
    """The scenario that the file describes; files named in it lie beside it.

    Raises InputError, with file, line, what was expected and what came, for all that can be told before a run.
    """
    text = read_text(path, "scenario file")
    return build_checked(
        text, str(path), "a scenario", ScenarioFile, SECTIONS, lambda content: _scenario(content, path)
    )


def _scenario(content: Content, path: Path) -> Scenario:
    name, folder = content.get("name", path.stem), path.parent
    steps = content.get("budget_w", ())
    made = Scenario(
        name=name,
        about=" ".join(content["about"].split()),
        look_at=" ".join(content["look_at"].split()),
        cluster=_within(("cluster",), _cluster, content["cluster"], name, folder),
        engine=_within(("engine",), _engine, content.get("engine", "default"), name, folder),
        horizon_s=content["horizon_s"],
        job_setting=_jobs(content["jobs"], folder) if "jobs" in content else None,
        service_setting=ServiceSetting(tuple(content["services"]), folder) if "services" in content else None,
        objective=_within(("objective",), _objective, content.get("objective"), folder),
        budget_w=steps[0][1] if steps else None,
        budget_steps=tuple(steps[1:]),
        path=path,
    )
    return _whole(made)


def _whole(made: Scenario) -> Scenario:
    """The scenario, whose parts go together. Raises FieldError."""
    from goodwatt.simulator.power.supply_changes import feed_losses

    if made.objective.power_budget_w is not None:
        raise FieldError(("objective", "power_budget_w"), "expected budget_w of the scenario instead")
    _within(("engine", "lost_feeds"), feed_losses, made.engine.plain.lost_feeds, made.cluster)
    made.services()  # whose mistakes have places of their own
    if made.job_setting is not None:
        _within(("jobs",), made.jobs)
    return made


def _cluster(said: str | Content, name: str, folder: Path) -> Cluster:
    if isinstance(said, str):
        return load_cluster(_beside(said, folder))
    return build_cluster(said, name)


def _engine(said: str | Content, name: str, folder: Path) -> Engine:
    if isinstance(said, str):
        return load_engine(_beside(said, folder))
    return engine_from({"name": name, **said})


def _objective(said: dict[str, Any] | None, folder: Path) -> Objective:
    if said is None:
        return NO_OBJECTIVE
    from goodwatt.simulator.settings.objective_file import objective_from

    return objective_from(said, folder)


def _jobs(said: Content, folder: Path) -> JobSetting:
    facts = {("trace_name" if key == "trace" else key): value for key, value in said.items()}
    return JobSetting(**facts, folder=folder)


def _beside(text: str, folder: Path) -> str:
    """A file beside the scenario, or whatever else the text names."""
    return str(folder / text) if text.endswith((".yaml", ".yml")) else text


def _within(place: Place, make: Callable[..., T], *arguments: Any) -> T:
    """What `make` gives; what it finds wrong, at this place of the scenario file."""
    try:
        return make(*arguments)
    except FieldError as error:
        raise FieldError((*place, *error.place), error.problem) from None
    except InputError as error:
        raise FieldError(place, str(error)) from None
