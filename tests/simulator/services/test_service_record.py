"""What is written down of services: minute by minute, the same however often it is forked or looked at."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from goodwatt.simulator.run import finish
from goodwatt.simulator.services.service_record import ServiceRecord, energy_j
from goodwatt.simulator.settings.serving_settings import Resolution
from tests.simulator.services.test_service_run import CHAT, RESOLUTIONS, services_of, simulation


@pytest.fixture(scope="module", params=RESOLUTIONS)
def record(request: pytest.FixtureRequest) -> ServiceRecord:
    """Of two services over ten minutes and a half."""
    sim = simulation(CHAT, replace(CHAT, name="other"), resolution=request.param, horizon_s=630.0)
    assert finish(sim)
    sim.close()
    return services_of(sim).record


def test_there_is_a_reading_after_every_minute_and_at_the_end(record: ServiceRecord) -> None:
    for readings, latencies in zip(record.minutes, record.latencies, strict=True):
        assert [reading.time_s for reading in readings] == [60.0 * minute for minute in range(11)] + [630.0]
        assert len(latencies) == 11


def test_meters_only_rise(record: ServiceRecord) -> None:
    for before, after in pairwise(record.minutes[0]):
        assert after.arrived >= before.arrived
        assert after.done >= before.done
        assert after.energy_j > before.energy_j
        assert all(value >= earlier for value, earlier in zip(after.integrals, before.integrals, strict=True))


def test_three_instances_serve_all_the_time(record: ServiceRecord) -> None:
    used = record.marks["end"][0].integrals
    assert (used.serving_s, used.starting_s, used.draining_s) == (3 * 630.0, 0.0, 0.0)
    assert (used.gpu_s, record.most) == (3 * 630.0, [3, 3])
    assert used.clock_mhz_s == pytest.approx(1980.0 * used.answering_s)
    assert 0.0 < used.busy_s <= used.answering_s


def test_latencies_are_of_the_requests_that_ended_in_the_minute(record: ServiceRecord) -> None:
    ended = [after.done > before.done for before, after in pairwise(record.minutes[0])]
    assert [latency[0] is not None for latency in record.latencies[0]] == ended
    assert all(latency[0] <= latency[2] for latency in record.latencies[0] if latency[0] and latency[2])


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_every_minute_counts_its_requests_once(resolution: Resolution) -> None:
    sim = simulation(CHAT, resolution=resolution)
    assert finish(sim)
    sim.close()
    services = services_of(sim)
    book, last = services.fleet.books[0], services.record.minutes[0][-1]
    assert (last.arrived, last.done) == (int(book.arrived.sum()), int(book.done.sum()))
    drawn = math.fsum(energy_j(instance.run, sim.now_s) for instance in services.instances.values())
    assert last.energy_j == pytest.approx(drawn)
    fresh = services.record._fresh[0]
    assert fresh.counted.sum() == book.counts[:, fresh.window :].sum()


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_a_fork_writes_down_what_the_original_does(resolution: Resolution) -> None:
    sim = simulation(CHAT, resolution=resolution, horizon_s=300.0)
    while (view := sim.advance()) is not None and sim.now_s < 130.0:
        sim.apply(sim.policy.decide(view))
    twin, before = sim.fork(), len(services_of(sim).record.minutes[0])
    for run in (twin, sim):
        assert finish(run)
        run.close()
        if run is twin:
            assert len(services_of(sim).record.minutes[0]) == before
    one, other = services_of(sim).record, services_of(twin).record
    assert one.minutes == other.minutes
    assert one.latencies == other.latencies
    assert one.marks == other.marks


def test_marks_hold_what_was_until_then() -> None:
    sim = simulation(CHAT, horizon_s=302.0)
    assert finish(sim)
    sim.close()
    record = services_of(sim).record
    assert record.marks["horizon"][0] == record.marks["end"][0]
    assert record.marks["horizon"][0].time_s == 302.0
    assert record.minutes[0][-1].time_s == 302.0
