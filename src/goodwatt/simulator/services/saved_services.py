"""The services of a run in its file: their state as `object_table` writes it. The rest of the file: `saved_run`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from goodwatt.simulator.services.object_table import facts_below, read, written
from goodwatt.simulator.view import Pool

if TYPE_CHECKING:
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.physics.full import FullPhysics
    from goodwatt.simulator.services.services_state import Services
    from goodwatt.simulator.simulation import Simulation

FACTS = ("servings", "settings", "_true")
"""What a run has of its services before it begins, and keeps."""
_AS_THEY_ARE = (*FACTS, "pools")


def fingerprint(services: Services) -> str:
    """A hash of what the services and their requests are."""
    told = hashlib.sha256()
    for serving in services.servings:
        for part in _told(serving.service):
            told.update(part)
    return told.hexdigest()


def to_plain(sim: Simulation, services: Services) -> dict[str, Any]:
    """State of services, and what the physics was told of their instances last."""
    physics: FullPhysics = sim.physics  # type: ignore[assignment] # services need it
    state = {name: value for name, value in vars(services).items() if name not in _AS_THEY_ARE}
    served = {job_id: physics.served(job_id) for job_id in services.instances}
    return written({"state": state, "served": served}, _facts(services, sim.live))


def load_plain(sim: Simulation, services: Services, plain: Mapping[str, Any]) -> None:
    """Take over what `to_plain` gave; the jobs of `sim.live` hold no GPUs yet, and pools are empty afterwards."""
    physics: FullPhysics = sim.physics  # type: ignore[assignment] # services need it
    content = read(plain, _facts(services, sim.live))
    known = {name for name in vars(services) if name not in _AS_THEY_ARE}
    if content["state"].keys() != known:
        raise ValueError(f"fields of services {', '.join(content['state'].keys() ^ known)}")
    vars(services).update(content["state"])
    services.pools = [Pool(serving.service.partition, 0) for serving in services.servings]
    for job_id, served in content["served"].items():
        physics.serve(job_id, served)


def _facts(services: Services, live: Mapping[str, JobRun]) -> dict[str, Any]:
    """By name; jobs are the run's own."""
    named = [entry for name in FACTS for entry in facts_below(name, getattr(services, name))]
    return {**dict(named), **{f"job {job_id}": run for job_id, run in live.items()}}


def _told(value: Any) -> Iterable[bytes]:
    """All that a fact is made of; of requests that are made elsewhere the name."""
    if isinstance(value, np.ndarray):
        yield value.tobytes()
    elif is_dataclass(value):
        yield type(value).__name__.encode()
        for field in fields(value):
            yield from _told(getattr(value, field.name))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _told(part)
    else:
        plain = isinstance(value, int | float | str | None)
        yield (repr(value) if plain else f"{type(value).__name__} {getattr(value, 'name', '')}").encode()
        yield b"\x1f"
