"""`predictive`: instances are there when the load comes, and never fewer than `reactive` wants."""

from __future__ import annotations

import numpy as np

from goodwatt.policies.services.predictive import Predictive
from tests.policies.services.service_runs import Watched, chat, serving

RAMP = [(60.0 * minute, 4.0 + minute) for minute in range(40)]


def test_it_is_ahead_of_a_load_that_rises() -> None:
    load = chat(*RAMP, start_s=120.0)
    foretold, reacted = (
        Watched(serving(f"{spec}:target=0.8,down_s=60", load, until_s=2000.0)) for spec in ("predictive", "reactive")
    )
    ahead = np.array(foretold.counts[foretold.at(900.0) :]).mean()
    behind = np.array(reacted.counts[reacted.at(900.0) :]).mean()
    assert ahead > behind
    assert foretold.attainment > reacted.attainment


def test_under_a_steady_load_it_wants_what_reactive_wants() -> None:
    load = chat((0.0, 18.0))
    foretold, reacted = (
        Watched(serving(f"{spec}:target=0.8,down_s=120", load, until_s=1500.0)) for spec in ("predictive", "reactive")
    )
    assert reacted.counts[-1] <= foretold.counts[-1] <= reacted.counts[-1] + 1


def test_its_parameters_have_a_sense() -> None:
    assert Predictive().ahead_s > 0.0
