"""What happens before a GPU has settled: the surge of a load that starts, the delay of a setting, the sensor's mean.

Small pure functions; randomness is passed in. Temperature and thermal throttling are left out: in the public data no
board reaches its limit (H200 at 700 W: 61 C after 6 s; B300 at 1,040 W for 30 minutes: 56 C).
"""

from __future__ import annotations

import math
from random import Random

REGULATION_S = 0.2
"""Time until the board holds its cap: h200_measured, ramp.csv.gz."""
SURGE = 0.86
"""Mean of the first 100 ms over what the load would draw without a cap: 963 of about 1,115 W, a GEMM on H200."""
SENSOR_WINDOW_S = 1.0
"""The averaged power field is a moving mean over it: h200_measured; NVIDIA's NVML documentation, Hopper and newer."""
SENSOR_PERIOD_S = 0.1
"""Every power field and the energy counter update so often: h200_measured, ramp.csv.gz."""
CALL_S = 0.010
"""assumed: a call that sets a clock or a cap takes so long."""
SETTLING_MEDIAN_S, SETTLING_P99_S = 0.020, 0.100
"""assumed: lognormal time until the clock follows."""

_SIGMA = math.log(SETTLING_P99_S / SETTLING_MEDIAN_S) / 2.3263478740408408  # z of the 99th percentile


def surge_w(uncapped_w: float, settled_w: float) -> float:
    """Watts of the first 100 ms of a load that starts from idle; `uncapped_w` at the greatest clock."""
    return max(settled_w, SURGE * uncapped_w)


def actuation_delay_s(random: Random) -> float:
    """Seconds from the call that sets a clock or a cap until the GPU follows."""
    return CALL_S + SETTLING_MEDIAN_S * math.exp(_SIGMA * random.gauss(0.0, 1.0))
