"""The formats, one file each. A new one is a file here that defines `FORMAT`, and a line in one of the two lists."""

from __future__ import annotations

from goodwatt.traces.requests.formats import (
    alibaba_dlrm,
    alibaba_genai,
    azure_llm,
    burstgpt,
    mooncake,
    mooncake_table,
    rate_table,
    request_table,
    request_table_parquet,
)
from goodwatt.traces.requests.request_format import ProfileFormat, RequestFormat

REQUEST_FORMATS: tuple[RequestFormat, ...] = (
    request_table.FORMAT,
    request_table_parquet.FORMAT,
    azure_llm.FORMAT,
    mooncake.FORMAT,
    mooncake_table.FORMAT,
    burstgpt.FORMAT,
)
PROFILE_FORMATS: tuple[ProfileFormat, ...] = (rate_table.FORMAT, alibaba_genai.FORMAT, alibaba_dlrm.FORMAT)
