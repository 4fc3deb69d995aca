"""The time-slicing law on Lucid's pairs (RTX 3090), whose workloads come with GPU utilisation only.

Utilisation counts time with any kernel on the GPU, so the share that a neighbour really has to wait for is less, the
more so the lower it is: b = scale x utilisation^power, two constants for all workloads; then the pair's case of
`interference_law` without its other terms, t = 1 + b_i b_j. Split by model: every pair of a model is left out when it
is predicted; the two predictions of a pair of different models are averaged.

Dropped, as the data's README says, are 7 pairs with summed utilisation above 1.6 and both speeds above 0.95, and (in
the second figure) those with a speed above 1.1, which are noise: nobody runs faster beside another.

    PYTHONPATH=benchmarks python benchmarks/calibration/lucid_pairs.py
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass

import numpy as np
from calibration.held_out import HeldOut, mean_absolute
from calibration.least_squares import Vector, least_squares
from measured import SHARED, need
from numpy.typing import NDArray

FOLDER = SHARED / "data" / "lucid_colocation"
Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Pairs:
    """n pairs: models (n, 2), the same with data, batch size and precision as `workloads` (n, 2), utilisation alone
    0 to 1 (n, 2), speeds relative to alone (n, 2).
    """

    models: NDArray[np.str_]
    workloads: NDArray[np.str_]
    utilisation: NDArray[np.float64]
    speed: NDArray[np.float64]

    def where(self, kept: NDArray[np.bool_]) -> Pairs:
        """Some of them."""
        return Pairs(self.models[kept], self.workloads[kept], self.utilisation[kept], self.speed[kept])


def read_pairs() -> Pairs:
    """Every row of the file."""
    with gzip.open(need(FOLDER / "single_data.csv.gz"), "rt", newline="") as text:
        alone = {_key(r, ""): float(r["gpu_util"]) / 100.0 for r in csv.DictReader(text)}
    with gzip.open(need(FOLDER / "colocate_info.csv.gz"), "rt", newline="") as text:
        rows = list(csv.DictReader(text))
    return Pairs(
        np.array([(r["model1"], r["model2"]) for r in rows]),
        np.array([(" ".join(_key(r, "1")), " ".join(_key(r, "2"))) for r in rows]),
        np.array([(alone[_key(r, "1")], alone[_key(r, "2")]) for r in rows]),
        np.array([(float(r["speed1"]), float(r["speed2"])) for r in rows]),
    )


def without_outliers(pairs: Pairs, fast: bool) -> Pairs:
    """The rows to use; `fast` drops those with a speed above 1.1 too."""
    kept = ~((pairs.utilisation.sum(axis=1) > 1.6) & (pairs.speed > 0.95).all(axis=1))
    return pairs.where(kept & ~((pairs.speed > 1.1).any(axis=1) & fast))


def speeds(constants: Vector, utilisation: NDArray[np.float64]) -> Vector:
    """Of either of a pair, (n,)."""
    scale, power = np.abs(constants)
    busy = scale * utilisation**power
    return np.asarray(1.0 / (1.0 + busy[:, 0] * busy[:, 1]), dtype=np.float64)


def fit(pairs: Pairs) -> Vector:
    """(scale, power); speeds above 1 count as 1."""
    target = np.minimum(pairs.speed, 1.0)
    return least_squares(lambda c: (speeds(c, pairs.utilisation)[:, None] - target).ravel(), (0.8, 1.5))


def held_out(pairs: Pairs) -> list[list[HeldOut]]:
    """By pair: either one's speed."""
    total, times = np.zeros(len(pairs.speed)), np.zeros(len(pairs.speed))
    for model in sorted(set(pairs.models.ravel())):
        hidden = (pairs.models == model).any(axis=1)
        total[hidden] += speeds(fit(pairs.where(~hidden)), pairs.utilisation[hidden])
        times[hidden] += 1.0
    return [
        [HeldOut(str(name), float(speed), float(said)) for name, speed in zip(names, own, strict=True)]
        for names, own, said in zip(pairs.models, pairs.speed, total / times, strict=True)
    ]


def of_means(found: list[list[HeldOut]]) -> list[HeldOut]:
    """Each pair's mean speed."""
    return [
        HeldOut("", float(np.mean([o.measured for o in pair])), float(np.mean([o.predicted for o in pair])))
        for pair in found
    ]


def _key(row: dict[str, str], side: str) -> Key:
    return row[f"model{side}"], row[f"dataset{side}"], row[f"batchsize{side}"], row[f"amp{side}"]


def lucids_own(pairs: Pairs) -> list[HeldOut]:
    """Means of pairs by the formula of Lucid's authors, min(1, (U / 0.95)^-0.55), which was fitted to these pairs."""
    total = pairs.utilisation.sum(axis=1)
    said = np.minimum(1.0, (total / 0.95) ** -0.55)
    return [HeldOut("", float(mean), float(told)) for mean, told in zip(pairs.speed.mean(axis=1), said, strict=True)]


def main() -> None:
    every = read_pairs()
    print(f"Lucid's own formula, all {len(every.speed)} pairs, means: MAE {mean_absolute(lucids_own(every)):.4f}")
    for fast in (False, True):
        pairs = without_outliers(read_pairs(), fast)
        found = held_out(pairs)
        each = [one for pair in found for one in pair]
        print(f"scale, power {fit(pairs).round(3)}; {len(pairs.speed)} pairs, above 1.1 dropped: {fast}")
        print(
            f"  held out MAE: each speed {mean_absolute(each):.4f}, mean of a pair {mean_absolute(of_means(found)):.4f}"
        )


if __name__ == "__main__":
    main()
