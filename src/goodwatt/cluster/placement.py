"""What a placement is, as it is asked for and as it is held, and the error that says why it cannot be."""

from __future__ import annotations

from goodwatt.errors import RunError

NodeCounts = tuple[tuple[int, int], ...]
"""(node, GPUs wanted there) for each node of a placement."""

Placement = tuple[tuple[int, int], ...]
"""(node, mask of the GPUs taken there) for each node of a placement."""


class DoesNotFitError(RunError):
    """A placement asks for what is not free; the message says what."""
