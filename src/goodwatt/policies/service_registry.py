"""Service policies by name: `reactive:target=0.6` makes the class `reactive` of services/reactive.py.

Several are combined by a plus sign and decide in that order; where none says how many instances there are (`sizes`),
`fixed` comes before them. Others register a class under the entry point group
`goodwatt.service_policies`.
"""

from __future__ import annotations

from goodwatt.policies.parts import Parts
from goodwatt.policies.served import Served, ServicePolicies
from goodwatt.policies.service_policy import ServicePolicy
from goodwatt.simulator.policy import Policy

DEFAULT_SERVICES = "fixed"
PARTS = Parts("goodwatt.policies.services", "goodwatt.service_policies", "service policy")

find = PARTS.find
names = PARTS.names


def make_services(spec: str) -> ServicePolicy:
    """The service policy that a specification describes. Raises InputError or UnknownNameError."""
    parts = tuple(PARTS.make(text) for text in spec.split("+"))
    if not any(getattr(part, "sizes", True) for part in parts):
        parts = (PARTS.make(DEFAULT_SERVICES), *parts)
    if len(parts) == 1:
        policy: ServicePolicy = parts[0]
        return policy
    return ServicePolicies(spec, parts)


def with_services(policy: Policy, spec: str) -> Policy:
    """A scheduling policy beside a service policy; itself without one. Raises InputError or UnknownNameError."""
    return policy if not spec else Served(policy, make_services(spec), spec)
