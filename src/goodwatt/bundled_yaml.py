"""YAML that ships with the package: read fast and believed. Files of users go through `checked_yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def read_bundled(path: Path) -> dict[str, Any]:
    """The plain content of a file whose top level is a mapping."""
    with path.open("rb") as file:
        content: dict[str, Any] = yaml.load(file, Loader=yaml.CSafeLoader)
    return content
