"""The published figures, put together again from the rates."""

from __future__ import annotations

import math

import pytest

from goodwatt.errors import UnknownNameError
from goodwatt.simulator.settings.checkpointing import interruptions_per_h
from goodwatt.simulator.settings.failure_rates import (
    KINDS,
    PRESETS,
    PUBLISHED,
    ComponentRates,
    FailureSettings,
    failure_preset,
    failures_from,
    per_thousand_node_days,
)

HOURS = 54 * 24


def llama_events(kind: str, components: int) -> float:
    rates: ComponentRates = getattr(PUBLISHED, kind)
    return rates.per_hour * components * HOURS


def test_llama_3_had_419_interruptions_of_which_61_were_software() -> None:
    gpus, hosts = llama_events("gpu", 16_384), llama_events("node", 2_048)
    switches, racks = llama_events("switch", 1_024), llama_events("rack", 1_024)
    assert gpus == pytest.approx(268)
    assert gpus / 419 == pytest.approx(0.640, abs=0.001)  # the text says 58.7%, see the module
    assert hosts + switches == pytest.approx(55 + 35)
    assert racks == pytest.approx(0.5)
    assert gpus + hosts + switches == pytest.approx(419 - 61)


def test_causes_of_gpus_are_those_of_the_table() -> None:
    assert sum(weight for _, weight in PUBLISHED.gpu.causes) == 268
    assert dict(PUBLISHED.gpu.causes)["hbm"] / 419 == pytest.approx(0.172, abs=0.0005)


def test_links_fail_about_as_often_as_alibaba_counts() -> None:
    """0.057% of links a month (HPN); 8 links of a node."""
    link_per_h = dict(PUBLISHED.node.causes)["link"] / (2_048 * 8 * HOURS)
    assert 0.7 < link_per_h / (0.00057 / 730.5) < 1.5


@pytest.mark.parametrize(("preset", "rate"), [("published", 3.24), ("rsc-1", 6.50), ("rsc-2", 2.34)])
def test_interruptions_per_thousand_node_days(preset: str, rate: float) -> None:
    assert per_thousand_node_days(PRESETS[preset]) == pytest.approx(rate, abs=0.005)


@pytest.mark.parametrize(("gpus", "hours"), [(1_024, 28.8), (16_384, 1.8), (131_072, 0.225)])
def test_mean_time_between_failures_of_metas_jobs(gpus: int, hours: float) -> None:
    """Meta projects 1.8 h and 0.23 h from 6.5 failures per 1,000 node-days; for 1,024 GPUs it measured 7.9 h, which
    that rate does not explain."""
    rate = interruptions_per_h(PRESETS["rsc-1"], gpus, nodes=gpus // 8, racks=gpus // 16)
    assert 1 / rate == pytest.approx(hours, rel=0.01)


def test_repair_times() -> None:
    rates: dict[str, ComponentRates] = {kind: getattr(PUBLISHED, kind) for kind in KINDS}
    means_h = {
        kind: of.repair_median_s * math.exp(0.5 * of.repair_spread**2) / 3_600  # the mean of a lognormal
        for kind, of in rates.items()
    }
    assert means_h["gpu"] == pytest.approx(2.2)
    assert means_h["node"] == pytest.approx(342 / 60)
    assert means_h["switch"] == means_h["nvlink"] == pytest.approx(247 / 60)
    assert means_h["rack"] == means_h["feed"] == pytest.approx(572 / 60)


def test_scaling_touches_rates_only() -> None:
    twice = PUBLISHED.scaled(2.0)
    assert twice.gpu.per_hour == 2 * PUBLISHED.gpu.per_hour
    assert (twice.gpu.repair_median_s, twice.stragglers) == (PUBLISHED.gpu.repair_median_s, PUBLISHED.stragglers)
    assert PUBLISHED.any_failure
    assert not PUBLISHED.scaled(0.0).any_failure
    assert not FailureSettings().any_failure


def test_a_section_overrides_its_preset() -> None:
    section = {
        "preset": "rsc-2",
        "scale": 2.0,
        "gpu_takes": "gpu",
        "gpu": {"mtbf_h": 1_000.0},
        "node": {"spread": 0.0},
        "stragglers": {"share": 0.5},
    }
    settings = failures_from(section)
    assert settings.gpu.per_hour == 1e-3
    assert settings.gpu.causes == PUBLISHED.gpu.causes
    assert settings.node.per_hour == 2 * PRESETS["rsc-2"].node.per_hour
    assert (settings.node.spread, settings.gpu_takes) == (0.0, "gpu")
    assert (settings.stragglers.share, settings.stragglers.slowdown) == (0.5, 0.10)
    assert failures_from({"gpu": {"per_hour": 0.1}}) == FailureSettings(gpu=ComponentRates(per_hour=0.1))


def test_a_preset_that_is_not_there() -> None:
    with pytest.raises(UnknownNameError, match="unknown failure preset 'rsc1': did you mean 'rsc-1'"):
        failure_preset("rsc1")
