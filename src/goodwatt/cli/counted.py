"""How many of something, in words."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """`1 node`, `1,200 nodes`; `many` where an s at the end of `one` does not make it."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
