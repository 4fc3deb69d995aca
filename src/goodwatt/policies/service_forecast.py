"""The load of a service in some minutes: by its trend, and by what came after the same time yesterday and last week."""

from __future__ import annotations

from collections.abc import Iterator

from goodwatt.policies.service_memory import DAY_S, MINUTE_S, Seen

LEVEL_S = 300.0
"""The load now is the mean of the last five minutes."""
TREND_S = 900.0
"""The trend is that of the last quarter of an hour: its last third against its first."""
AROUND = 5
"""Minutes that stand for a time of an earlier day: before now, and around then."""


def forecast(seen: Seen, ahead_s: float) -> float:
    """Requests a second in so long, never below 0: by the earlier days, by the trend before there are any."""
    level = seen.rate(LEVEL_S)
    guesses = [level * ratio for days in (1, 7) for ratio in _ratios(seen, days, ahead_s)]
    if not guesses:
        guesses = [level + _slope(seen) * (ahead_s + LEVEL_S / 2.0)]
    return max(0.0, sum(guesses) / len(guesses))


def _slope(seen: Seen) -> float:
    """Requests a second, per second."""
    if seen.now_s - seen.began_s < TREND_S:
        return 0.0
    before = seen.rate(LEVEL_S, seen.now_s - (TREND_S - LEVEL_S))
    return (seen.rate(LEVEL_S) - before) / (TREND_S - LEVEL_S)


def _ratios(seen: Seen, days: int, ahead_s: float) -> Iterator[float]:
    """How load changed from this time of an earlier day to so long after, if that was seen."""
    now = round((seen.now_s - seen.began_s - days * DAY_S) / MINUTE_S)
    then = now + round(ahead_s / MINUTE_S)
    if now - AROUND < 0:
        return
    before, after = seen.minutes[now - AROUND : now], seen.minutes[then - AROUND // 2 :][:AROUND]
    if before and after and sum(before) > 0.0:
        yield (sum(after) / len(after)) / (sum(before) / len(before))
