"""Azure LLM inference traces of 2023 (an hour of code, one of conversation; Splitwise, ISCA'24) and of May 2024 (a week
each; DynamoLLM, HPCA'25): the same three columns.

Times of 2023 name no zone and have seven decimals, of which microseconds are kept; those of 2024 end in +00:00 and have
six decimals or none.
"""

from __future__ import annotations

from goodwatt.traces.requests.request_columns import Clock, RequestColumns
from goodwatt.traces.requests.request_format import RequestFormat

COLUMNS = RequestColumns("TIMESTAMP", "ContextTokens", "GeneratedTokens", Clock.WALL)
FORMAT = RequestFormat(
    "azure-llm",
    "Azure LLM inference 2023 and 2024 (TIMESTAMP, ContextTokens, GeneratedTokens)",
    lambda head: head.has(COLUMNS.required),
    columns=COLUMNS,
    required=COLUMNS.required,
    drops="requests without tokens",
)
