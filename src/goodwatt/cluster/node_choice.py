"""Which GPUs inside a node a job gets when nobody named them, as the kubelet's device manager would choose.

The NVIDIA device plugin prefers GPUs that share an NVLink domain; among domains that suffice the fullest is taken,
so that whole domains stay free. A share of a GPU goes to the started GPU with the least room that suffices.
"""

from __future__ import annotations

from collections.abc import Sequence

from goodwatt.cluster.bitset import lowest
from goodwatt.cluster.job import WHOLE_GPU_MILLI

Shares = tuple[tuple[int, int], ...]
"""(GPU, thousandths in use) of each GPU that is in use by shares, ascending by GPU."""


def whole_gpus(free_mask: int, count: int, domains: Sequence[int]) -> int:
    """`count` of the free GPUs, as a mask, out of as few domains as possible; the fullest domains that fit first."""
    if len(domains) < 2 or count == free_mask.bit_count():
        return lowest(free_mask, count)
    free = [domain & free_mask for domain in domains]
    fitting = [d for d in free if d.bit_count() >= count]
    if fitting:
        return lowest(min(fitting, key=int.bit_count), count)
    chosen = 0
    for domain in sorted(free, key=int.bit_count, reverse=True):
        chosen |= lowest(domain, count - chosen.bit_count())
    return chosen


def shared_gpu(shares: Shares, free_mask: int, milli: int) -> int:
    """The GPU, as a mask, that takes one more share of `milli`; 0 if none can."""
    room = [(WHOLE_GPU_MILLI - used, gpu) for gpu, used in shares if WHOLE_GPU_MILLI - used >= milli]
    return 1 << min(room)[1] if room else lowest(free_mask, 1)
