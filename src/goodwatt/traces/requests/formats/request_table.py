"""Goodwatt's own request table as CSV: arrival_s, prompt_tokens, output_tokens.

A column of tokens that is left out is 1 throughout.
"""

from __future__ import annotations

from goodwatt.traces.requests.request_columns import Clock, RequestColumns
from goodwatt.traces.requests.request_format import RequestFormat
from goodwatt.traces.trace_format import Head

TITLES = ("arrival_s", "prompt_tokens", "output_tokens")
SYNTHETIC = "synthetic"
COLUMNS = RequestColumns(*TITLES, Clock.SECONDS, log=False, has_tokens=False, mark=SYNTHETIC)


def _recognise(head: Head) -> int:
    return len(set(TITLES) & set(head.titles)) if head.has(COLUMNS.required) else 0


FORMAT = RequestFormat(
    "request-table",
    "Goodwatt's own request table (arrival_s, prompt_tokens, output_tokens)",
    _recognise,
    columns=COLUMNS,
    required=TITLES,
)
