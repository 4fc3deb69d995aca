"""What one cell of a table may hold, and how its text becomes a value.

A cell says in words what it expects, so that every format reports a wrong value in the same way. Which column holds
which cell is the business of the formats; empty cells never get here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobStatus

INFINITE = float("inf")
GREATEST_WHOLE = 2**53
"""Beyond this a float no longer holds every whole number; no count in a trace comes near it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """`parse` raises ValueError where the text is not what `expected` says."""

    expected: str
    parse: Callable[[str], Any]


def _text(text: str) -> str:
    if not text.isascii():
        text.encode()  # undecodable bytes were read as lone surrogates, which UTF-8 refuses
    return text


def _name(text: str) -> str:
    """Text that many rows share: one string object for all of them."""
    return sys.intern(text if text.isascii() else _text(text))


def parse_number(text: str) -> float:
    """A finite number, without the underscores that Python would allow."""
    value = float(text)
    if not -INFINITE < value < INFINITE or "_" in text:
        raise ValueError(text)
    return value


def parse_amount(text: str) -> float:
    """A finite number that is not negative."""
    value = float(text)
    if not 0.0 <= value < INFINITE or "_" in text:
        raise ValueError(text)
    return value


def parse_whole(text: str) -> int:
    """A whole number, also when it is written as a float (`8.0`)."""
    try:
        value = int(text)
    except ValueError:
        number = float(text)
        value = int(number) if number.is_integer() else -GREATEST_WHOLE - 1
    if not -GREATEST_WHOLE <= value <= GREATEST_WHOLE or "_" in text:
        raise ValueError(text)
    return value


def parse_count(text: str) -> int:
    """A whole number that is not negative."""
    value = parse_whole(text)
    if value < 0:
        raise ValueError(text)
    return value


def _positive_count(text: str) -> int:
    value = parse_whole(text)
    if value < 1:
        raise ValueError(text)
    return value


def _share(text: str) -> int:
    value = parse_whole(text)
    if not 1 <= value <= WHOLE_GPU_MILLI:
        raise ValueError(text)
    return value


def _alternatives(text: str) -> tuple[str, ...]:
    names = tuple(_name(part) for part in text.split("|"))
    if not all(names):
        raise ValueError(text)
    return names


FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def _flag(text: str) -> bool:
    try:
        return FLAGS[text.lower()]
    except KeyError:
        raise ValueError(text) from None


STATUSES = {str(status): status for status in JobStatus}


def _status(text: str) -> JobStatus:
    try:
        return STATUSES[text]
    except KeyError:
        raise ValueError(text) from None


TEXT = Cell("text in UTF-8", _text)
NAME = Cell("text in UTF-8", _name)
NUMBER = Cell("a finite number", parse_number)
AMOUNT = Cell("a number, 0 or more", parse_amount)
SECONDS = Cell("a finite number of seconds", parse_number)
SPAN = Cell("a number of seconds, 0 or more", parse_amount)
MILLISECONDS = Cell("a finite number of milliseconds", lambda text: parse_number(text) / 1000)
SPAN_IN_MS = Cell("a number of milliseconds, 0 or more", lambda text: parse_amount(text) / 1000)
WHOLE = Cell("a whole number", parse_whole)
COUNT = Cell("a whole number, 0 or more", parse_count)
POSITIVE = Cell("a whole number, 1 or more", _positive_count)
CORES = Cell("a number of CPU cores, 0 or more", lambda text: round(parse_amount(text) * 1000))
"""CPU cores as thousandths, for `cpu_milli`."""
SHARE = Cell("thousandths of a GPU, 1 to 1000", _share)
ALTERNATIVES = Cell("names separated by '|'", _alternatives)
STATUS = Cell(f"one of {', '.join(JobStatus)}", _status)
FLAG = Cell("true or false", _flag)
