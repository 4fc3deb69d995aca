"""A row of the fidelity tables: what was predicted, how far it is off, and what has to be known to judge that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure, in per cent. `most` or `least`: the bar it has to keep, none where it is only shown.

    `split`: what the fit saw and what it is tested on. `after`: choices behind it that were made with results of the
    test in view, and whatever else forbids to take it at face value. `detail`: stands in the printed table and the
    JSON only, not on the page of the documentation.
    """

    what: str
    figure: str
    percent: float
    n: int | str
    split: str
    source: str
    most: float | None = None
    least: float | None = None
    after: str = ""
    detail: bool = False

    @property
    def bar(self) -> str:
        """As a person reads it."""
        if self.most is not None:
            return f"<= {self.most:g}"
        return "shown" if self.least is None else f">= {self.least:g}"

    @property
    def met(self) -> bool | None:
        """Whether it keeps its bar; None without one."""
        if self.most is not None:
            return abs(self.percent) <= self.most
        return None if self.least is None else self.percent >= self.least

    @property
    def verdict(self) -> str:
        """Yes, no, or nothing to say."""
        return "" if self.met is None else "yes" if self.met else "NO"

    def content(self) -> Mapping[str, Any]:
        """As a line of a table."""
        return {
            "what": self.what,
            "figure": self.figure,
            "%": round(self.percent, 2),
            "n": self.n,
            "bar": self.bar,
            "met": self.verdict,
            "split": self.split,
            "source": self.source,
            "seen before chosen, caveats": self.after,
        }
