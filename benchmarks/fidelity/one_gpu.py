"""One GPU: time, power and energy over clocks and caps against public measurements that no fit has seen.

PYTHONPATH=benchmarks python -m fidelity.one_gpu
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from calibration import a100_grid, b300_caps, clock_sweeps, h200_counters, zeus_power
from calibration.curves import Array
from fidelity.row import Row
from measured import report

WITHIN = 0.02
BEST = "energy at the clock called best <= 2% over the least: kernels"
FORM = (
    "form (jobs in thirds, a wait, kappa linear, 35 W of DRAM) chosen on these jobs; boards keep 0.985 of a cap: from "
    "capped rows of which some are tested; without 13 jobs bound by their host"
)
NOT_HELD = "that caps which a board does not hold fit nothing, and are shown apart, was decided after the A40's results"
WIDE = "by least squares"
CHOICES = {
    WIDE: "not shipped: a rise above 1.5 is more than a voltage. Figures by least squares of the watts of other "
    "kernels (microbenchmarks; the other kernels of the grid) at every clock, with rises up to 2.5, where the RTX8000 "
    "ends. A fourth try, and wider because the short lists below, which end at 1.5, had missed. How far rises may go "
    "decides: on the RTX8000 up to 1.5 gives 12 of 20, 2.0 16, 2.5 and 3.5 17. Families of microbenchmarks left out "
    "favour the wider by their watts (3.2, 2.8, 2.5, 2.3%), but not by their best clocks (119, 118, 116, 119 of 138). "
    "Forms that the package does not have, seen in the same look: a free voltage at every clock 19, curves by the "
    "microbenchmarks' covariance 18",
    "power": "the criterion that was taken first",
    "excess energy": "a second criterion, for comparison",
    "both": "shipped for the V100; this criterion was taken after the kernels had been seen under the first; of the "
    "ten best sets of figures under it nine give 12 to 17 on RTX8000: take 14 to 15 of 20 as the answer there",
}
"""How the figures of a board were chosen, and what has to be known of it."""


@dataclass(frozen=True)
class Errors:
    """Relative errors of one set of measurements, and the excess over the least energy by kernel."""

    what: str
    n: str
    split: str
    source: str
    time: Array | None = None
    power: Array | None = None
    energy: Array | None = None
    excess: Array | None = None
    most: dict[str, float] = field(default_factory=dict)
    after: str = ""
    detail: bool = False

    def rows(self) -> list[Row]:
        """A row for each figure that there is."""
        errors = {"time": self.time, "power": self.power, "energy": self.energy}
        found = [
            self._row(f"{name} MAPE", 100 * float(np.abs(error).mean()), most=self.most.get(name))
            for name, error in errors.items()
            if error is not None
        ]
        if self.excess is not None:
            best = int((self.excess <= WITHIN).sum())
            figure = f"{BEST} ({best} of {len(self.excess)})"
            found.append(replace(self._row(figure, 100 * best / len(self.excess)), detail=False))
        return found

    def _row(self, figure: str, percent: float, most: float | None = None) -> Row:
        return Row(
            what=self.what, figure=figure, percent=percent, n=self.n, split=self.split, source=self.source, most=most,
            after=self.after, detail=self.detail,
        )  # fmt: skip


def rows() -> list[Row]:
    """A row for each figure of each set of measurements, then the best clocks of all kernels together."""
    sweeps, grids, wide_grids = _sweeps(), _grids(leave_out=False), _grids(leave_out=True)
    found = [*_caps(), *sweeps, *grids, *wide_grids, _b300(), _h200()]
    best = _best_clocks(sweeps, {how: wide_grids if how == WIDE else grids for how in CHOICES})
    return [*(row for errors in found for row in errors.rows()), *best]


def _energy(time: Array, power: Array) -> Array:
    return np.asarray((1 + time) * (1 + power) - 1)


def _caps() -> list[Errors]:
    found = []
    for board in zeus_power.BOARDS:
        out, held = zeus_power.held_out(board), zeus_power.held_caps(board)
        split = f"figures from other networks, jobs on {board.fit_caps[0]} and {board.fit_caps[1]} W; other caps tested"
        is_v100 = board.kind.startswith("V100")
        for part, caps in (("", held), (" not held by the board", set(out.caps) - held)):
            some = out.under(caps)
            if some.caps:
                found.append(
                    Errors(
                        f"{board.kind}, caps{part}", f"{len(some.jobs)} jobs x {len(some.caps)} caps", split,
                        "zeus_power", some.time, some.power, some.energy,
                        most={"time": 3.0, "energy": 4.0} if is_v100 else {},
                        after=FORM if is_v100 else NOT_HELD if set(out.caps) - held else "",
                    )
                )  # fmt: skip
    return found


def _chosen(how: str) -> str:
    return f"figures {how}" if how == WIDE else f"figures chosen by {how}"


def _sweeps() -> list[Errors]:
    found = []
    for board in clock_sweeps.BOARDS:
        real = clock_sweeps.swept(board.file, "real")
        for how, after in CHOICES.items():
            wide = how == WIDE
            figures = clock_sweeps.wide_figures(board) if wide else clock_sweeps.fit_figures(board, how)
            out = clock_sweeps.judged(figures, real, board.idle_w)
            found.append(
                Errors(
                    f"{board.kind or board.file.upper()}, clocks, {_chosen(how)}",
                    f"{len(real.names)} kernels x {out.time.shape[1]} clocks",
                    "figures from microbenchmarks, kernels on three clocks; other clocks tested", "dvfs_v100_rtx8000",
                    out.time, out.power, _energy(out.time, out.power), out.excess,
                    after=after, detail=how not in {WIDE, "both"},
                )
            )  # fmt: skip
    return found


def _grids(leave_out: bool) -> list[Errors]:
    found = []
    for board in a100_grid.BOARDS:
        out = a100_grid.judged(board, leave_out)
        what = f", {_chosen(WIDE)}" if leave_out else ""
        split = "three clocks under the greatest cap; other clocks and all lower caps tested"
        found.append(
            Errors(
                f"{board.gpu}, clock x cap{what}", f"{len(out.names)} kernels, {len(out.time)} points",
                split + ("; figures from the other kernels" if leave_out else ""), "a100_rtxpro6000_clock_x_cap",
                out.time, out.power, _energy(out.time, out.power), out.excess, after=CHOICES[WIDE] if leave_out else "",
            )
        )  # fmt: skip
    return found


def _b300() -> Errors:
    out = b300_caps.judged()
    return Errors(
        "B300-SXM, caps", "1 kernel x 2 caps", "450, 700, 1100 W; 550 and 900 W tested (best cap among all)",
        "b300_power", out.time, out.power, _energy(out.time, out.power), np.array([out.excess]),
    )  # fmt: skip


def _h200() -> Errors:
    out = h200_counters.held_out(h200_counters.runs())
    split = "watts from counters; each workload left out with all its pairs"
    return Errors("H200-SXM, counters", f"{len(out)} predictions", split, "h200_measured", power=out)


def _best_clocks(sweeps: list[Errors], grids: Mapping[str, list[Errors]]) -> list[Row]:
    """All kernels of all boards together, by what the figures were chosen by."""
    found = []
    for how, after in CHOICES.items():
        own = [*(one for one in sweeps if one.what.endswith(_chosen(how))), *grids[how]]
        every = np.concatenate([one.excess for one in own if one.excess is not None])
        best = int((every <= WITHIN).sum())
        found.append(
            Row(
                what=f"all clock sweeps, {_chosen(how)}", figure=f"{BEST} ({best} of {len(every)})",
                percent=100 * best / len(every), n=f"{len(every)} kernels", split="as in the rows above",
                source="dvfs_v100_rtx8000, a100_rtxpro6000_clock_x_cap", least=80.0, after=after,
            )
        )  # fmt: skip
    return found


if __name__ == "__main__":
    report("fidelity-one-gpu", "One GPU over clocks and caps, held out", [row.content() for row in rows()])
