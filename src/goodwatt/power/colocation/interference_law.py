"""How much longer residents of one GPU take because of each other: one law, with constants per mode.

Each resident alternates between a kernel on the GPU and a gap in which the GPU is free. Residents take turns by
kernels, first come first served, so who has long kernels keeps the others waiting, and who has short ones hardly
delays anybody. For two residents that is

    t_i = 1 + overhead + b_i b_j (g + slice_loss) (L_j / L_i)^turn + dram m_i m_j + switch b_i b_j (1 - b_j)

t: time relative to alone; b: share of the time alone in which its kernels hold the GPU; L: length of a kernel, kernels
longer than `long_kernel_us` yielding in between; g: share of the turns in which both do not fit beside each other,
1 - exp(-(fill_i + fill_j - 1)+ / overlap), fill being the share of the SMs that a kernel covers; m: DRAM bandwidth;
slice_loss: what ends of time slices waste; switch: what a neighbour costs that comes and goes.
More residents wait for each other as in mean value analysis (Reiser and Lavenberg, JACM 27, 1980): what one finds on
arrival is the mean state of the GPU without itself; `b_j` above is the pair's case of that.

What a smaller share of a GPU costs a resident alone is `interference_scaling`; clocks and watts are in `sharing`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeLaw:
    """Constants of one mode, see the module's formula. `overlap` 0: kernels never run side by side."""

    overhead: float
    slice_loss: float
    turn: float
    long_kernel_us: float
    overlap: float
    dram: float
    switch: float
    source: str


class Presence(NamedTuple):
    """One resident as its neighbours feel it: `busy` b, `fill`, `kernel_us` L, `dram` m of the formula above."""

    busy: float
    fill: float
    kernel_us: float
    dram: float


def stretches(residents: Sequence[Presence], law: ModeLaw) -> tuple[float, ...]:
    """Time of each resident relative to having its share of the GPU alone; 1 or more. Empty for nobody.

    Exact up to the queue's recursion over subsets: at most 8 residents or so, a few thousand products.
    """
    if len(residents) < 2:
        return (1.0,) * len(residents)
    turns, extra = _couplings(residents, law)
    if len(residents) == 2:
        first, second = residents
        return (
            1.0 + law.overhead + turns[0][1] * second.busy + extra[0][1],
            1.0 + law.overhead + turns[1][0] * first.busy + extra[1][0],
        )
    return _by_subsets(residents, turns, extra, law.overhead)


def _couplings(residents: Sequence[Presence], law: ModeLaw) -> tuple[list[list[float]], list[list[float]]]:
    """(time that i waits when it meets j, what j costs i in bandwidth and switches), by i and j."""
    lengths = [r.kernel_us / (1.0 + r.kernel_us / law.long_kernel_us) for r in residents]
    weights = [length**law.turn for length in lengths]
    crowd = math.fsum(r.fill * r.busy for r in residents)
    turns, extra = [], []
    for i, one in enumerate(residents):
        turns.append([0.0] * len(residents))
        extra.append([0.0] * len(residents))
        for j, other in enumerate(residents):
            if i == j:
                continue
            rest = crowd - one.fill * one.busy - other.fill * other.busy
            apart = _apart(one.fill + other.fill + rest - 1.0, law.overlap)
            turns[i][j] = one.busy * (apart + law.slice_loss) * weights[j] / weights[i]
            extra[i][j] = law.dram * one.dram * other.dram + law.switch * one.busy * other.busy * (1.0 - other.busy)
    return turns, extra


def _apart(overflow: float, overlap: float) -> float:
    """Share of the turns in which kernels that together want `overflow` more than all SMs run one after the other."""
    if overlap <= 0.0:
        return 1.0
    return 1.0 - math.exp(-overflow / overlap) if overflow > 0.0 else 0.0


def _by_subsets(
    residents: Sequence[Presence], turns: list[list[float]], extra: list[list[float]], overhead: float
) -> tuple[float, ...]:
    """The recursion: `found[S][j]` is the share of time in which j is at the GPU when just the set S is there."""
    count = len(residents)
    everybody = (1 << count) - 1
    found: list[list[float]] = [[0.0] * count]
    times = [1.0] * count
    for group in range(1, everybody + 1):
        present = [0.0] * count
        members = [i for i in range(count) if group >> i & 1]
        shared = overhead if len(members) > 1 else 0.0
        for i in members:
            without = found[group & ~(1 << i)]
            waits, costs = turns[i], extra[i]
            times[i] = 1.0 + shared + math.fsum(waits[j] * without[j] + costs[j] for j in members if j != i)
            present[i] = 1.0 - (1.0 - residents[i].busy) / times[i]
        found.append(present)
    return tuple(times)
