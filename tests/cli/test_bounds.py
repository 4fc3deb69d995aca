"""`goodwatt bounds`."""

from __future__ import annotations

import re

import pytest

from goodwatt.policies.bounds import energy_bounds
from goodwatt.policies.bounds.share import share_of_bound
from tests.cli.command import Command

CALL = ("bounds", "jobs.csv", "--cluster", "two.yaml")


def test_the_table_has_both_bounds_with_and_without_sleep(goodwatt: Command) -> None:
    outcome = goodwatt(*CALL)
    assert outcome.status == 0
    assert all(word in outcome.out for word in ("energy floor", "relaxation", "stay awake", "may sleep", "two"))
    rows = outcome.out.splitlines()[2:9]
    assert "relaxation" in rows[-1]
    assert max(map(len, rows)) <= 80


@pytest.mark.parametrize("physics", [("--physics", "ideal"), ("--truth", "model"), ("--seed", "3")])
def test_a_replay_stays_below_its_bounds(goodwatt: Command, physics: tuple[str, ...]) -> None:
    goodwatt.replay("--horizon", "400", *physics)
    outcome = goodwatt(*CALL, "--horizon", "400", *physics, "--json", "--out", "bounds.json")
    assert outcome.json() == goodwatt.content("bounds.json")
    shares = share_of_bound(goodwatt.content("out/summary.json"), goodwatt.content("bounds.json"))
    assert shares is not None
    assert all(share is not None and 0.0 < share <= 1.0 for share in shares.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bounds", "jobs.csv", "--cluster", "tow.yaml"), "tow.yaml"),
        ((*CALL, "--from", "500", "--horizon", "0"), "expected a horizon after the start at 500 s, got 500 s"),
        ((*CALL, "--out", "no/such/folder.json"), "--out no/such/folder.json: expected a file to write to"),
    ],
)
def test_mistakes_give_one_message(goodwatt: Command, arguments: tuple[str, ...], message: str) -> None:
    assert message in goodwatt(*arguments).message


def test_where_nothing_can_be_written_is_said_before_the_work(
    goodwatt: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goodwatt.policies.bounds.energy_bounds.energy_bounds", lambda *_: pytest.fail("it worked"))
    assert goodwatt(*CALL, "--out", "no/such.json").message.startswith("--out no/such.json: expected a file")


def test_ctrl_c_is_said_and_ends_with_130(goodwatt: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(energy_bounds, "floor_lines", interrupted)
    outcome = goodwatt(*CALL)
    assert outcome.status == 130
    assert outcome.out == ""
    assert re.search(r"goodwatt: interrupted: 21 of \d+ steps, which bound nothing yet", outcome.err)
