"""The small tree of errors that people see.

Foreign errors are translated into these once, at the edge where they arise; the command line turns them into
one message and an exit status (2 for wrong input or a wrong call, 1 for a failure while running).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any


class GoodwattError(Exception):
    """Anything that goodwatt itself reports; the message is written for the person at the terminal."""


class InputError(GoodwattError):
    """What came in is wrong: a file, a name, an option. Exit status 2."""


class RunError(GoodwattError):
    """It failed while running. Exit status 1."""


class BadRow(InputError):
    """One place in a file that cannot be used: where it is, what was expected and what came."""

    def __init__(self, path: Path | str, line: int, column: str | None, expected: str, got: str) -> None:
        self.path, self.line, self.column, self.expected, self.got = str(path), line, column, expected, got
        place = f"{path}, line {line}" + (f", column {column!r}" if column else "")
        super().__init__(f"{place}: expected {expected}, got {got}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.line, self.column, self.expected, self.got)


Place = tuple[str | int, ...]
"""A path of keys and positions into the content of a file."""


class FieldError(InputError):
    """Something in the content of a file is wrong, at `place`; who read the file knows the line."""

    def __init__(self, place: Place, problem: str) -> None:
        self.place, self.problem = place, problem
        super().__init__(f"{'.'.join(map(str, place))}: {problem}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.place, self.problem)


MOST_NAMES = 40
"""A message that lists more helps nobody: a cluster has thousands of nodes."""


class UnknownNameError(InputError):
    """A name that nobody registered, with the nearest ones that exist."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        import difflib

        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        known_text = ", ".join(names[:MOST_NAMES]) + more
        hint = f": did you mean {' or '.join(map(repr, near))}?" if near else f"; known: {known_text}"
        super().__init__(f"unknown {what} {name!r}{hint}")
        self._made_of = what, name, names

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._made_of
