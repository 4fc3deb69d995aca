"""What sleeping costs and saves a node, and after how long it pays. Facts are in `cluster.host_power`.

Whether a node will be needed before that is for a policy to guess; a competitive one sleeps after it has been idle for
`break_even_s`, and then never costs more than twice the best (ski rental).
"""

from __future__ import annotations

import math

from goodwatt.cluster.host_power import NodeSleep


def cycle_s(sleep: NodeSleep) -> float:
    """The shortest sleep: going and coming back."""
    return sleep.suspend_s + sleep.wake_s


def cycle_j(sleep: NodeSleep) -> float:
    """Energy of going to sleep and of waking up."""
    return sleep.suspend_s * sleep.suspend_w + sleep.wake_s * sleep.wake_w


def break_even_s(sleep: NodeSleep, idle_w: float) -> float:
    """The time out of use from which on sleeping takes less energy than idling at `idle_w`; inf if it never does."""
    if idle_w <= sleep.asleep_w:
        return math.inf
    extra_j = cycle_j(sleep) - sleep.asleep_w * cycle_s(sleep)
    return max(extra_j / (idle_w - sleep.asleep_w), cycle_s(sleep))
