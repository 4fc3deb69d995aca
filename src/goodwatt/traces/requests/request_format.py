"""What a format of request traces or of rate profiles declares. The formats are in `formats/`, one file each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goodwatt.traces.trace_format import Head

if TYPE_CHECKING:
    from goodwatt.traces.requests.profile_intake import ProfileIntake
    from goodwatt.traces.requests.request_columns import RequestColumns
    from goodwatt.traces.requests.request_intake import RequestIntake
    from goodwatt.traces.source import Source


@dataclass(frozen=True, slots=True)
class RequestFormat:
    """One way in which the world writes down requests.

    `recognise` answers how many columns (or how much else) of the head it knows, 0 if the file is not its own. A format
    is either a table with `columns`, which large files are read by at once, or has its own `read`. `drops` says what
    the files hold that is no answered request.
    """

    name: str
    about: str
    recognise: Callable[[Head], int]
    columns: RequestColumns | None = None
    read: Callable[[Source, RequestIntake], None] | None = None
    required: tuple[str, ...] = ()
    drops: str = "nothing"


@dataclass(frozen=True, slots=True)
class ProfileFormat:
    """One way in which the world writes down how many requests come; `selects`: a file holds several profiles."""

    name: str
    about: str
    recognise: Callable[[Head], int]
    read: Callable[[Source, ProfileIntake], None]
    required: tuple[str, ...] = ()
    selects: bool = False
