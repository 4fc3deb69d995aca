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
LEFT_OUT = {
    "phase": "clocks that follow a job's phases are left out, for they would save next to nothing: of the catalogue's "
    "36 classes 7 have phases that telemetry, a mean over a second, could tell apart, and 6 of these are training with "
    "a checkpoint now and then; beyond the best single clock, following them saves at most 0.03% of the catalogue's "
    "energy (docs/design/physics.md, benchmarks/phase_clocks.py). Use static, a clock for each job"
}
"""Why there is no policy of a name that somebody may look for."""
PARTS = Parts("goodwatt.policies.power", "goodwatt.power_policies", "power policy", LEFT_OUT)

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
