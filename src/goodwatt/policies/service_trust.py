"""How far the capacity that formulas promise is believed: less after it went wrong, slowly more while all goes well.

Formulas know nothing of bursts, of lengths that change with the hour, of an uneven share of the load. So what they say
is multiplied by a trust, one for each role of a service, which every policy keeps for itself. It falls at once when a
recent p99 has eaten into a margin, when too many requests wait, or when the guardrail of promises acts; it is looked at
again only when requests that came since then have been done.
"""

from __future__ import annotations

from goodwatt.policies.service_memory import MINUTE_S, Seen

DISTRUST, TRUST = 0.85, 1.0005
"""Factors after something went wrong, and for each control at which nothing did: 15% back in half an hour."""
LEAST_TRUST, MOST_TRUST = 0.5, 1.3


def trust(seen: Seen, what: str) -> float:
    """The factor; `what` names the role, or what of it this is about."""
    return seen.marks.get(f"trust {what}", 1.0)


def doubt(seen: Seen, what: str) -> None:
    """It went wrong. Once a minute, because measured latencies lag by as much."""
    if seen.now_s - seen.marks.get(f"doubted {what}", -MINUTE_S) >= MINUTE_S:
        seen.marks[f"doubted {what}"] = seen.now_s
        seen.marks[f"trust {what}"] = max(LEAST_TRUST, trust(seen, what) * DISTRUST)


def believe(seen: Seen, what: str, most: float = MOST_TRUST) -> None:
    """It went well."""
    seen.marks[f"trust {what}"] = min(most, trust(seen, what) * TRUST)
