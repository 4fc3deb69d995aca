"""Facts of power beside the GPUs: what a node adds to them, how it sleeps, how the site feeds and cools it.

Plain figures with their sources; the formulas that they enter are in `goodwatt.power` (`supply`, `node_sleep`,
`cooling`, `breaker`). Figures of node types are for one node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from goodwatt.errors import UnknownNameError

PSU_CURVES: Mapping[str, tuple[tuple[float, float], ...]] = {
    "titanium": ((0.10, 0.90), (0.20, 0.94), (0.50, 0.96), (1.00, 0.91)),
    "platinum": ((0.20, 0.90), (0.50, 0.94), (1.00, 0.91)),
}
"""(load as a share of the rating, efficiency) of power supplies.

Source: 80 PLUS, "230 V internal redundant", the least that a supply of the class must reach; real ones are a little
better.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePower:
    """What a node draws beside its GPUs, part by part.

    `host_idle_w` and `host_max_w`: CPUs, memory, NICs, NVSwitches, disks on the output of the power supplies, without
    and with all GPUs held by jobs. Fans draw `fan_idle_w` at rest and `fan_max_w` when they carry `fan_full_w` of
    heat. `psu` names an entry of PSU_CURVES, `psu_rated_w` is the sum of the ratings of all supplies that share the
    load. `distribution_efficiency`: what of the power that enters the row arrives at the supplies (UPS, busbar, PDU).
    """

    host_idle_w: float
    host_max_w: float
    fan_idle_w: float = 0.0
    fan_max_w: float = 0.0
    fan_full_w: float = 1.0
    psu: str = "titanium"
    psu_rated_w: float = 0.0
    distribution_efficiency: float = 1.0


NODE_TYPES: Mapping[str, NodePower] = {
    "dgx-h100": NodePower(
        host_idle_w=650, host_max_w=1150, fan_idle_w=150, fan_max_w=700, fan_full_w=7000, psu_rated_w=19800
    ),
    "dgx-h200": NodePower(
        host_idle_w=650, host_max_w=1150, fan_idle_w=150, fan_max_w=700, fan_full_w=7000, psu_rated_w=19800
    ),
    "dgx-a100": NodePower(
        host_idle_w=715, host_max_w=1395, fan_idle_w=100, fan_max_w=450, fan_full_w=5000, psu_rated_w=18000
    ),
    "gb200-tray": NodePower(
        host_idle_w=450, host_max_w=1350, fan_idle_w=15, fan_max_w=100, fan_full_w=6000, psu_rated_w=14700
    ),
    "v100-8": NodePower(
        host_idle_w=280,
        host_max_w=750,
        fan_idle_w=50,
        fan_max_w=250,
        fan_full_w=3000,
        psu="platinum",
        psu_rated_w=6400,
    ),
}
NODE_SOURCES: Mapping[str, str] = {
    "dgx-h100": "NVIDIA DGX H100 user guide: 6 supplies of 3.3 kW; host and fans assumed such that eight GPUs at 700 W "
    "make a node of 76% of its 10.2 kW, the most seen in operation, and an idle node 0.8-1.2 kW beside its GPUs",
    "dgx-h200": "as dgx-h100: the same chassis",
    "dgx-a100": "NVIDIA DGX A100 user guide: 6 supplies of 3 kW; host and fans fitted on the idle end and the mean of "
    "server and GPU power of Seren (Hu et al., NSDI 2024, CC BY 4.0): benchmarks/calibration/node_power.py",
    "gb200-tray": "assumed such that 18 trays of 4 GPUs at 1,200 W and their share of 9 NVSwitch trays draw the 120 kW "
    "of a GB200 NVL72; eight power shelves of 33 kW for the rack; cold plates leave little heat to fans",
    "v100-8": "assumed: two-socket server with eight V100, 3.2 kW at most",
}
"""Where the figures of each node type come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSleep:
    """How a node sleeps: watts while it is asleep, and seconds and mean watts of going to sleep and of waking up."""

    asleep_w: float
    suspend_s: float
    suspend_w: float
    wake_s: float
    wake_w: float


SLEEPS: Mapping[str, NodeSleep] = {
    "off": NodeSleep(asleep_w=60, suspend_s=60, suspend_w=1100, wake_s=420, wake_w=1500),
    "suspend": NodeSleep(asleep_w=120, suspend_s=15, suspend_w=1100, wake_s=45, wake_w=1500),
}
SLEEP_SOURCES: Mapping[str, str] = {
    "off": "assumed: an 8-GPU node switched off by its BMC, which stays on with the standby rail of six supplies; "
    "such nodes take 5-10 minutes from power-on (memory training, firmware, driver, health checks) to be ready",
    "suspend": "assumed: memory in self-refresh, GPUs without power; no 8-GPU server is sold with this state, so it is "
    "a what-if",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooling:
    """Facility power beside IT as a line in IT load and outside temperature, see `power.facility.cooling`.

    `design_it_w`: IT power that the site was built for. `fixed`: share of it that is drawn whatever the load
    (transformers, lights, pumps at rest). `proportional`: share of the IT load (conversion losses, fans). Above
    `free_below_c` each degree adds `per_degree` of the IT load (compressors), until `most` above.
    """

    design_it_w: float
    fixed: float = 0.02
    proportional: float = 0.05
    free_below_c: float = 18.0
    per_degree: float = 0.012
    most: float = 0.30


@dataclass(frozen=True, slots=True)
class HostPower:
    """Power beside the GPUs: a node's host draws between idle and max with the share of its GPUs in use.

    `host_idle_w` and `host_max_w` are all of it, fans and losses included, for models that know no parts; `node` is
    the same by parts. `cooling` replaces `pue` where it is given. `site_limit_w`: what the site may draw for IT.
    `ramp_w_per_s`: how fast its load may rise. None: nobody says.
    """

    pue: float = 1.0
    host_idle_w: float = 0.0
    host_max_w: float = 0.0
    node: NodePower | None = None
    sleep: NodeSleep | None = None
    cooling: Cooling | None = None
    site_limit_w: float | None = None
    ramp_w_per_s: float | None = None


def node_power(name: str) -> NodePower:
    """The node type of that name. Raises UnknownNameError with the nearest."""
    if name not in NODE_TYPES:
        raise UnknownNameError("node type", name, NODE_TYPES)
    return NODE_TYPES[name]


def node_sleep(name: str) -> NodeSleep:
    """The way to sleep of that name. Raises UnknownNameError with the nearest."""
    if name not in SLEEPS:
        raise UnknownNameError("way to sleep", name, SLEEPS)
    return SLEEPS[name]
