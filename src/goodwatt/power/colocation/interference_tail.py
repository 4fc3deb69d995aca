"""How much longer than the mean a serving instance's slow iterations take beside neighbours under MPS.

    p99 / mean = 1 + w (apart + common x_i x_j) / (1 + (L_j / L_i) / lengths) + kernel L_j t_j / T

w: the share of the mean iteration that neighbours add; x and L as in `interference_law`; T: the mean iteration; t_j:
how much longer the neighbour's kernels take under its limit and beside the instance.

A training step has stretches of long and of short kernels, and takes longer than an iteration: an iteration meets a
stretch of either kind, so what it loses differs from the mean by a part of that. Of a neighbour whose kernels are much
longer than the instance's every one of many kernels meets its like, and the mean tells it all. But where a limit keeps
such a neighbour from being waited for, an iteration may still be caught behind one kernel of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TailLaw:
    """Constants of the formula."""

    apart: float
    common: float
    lengths: float
    kernel: float
    source: str

    def phases(self, both: float, ratio: float) -> float:
        """What a neighbour's changes add to p99 over the mean, for each unit of w.

        `both`: x_i x_j, the SMs that they have in common; `ratio`: length of its kernels over that of the instance's.
        """
        return (self.apart + self.common * both) / (1.0 + ratio / self.lengths)

    def p99(self, share: float, phases: float, kernel: float) -> float:
        """p99 over mean, 1 or more. `share`: w; `phases`: as above; `kernel`: a neighbour's kernel in iterations."""
        return 1.0 + share * phases + self.kernel * kernel
