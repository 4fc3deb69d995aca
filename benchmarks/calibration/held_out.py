"""Errors of predictions that no fit has seen, as the fidelity tables and the fits print them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class HeldOut:
    """One measured value, what the model said, and the group that it is reported under."""

    group: str
    measured: float
    predicted: float

    @property
    def error(self) -> float:
        """Predicted minus measured."""
        return self.predicted - self.measured


def mean_absolute(found: Iterable[HeldOut]) -> float:
    """Mean absolute error."""
    return float(np.mean([abs(one.error) for one in found]))


def root_mean_square(found: Iterable[HeldOut]) -> float:
    """Root mean square error: the residual of a simulated truth is drawn as large."""
    return float(np.sqrt(np.mean([one.error**2 for one in found])))


def by_group(found: Iterable[HeldOut]) -> dict[str, list[HeldOut]]:
    """Sorted by group."""
    groups: dict[str, list[HeldOut]] = {}
    for one in found:
        groups.setdefault(one.group, []).append(one)
    return dict(sorted(groups.items()))
