"""Columns added up by instance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def summed(positions: NDArray[np.int64], values: Any, size: int) -> NDArray[np.float64]:
    """Of each of `size` instances the sum of the values that stand at its position."""
    sums: NDArray[Any] = np.bincount(positions, weights=values, minlength=size)
    return sums


def counted(positions: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """How often each position occurs."""
    return np.bincount(positions, minlength=size)
