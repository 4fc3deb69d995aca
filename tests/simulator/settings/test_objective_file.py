"""Objective files: what they may say, and how mistakes in them are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from goodwatt.errors import InputError
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.settings.objective import Objective, PriceSource, ServiceFloor
from goodwatt.simulator.settings.objective_file import read_objective

WHOLE = """\
goal: cost
power_budget_w: 4e5
guardrails:
  max_slowdown: 1.1
  max_wait_s: 86400
  min_clock_mhz: 900
  protected_users: [ann, bob]
  protected_from: [slowing]
  preemption: false
  movement: false
service_floor: {mean_jct: 1.2, unfinished_points: 1}
price: prices.csv
carbon: 300
currency: EUR
time_zone: Europe/Berlin
epoch: 2024-03-31T00:00:00+01:00
repeats_h: 24
policy: qssf+fgd
power: static:slowdown=0.05
"""


def read(tmp_path: Path, text: str) -> Objective:
    (tmp_path / "goal.yaml").write_text(text, encoding="utf-8")
    return read_objective(tmp_path / "goal.yaml")


def test_everything_that_a_file_may_say(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE) == Objective(
        goal="cost",
        power_budget_w=400_000.0,
        guardrails=Guardrails(
            max_slowdown=1.1,
            max_wait_s=86_400.0,
            min_clock_mhz=900.0,
            protected=frozenset({"ann", "bob"}),
            protected_from=frozenset({"slowing"}),
            preemption=False,
            movement=False,
        ),
        floor=ServiceFloor(mean_jct=1.2, unfinished=0.01),
        policy="qssf+fgd",
        power="static:slowdown=0.05",
        prices=PriceSource(
            price=str(tmp_path / "prices.csv"),
            carbon=300.0,
            currency="EUR",
            time_zone="Europe/Berlin",
            epoch="2024-03-31T00:00:00+01:00",
            repeats_h=24.0,
        ),
    )


def test_nothing_has_to_be_said_but_something() -> None:
    assert Objective().goal == "goodput_per_watt"


def test_a_file_without_prices_has_none(tmp_path: Path) -> None:
    assert read(tmp_path, "goal: energy\ncurrency: EUR\n") == Objective(goal="energy")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected an objective, got an empty file"),
        ("goal: enrgy", "line 1, key 'goal': expected 'goodput_per_watt', 'goodput', 'energy', 'cost' or 'carbon'"),
        ("goal: cost\nguardrail: {}", "line 2, key 'guardrail': unknown key: did you mean 'guardrails'?"),
        ("guardrails:\n  max_slowdown: 0.9", "line 2, key 'max_slowdown': expected a number of at least 1, got 0.9"),
        ("guardrails: {protected_users: ann}", "line 1, key 'protected_users': expected a list, got 'ann'"),
        ("guardrails: {protected_from: [all]}", "expected 'preemption', 'movement', 'slowing' or 'sharing', got 'all'"),
        ("guardrails: {max_wait: 5}", "key 'max_wait': unknown key: did you mean 'max_wait_s'?"),
        ("service_floor: {mean_jct: 0.5}", "key 'mean_jct': expected a number of at least 1, got 0.5"),
        ("price: -1", "key 'price': expected a number of at least 0, or a file, got -1"),
        ("epoch: 2024-03-31", "key 'epoch': expected a time with its zone, such as 2024-03-31T00:00+01:00"),
        ("epoch: 2024-03-31T00:00", "key 'epoch': expected a time with its zone"),
        ("power_budget_w: none", "key 'power_budget_w': expected a number, got 'none'"),
        ("goal: cost\ngoal: energy", "line 2, key 'goal': it stands on line 1 already"),
    ],
)
def test_mistakes_are_told_by_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert message in str(error.value)
    assert str(tmp_path / "goal.yaml") in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such objective file"):
        read_objective(tmp_path / "none.yaml")
