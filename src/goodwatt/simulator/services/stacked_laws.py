"""The laws of several services as one: arrays in place of its numbers, an entry for each instance or request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goodwatt.power.serving.iteration_law import IterationLaw

_NAMES = tuple(field.name for field in fields(IterationLaw))


class StackedLaws:
    """`of` the services asked for."""

    def __init__(self, laws: Sequence[IterationLaw]) -> None:
        self._laws = laws
        self._table = np.array([[getattr(law, name) for law in laws] for name in _NAMES])

    def of(self, services: NDArray[np.int64]) -> IterationLaw:
        """One law whose coefficients are those of the services, by position."""
        if len(self._laws) == 1:
            return self._laws[0]
        columns: dict[str, Any] = dict(zip(_NAMES, self._table[:, services], strict=True))
        return IterationLaw(**columns)
