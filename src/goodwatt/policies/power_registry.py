"""Power policies by name: `static:slowdown=0.05` makes the class `static` of power/static.py with that parameter.

Others register a class under the entry point group `goodwatt.power_policies`.
"""

from __future__ import annotations

from goodwatt.policies.parts import Parts
from goodwatt.policies.powered import Powered
from goodwatt.simulator.policy import Policy

DEFAULT_POWER = "default"
PARTS = Parts("goodwatt.policies.power", "goodwatt.power_policies", "power policy")

find = PARTS.find
names = PARTS.names


def with_power(policy: Policy, spec: str) -> Policy:
    """The policy under a power policy; itself under the default one. Raises InputError or UnknownNameError."""
    power = PARTS.make(spec)
    return policy if spec == DEFAULT_POWER else Powered(policy, power, spec)
