"""GPUs that several jobs hold whole at once: how many jobs beside the first, per GPU of a node."""

from __future__ import annotations

from functools import lru_cache

from goodwatt.cluster.bitset import bitset, members

Packed = tuple[tuple[int, int], ...]
"""(GPU, jobs that hold it whole beside the first), ascending; GPUs that one job holds are not listed."""

MOST_TENANTS = 8
"""Jobs on one GPU at a time: one and up to 7 beside it."""


def pack(packed: Packed, mask: int) -> Packed:
    """One more job holds the GPUs of the mask."""
    more = dict(packed)
    for gpu in members(mask):
        more[gpu] = more.get(gpu, 0) + 1
    return tuple(sorted(more.items()))


def unpack(packed: Packed, mask: int) -> tuple[Packed, int]:
    """One job fewer holds the GPUs of the mask; and those of them that nobody holds any more."""
    more = dict(packed)
    empty = 0
    for gpu in members(mask):
        if gpu in more:
            more[gpu] -= 1
        else:
            empty |= 1 << gpu
    return tuple(sorted((gpu, jobs) for gpu, jobs in more.items() if jobs)), empty


def is_full(packed: Packed, mask: int) -> bool:
    """Whether no further job may hold one of these GPUs."""
    return any(mask >> gpu & 1 and jobs + 2 > MOST_TENANTS for gpu, jobs in packed)


def most_jobs(packed: Packed) -> int:
    """The most jobs that hold one GPU of a node whole."""
    return 1 + max((jobs for _, jobs in packed), default=0)


@lru_cache(maxsize=1024)
def packed_gpus(packed: Packed) -> int:
    """The GPUs that several jobs hold, as a mask."""
    return bitset(gpu for gpu, _ in packed)
