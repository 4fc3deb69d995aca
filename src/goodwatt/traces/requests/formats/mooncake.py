"""Mooncake's traces (Qin et al., FAST'25) as published: a JSON object per line with timestamp in milliseconds,
input_length, output_length and hash_ids, which name the blocks of 512 tokens of the prompt.

Nobody here knows of prefixes that prompts share, so hash_ids are not used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import orjson

from goodwatt.errors import BadRow
from goodwatt.traces.intake import NotAJob, UnfitError, shown
from goodwatt.traces.requests.request_columns import ANY, check_answered
from goodwatt.traces.requests.request_format import RequestFormat
from goodwatt.traces.requests.request_intake import RequestIntake
from goodwatt.traces.requests.request_trace import MOST_TOKENS
from goodwatt.traces.source import BROKEN_STREAM, Source, broken
from goodwatt.traces.trace_format import Head

KEYS = ("timestamp", "input_length", "output_length")


def _read(source: Source, intake: RequestIntake) -> None:
    for line, text in _lines(source):
        try:
            values = _values(text)
            check_answered(values)
            intake.add(line, values)
        except NotAJob as unanswered:
            intake.drop(line, unanswered.reason)
        except UnfitError as unfit:
            intake.bad(BadRow(source.path, line, unfit.column, unfit.expected, unfit.got))


def _lines(source: Source) -> Iterator[tuple[int, bytes]]:
    line = 0
    try:
        for line, text in enumerate(source.stream, start=1):  # the line is told where the stream breaks
            if text.strip():
                yield line, text
    except BROKEN_STREAM as problem:
        raise broken(source.path, line + 1, problem) from problem


def _values(text: bytes) -> dict[str, Any]:
    try:
        entry = orjson.loads(text.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as problem:
        raise UnfitError(None, "a JSON object", f"{shown(text.decode(errors='replace').strip())} ({problem})") from None
    if not isinstance(entry, dict):
        raise UnfitError(None, "a JSON object", shown(text.decode(errors="replace").strip()))
    time_ms = _number(entry, "timestamp", "a number of milliseconds, 0 or more", (int, float), sys.float_info.max)
    return {
        "arrival_s": time_ms / 1000,
        "prompt_tokens": _number(entry, "input_length", ANY.expected, (int,), MOST_TOKENS),
        "output_tokens": _number(entry, "output_length", ANY.expected, (int,), MOST_TOKENS),
    }


def _number(entry: dict[str, Any], key: str, expected: str, kinds: tuple[type, ...], most: float) -> Any:
    value: Any = entry.get(key)
    fits = isinstance(value, kinds) and not isinstance(value, bool)
    if not fits or not 0 <= value <= most:
        got = "nothing" if value is None else shown(str(value)) if isinstance(value, str) else str(value)
        raise UnfitError(key, expected, got)
    return value


def _recognise(head: Head) -> int:
    """The first line is looked at as text: it may be longer than what was read of the file."""
    first = head.start.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0]
    return len(KEYS) if first.startswith(b"{") and all(f'"{key}"'.encode() in first for key in KEYS) else 0


FORMAT = RequestFormat(
    "mooncake",
    "Mooncake as JSON lines (timestamp, input_length, output_length, hash_ids)",
    _recognise,
    read=_read,
    required=KEYS,
    drops="requests without tokens",
)
