"""What a comparison of policies says, as plain data.

The comparison fills it; the terminal and the report print it. Here stand only the facts and the two judgements
that both printers share: which value is the best, and whether a difference is more than noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Better = Literal["low", "high"]
Verdict = Literal["better", "worse", "unclear"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its bootstrap 95% interval (lo, hi); None where there are too few pairs for one."""

    value: float
    interval: tuple[float, float] | None = None

    @property
    def certain(self) -> bool:
        """Whether the interval leaves zero out; without an interval nothing is certain."""
        return self.interval is not None and (self.interval[0] > 0.0 or self.interval[1] < 0.0)


@dataclass(frozen=True, slots=True)
class Cell:
    """One metric of one policy: its mean over windows and seeds, and the paired difference to the reference.

    `difference` is in the metric's own unit before scaling, as `value` is; `percent` in percent of the reference.
    """

    value: float | None
    difference: Estimate | None = None
    percent: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A column. `format` is Python's specification for a float without sign, applied after `scale`.

    `unit` is what stands in the heading: a value kept in seconds and shown in hours has unit "h", scale 1 / 3600.
    """

    key: str
    title: str
    unit: str
    better: Better | None
    format: str = ",.1f"
    scale: float = 1.0

    def text(self, value: float | None, sign: str = "") -> str:
        """The number as people read it; `sign` "+" writes the sign of positive numbers as well."""
        return "-" if value is None or math.isnan(value) else format(value * self.scale, f"{sign}z{self.format}")

    def verdict(self, cell: Cell) -> Verdict | None:
        """Better or worse than the reference, unclear if that may be noise, None if there is nothing to judge."""
        estimate = cell.percent or cell.difference
        if estimate is None or self.better is None:
            return None
        if not estimate.certain:
            return "unclear"
        return "better" if (estimate.value < 0.0) == (self.better == "low") else "worse"


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy as written on the command line, its cells by metric key, and what speaks against its numbers.

    `oracle`: it saw the truth. `reference`: differences are taken to it. `marks` are short texts such as
    "3 unfinished jobs" or "service floor not met"; a marked row never counts as the best. `service` says how near its
    service comes to the reference's: strict, matched, relaxed or short; empty for the reference itself. `front`: no
    other row that is no oracle has less energy without a longer mean JCT, nor the other way round.
    """

    label: str
    cells: Mapping[str, Cell]
    oracle: bool = False
    reference: bool = False
    marks: tuple[str, ...] = ()
    service: str = ""
    front: bool = False


@dataclass(frozen=True, slots=True)
class ComparisonTable:
    """Policies by metrics, the most important metric first, and what the numbers were made from.

    `setting` is said of all rows alike: the physics, and the power policy where there is but one.
    """

    rows: tuple[PolicyRow, ...]
    metrics: tuple[Metric, ...]
    trace: str = ""
    cluster: str = ""
    command: str = ""
    windows: tuple[str, ...] = ()
    seeds: tuple[int, ...] = field(default=())
    setting: str = ""

    @property
    def reference(self) -> PolicyRow | None:
        """The row that differences are taken to."""
        return next((row for row in self.rows if row.reference), None)

    def value(self, row: PolicyRow, metric: Metric) -> float | None:
        """The mean of one cell, None if the row lacks it or it is not a number."""
        value = row.cells.get(metric.key, Cell(None)).value
        return None if value is None or math.isnan(value) else value

    def best(self, metric: Metric) -> float | None:
        """The best value among rows that are no oracle and carry no mark; None if there is no such row."""
        fair = [self.value(row, metric) for row in self.rows if not row.oracle and not row.marks]
        known = [value for value in fair if value is not None]
        if not known or metric.better is None:
            return None
        return min(known) if metric.better == "low" else max(known)

    def is_best(self, row: PolicyRow, metric: Metric) -> bool:
        """Whether the row holds the best value; where all rows are level there is nothing to be best of."""
        values = {self.value(other, metric) for other in self.rows}
        if row.oracle or row.marks or len(values) < 2 or self.value(row, metric) is None:
            return False
        return self.value(row, metric) == self.best(metric)
