"""`follow`: the slowest clock that keeps the promise; the greatest at once when it is in danger."""

from __future__ import annotations

from statistics import median

import pytest

from goodwatt.simulator.decisions import SetClock
from goodwatt.simulator.run import result
from tests.policies.services.service_runs import Watched, chat, serving

TOP_MHZ = 1980.0


def test_clocks_follow_the_load() -> None:
    load = chat((0.0, 4.0), (600.0, 34.0), (1200.0, 4.0))
    watched = Watched(serving("fixed:replicas=4+follow", load, until_s=1800.0))
    low, high = (watched.clocks[watched.at(begin_s) : watched.at(begin_s + 500.0)] for begin_s in (100.0, 650.0))
    assert median(low) < 0.3 * TOP_MHZ
    assert median(high) > 0.4 * TOP_MHZ
    assert watched.clocks[watched.at(1700.0)] < 0.3 * TOP_MHZ


def test_energy_falls_and_the_promise_is_kept() -> None:
    """Decoding waits for memory: at half the load a third of the clock serves nearly as well."""
    load = chat((0.0, 16.0))
    plain, slow = (
        Watched(serving(spec, load, until_s=1200.0)) for spec in ("fixed:replicas=4", "fixed:replicas=4+follow")
    )
    saved = 1.0 - result(slow.sim).summary["gpu_energy_j"] / result(plain.sim).summary["gpu_energy_j"]
    assert saved > 0.1
    assert slow.attainment > 0.99


def test_at_a_load_that_takes_all_the_clock_stays_the_boards_own() -> None:
    watched = Watched(serving("fixed:replicas=2+follow", chat((0.0, 26.0)), until_s=400.0))
    assert min(watched.clocks[watched.at(120.0) :]) == TOP_MHZ


def test_it_speaks_only_when_a_clock_changes() -> None:
    watched = Watched(serving("fixed:replicas=3+follow", chat((0.0, 12.0)), until_s=1200.0))
    set_clocks = [(time_s, d.job_id, d.clock_mhz) for time_s, d in watched.decisions if isinstance(d, SetClock)]
    last: dict[str, float | None] = {}
    for _, job_id, clock_mhz in set_clocks:
        assert last.get(job_id) != clock_mhz
        last[job_id] = clock_mhz
    assert len(set_clocks) < 0.5 * 3 * len(watched.times)


def test_instances_of_a_service_have_one_clock() -> None:
    sim = serving("fixed:replicas=4+follow", chat((0.0, 12.0)), until_s=600.0)
    Watched(sim)
    assert sim.services is not None
    assert len({one.run.clock_mhz for one in sim.services.of(0) if one.state == "serving"}) == 1


@pytest.mark.parametrize("role", ["prefill", "decode"])
def test_pools_have_clocks_of_their_own(role: str) -> None:
    load = chat((0.0, 8.0), min_replicas=6, max_replicas=6, separate=True, min_prefill=3, max_prefill=3)
    sim = serving("fixed+follow", load, until_s=600.0)
    Watched(sim)
    assert sim.services is not None
    clocks = {one.run.clock_mhz or TOP_MHZ for one in sim.services.of(0) if one.role == role}
    assert len(clocks) == 1
    assert clocks.pop() < TOP_MHZ


def test_an_instance_that_starts_later_gets_the_clock_of_the_others() -> None:
    load = chat((0.0, 6.0), (500.0, 14.0))
    watched = Watched(serving("reactive:down_s=60+follow", load, until_s=1100.0))
    assert watched.sim.services is not None
    serve = [one.run.clock_mhz for one in watched.sim.services.of(0) if one.state == "serving"]
    assert len(serve) >= 2
    assert len(set(serve)) == 1
