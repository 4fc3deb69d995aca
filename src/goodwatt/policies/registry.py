"""Policies by name, and what a specification of them makes.

A specification is `order`, `placement` or `order+placement`, each with parameters: `qssf:history_days=30+fgd`. An
order alone is combined with best-fit, a placement alone with fifo. What ships is found by its file: the policy
`easy-backfill` is the class of that name in easy_backfill.py. Others register a class (an order, a placement or a
whole policy) under the entry point group `goodwatt.policies`.
"""

from __future__ import annotations

import inspect
from typing import Literal

from goodwatt.errors import InputError
from goodwatt.policies.composite import Composite
from goodwatt.policies.parts import Part, Parts
from goodwatt.simulator.policy import Policy

GROUP = "goodwatt.policies"
PARTS = Parts("goodwatt.policies", GROUP, "policy")
DEFAULT_ORDER, DEFAULT_PLACEMENT = "fifo", "best-fit"

Role = Literal["order", "placement", "policy"]

find = PARTS.find
names = PARTS.names


def make_policy(spec: str) -> Policy:
    """The policy that a specification describes. Raises InputError or UnknownNameError."""
    parts = [PARTS.make(text) for text in spec.split("+")]
    roles = [role_of(type(part)) for part in parts]
    if roles == ["policy"]:
        policy: Policy = parts[0]
        return policy
    named = dict(zip(roles, parts, strict=True))
    if len(parts) > 2 or len(named) < len(parts) or "policy" in named:
        raise InputError(f"policy {spec!r}: expected order, placement or order+placement, got {'+'.join(roles)}")
    order = named.get("order") or find(DEFAULT_ORDER)()
    return Composite(spec, order, named.get("placement") or find(DEFAULT_PLACEMENT)())


def role_of(part: Part) -> Role:
    """What a class is: a placement has `place`; an order decides with a placement, a whole policy without."""
    if hasattr(part, "place"):
        return "placement"
    if not hasattr(part, "decide"):
        raise InputError(f"{part.__qualname__} is no policy: expected a method place or decide")
    return "order" if "placement" in inspect.signature(part.decide).parameters else "policy"
