"""Names of machines in the notation of Slurm: `gpu[001-060,064]` stands for gpu001 to gpu060 and gpu064."""

from __future__ import annotations

import re
from collections.abc import Iterator

from goodwatt.errors import InputError

MOST_NAMES = 1_000_000
_PATTERN = re.compile(r"([^\[\],]*)(?:\[([^\[\]]*)\])?([^\[\],]*)")


def expand(pattern: str) -> list[str]:
    """All names that `pattern` stands for, in its order; numbers keep the width they are written with.

    Raises InputError if it cannot be read.
    """
    return [name for part in _split(pattern) for name in _expand_one(part, pattern)]


def _split(pattern: str) -> Iterator[str]:
    """The parts between commas that stand outside brackets."""
    depth = start = 0
    for i, char in enumerate(pattern):
        depth += (char == "[") - (char == "]")
        if char == "," and depth == 0:
            yield pattern[start:i].strip()
            start = i + 1
    yield pattern[start:].strip()


def _expand_one(part: str, pattern: str) -> list[str]:
    match = _PATTERN.fullmatch(part)
    if not part or match is None:
        raise _unreadable(pattern)
    before, numbers, after = match.groups()
    if numbers is None:
        return [part]
    return [f"{before}{n}{after}" for span in numbers.split(",") for n in _numbers(span.strip(), pattern)]


def _numbers(span: str, pattern: str) -> Iterator[str]:
    first, dash, last = span.partition("-")
    last = last if dash else first
    if not (first.isdecimal() and last.isdecimal()) or not 0 <= int(last) - int(first) < MOST_NAMES:
        raise _unreadable(pattern)
    width = len(first) if first.startswith("0") else 0
    return (f"{n:0{width}d}" for n in range(int(first), int(last) + 1))


def _unreadable(pattern: str) -> InputError:
    return InputError(f"expected machine names such as 'gpu[001-060,064]', got {pattern!r}")
