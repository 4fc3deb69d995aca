"""Power above the GPU against what others measured: servers of eight GPUs, and the points of breaker standards.

    PYTHONPATH=benchmarks python benchmarks/fidelity/supply.py

Servers are those of Seren (Acme): the percentiles that `calibration.node_power` held out, with the figures that the
package ships. A server of eight H100 has no data here: the row says how near it is to the two facts it was made from.
Standards give bounds, not times: their rows say whether the curve lies within. Prints one table and writes
benchmarks/results/fidelity_supply.json.
"""

from __future__ import annotations

import math
import statistics
from typing import Any

from calibration import node_power
from measured import report

from goodwatt.cluster import host_power
from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.trip_curve import trip_curve
from goodwatt.power.facility.breaker import Breaker
from goodwatt.power.facility.supply import node_wall_w

Row = dict[str, Any]
DGX_RATED_W, SEEN_SHARE = 10_200.0, 0.76
BOUNDS = [  # curve, load over rating, seconds at least and at most, cold
    ("ul489", 1.35, 0.0, 7200.0),
    ("ul489", 2.0, 0.0, 360.0),
    ("iec60898", 1.13, 3600.0, math.inf),
    ("iec60898", 1.45, 0.0, 3600.0),
    ("iec60898", 2.55, 1.0, 60.0),
]


def rows() -> list[Row]:
    """Every line of the table."""
    return [*server_rows(), h100_row(), *breaker_rows()]


def server_rows() -> list[Row]:
    """Percentiles of servers one by one, then together."""
    held = [row for row in node_power.rows() if row["split"] == "test"]
    errors = [row["its error %"] for row in held]
    source = "acme_2023 (Hu et al., NSDI 2024)"
    lines = [
        line(f"8 x A100 server, {row['server watts']}", 1, [row["its error %"]], "percentile not fitted", source)
        for row in held
    ]
    return [*lines, line("8 x A100 server, all held out", len(held), errors, "fit: p5 and mean", source)]


def h100_row() -> Row:
    """A DGX H100 with all GPUs at their limit against the most that was seen of its rating."""
    most_w = 8 * (gpu_kind("H100-SXM").max_w or 0.0)
    wall_w = node_wall_w(most_w, 1.0, host_power.node_power("dgx-h100"))
    error = 100 * (wall_w / (SEEN_SHARE * DGX_RATED_W) - 1)
    return line("8 x H100 server, GPUs at 700 W", 1, [error], "made from it: not a test", "76% of 10.2 kW, operators")


def breaker_rows() -> list[Row]:
    """Seconds to the trip and whether the standard's bounds hold."""
    return [
        {
            **line(f"breaker {name} at {over:.0%}", 1, [], "bounds of the standard", trip_curve(name).source),
            "value": f"{(seconds := Breaker(1.0, trip_curve(name)).trips_in(over)):.0f} s in {least:.0f}-{most:.0f} s: "
            + ("yes" if least <= seconds <= most else "NO"),
        }
        for name, over, least, most in BOUNDS
    ]


def line(what: str, n: int, errors_percent: list[float], split: str, source: str) -> Row:
    sizes = [abs(error) for error in errors_percent]
    value = f"{errors_percent[0]:+.1f}%" if len(sizes) == 1 else ""
    if len(sizes) > 1:
        value = f"mean {statistics.fmean(sizes):.1f}%, worst {max(sizes):.1f}%"
    return {"what": what, "n": n, "value": value, "split": split, "source": source}


if __name__ == "__main__":
    report("fidelity_supply", "Power above the GPU", rows())
