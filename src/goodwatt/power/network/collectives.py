"""How long a collective of a gang takes, by algorithm, over the wires that its layout spans.

A collective moves a volume over the slowest link of its path and waits for its hops:

    t = launch + steps * latency + (sqrt(hops * hop_s) + sqrt(volume / bandwidth))^2

The square is the time of a pipeline of `hops` that cuts its buffer into pieces of the best size: pieces that are
small wait for hops, large ones fill the pipe slowly (the optimum of (hops + k) * (hop_s + volume / bandwidth / k) over
k pieces). `steps * latency` is there only between nodes, where a ring moves in lockstep with its slowest hop.
Volumes are those of Patarasu and Yuan, "Bandwidth optimal all-reduce algorithms" (JPDC 2009), which nccl-tests uses
for its bus bandwidth. What a step of a gang makes of these times is left to `gang_step`.

Sizes are bytes of the whole buffer that each GPU holds before or after; times are seconds; `load` is how many times
slower than alone the network is for this gang, see `network.loads`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache

from goodwatt.cluster.network import Network
from goodwatt.power.network.board import BYTES_PER_GB, Link, node_gbps, pcie_gbps, uplink_gbps
from goodwatt.power.network.layout import Layout, Machine

TREE_EFFICIENCY = 0.9
"""Bandwidth of a tree relative to a ring. NCCL, src/graph/tuning.cc."""
TREE_HOP_US = 28.0
"""Of a tree's hop, a chunk of 256 kB at a time. NCCL, src/graph/tuning.cc, hwLat of NVLink, tree, Simple."""
TREE_WHOLE_BYTES = 1 << 28
"""From here a tree is as fast as its efficiency says. NCCL, src/graph/tuning.cc, treeCorrectionFactor of Simple."""
NVLS_EFFICIENCY = 0.61
"""Buffer per second over the NVLink bandwidth of a direction when the switch adds up: assumed from the 480 GB/s of
bus bandwidth (274 GB/s of buffer) that NVIDIA reports for eight H100 of 450 GB/s."""
_US = 1e-6


def all_reduce_s(
    layout: Layout, network: Network, size_bytes: float, load: float = 1.0, algorithm: str | None = None
) -> float:
    """Everybody ends with the sum. `algorithm` is one of ALGORITHMS, None the fastest that NCCL would choose from.

    Raises KeyError for another name, ValueError where the layout does not allow the algorithm.
    """
    if layout.gpus < 2 or size_bytes <= 0.0:
        return 0.0
    if algorithm is not None:
        return ALGORITHMS[algorithm](layout, network, size_bytes, load)
    return _fastest(layout, network, size_bytes, load)


# algorithms of all-reduce ----------------------------------------------------------------------------------------


def _ring(layout: Layout, network: Network, size_bytes: float, load: float) -> float:
    """Twice around: each link carries (n - 1) / n of the buffer a time."""
    n = layout.gpus
    gbps, hop_us = _inside_gbps(layout, network), _hop_us(layout)
    steps_us = 0.0
    if layout.num_machines > 1:
        gbps = min(gbps, ring_network_gbps(layout, network) / load)
        steps_us = 2 * (n - 1) * network.latency_us
    volume_gb = 2 * (n - 1) / n * size_bytes / BYTES_PER_GB
    return (_launch_us(layout) + steps_us) * _US + _pipelined_s((n - 1) * hop_us * _US, volume_gb / gbps)


def _tree(layout: Layout, network: Network, size_bytes: float, load: float) -> float:
    """A double binary tree of machines, a chain in each: the whole buffer goes up and comes down, in few hops.

    Of m machines the m - 1 edges of both trees carry half the buffer each way, so a machine sends 2 (m - 1) / m
    buffers on average (the two trees even out who has many children). Latency is that of NCCL's model
    (src/graph/tuning.cc): 2 * ((k - 1) * inside + log2(machines) * outside).
    """
    machines, size_gb = layout.num_machines, size_bytes / BYTES_PER_GB
    chain = max(machine.gpus for machine, _ in layout.machines) - 1
    hops_us = 2 * (chain * TREE_HOP_US + math.log2(machines) * (TREE_HOP_US + network.latency_us))
    fill_s = 2 * size_gb / _inside_gbps(layout, network) if chain else 0.0
    if machines > 1:
        outside_gb = 2 * (machines - 1) / machines * size_gb
        fill_s = max(fill_s, outside_gb / ring_network_gbps(layout, network) * load)
    return (_launch_us(layout) + hops_us) * _US + fill_s / (TREE_EFFICIENCY * _tree_fill(size_bytes))


def _tree_fill(size_bytes: float) -> float:
    """How well a buffer fills a tree: NCCL's table, 1 from 256 MB down to 0.5 at 8 MB, a tenth per halving."""
    return min(1.0, max(0.5, 1.0 + 0.1 * math.log2(size_bytes / TREE_WHOLE_BYTES)))


def _nvls(layout: Layout, network: Network, size_bytes: float, load: float) -> float:  # noqa: ARG001 - one shape
    """The NVSwitch adds up: every GPU sends and receives the buffer once, whatever their number."""
    nvlink = layout.board.nvlink
    if not _switch_adds_up(layout) or nvlink is None:
        raise ValueError("expected a layout inside one NVSwitch domain")
    gbps = NVLS_EFFICIENCY * layout.board.nvlink_raw_gbps
    return nvlink.launch_us * _US + size_bytes / BYTES_PER_GB / gbps


def _hierarchical(layout: Layout, network: Network, size_bytes: float, load: float) -> float:
    """Reduce-scatter inside every machine, all-reduce of the parts between machines, all-gather inside."""
    smallest = min(machine.gpus for machine, _ in layout.machines)
    machines, inside_gb = layout.num_machines, 2 * (smallest - 1) / smallest * size_bytes / BYTES_PER_GB
    inside_s = _pipelined_s((smallest - 1) * _hop_us(layout) * _US, inside_gb / _inside_gbps(layout, network))
    if machines == 1:
        return _launch_us(layout) * _US + inside_s
    outside_gb = 2 * (machines - 1) / machines * size_bytes / BYTES_PER_GB
    outside_s = outside_gb / ring_network_gbps(layout, network) * load
    return (2 * _launch_us(layout) + 2 * (machines - 1) * network.latency_us) * _US + inside_s + outside_s


ALGORITHMS: Mapping[str, Callable[[Layout, Network, float, float], float]] = {
    "ring": _ring,
    "tree": _tree,
    "nvls": _nvls,
    "hierarchical": _hierarchical,
}
"""All-reduce by name. NCCL chooses among ring, tree and, where the network says so, nvls."""


@lru_cache(maxsize=1 << 16)
def _fastest(layout: Layout, network: Network, size_bytes: float, load: float) -> float:
    times_s = [_ring(layout, network, size_bytes, load)]
    if layout.num_machines > 1:
        times_s.append(_tree(layout, network, size_bytes, load))
    if network.nvls and _switch_adds_up(layout):
        times_s.append(_nvls(layout, network, size_bytes, load))
    return min(times_s)


# the wires under them --------------------------------------------------------------------------------------------


@lru_cache(maxsize=1 << 14)
def ring_network_gbps(layout: Layout, network: Network) -> float:
    """GB/s of a ring between machines that has the network for itself: the narrowest machine or rack on its way.

    What enters a machine leaves it, so every machine and every rack carries the whole ring once in each direction.
    """
    narrowest = min(_machine_gbps(layout, network, machine) for machine, _ in layout.machines)
    return min(
        (narrowest, *(uplink_gbps(layout.board, network, part.rack_nodes, part.node_gpus) for part, _ in layout.racks))
    )


def _machine_gbps(layout: Layout, network: Network, machine: Machine) -> float:
    return math.fsum(node_gbps(layout.board, network, gpus, used) for used, gpus in machine.nodes)


@lru_cache(maxsize=1 << 14)
def _inside_gbps(layout: Layout, network: Network) -> float:
    """GB/s of a ring inside its machines: the slowest NVLink domain or crossing between two of them."""
    alone = layout.num_machines == 1
    return min(_machine_inside_gbps(layout, network, machine, alone) for machine, _ in layout.machines)


def _machine_inside_gbps(layout: Layout, network: Network, machine: Machine, alone: bool) -> float:
    link, gbps = layout.board.nvlink, math.inf
    if link is not None:
        gbps = min((_island_gbps(layout, link, gpus) for gpus in machine.islands if gpus > 1), default=math.inf)
    # A ring that stays inside returns to where it began: one crossing more than a path through.
    crossings = len(machine.islands) - (0 if alone else 1)
    if len(machine.islands) > 1:
        gbps = min(gbps, _crossing_gbps(layout, network, machine, crossings))
    return gbps


def _crossing_gbps(layout: Layout, network: Network, machine: Machine, crossings: int) -> float:
    """Between two NVLink domains of a node: PCIe, or the links of twins where both domains have them."""
    pcie = pcie_gbps(layout.board, network, crossings)
    nvlink = layout.board.nvlink
    if len(machine.islands) != 2 or nvlink is None:
        return pcie
    twins = machine.islands[1] * layout.board.twin_gbps * nvlink.gbps / layout.board.nvlink_raw_gbps
    return max(pcie, twins)


def _island_gbps(layout: Layout, link: Link, gpus: int) -> float:
    """Without a switch the links of a GPU lead to particular neighbours: those to GPUs of others lie idle."""
    share = 1.0 if layout.board.switched else min(1.0, (gpus - 1) / (layout.board.domain - 1))
    return link.gbps * share


@lru_cache(maxsize=1 << 14)
def _launch_us(layout: Layout) -> float:
    nvlink = layout.board.nvlink
    only_nvlink = nvlink is not None and all(len(machine.islands) == 1 for machine, _ in layout.machines)
    return nvlink.launch_us if nvlink is not None and only_nvlink else layout.board.pcie.launch_us


def _hop_us(layout: Layout) -> float:
    return layout.board.nvlink.hop_us if layout.board.nvlink is not None else layout.board.pcie.hop_us


def _switch_adds_up(layout: Layout) -> bool:
    return layout.board.switched and layout.num_machines == 1 and len(layout.machines[0][0].islands) == 1


def _pipelined_s(hops_s: float, fill_s: float) -> float:
    return (math.sqrt(hops_s) + math.sqrt(fill_s)) ** 2
