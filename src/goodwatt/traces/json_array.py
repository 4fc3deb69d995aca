"""The elements of one large JSON array, one by one, with the line on which each begins.

Only a part of the text is in memory at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from goodwatt.errors import BadRow
from goodwatt.traces.source import BROKEN_STREAM, broken

CHUNK = 1 << 16
LONGEST_ELEMENT = 1 << 24
BLANKS = " \t\r\n"
_decode = json.JSONDecoder().raw_decode


class JsonArray:
    """Iterates over an array; whatever is no JSON ends it with a BadRow."""

    def __init__(self, path: Path, text: TextIO) -> None:
        self._path, self._text = path, text
        self._buffer, self._at, self._line = "", 0, 1

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        if self._next_sign() != "[":
            raise self._wrong("the '[' of an array")
        self._at += 1
        if self._next_sign() == "]":
            return
        while True:
            yield self._element()
            sign = self._next_sign()
            if sign == "]":
                return
            if sign != ",":
                raise self._wrong("',' or ']'")
            self._at += 1

    def _element(self) -> tuple[int, Any]:
        self._next_sign()
        line = self._line
        while True:
            try:
                value, end = _decode(self._buffer, self._at)
            except json.JSONDecodeError as problem:
                if len(self._buffer) - self._at > LONGEST_ELEMENT or not self._read_more():
                    where = self._line + self._buffer.count("\n", self._at, problem.pos)
                    raise BadRow(self._path, where, None, "JSON", problem.msg) from None
            else:
                self._line += self._buffer.count("\n", self._at, end)
                self._at = end
                return line, value

    def _next_sign(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            while self._at < len(self._buffer):
                sign = self._buffer[self._at]
                if sign not in BLANKS:
                    return sign
                self._line += sign == "\n"
                self._at += 1
            if not self._read_more():
                return ""

    def _read_more(self) -> bool:
        try:
            more = self._text.read(max(CHUNK, len(self._buffer) - self._at))
        except BROKEN_STREAM as problem:
            raise broken(self._path, self._line, problem) from problem
        self._buffer, self._at = self._buffer[self._at :] + more, 0
        return bool(more)

    def _wrong(self, expected: str) -> BadRow:
        sign = self._next_sign()
        return BadRow(self._path, self._line, None, expected, repr(sign) if sign else "the end of the file")
