"""The turn-taking law on Gavel's pairs (V100, P100, MPS), whose workloads come without any telemetry.

So the demand of a model at a batch size is itself fitted: busy share b, kernel length L and host stretch h, the last
being what any neighbour's process costs it on the CPU. For the pair's case of `interference_law`:

    t_i = h_i + b_i (b_j / h_j) L_j / L_i,     speed = min(1, 1 / t): the data cap speeds at 1

Split by model: when the pairs of two models (any batch sizes) are predicted, none of them was seen; the demands of both
come from pairs with other partners. 26 workloads x 3 numbers against 636 and 656 speeds.

    PYTHONPATH=benchmarks python benchmarks/calibration/gavel_pairs.py
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass

import numpy as np
from calibration.held_out import HeldOut, by_group, mean_absolute
from calibration.least_squares import Vector, least_squares
from measured import SHARED, need
from numpy.typing import NDArray

FILE = SHARED / "data" / "gavel_throughputs" / "pairs_colocated.csv.gz"
GPUS = ("v100", "p100")
PRIOR = (1.5, 0.0, 0.1)
"""Where demands nobody shows anything about stay: logit of b, log of L, log of h."""
PULL = 0.05


@dataclass(frozen=True)
class Pairs:
    """Speeds of `one` beside `other` (positions in `workloads`); `models` by workload."""

    workloads: tuple[tuple[str, str], ...]
    one: NDArray[np.intp]
    other: NDArray[np.intp]
    speed: Vector

    @property
    def models(self) -> NDArray[np.str_]:
        """By workload, without the batch size."""
        return np.array([model for model, _ in self.workloads])


def read_pairs(gpu: str) -> Pairs:
    """All runs with both speeds; the file holds each pair in both directions, so one speed a row is all of them."""
    with gzip.open(need(FILE), "rt", newline="") as text:
        rows = [r for r in csv.DictReader(text) if r["gpu"] == gpu and r["num_gpus"] == "1" and r["norm_b"]]
    rows = [r for r in rows if float(r["tput_a"]) > 0 and float(r["tput_b"]) > 0]
    names = sorted({(r[f"model_{side}"], r[f"batch_{side}"]) for r in rows for side in "ab"})
    at = {name: i for i, name in enumerate(names)}
    one, other = (np.array([at[r[f"model_{side}"], r[f"batch_{side}"]] for r in rows]) for side in "ab")
    return Pairs(tuple(names), one, other, np.array([float(r["norm_a"]) for r in rows]))


def speeds(demands: Vector, one: NDArray[np.intp], other: NDArray[np.intp]) -> Vector:
    """The law, for demands as one vector: logits of b, logs of L, logs of h."""
    logit, log_length, log_host = demands.reshape(3, -1)
    busy, host = 1.0 / (1.0 + np.exp(-logit)), np.exp(log_host)
    waits = busy[one] * busy[other] / host[other] * np.exp(log_length[other] - log_length[one])
    return np.minimum(1.0, 1.0 / (host[one] + waits))


def fit(pairs: Pairs, seen: NDArray[np.bool_]) -> Vector:
    """Demands from the rows that are seen."""
    prior = np.repeat(PRIOR, len(pairs.workloads))
    one, other, speed = pairs.one[seen], pairs.other[seen], pairs.speed[seen]

    def residuals(demands: Vector) -> Vector:
        return np.concatenate([speeds(demands, one, other) - speed, PULL * (demands - prior)])

    return least_squares(residuals, prior.tolist(), steps=15)


def held_out(gpu: str) -> list[HeldOut]:
    """Every speed, predicted without any pair of the two models, in the order of the file."""
    pairs = read_pairs(gpu)
    first, second = pairs.models[pairs.one], pairs.models[pairs.other]
    predicted = np.full(len(pairs.speed), np.nan)
    names = sorted(set(pairs.models))
    for i, model in enumerate(names):
        for partner in names[i:]:
            hidden = ((first == model) & (second == partner)) | ((first == partner) & (second == model))
            if hidden.any():
                demands = fit(pairs, ~hidden)
                predicted[hidden] = speeds(demands, pairs.one[hidden], pairs.other[hidden])
    return [HeldOut(str(g), float(m), float(p)) for g, m, p in zip(first, pairs.speed, predicted, strict=True)]


def main() -> None:
    for gpu in GPUS:
        found = held_out(gpu)
        print(f"{gpu}: n={len(found)} MAE {mean_absolute(found):.4f}")
        for model, own in by_group(found).items():
            print(f"  {model:16s} n={len(own):4d} MAE {mean_absolute(own):.4f}")


if __name__ == "__main__":
    main()
