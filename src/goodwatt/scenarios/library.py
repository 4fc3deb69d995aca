"""Scenarios by name: those that ship with the package, and files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from goodwatt.bundled_yaml import read_bundled
from goodwatt.errors import UnknownNameError
from goodwatt.scenarios.scenario import Scenario

FOLDER = Path(__file__).parent / "library"


@cache
def scenario_names() -> tuple[str, ...]:
    """Every scenario that ships, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def scenario_path(name_or_path: str | Path) -> Path:
    """The file that is meant; a scenario that ships wins over a file of the same name. Raises UnknownNameError."""
    text = str(name_or_path)
    if text in scenario_names():
        return FOLDER / f"{text}.yaml"
    path = Path(text)
    if path.exists() or path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        return path
    raise UnknownNameError("scenario", text, [*scenario_names(), "a file that ends in .yaml"])


def load_scenario(name_or_path: str | Path) -> Scenario:
    """A scenario by name or from a file. Raises InputError, with file and line where a file is wrong."""
    from goodwatt.scenarios.scenario_file import read_scenario  # brings pydantic, which names do without

    return read_scenario(scenario_path(name_or_path))


def abouts() -> dict[str, str]:
    """What each scenario that ships is for, by name."""
    return {name: " ".join(content["about"].split()) for name, content in _contents().items()}


@cache
def _contents() -> dict[str, dict[str, Any]]:
    return {name: read_bundled(FOLDER / f"{name}.yaml") for name in scenario_names()}
