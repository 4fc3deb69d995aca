"""One GPU: time, power and energy over clocks and caps against public measurements that no fit has seen.

PYTHONPATH=benchmarks python -m fidelity.one_gpu
"""

from __future__ import annotations

from typing import Any

import numpy as np
from calibration import a100_grid, b300_caps, clock_sweeps, h200_counters, zeus_power
from calibration.curves import Array
from measured import report

Row = dict[str, Any]
WITHIN = 0.02


def rows() -> list[Row]:
    """One row for each set of measurements."""
    return [*_caps(), *_sweeps(), *_grids(), _b300(), _h200()]


def _row(
    what: str, split: str, n: str, source: str, time: Array | None, power: Array | None, energy: Array | None = None,
    excess: Array | None = None,
) -> Row:  # fmt: skip
    return {
        "measurements": what,
        "n": n,
        "time MAPE": _percent(time),
        "power MAPE": _percent(power),
        "energy MAPE": _percent(energy),
        "energy at best clock <= 2% over least": (
            "-" if excess is None else f"{int((excess <= WITHIN).sum())} of {len(excess)}"
        ),
        "split": split,
        "source": source,
    }


def _percent(errors: Array | None) -> str:
    return "-" if errors is None else f"{100 * float(np.abs(errors).mean()):.1f}%"


def _energy(time: Array, power: Array) -> Array:
    return np.asarray((1 + time) * (1 + power) - 1)


def _caps() -> list[Row]:
    found = []
    for board in zeus_power.BOARDS:
        out, held = zeus_power.held_out(board), zeus_power.held_caps(board)
        split = (
            f"figures from other networks, jobs on {board.fit_caps[0]} and {board.fit_caps[1]} W; test: the other caps"
        )
        for part, caps in (("", held), (" not held by the board", set(out.caps) - held)):
            some = out.under(caps)
            if some.caps:
                n = f"{len(some.jobs)} jobs x {len(some.caps)} caps"
                what = f"{board.kind}, caps{part}"
                found.append(_row(what, split, n, "zeus_power", some.time, some.power, some.energy))
    return found


def _sweeps() -> list[Row]:
    found = []
    for board in clock_sweeps.BOARDS:
        real = clock_sweeps.swept(board.file, "real")
        for criterion in clock_sweeps.CRITERIA:
            out = clock_sweeps.judged(clock_sweeps.fit_figures(board, criterion), real, board.idle_w)
            n = f"{len(real.names)} kernels x {out.time.shape[1]} clocks"
            split = "figures from microbenchmarks, kernels on three clocks; test: the other clocks"
            what = f"{board.kind or board.file.upper()}, clocks, figures chosen by {criterion}"
            energy = _energy(out.time, out.power)
            found.append(_row(what, split, n, "dvfs_v100_rtx8000", out.time, out.power, energy, out.excess))
    return found


def _grids() -> list[Row]:
    found = []
    for board in a100_grid.BOARDS:
        out = a100_grid.judged(board)
        n = f"{len(out.names)} kernels, {len(out.time)} points"
        split = "three clocks under the greatest cap; test: the other clocks, all lower caps"
        energy = _energy(out.time, out.power)
        source = "a100_rtxpro6000_clock_x_cap"
        found.append(_row(f"{board.gpu}, clock x cap", split, n, source, out.time, out.power, energy, out.excess))
    return found


def _b300() -> Row:
    out = b300_caps.judged()
    split = "450, 700 and 1100 W; test: 550 and 900 W (best cap among all five)"
    energy, excess = _energy(out.time, out.power), np.array([out.excess])
    return _row("B300-SXM, caps", split, "1 kernel x 2 caps", "b300_power", out.time, out.power, energy, excess)


def _h200() -> Row:
    out = h200_counters.held_out(h200_counters.runs())
    split = "watts from counters; test: each workload left out with all its pairs"
    return _row("H200-SXM, counters", split, f"{len(out)} predictions", "h200_measured", None, out)


if __name__ == "__main__":
    report("fidelity-one-gpu", "One GPU over clocks and caps, held out", rows())
