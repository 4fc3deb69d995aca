"""Engine files of users: YAML, checked against `engine_schema`."""

from __future__ import annotations

from pathlib import Path

from goodwatt.checked_yaml import Models, build_checked, read_text
from goodwatt.simulator.settings.engine import Engine, engine_from
from goodwatt.simulator.settings.engine_schema import Checkpoints, EngineFile, LostFeedEntry, Maintenance, Settings
from goodwatt.simulator.settings.failure_rates import KINDS
from goodwatt.simulator.settings.failures_schema import Component, Failures, SlowGpus

SECTIONS: Models = {
    "preemptive": Settings,
    "maintenance": Maintenance,
    "lost_feeds": LostFeedEntry,
    "checkpoints": Checkpoints,
    "failures": Failures,
    "stragglers": SlowGpus,
    **dict.fromkeys(KINDS, Component),
}


def read_engine(path: Path) -> Engine:
    """The engine that the file describes. Raises InputError, with a line for each problem."""
    text = read_text(path, "engine file")
    return build_checked(
        text,
        str(path),
        "engine settings",
        EngineFile,
        SECTIONS,
        lambda content: engine_from({"name": path.stem, **content}),
    )
