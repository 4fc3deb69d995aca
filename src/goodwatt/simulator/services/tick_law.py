"""The laws of services as a table, an entry for each, and the formula of an iteration compiled for such an entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields

import numpy as np
from numpy.typing import NDArray

from goodwatt.power.serving.iteration_law import IterationLaw
from goodwatt.simulator.services.compiled import compiled

LAW = np.dtype([(field.name, np.float64) for field in fields(IterationLaw)])
iteration_cost = compiled(IterationLaw.cost)


def table_of(laws: Sequence[IterationLaw]) -> NDArray[np.void]:
    """By service."""
    return np.array([astuple(law) for law in laws], dtype=LAW)
