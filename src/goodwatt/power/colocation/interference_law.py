"""How much longer residents of one GPU take because of each other: one law, with constants per mode.

Each resident alternates between a kernel on the GPU and a gap in which the GPU is free. Residents take turns by
kernels, first come first served, so who has long kernels keeps the others waiting, and who has short ones hardly
delays anybody. For two residents that is

    t_i = 1 + overhead + b_j w_ij + dram m_i m_j / (1 + b_i w_ji) + switch b_i b_j (1 - b_j)
    w_ij = x_i a / (1 + (1 - x_i) a / h_i),    a = b_i (g + slice_loss) (L_j / L_i)^(turn x_i x_j)

t: time relative to alone; b: share of the time alone in which its kernels hold the GPU; L: length of a kernel, kernels
longer than `long_kernel_us` yielding in between; g: share of the turns in which both do not fit beside each other,
1 - exp(-(fill_i + fill_j - 1)+ / overlap), fill being the share of its SMs that a kernel covers; m: DRAM bandwidth;
slice_loss: what ends of time slices waste; switch: what a neighbour costs that comes and goes.

x_i is the share of i's SMs that j may use too: 1 without limits of threads, where w_ij = a and i waits until j's
kernel is done, 0 where limits keep them apart. In between i goes on with the SMs that j may not use: however long j's
kernels are, i loses no more than a limit to those would cost, h_i (1 / (1 - x_i) - 1), h being the share of their
capacity that it uses. So j's long kernels no longer make i wait for their ends, and i's no longer have to wait for
theirs: the lengths matter less the less they have in common. With kernels of equal length that use all of their SMs it
is conservation of work. Overhead and dram are those of `law` where all SMs are common to both (x_i x_j = 1), of `apart`
where none is, and between them otherwise; a neighbour that is slowed moves fewer bytes meanwhile.

More residents wait for each other as in mean value analysis (Reiser and Lavenberg, JACM 27, 1980): what one finds on
arrival is the mean state of the GPU without itself; `b_j` above is the pair's case of that. Which SMs they have in
common is `thread_overlap`.

What a smaller share of a GPU costs a resident alone is `interference_scaling`; clocks and watts are in `sharing`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from goodwatt.power.colocation.thread_overlap import common_shares


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
    """One resident as its neighbours feel it: `busy` b, `fill`, `kernel_us` L, `dram` m of the formula above.

    `threads`: the share of the SMs that it may use; `used`: h, the share of their capacity that it uses; both above 0.
    """

    busy: float
    fill: float
    kernel_us: float
    dram: float
    threads: float = 1.0
    used: float = 1.0


def stretches(residents: Sequence[Presence], law: ModeLaw, apart: ModeLaw | None = None) -> tuple[float, ...]:
    """Time of each resident relative to having its share of the GPU alone; 1 or more. Empty for nobody.

    `law` holds where residents have all SMs in common, `apart` where they have none (None: the same law).
    Exact up to the queue's recursion over subsets: at most 8 residents or so, a few thousand products.
    """
    if len(residents) < 2:
        return (1.0,) * len(residents)
    if len(residents) == 2:
        return _pair(residents[0], residents[1], law, apart or law)
    shares = common_shares(tuple([r.threads for r in residents]))
    turns = _turns(residents, law, shares)
    if apart is None or min(r.threads for r in residents) >= 1.0:
        apart = law
    extra, overhead = _extra(residents, turns, shares, law, apart)
    return _by_subsets(residents, turns, extra, overhead)


def _pair(one: Presence, other: Presence, law: ModeLaw, apart: ModeLaw) -> tuple[float, float]:
    """The module's formula."""
    sms = max(0.0, one.threads + other.threads - 1.0)
    mine, theirs = sms / one.threads, sms / other.threads
    both = mine * theirs
    overflow, turn = one.fill + other.fill - 1.0, law.turn * both
    clash = _apart(overflow, law.overlap) + law.slice_loss
    ratio = (_yielding(other, law) / _yielding(one, law)) ** turn
    waits = _beside(one.busy * clash * ratio, mine, 1.0 - mine, one.used) * other.busy
    keeps = _beside(other.busy * clash / ratio, theirs, 1.0 - theirs, other.used) * one.busy
    together = 1.0 + both * law.overhead + (1.0 - both) * apart.overhead
    dram = (both * law.dram + (1.0 - both) * apart.dram) * one.dram * other.dram
    switch = law.switch * one.busy * other.busy
    return (
        together + waits + dram / (1.0 + keeps) + switch * (1.0 - other.busy),
        together + keeps + dram / (1.0 + waits) + switch * (1.0 - one.busy),
    )


def _yielding(one: Presence, law: ModeLaw) -> float:
    """Length of a kernel, or how long it keeps others waiting where it is very long."""
    return one.kernel_us / (1.0 + one.kernel_us / law.long_kernel_us)


def _beside(wait: float, share: float, free: float, used: float) -> float:
    """What remains of a wait with `share` of the own SMs in common and `free` for oneself: w of the formula."""
    if free <= 0.0 or share <= 0.0:
        return share * wait
    return share * wait / (1.0 + free * wait / used)


def _turns(residents: Sequence[Presence], law: ModeLaw, shares: Sequence[Sequence[float]]) -> list[list[float]]:
    """Time that i waits when it meets j, by i and j."""
    lengths = [_yielding(r, law) for r in residents]
    crowd = math.fsum(r.fill * r.busy for r in residents)
    turns = []
    for i, one in enumerate(residents):
        row = [0.0] * len(residents)
        taken = math.fsum([x * r.busy for x, r in zip(shares[i], residents, strict=True)]) - shares[i][i] * one.busy
        for j, other in enumerate(residents):
            if i == j:
                continue
            rest = crowd - one.fill * one.busy - other.fill * other.busy
            clash = one.busy * (_apart(one.fill + other.fill + rest - 1.0, law.overlap) + law.slice_loss)
            share, theirs = shares[i][j], shares[j][i]
            wait = clash * (lengths[j] / lengths[i]) ** (law.turn * share * theirs)
            free = 1.0 - share - taken + share * other.busy
            row[j] = _beside(wait, share, free, one.used) if share < 1.0 else wait
        turns.append(row)
    return turns


def _extra(
    residents: Sequence[Presence],
    turns: list[list[float]],
    shares: Sequence[Sequence[float]],
    law: ModeLaw,
    apart: ModeLaw,
) -> tuple[list[list[float]], float]:
    """(what j costs i in bandwidth and switches, by i and j; overhead of sharing)."""
    extra, together = [], 0.0
    if law is apart and not law.dram + law.switch:
        return [[0.0] * len(residents)] * len(residents), law.overhead
    for i, one in enumerate(residents):
        row = [0.0] * len(residents)
        for j, other in enumerate(residents):
            if i == j:
                continue
            both = shares[i][j] * shares[j][i]
            together += both
            dram = (both * law.dram + (1.0 - both) * apart.dram) * one.dram * other.dram
            row[j] = dram / (1.0 + turns[j][i] * one.busy) + law.switch * one.busy * other.busy * (1.0 - other.busy)
        extra.append(row)
    together /= len(residents) * (len(residents) - 1)
    return extra, together * law.overhead + (1.0 - together) * apart.overhead


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
