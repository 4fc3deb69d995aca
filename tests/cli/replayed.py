"""What runs left behind, compared."""

from __future__ import annotations

from typing import Any


def without_times(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if key not in {"cpu_s", "wall_s"}}
