"""Engine settings: how often decisions are made, what stopping costs, and when nodes are away.

The presets in `engines/` and a user's YAML file have one form; a section `preemptive` overrides settings for
policies that stop running jobs, because published simulators treat the two differently.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from goodwatt.bundled_yaml import read_bundled
from goodwatt.errors import UnknownNameError
from goodwatt.simulator.settings.checkpointing import USUAL_STORE, CheckpointStore, Rule
from goodwatt.simulator.settings.failure_rates import FailureSettings, failures_from

_PRESETS = Path(__file__).parent / "engines"


@dataclass(frozen=True, slots=True)
class Outage:
    """A node is away from `from_s` to `to_s`: maintenance, or a failure that somebody recorded."""

    node: str
    from_s: float
    to_s: float
    reason: str = "maintenance"


@dataclass(frozen=True, slots=True)
class LostFeed:
    """The mains behind a feed of a rack, numbered from 0, are away from `from_s` to `to_s`."""

    rack: str
    feed: int
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """The semantics of a run.

    `decision_interval_s`: decisions at multiples of it; 0 means at every event. `completion_lag_s`: a job holds its
    GPUs so much longer than it works. `restart_overhead_s`: (gang size up to, seconds) pairs, ascending, the last
    one for all larger gangs; paid when a preempted job starts again. `checkpoint_interval_s`: work since the last
    multiple of it is lost by a preemption, 0 means that stopping saves everything. `checkpoint_rule`: how the interval
    of jobs without one follows from what may fail (none, young, daly). `failures`: what may; None: nothing.
    `gpu_choice`: kubelet (the node chooses the GPUs) or policy. `share_mode`: how jobs that ask for a share of a GPU
    share it, timeslice or mps. `mig`: whether MIG instances are made for jobs that want one (dynamic) or jobs take
    those that there are (static). `outages` and `lost_feeds`: which nodes and feeds of racks are away, and when.
    `warm_up_s`: jobs submitted before it count in no statistic, and neither does the energy drawn.
    `unstable_sorts`: how another simulator's loading orders jobs of one second, see `submission_order`.
    """

    name: str = "default"
    decision_interval_s: float = 0.0
    completion_lag_s: float = 0.0
    restart_overhead_s: tuple[tuple[float, float], ...] = ((math.inf, 0.0),)
    checkpoint_interval_s: float = 0.0
    checkpoint_rule: Rule = "none"
    checkpoint_store: CheckpointStore = USUAL_STORE
    failures: FailureSettings | None = None
    gpu_choice: str = "kubelet"
    share_mode: str = "timeslice"
    mig: str = "dynamic"
    warm_up_s: float = 0.0
    outages: tuple[Outage, ...] = ()
    lost_feeds: tuple[LostFeed, ...] = ()
    unstable_sorts: tuple[int, ...] = ()

    def restart_s(self, num_gpus: int) -> float:
        """Overhead that a gang of this size pays to start again."""
        return next(seconds for limit, seconds in self.restart_overhead_s if num_gpus <= limit)


@dataclass(frozen=True, slots=True)
class Engine:
    """Settings for policies that run jobs to their end, and for those that stop them."""

    name: str
    plain: EngineSettings
    preemptive: EngineSettings

    def settings(self, preemptive: bool) -> EngineSettings:
        """Those that apply to a policy."""
        return self.preemptive if preemptive else self.plain


def preset_names() -> list[str]:
    """The engines that ship with the package."""
    return sorted(path.stem for path in _PRESETS.glob("*.yaml"))


def load_engine(name_or_path: str) -> Engine:
    """A preset by name, or a YAML file; InputError with line and key if the file is wrong."""
    if name_or_path.endswith((".yaml", ".yml")):
        from goodwatt.simulator.settings.engine_file import read_engine

        return read_engine(Path(name_or_path))
    if name_or_path not in preset_names():
        raise UnknownNameError("engine", name_or_path, [*preset_names(), "a file that ends in .yaml"])
    return engine_from(read_bundled(_PRESETS / f"{name_or_path}.yaml"))


def engine_from(data: Mapping[str, Any]) -> Engine:
    """The engine that validated data describe."""
    own = {key: value for key, value in data.items() if key not in {"preemptive", "about"}}
    plain = _settings(EngineSettings(), own)
    return Engine(plain.name, plain, _settings(plain, data.get("preemptive") or {}))


def _settings(base: EngineSettings, data: Mapping[str, Any]) -> EngineSettings:
    known = {f.name for f in fields(EngineSettings)} - {"failures"}
    values = {key: value for key, value in data.items() if key in known and value is not None}
    if "restart_overhead_s" in values:
        values["restart_overhead_s"] = _overheads(values["restart_overhead_s"])
    if "unstable_sorts" in values:
        values["unstable_sorts"] = tuple(values["unstable_sorts"])
    if data.get("maintenance"):
        values["outages"] = tuple(Outage(**outage) for outage in data["maintenance"])
    if data.get("lost_feeds"):
        values["lost_feeds"] = tuple(LostFeed(**{"feed": 0, **lost}) for lost in data["lost_feeds"])
    if data.get("failures") is not None:
        values["failures"] = failures_from(data["failures"])
    store = dict(data.get("checkpoints") or {})
    if rule := store.pop("rule", None):
        values["checkpoint_rule"] = rule
    return replace(base, **values, checkpoint_store=replace(base.checkpoint_store, **store))


def _overheads(value: float | Mapping[int | str, float]) -> tuple[tuple[float, float], ...]:
    if not isinstance(value, Mapping):
        return ((math.inf, float(value)),)
    pairs = sorted((math.inf if size == "more" else float(size), float(s)) for size, s in value.items())
    return tuple(pairs) if pairs[-1][0] == math.inf else (*pairs, (math.inf, pairs[-1][1]))
