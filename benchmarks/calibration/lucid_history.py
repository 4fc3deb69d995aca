"""Lucid's pairs (RTX 3090) once more, where a workload's pairs with other partners are known, as a cluster's history.

The law is that of `lucid_pairs`, and each workload has three numbers of its own on top, all 0 where nothing is known:

    speed_i = exp(c_i) / (1 + exp(suffers_i + gives_j) b_i b_j)

c corrects its speed alone, from a single run that every pair of it is divided by (speeds above 1 repeat from partner to
partner); the others say that who is slowed by neighbours need not slow them. Least absolute errors by reweighted
least squares, with a pull to 0.

Split as for Gavel (`gavel_pairs`): when pairs of two models (any batch sizes) are predicted, none of them was seen. How
strongly the numbers are pulled is chosen inside the fit's part alone, by the same split of it.

    PYTHONPATH=benchmarks python benchmarks/calibration/lucid_history.py
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from calibration import lucid_pairs
from calibration.held_out import HeldOut, mean_absolute
from calibration.least_squares import Vector
from calibration.lucid_pairs import Pairs
from numpy.typing import NDArray

FOLDS, INNER_FOLDS, SEED = 8, 4, 0
ROUNDS, CLOSE = 8, 0.02
"""Of the reweighting; errors smaller than CLOSE count by their square."""
MOST = 2.0
Pull = tuple[float, float]
"""How strongly c, and the other two, are pulled to 0."""
PULLS: tuple[Pull, ...] = (*product((30.0, 100.0, 300.0), (10.0, 30.0)), (1e6, 1e6))
"""The last leaves nothing of them."""


@dataclass(frozen=True)
class Own:
    """What is fitted: (scale, power) of all, and [3, workload] of their own."""

    shared: Vector
    figures: NDArray[np.float64]


def fit(pairs: Pairs, at: NDArray[np.intp], count: int, pull: Pull) -> Own:
    """`at` (n, 2): which of `count` workloads each of a pair is."""
    shared = lucid_pairs.fit(pairs)
    one, other = np.concatenate([at[:, 0], at[:, 1]]), np.concatenate([at[:, 1], at[:, 0]])
    speed = np.concatenate([pairs.speed[:, 0], pairs.speed[:, 1]])
    busy = np.tile(_busy(shared, pairs), 2)
    found: Vector = np.zeros(3 * count)
    pulls, rows = np.diag(np.repeat([pull[0], pull[1], pull[1]], count)), np.arange(len(speed))
    for _ in range(ROUNDS):
        said, wait = _speeds(found.reshape(3, count), one, other, busy)
        slope = np.zeros((len(speed), 3 * count))
        slope[rows, one] = said
        slope[rows, count + one] = slope[rows, 2 * count + other] = -said * wait / (1.0 + wait)
        weight = 1.0 / np.maximum(np.abs(said - speed), CLOSE)
        normal = (slope * weight[:, None]).T @ slope + pulls
        right = (slope * weight[:, None]).T @ (said - speed) + pulls @ found
        found = np.clip(found - np.linalg.solve(normal, right), -MOST, MOST)
    return Own(shared, found.reshape(3, count))


def predict(own: Own, pairs: Pairs, at: NDArray[np.intp]) -> NDArray[np.float64]:
    """Speeds (n, 2)."""
    busy = _busy(own.shared, pairs)
    sides = ((at[:, 0], at[:, 1]), (at[:, 1], at[:, 0]))
    return np.stack([_speeds(own.figures, one, other, busy)[0] for one, other in sides], axis=1)


def left_out(pairs: Pairs, at: NDArray[np.intp], count: int, folds: int, pull: Pull | None) -> NDArray[np.float64]:
    """Speeds (n, 2), those of each fold by the others; without a `pull` it is chosen inside the others."""
    fold, said = _folds(pairs, folds), np.zeros(pairs.speed.shape)
    for hidden in (fold == k for k in range(folds)):
        seen, seen_at = pairs.where(~hidden), at[~hidden]
        strength = best_pull(seen, seen_at, count) if pull is None else pull
        said[hidden] = predict(fit(seen, seen_at, count, strength), pairs.where(hidden), at[hidden])
    return said


def best_pull(pairs: Pairs, at: NDArray[np.intp], count: int) -> Pull:
    """The pull with the least absolute error on pairs of models left out of these."""

    def error(pull: Pull) -> float:
        return float(np.abs(left_out(pairs, at, count, INNER_FOLDS, pull) - pairs.speed).mean())

    return min(PULLS, key=error)


@cache
def held_out() -> list[list[HeldOut]]:
    """By pair, either one's speed; only the 7 outliers are dropped that the data's README names."""
    pairs = lucid_pairs.without_outliers(lucid_pairs.read_pairs(), fast=False)
    names, at = np.unique(pairs.workloads, return_inverse=True)
    said = left_out(pairs, at.reshape(pairs.workloads.shape), len(names), FOLDS, None)
    return [
        [HeldOut(str(name), float(speed), float(told)) for name, speed, told in zip(*three, strict=True)]
        for three in zip(pairs.models, pairs.speed, said, strict=True)
    ]


def _speeds(
    figures: NDArray[np.float64], one: NDArray[np.intp], other: NDArray[np.intp], busy: Vector
) -> tuple[Vector, Vector]:
    """(speed, time waited for the other relative to its own) of each."""
    own, suffers, gives = figures
    wait = np.exp(suffers[one] + gives[other]) * busy
    return np.exp(own[one]) / (1.0 + wait), wait


def _busy(shared: Vector, pairs: Pairs) -> Vector:
    """b_i b_j of each pair."""
    return 1.0 / lucid_pairs.speeds(shared, pairs.utilisation) - 1.0


def _folds(pairs: Pairs, count: int) -> NDArray[np.intp]:
    """Of each pair; all pairs of the same two models are in one."""
    both = np.array(["|".join(sorted(models)) for models in pairs.models.tolist()])
    names, which = np.unique(both, return_inverse=True)
    return np.asarray(np.random.default_rng(SEED).permutation(len(names))[which] % count)


def main() -> None:
    found = held_out()
    each = [one for pair in found for one in pair]
    means = lucid_pairs.of_means(found)
    print(
        f"pairs of two models held out, n {len(each)}: MAE {mean_absolute(each):.4f}, means {mean_absolute(means):.4f}"
    )


if __name__ == "__main__":
    main()
