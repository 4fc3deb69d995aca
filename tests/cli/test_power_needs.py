"""Power policies without what they act on are named before the run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goodwatt.cli.power_needs import note_idle_powers
from goodwatt.cluster.cluster import HostPower
from goodwatt.power.facility.energy_price import EnergyPrice, constant
from goodwatt.simulator.settings.run_options import RunOptions
from tests.scenario import Nodes, cluster

PLAIN = cluster(Nodes())
LIMITED = replace(PLAIN, power=HostPower(site_limit_w=5000.0, ramp_w_per_s=100.0))
RICH = RunOptions(budget_w=1e6, price=EnergyPrice(constant(0.2)))


@pytest.mark.parametrize(
    ("power", "lacks"),
    [
        ("budget", "--budget-w"),
        ("ramp", "w_per_s"),
        ("shift:max_delay_s=60", "--price"),
        ("static+budget", "--budget-w"),
    ],
)
def test_what_is_missing_is_said(power: str, lacks: str, capsys: pytest.CaptureFixture[str]) -> None:
    note_idle_powers([power], RunOptions(), PLAIN)
    assert lacks in capsys.readouterr().err


@pytest.mark.parametrize("power", ["budget", "ramp:w_per_s=50", "shift", "static+sleep", "default"])
def test_nothing_is_said_where_nothing_is_missing(power: str, capsys: pytest.CaptureFixture[str]) -> None:
    note_idle_powers([power], RICH, PLAIN)
    note_idle_powers(["budget", "ramp"], RunOptions(), LIMITED)
    assert capsys.readouterr().err == ""


def test_a_budget_below_what_the_idle_cluster_draws_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    note_idle_powers(["budget"], RunOptions(budget_w=100.0), PLAIN)  # 8 GPUs of 50 W idle
    assert "the idle cluster draws 400 W, more than the 100 W allowed" in capsys.readouterr().err
