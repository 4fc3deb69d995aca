"""Levenberg-Marquardt in a few lines, with derivatives by differences: enough for fits of a few constants.

What it leaves out: bounds (write the model so that every parameter is allowed, by exp or abs) and convergence proofs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


def least_squares(residuals: Callable[[Vector], Vector], start: Sequence[float], steps: int = 60) -> Vector:
    """Parameters that make the sum of squared residuals (locally) least."""
    point: Vector = np.array(start, dtype=np.float64)
    values = residuals(point)
    cost, damping = float(values @ values), 1e-2
    for _ in range(steps):
        slope = _slope(residuals, point, values)
        normal, gradient = slope.T @ slope, slope.T @ values
        for _ in range(8):
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-9), -gradient)
            tried = residuals(point + step)
            tried_cost = float(tried @ tried)
            if tried_cost < cost:
                break
            damping *= 4.0
        else:
            return point
        gain = cost - tried_cost
        point, values, cost, damping = point + step, tried, tried_cost, max(damping / 5.0, 1e-9)
        if gain < 1e-9 * cost:
            return point
    return point


def _slope(residuals: Callable[[Vector], Vector], point: Vector, values: Vector) -> Vector:
    slope = np.empty((len(values), len(point)))
    for k in range(len(point)):
        moved = point.copy()
        width = 1e-5 * max(1.0, abs(point[k]))
        moved[k] += width
        slope[:, k] = (residuals(moved) - values) / width
    return slope
