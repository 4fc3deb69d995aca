"""How often which component fails, for how long, and why: the figures, each with its source.

Rates are per component and hour of wall time. What a failure does to nodes and jobs is left to `failures`, what it
costs a job to `checkpointing`. [S] is published, [A] an assumption.

Llama 3 (Grattafiori et al. 2024, arXiv:2407.21783, Table 5): 419 unexpected interruptions in 54 days on 16,384 H100
in 2,048 nodes under 1,024 top-of-rack switches. Counts of the table, which sum to 419, are used: 268 of GPUs (the
text says 58.7%, which fits 126 instead of 148 in its first row; with 126 the table sums to 397), 55 of hosts, 35 of
switches and cables. 61 of software are left out: they are a property of the code that runs, not of a component.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from goodwatt.errors import UnknownNameError

_HOURS = 54 * 24
_GPUS, _NODES, _RACKS = 16_384, 2_048, 1_024

_GPU_CAUSES = (("gpu", 148.0), ("hbm", 72.0), ("sram", 19.0), ("gsp", 17.0), ("corruption", 6.0), ("thermal", 6.0))
_HOST_CAUSES = (
    ("maintenance", 32.0), ("nic", 7.0), ("ssd", 3.0), ("power-supply", 3.0), ("chassis", 2.0), ("io-board", 2.0),
    ("cpu", 2.0), ("memory", 2.0), ("dependency", 2.0),
)  # fmt: skip
_SWITCH_PER_H = -math.log(0.98) / (0.25 * 8_766)
"""Of 180,000 switches 98% run three months without failing [S: Singh et al., SIGCOMM CCR 51(2) 2021]. Alibaba's HPN
(SIGCOMM 2024) counts only crashes: 0.051% of top-of-rack switches a month, a thirteenth."""
_LINKS = 35.0 - _SWITCH_PER_H * _RACKS * _HOURS
"""What is left of Llama 3's 35 after its switches: cables and links. It makes 1.1e-6 per link-hour with 8 links per
node; HPN counts 0.057% of links a month, 0.8e-6."""
_NO_RACK_EVENT = 0.5 / (_RACKS * _HOURS)
"""Llama 3 lists no loss of a rack in 1.3 million rack-hours: half an event (Jeffreys), 0.003 a rack-year [A]."""
_FEED_PER_H = 1.0 * 750 / 1_800 / 8_766
"""One power distribution unit a year, with 500 to 1,000 of the 1,800 machines of a cluster behind it, in its first
year [S: Dean, Google I/O 2008]. Old, single-corded, and the only count of lost power paths that is public: an upper
end."""

LANL_HARDWARE_SIGMA = math.sqrt(2.0 * math.log(342 / 64))
"""Repair times are lognormal; hardware: mean 342 min, median 64 min [S: Schroeder and Gibson, DSN 2006]."""
LANL_NETWORK_SIGMA = math.sqrt(2.0 * math.log(247 / 70))
LANL_ENVIRONMENT_SIGMA = math.sqrt(2.0 * math.log(572 / 269))


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRates:
    """How components of one kind fail.

    `per_hour`: failures per component-hour, averaged over components that are long in service. `spread`: lognormal
    spread (of the logarithm) of the components' own factors, whose mean is 1: repeat offenders. A new component fails
    `burn_in` times as often, falling off exponentially within `burn_in_h`. `repair_median_s`, `repair_spread`: the
    lognormal repair time. `causes`: (name, weight).
    """

    per_hour: float = 0.0
    spread: float = 0.0
    burn_in: float = 1.0
    burn_in_h: float = 720.0
    repair_median_s: float = 3_600.0
    repair_spread: float = 0.0
    causes: tuple[tuple[str, float], ...] = (("failure", 1.0),)


@dataclass(frozen=True, slots=True, kw_only=True)
class StragglerRates:
    """GPUs that are slow from time to time without failing.

    `share` of GPUs are such; a spell runs each of them 1 + `slowdown` times longer on average (exponential over GPUs),
    for a `spell_s` at a time, in the share `duty` of all spells.
    """

    share: float = 0.0
    slowdown: float = 0.10
    spell_s: float = 4_320.0
    duty: float = 0.5


NEVER = ComponentRates()
Takes = Literal["gpu", "node", "reset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureSettings:
    """What fails in a run. Kinds of components:

    `gpu`; `node`: host, disk, power supply, network card and cable; `switch`: the top-of-rack switch, it cuts off its
    rack; `nvlink`: the switches of an NVLink domain beyond a node, they take the domain; `rack`; `feed`: one of a
    rack's supplies, which takes its share of the rack's power and no node by itself.
    `gpu_takes`: what a failed GPU takes down until it is repaired: the GPU alone, its whole node, or (reset) the node
    for `reset_s` and the GPU alone afterwards. `age_h`: age of all components when the run begins. `replace_after`:
    a component is exchanged for a new one at every so many failures (0: never), as operators do with lemons.
    `fault_per_gpu_hour`: fatal faults of the jobs' own code, per hour and GPU that they hold, in no preset. Llama 3's
    61 software interruptions come to 2.9e-6; clusters on which people develop see far more.
    """

    gpu: ComponentRates = NEVER
    node: ComponentRates = NEVER
    switch: ComponentRates = NEVER
    nvlink: ComponentRates = NEVER
    rack: ComponentRates = NEVER
    feed: ComponentRates = NEVER
    gpu_takes: Takes = "node"
    reset_s: float = 900.0
    age_h: float = 8_766.0
    replace_after: int = 0
    fault_per_gpu_hour: float = 0.0
    stragglers: StragglerRates = StragglerRates()

    @property
    def any_failure(self) -> bool:
        """Whether any component ever fails."""
        return any(getattr(self, kind).per_hour > 0.0 for kind in KINDS)

    def scaled(self, factor: float) -> FailureSettings:
        """All rates times `factor`; repairs and stragglers as they are."""
        parts = {kind: getattr(self, kind) for kind in KINDS}
        return replace(self, **{kind: replace(r, per_hour=r.per_hour * factor) for kind, r in parts.items()})


KINDS = ("gpu", "node", "switch", "nvlink", "rack", "feed")

_BURN_IN, _BURN_IN_H = 3.0, 720.0
"""Failures are most frequent in the first months and fall off [S: Schroeder and Gibson 2006, Weibull shape 0.7 to
0.8]; by how much and how fast for GPUs nobody has published: three times, within a month [A]."""
_LEMONS = 2.0
"""3 of 63 B200 nodes had over 50% of all exclusions [S: Lablup 2026, arXiv:2605.09370]; drawn with spread 2.0 for
each of a node's parts, three such nodes hold 35 to 41% on average and over half in one draw of ten (with 1.0: 21 to
29%, never). Meta took out 1.2% of its nodes as lemons (Kokolis et al., HPCA 2025, arXiv:2410.21680)."""

PUBLISHED = FailureSettings(
    gpu=ComponentRates(
        per_hour=268 / (_GPUS * _HOURS),
        spread=_LEMONS,
        # 2.2 h: the recovery with which Cui et al. (SC 2025, arXiv:2503.11901) size the spares of H100 nodes [S].
        repair_median_s=2.2 * 3_600 * math.exp(-0.5 * LANL_HARDWARE_SIGMA**2),
        repair_spread=LANL_HARDWARE_SIGMA,
        causes=_GPU_CAUSES,
        burn_in=_BURN_IN,
        burn_in_h=_BURN_IN_H,
    ),
    node=ComponentRates(
        per_hour=(55 + _LINKS) / (_NODES * _HOURS),
        spread=_LEMONS,
        repair_median_s=64 * 60,
        repair_spread=LANL_HARDWARE_SIGMA,
        causes=(*_HOST_CAUSES, ("link", round(_LINKS, 1))),
        burn_in=_BURN_IN,
        burn_in_h=_BURN_IN_H,
    ),
    switch=ComponentRates(
        per_hour=_SWITCH_PER_H,
        repair_median_s=70 * 60,
        repair_spread=LANL_NETWORK_SIGMA,
        # Shares of Singh et al.: 32% hardware, 17% the vendor's software, the rest mostly unplanned loss of power.
        causes=(("hardware", 0.32), ("software", 0.17), ("power", 0.51)),
    ),
    # No count of failing NVLink switches is public: nine trays per domain, each like a top-of-rack switch [A].
    nvlink=ComponentRates(
        per_hour=9 * _SWITCH_PER_H,
        repair_median_s=70 * 60,
        repair_spread=LANL_NETWORK_SIGMA,
        causes=(("nvlink-switch", 1.0),),
    ),
    rack=ComponentRates(
        per_hour=_NO_RACK_EVENT,
        repair_median_s=269 * 60,
        repair_spread=LANL_ENVIRONMENT_SIGMA,
        causes=(("busbar", 1.0), ("cooling", 1.0)),
    ),
    feed=ComponentRates(
        per_hour=_FEED_PER_H,
        repair_median_s=269 * 60,
        repair_spread=LANL_ENVIRONMENT_SIGMA,
        causes=(("feed", 1.0),),
    ),
    # Ratio of machines: 0.5%, about 10% slower [S: MegaScale, NSDI 2024]; of GPUs so many that 0.5% of 8-GPU nodes
    # have one. Spells of 72 min are the mean of large jobs [S: Greyhound, ATC 2025]; half of the time is [A].
    stragglers=StragglerRates(share=0.000626),
)


def per_thousand_node_days(settings: FailureSettings, node_gpus: int = 8, rack_nodes: int = 2) -> float:
    """Interruptions of a job that fills whole racks, the unit of Meta's study; long in service."""
    per_node_h = node_gpus * settings.gpu.per_hour + settings.node.per_hour
    return 24_000.0 * (per_node_h + (settings.switch.per_hour + settings.rack.per_hour) / rack_nodes)


PRESETS: Mapping[str, FailureSettings] = {
    "published": PUBLISHED,
    # Failures per 1,000 node-days of Meta's research clusters [S: Kokolis et al. 2025], causes as in Llama 3.
    "rsc-1": PUBLISHED.scaled(6.50 / per_thousand_node_days(PUBLISHED)),
    "rsc-2": PUBLISHED.scaled(2.34 / per_thousand_node_days(PUBLISHED)),
}


def failure_preset(name: str) -> FailureSettings:
    """The settings of a preset. Raises UnknownNameError."""
    if name not in PRESETS:
        raise UnknownNameError("failure preset", name, PRESETS)
    return PRESETS[name]


def failures_from(data: Mapping[str, Any]) -> FailureSettings:
    """The settings that a validated `failures` section describes: what it says overrides its preset's."""
    base = failure_preset(data["preset"]) if data.get("preset") else FailureSettings()
    base = base.scaled(data.get("scale", 1.0))
    values = {key: value for key, value in data.items() if key not in {"preset", "scale"}}
    for name, section in values.items():
        if isinstance(section, Mapping):
            values[name] = replace(getattr(base, name), **_rate_in(section))
    return replace(base, **values)


def _rate_in(section: Mapping[str, Any]) -> dict[str, Any]:
    """The section with a mean time between failures turned into a rate."""
    values = dict(section)
    if "mtbf_h" in values:
        values["per_hour"] = 1.0 / values.pop("mtbf_h")
    return values
