"""Power policies by name: `static:slowdown=0.05` makes the class `static` of power/static.py with that parameter.

Several are combined by a plus sign, `static:slowdown=0.05+sleep`, and act in that order. Others register a class under
the entry point group `goodwatt.power_policies`.
"""

from __future__ import annotations

from goodwatt.policies.parts import Parts
from goodwatt.policies.power_policy import PowerPolicy
from goodwatt.policies.powered import Powered
from goodwatt.simulator.policy import Policy

DEFAULT_POWER = "default"
PARTS = Parts("goodwatt.policies.power", "goodwatt.power_policies", "power policy")

find = PARTS.find
names = PARTS.names


def make_power(spec: str) -> PowerPolicy:
    """The power policy that a specification describes. Raises InputError or UnknownNameError."""
    parts = tuple(PARTS.make(text) for text in spec.split("+"))
    if len(parts) == 1:
        power: PowerPolicy = parts[0]
        return power
    from goodwatt.policies.power_combined import CombinedPower

    return CombinedPower(spec, parts)


def with_power(policy: Policy, spec: str) -> Policy:
    """The policy under a power policy; itself under the default one. Raises InputError or UnknownNameError."""
    power = make_power(spec)
    return policy if spec == DEFAULT_POWER else Powered(policy, power, spec)
