"""Figures of the H200 from its own counters (h200_measured), and the weights of `goodwatt.power.telemetry.counters`.

Weights: least squares of relative error on the runs that the cap did not bind, at 1980 MHz, the context's 126 W given.
Held out: every workload in turn, with all runs it takes part in. Rise: the runs that the cap did bind tell the SM watts
between 1439 and 1970 MHz; the knee lies below, where nobody measured, and is assumed at the mean place of the kinds
that were swept.

    PYTHONPATH=benchmarks python -m calibration.h200_counters [--write]
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from calibration.constants_file import TELEMETRY_FILE, set_tuple
from calibration.curves import Array, Figures
from calibration.kind_file import write_power_model
from measured import SHARED, need

FOLDER = SHARED / "data" / "h200_measured"
CONTEXT_W = 126.0
"""ramp.csv.gz: a context that runs nothing, energy counter over 6 s and over 25 s."""
TOP_MHZ, LOW_MHZ = 1980.0, 345.0
KNEE_MHZ = 1400.0
"""assumed: 0.71 of the greatest clock; V100 0.72, A100 0.78, RTX 8000 0.67."""


@dataclass(frozen=True)
class Runs:
    """Counters [run, (dram_bw, tensor, occupancy, sm_util)] as shares, watts, clock, workloads that ran."""

    counters: Array
    watts: Array
    clock_mhz: Array
    workloads: tuple[frozenset[str], ...]

    def where(self, keep: Any) -> Runs:
        """Only some of the runs."""
        chosen = tuple(w for w, k in zip(self.workloads, keep, strict=True) if k)
        return Runs(self.counters[keep], self.watts[keep], self.clock_mhz[keep], chosen)


def runs() -> Runs:
    """Every run with counters, alone and shared."""
    found = []
    for name in ("apps_alone_timeslice", "apps_mps", "apps_mps50"):
        found += [
            (run, frozenset(run["kinds"])) for run in json.loads(need(FOLDER / f"{name}.json").read_text())["runs"]
        ]
    found += [(run, frozenset([run["name"]])) for run in json.loads(need(FOLDER / "phases.json").read_text())]
    fields = ("dram_bw", "tensor", "sm_occupancy", "sm_util")
    return Runs(
        np.array([[run["gpm"][field] / 100 for field in fields] for run, _ in found]),
        np.array([run["watts"] for run, _ in found], float),
        np.array([run["sm_mhz"] for run, _ in found], float),
        tuple(workloads for _, workloads in found),
    )


def fit_weights(free: Runs) -> Array:
    """Watts of each counter at 1."""
    scaled = free.counters / free.watts[:, None]
    return np.asarray(np.linalg.lstsq(scaled, 1 - CONTEXT_W / free.watts, rcond=None)[0])


def told_w(weights: Array, figures: Figures, of: Runs) -> Array:
    """Watts by the counters at the clock of each run."""
    sm_w = of.counters[:, 1:] @ weights[1:]
    return np.asarray(CONTEXT_W + weights[0] * of.counters[:, 0] + sm_w * figures.core(of.clock_mhz))


def with_rise(rise: float) -> Figures:
    return Figures(LOW_MHZ, TOP_MHZ, CONTEXT_W, KNEE_MHZ, rise)


def fit_rise(weights: Array, capped: Runs) -> float:
    """The rise with which the capped runs are told best."""
    tries = np.arange(1.1, 1.6, 0.01)
    return float(min(tries, key=lambda r: np.abs(told_w(weights, with_rise(r), capped) / capped.watts - 1).mean()))


def held_out(everything: Runs) -> Array:
    """Relative errors of watts: every workload predicted from the runs in which it takes no part."""
    errors = []
    for workload in sorted(set().union(*everything.workloads)):
        out = np.array([workload in w for w in everything.workloads])
        train = everything.where(~out)
        weights = fit_weights(train.where(train.clock_mhz >= TOP_MHZ - 5))
        rise = fit_rise(weights, train.where(train.clock_mhz < TOP_MHZ - 5))
        test = everything.where(out)
        errors.append(told_w(weights, with_rise(rise), test) / test.watts - 1)
    return np.concatenate(errors)


def main() -> None:
    everything = runs()
    free = everything.where(everything.clock_mhz >= TOP_MHZ - 5)
    capped = everything.where(everything.clock_mhz < TOP_MHZ - 5)
    weights = fit_weights(free)
    rise = fit_rise(weights, capped)
    inside = told_w(weights, with_rise(rise), free) / free.watts - 1
    error = held_out(everything)
    print("watts at 1: dram_bw {:.0f}, tensor {:.0f}, occupancy {:.0f}, sm_util {:.0f}".format(*weights))
    print(
        f"u: occupancy {weights[2] / weights[1]:.3f}, sm_util {weights[3] / weights[1]:.3f} of tensor; rise {rise:.2f}"
    )
    print(
        f"mean absolute relative error {np.abs(inside).mean():.3f} in sample ({len(inside)} runs), "
        f"{np.abs(error).mean():.3f} held out ({len(error)})"
    )
    if "--write" in sys.argv:
        source = "h200_measured: fitted on counters by benchmarks/calibration/h200_counters.py"
        write_power_model(
            "H200-SXM",
            {
                "context_w": (CONTEXT_W, "h200_measured: a context that runs nothing (ramp.csv.gz)"),
                "knee_mhz": (KNEE_MHZ, "assumed: 0.71 of the greatest clock, as V100 0.72, A100 0.78, RTX 8000 0.67"),
                "voltage_rise": (round(rise, 2), source + ", runs that the cap bound (1439-1970 MHz)"),
                "core_w": (round(weights[1] / rise**2, 1), source + ": u = 1 is tensor activity 1"),
                "memory_w": (round(weights[0], 1), source),
                "power_error": (round(float(error.std()), 4), f"h200_measured: held out, {len(error)} predictions"),
            },
        )
        shares = (1.0, round(float(weights[2] / weights[1]), 3), round(float(weights[3] / weights[1]), 3))
        set_tuple(TELEMETRY_FILE, "TENSOR_WEIGHT, OCCUPANCY_WEIGHT, SM_WEIGHT", shares)


if __name__ == "__main__":
    main()
