"""Writes the section `power_model` of a GPU kind's file: figures with the source of each."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from goodwatt.cluster.catalogue import FOLDER
from goodwatt.cluster.gpu_schema import POWER_FIGURES

ORDER = (
    "context_w",
    "knee_mhz",
    "voltage_rise",
    "core_w",
    "memory_w",
    "clock_step_mhz",
    "chip_spread",
    "time_error",
    "power_error",
)


def write_power_model(kind: str, figures: Mapping[str, tuple[float, str]]) -> None:
    """Replace the figures named, each (value, source), in the kind's file; the others stay as they are."""
    path = FOLDER / f"{kind}.yaml"
    head, _, section = path.read_text(encoding="utf-8").partition("power_model:\n")
    old = yaml.safe_load("power_model:\n" + section)["power_model"] or {} if section else {}
    sources = {**old.get("sources", {}), **{name: source for name, (_, source) in figures.items()}}
    values = {**old, **{name: value for name, (value, _) in figures.items()}}
    assert set(ORDER) == POWER_FIGURES <= values.keys(), f"{kind}: figures are missing"
    lines = ["power_model:", *(f"  {name}: {round(float(values[name]), 4)}" for name in ORDER), "  sources:"]
    lines += [f'    {name}: "{sources[name]}"' for name in ORDER]
    path.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
