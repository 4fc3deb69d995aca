"""BurstGPT (Wang et al., KDD'25), all releases: those from 2.0 on have two more columns, Session ID and Elapsed time.

Timestamp counts seconds from the midnight of the first day of collection, so later files begin months in: whole days
are taken off. A failed request has 0 response tokens. It is dropped and counted: what it would have cost is not known,
and the published files without failures leave it out too.
"""

from __future__ import annotations

from goodwatt.traces.requests.request_columns import Clock, RequestColumns
from goodwatt.traces.requests.request_format import RequestFormat

COLUMNS = RequestColumns(
    "Timestamp",
    "Request tokens",
    "Response tokens",
    Clock.SECONDS,
    from_midnight=True,
    ignored=("Session ID", "Elapsed time", "Model", "Total tokens", "Log Type"),
)
SIGNATURE = (*COLUMNS.required, "Model", "Total tokens")
FORMAT = RequestFormat(
    "burstgpt",
    "BurstGPT (Timestamp, Model, Request tokens, Response tokens, Total tokens, Log Type)",
    lambda head: head.has(SIGNATURE),
    columns=COLUMNS,
    required=SIGNATURE,
    drops="failed requests, which have 0 response tokens",
)
