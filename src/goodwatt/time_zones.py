"""Time zones by the names that people give."""

from __future__ import annotations

from datetime import tzinfo

from goodwatt.errors import InputError, UnknownNameError


def time_zone(name: str) -> tzinfo:
    """The zone of a name such as Europe/Berlin. Raises UnknownNameError, InputError where the system knows no zones."""
    from zoneinfo import ZoneInfo, available_timezones  # costs start-up, and most files do without

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
    if not known:
        raise InputError(f"time zone {name!r}: this system has no time zone data; the package tzdata has it")
    raise UnknownNameError("time zone", name, known)
