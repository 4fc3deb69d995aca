"""A calibration as an entry of the GPU catalogue: YAML with the source of every figure, and what is left to fill in."""

from __future__ import annotations

from typing import Any

import yaml

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.power.calibration.figures import Calibration, Figure
from goodwatt.power.device.interface import DeviceFacts

LEFT = "not seen: fill it in from the data sheet"


def entry(facts: DeviceFacts, calibration: Calibration, like: GpuKind, same: bool, when: str) -> dict[str, Any]:
    """The content of a catalogue file. `like` is the kind that lent what was not seen; `same`: it is this very kind.

    A clock or cap range that the driver does not tell is `like`'s.
    """
    figures = _figures(facts, calibration, like, same)
    source = f"goodwatt calibrate on {facts.name}, driver {facts.driver}, {when}"
    power = calibration.power
    return {
        "name": label(facts) if not same else like.name,
        "architecture": like.architecture if same else "unknown",
        **{name: figure.value for name, figure in figures.items()},
        "product_labels": [label(facts)],
        "sources": {name: _source(figure, source) for name, figure in figures.items()},
        "power_model": {
            **{name: round(float(figure.value), 4) for name, figure in power.items()},
            "sources": {name: _source(figure, source) for name, figure in power.items()},
        },
    }


def as_yaml(content: dict[str, Any], unseen: tuple[str, ...]) -> str:
    """The file's text, headed by what could not be seen."""
    head = "".join(f"# not seen: {line}\n" for line in unseen)
    return head + yaml.safe_dump(content, sort_keys=False, width=115, allow_unicode=True)


def label(facts: DeviceFacts) -> str:
    """What the Kubernetes label nvidia.com/gpu.product says of it: the name with dashes."""
    return facts.name.strip().replace(" ", "-")


def _figures(facts: DeviceFacts, calibration: Calibration, like: GpuKind, same: bool) -> dict[str, Figure]:
    """Every figure of the data sheet that the catalogue asks for."""
    clocks, caps = facts.clocks_mhz, facts.cap_range_w
    lent = f"as {like.name}" if same else f"assumed: as {like.name}, {LEFT}"
    top_w = facts.default_cap_w or like.max_w or 0.0
    active = calibration.active_w
    return {
        "memory_mib": Figure(facts.memory_mib, "the driver"),
        "min_clock_mhz": Figure(clocks[0], "the driver's list")
        if clocks
        else Figure(like.min_clock_mhz or 0, lent, False),
        "max_clock_mhz": Figure(clocks[-1], "the driver's list")
        if clocks
        else Figure(like.max_clock_mhz or 0, lent, False),
        "min_cap_w": Figure(round(caps[0]), "the driver's range") if caps else Figure(like.min_cap_w or 0, lent, False),
        "max_cap_w": Figure(round(caps[1]), "the driver's range") if caps else Figure(like.max_cap_w or 0, lent, False),
        "idle_w": Figure(round(calibration.idle_w.value, 1), calibration.idle_w.how),
        "active_w": Figure(round(min(active.value, top_w), 1), active.how, active.seen),
        "max_w": Figure(float(top_w), "the driver: default power limit" if facts.default_cap_w else lent),
        "nvlink_gbps": Figure(like.nvlink_gbps if same else 0.0, lent if same else f"assumed: none, {LEFT}", same),
        "nvlink_domain": Figure(like.nvlink_domain if same else 1, lent if same else f"assumed: none, {LEFT}", same),
        "mig_slices": Figure(like.mig_slices if same else 0, lent if same else f"assumed: none, {LEFT}", same),
    }


def _source(figure: Figure, source: str) -> str:
    return f"{source}: {figure.how}" if figure.seen else figure.how
