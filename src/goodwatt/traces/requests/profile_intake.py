"""Where a reader of rate profiles puts what it finds: rows, bad rows, notes; and the profile made of them.

What the rows mean is the business of the formats.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from goodwatt.errors import BadRow
from goodwatt.traces.intake import Intake
from goodwatt.traces.requests.rate_profile import RateProfile
from goodwatt.traces.requests.request_trace import Floats
from goodwatt.traces.trace import Dropped
from goodwatt.traces.trace_format import ReadOptions


class ProfileIntake(Intake):
    """Collects rows, each with its line; the format then calls `finish_with`."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path, options)
        self.rows: list[tuple[int, dict[str, Any]]] = []
        self._steps: tuple[Floats, Floats, float, bool] | None = None

    def add(self, line: int, values: dict[str, Any]) -> None:
        """One row."""
        self.rows.append((line, values))

    def need_rows(self, least: int, expected: str) -> None:
        """BadRow where fewer rows than that are left."""
        if len(self.rows) < least:
            reasons = [f"{count} rows dropped ({why})" for why, (count, _) in self._dropped.items()]
            reasons += [f"{len(self._bad)} bad rows, the first: {self._bad[0]}"] if self._bad else []
            line = self.rows[-1][0] + 1 if self.rows else 2
            raise BadRow(self.path, line, None, expected, "; ".join(reasons) or "the end of the file")

    def finish_with(self, t_s: Floats, rate_per_s: Floats, end_s: float, *, relative: bool) -> None:
        """The steps of the profile."""
        self._steps = t_s, rate_per_s, end_s, relative

    def profile(self, format_name: str, sha256: str) -> RateProfile:
        """The profile, once the format is done."""
        assert self._steps is not None, "a format ends with finish_with"  # noqa: S101
        t_s, rate_per_s, end_s, relative = self._steps
        return RateProfile(
            name=Path(self.path.name.removesuffix(".gz")).stem,
            t_s=t_s,
            rate_per_s=rate_per_s,
            end_s=end_s,
            relative=relative,
            format=format_name,
            path=self.path,
            sha256=sha256,
            dropped=tuple(Dropped(reason, count, first) for reason, (count, first) in self._dropped.items()),
            bad_rows=tuple(self._bad),
            notes=tuple(self._notes),
        )
