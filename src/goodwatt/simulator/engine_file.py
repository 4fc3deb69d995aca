"""Engine files of users: YAML, checked against `engine_schema`."""

from __future__ import annotations

from pathlib import Path

from goodwatt.checked_yaml import Models, build_checked, read_text
from goodwatt.simulator.engine import Engine, engine_from
from goodwatt.simulator.engine_schema import EngineFile, Maintenance, Settings

_SECTIONS: Models = {"preemptive": Settings, "maintenance": Maintenance}


def read_engine(path: Path) -> Engine:
    """The engine that the file describes. Raises InputError, with a line for each problem."""
    text = read_text(path, "engine file")
    return build_checked(
        text,
        str(path),
        "engine settings",
        EngineFile,
        _SECTIONS,
        lambda content: engine_from({"name": path.stem, **content}),
    )
