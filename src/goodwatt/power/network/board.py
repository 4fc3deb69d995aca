"""How GPUs of a kind reach each other and the network: bandwidths that collectives achieve, with their sources.

The figures stand in `network_boards.yaml`, which benchmarks/calibration/vidur_collectives.py fits and writes. A
cluster's `Network` overrides what it names. Which GPUs a gang has is left to `network.layout`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from goodwatt.bundled_yaml import read_bundled
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.network import Network

FIGURES = Path(__file__).with_name("network_boards.yaml")
NETWORK_EFFICIENCY = 0.92
"""Achieved over labelled bandwidth of network cards: assumed; NCCL reports 340-375 of 400 GB/s between two nodes."""
SWITCHED_FROM = 8
"""NVLink domains of so many GPUs are built with NVSwitch; smaller ones are direct links."""
BYTES_PER_GB = 1e9


@dataclass(frozen=True, slots=True)
class Link:
    """A path as a ring sees it: GB/s per direction that it achieves, µs to start a collective on it, µs per hop."""

    gbps: float
    launch_us: float
    hop_us: float = 0.0


@dataclass(frozen=True, slots=True)
class Board:
    """One GPU kind in its usual node.

    `nvlink` is None where there is none; `domain` is how many GPUs it joins, `switched` whether by NVSwitch, so that
    every subset has the full bandwidth. `nvlink_raw_gbps`: of the data sheet, per direction. `nic_gbps`: label of
    one network card, `gpus_per_nic`: GPUs that share one, 0 if the node has a single one. `twin_gbps`: of the NVLink
    from each GPU to its twin in the other domain of the node, 0 if there is none.
    """

    kind: str
    nvlink: Link | None
    nvlink_raw_gbps: float
    domain: int
    switched: bool
    pcie: Link
    nic_gbps: float
    gpus_per_nic: int
    twin_gbps: float = 0.0


@cache
def _figures() -> Mapping[str, Any]:
    return read_bundled(FIGURES)


_boards: dict[str, tuple[GpuKind, Board]] = {}


def board_of(kind: GpuKind) -> Board:
    """The board of a kind; one whose architecture nobody measured has the figures of the nearest that was."""
    known = _boards.get(kind.name)
    if known is None or known[0] is not kind:
        known = _boards[kind.name] = (kind, board_from(kind, _figures()))
    return known[1]


def board_from(kind: GpuKind, figures: Mapping[str, Any]) -> Board:
    """The board of a kind by figures in the shape of `network_boards.yaml`."""
    by_age = figures["architectures"]
    own = by_age.get(kind.architecture, by_age["other"])
    switched = kind.nvlink_domain >= SWITCHED_FROM
    one_way_gbps = kind.nvlink_gbps / 2
    nics = figures["network_cards"]
    nic = nics.get(kind.name, nics["other"])
    return Board(
        kind=kind.name,
        nvlink=_nvlink(own["switched" if switched else "direct"], one_way_gbps) if kind.nvlink_domain > 1 else None,
        nvlink_raw_gbps=one_way_gbps,
        domain=kind.nvlink_domain,
        switched=switched,
        pcie=Link(own["pcie"]["gbps"], own["pcie"]["launch_us"]),
        nic_gbps=nic["gbps"],
        gpus_per_nic=nic["gpus"],
        twin_gbps=figures["twins"].get(kind.name, 0.0),
    )


def _nvlink(figures: Mapping[str, float], one_way_gbps: float) -> Link:
    return Link(figures["efficiency"] * one_way_gbps, figures["launch_us"], figures["hop_us"])


def node_gbps(board: Board, network: Network, node_gpus: int, used: int) -> float:
    """GB/s per direction between the network and `used` of a node's `node_gpus` GPUs, by the cards next to them."""
    nics = network.nics or (1 if board.gpus_per_nic == 0 else max(1, node_gpus // board.gpus_per_nic))
    labelled = board.nic_gbps * nics if network.node_gbps is None else network.node_gbps
    return NETWORK_EFFICIENCY * labelled * min(nics, -(-used * nics // node_gpus)) / nics


def uplink_gbps(board: Board, network: Network, rack_nodes: int, node_gpus: int) -> float:
    """GB/s per direction between a rack of so many nodes and the others."""
    return rack_nodes * node_gbps(board, network, node_gpus, node_gpus) / network.oversubscription


def pcie_gbps(board: Board, network: Network, crossings: int) -> float:
    """GB/s of each of so many simultaneous transfers between GPUs of one node that share no NVLink."""
    own = board.pcie.gbps if network.pcie_gbps is None else network.pcie_gbps
    return own if network.host_gbps is None else min(own, network.host_gbps / crossings)
