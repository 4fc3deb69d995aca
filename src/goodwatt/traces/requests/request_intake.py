"""Where a reader of requests puts what it finds: columns that grow, rows that are no requests, bad rows, notes.

Makes the `RequestTrace`: requests in order of arrival, times from 0 s. Reading cells is for `request_columns` and the
formats.
"""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from goodwatt.errors import BadRow
from goodwatt.time_zones import time_zone
from goodwatt.traces.intake import Intake
from goodwatt.traces.requests.request_trace import Floats, RequestTrace, Tokens
from goodwatt.traces.trace import Dropped, labels_of_mark
from goodwatt.traces.trace_format import ReadOptions

DAY_S = 86400.0
MICROSECONDS = 6
"""Decimals that a wall-clock time keeps once the first one is taken off: what a float of seconds since 1970 holds."""


class RequestIntake(Intake):
    """Collects the requests of one trace and gives a `RequestTrace` at the end.

    `from_first`, set by whoever reads wall-clock times, moves the first request to 0 s. `from_midnight` takes off
    whole days, for a source that counts seconds from the midnight of a first day that lies before the file.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path, options)
        self.from_midnight = False
        self._times, self._prompts, self._outputs = array("d"), array("i"), array("i")
        self._parts: list[tuple[Floats, Tokens, Tokens]] = []

    def add(self, line: int, values: dict[str, Any]) -> None:  # noqa: ARG002 # the line is told where a row is wrong
        """One request: `arrival_s`, and tokens where there are any."""
        self._times.append(values["arrival_s"])
        self._prompts.append(values.get("prompt_tokens", 1))
        self._outputs.append(values.get("output_tokens", 1))

    def extend(self, arrival_s: Floats, prompt_tokens: Tokens, output_tokens: Tokens) -> None:
        """Many requests at once, checked by whoever read them."""
        self._parts.append((arrival_s, prompt_tokens, output_tokens))

    def drop_many(self, first_line: int, reason: str, count: int) -> None:
        """`drop` for `count` rows at once."""
        known = self._dropped.setdefault(reason, [0, first_line])
        known[0] += count

    def requests(self, format_name: str, sha256: str) -> RequestTrace:
        """The trace: requests by arrival, then by their order in the file. BadRow where there is none."""
        arrival_s, prompt_tokens, output_tokens = self._columns()
        if not len(arrival_s):
            raise self._none_left()
        order = self._sorting(arrival_s)
        if order is not None:
            arrival_s, prompt_tokens, output_tokens = (c[order] for c in (arrival_s, prompt_tokens, output_tokens))
        arrival_s, day_s = self._from_zero(arrival_s)
        return RequestTrace(
            name=Path(self.path.name.removesuffix(".gz")).stem,
            arrival_s=arrival_s,
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
            day_s=day_s,
            format=format_name,
            path=self.path,
            sha256=sha256,
            dropped=tuple(Dropped(reason, count, first) for reason, (count, first) in self._dropped.items()),
            bad_rows=tuple(self._bad),
            notes=(*self._notes, *(f"{text}: {count} requests" for text, count in self._counted.items())),
            synthetic=tuple(dict.fromkeys(label for text in self._marks if text for label in labels_of_mark(text))),
        )

    def _columns(self) -> tuple[Floats, Tokens, Tokens]:
        own = (np.array(self._times), np.array(self._prompts, np.int32), np.array(self._outputs, np.int32))
        parts = [*self._parts, own]
        times, prompts, outputs = (np.concatenate([part[i] for part in parts]) for i in range(3))
        return times, prompts, outputs

    def _sorting(self, arrival_s: Floats) -> Any:
        """Indexes that bring the requests in order; None where they are, as in most files."""
        back = int((arrival_s[1:] < arrival_s[:-1]).sum())
        if not back:
            return None
        self.note(f"put in order of arrival: {back} requests come before the one ahead of them in the file")
        return np.argsort(arrival_s, kind="stable")

    def _from_zero(self, arrival_s: Floats) -> tuple[Floats, float | None]:
        """Times of the trace, and the time of day at 0 s where it is known."""
        first_s = float(arrival_s[0])
        if self.from_first:
            start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=first_s)
            self.note(f"0 s is {start.isoformat()}")
            local = start.astimezone(time_zone(self.options.time_zone)).replace(tzinfo=None)
            day_s = (local - local.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
            return np.round(arrival_s - first_s, MICROSECONDS), day_s
        if self.from_midnight:
            days = first_s // DAY_S
            if days:
                self.note(f"0 s is {days:.0f} days after 0 s of the source")
            return arrival_s - days * DAY_S, 0.0
        return arrival_s, None

    def _none_left(self) -> BadRow:
        reasons = [
            f"{count} rows dropped ({why}), the first on line {line}" for why, (count, line) in self._dropped.items()
        ]
        if self._bad:
            reasons.append(f"{len(self._bad)} bad rows, the first: {self._bad[0]}")
        return BadRow(self.path, 2, None, "at least one request", "; ".join(reasons) or "the end of the file")
