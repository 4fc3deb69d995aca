"""Mooncake's traces (Qin et al., FAST'25) as CSV, without the hashes of prompt blocks: timestamp_ms, input_length,
output_length.

The times of `conversation` are multiples of three seconds: bursts shorter than that are not in it.
"""

from __future__ import annotations

from goodwatt.traces.requests.request_columns import Clock, RequestColumns
from goodwatt.traces.requests.request_format import RequestFormat

COLUMNS = RequestColumns(
    "timestamp_ms", "input_length", "output_length", Clock.MILLISECONDS, ignored=("n_hash_blocks", "hash_ids")
)
FORMAT = RequestFormat(
    "mooncake-table",
    "Mooncake as CSV (timestamp_ms, input_length, output_length)",
    lambda head: head.has(COLUMNS.required),
    columns=COLUMNS,
    required=COLUMNS.required,
    drops="requests without tokens",
)
