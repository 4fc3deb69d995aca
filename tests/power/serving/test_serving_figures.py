"""The file of figures: complete, plausible, every figure with its source."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
import yaml

from goodwatt.power.serving.serving_figures import FIGURES, chip_figures, software

CONTENT: dict[str, Any] = yaml.safe_load(FIGURES.read_text(encoding="utf-8"))
PARTS = [(section, name) for section in ("architectures", "software") for name in CONTENT[section]]


@pytest.mark.parametrize(("section", "name"), PARTS)
def test_every_figure_has_a_source(section: str, name: str) -> None:
    figures, sources = CONTENT[section][name], CONTENT["sources"][section][name]
    assert figures.keys() == sources.keys()
    assert all(len(source) > 5 for source in sources.values())


@pytest.mark.parametrize("name", CONTENT["architectures"])
def test_shares_of_peaks_are_shares(name: str) -> None:
    figures = asdict(chip_figures(name))
    for share in ("attention", "weights", "context"):
        assert 0.3 < figures[share] < 1.0
    assert 0.5 < figures["gemm"] < 1.15, "data sheets tell peaks below the greatest clock"


def test_an_architecture_that_nobody_measured_has_those_of_one_that_was() -> None:
    assert chip_figures("Volta") == chip_figures("Ampere")


def test_software_is_read_by_name() -> None:
    assert software("torch").launch_layer_us > 100.0
    assert software("vllm").launch_layer_us < 50.0
