"""Why a job ran as it did, told from the files of a run alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goodwatt.cluster.cluster import Cluster, HostPower
from goodwatt.cluster.job import Job
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.simulator.decisions import Decision, Place, Preempt, SetClock
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.records.explanation import Explanation, explain, free_masks, gpus_text
from goodwatt.simulator.records.explanation_record import read_record
from goodwatt.simulator.records.outputs import write_run
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.run_options import RunOptions
from tests.scenario import EVERY_EVENT, Nodes, Scripted, cluster, job, simulate

ON = cluster(Nodes(2, kind="H200"), Nodes(1, gpus=4, kind="V100"), power=HostPower(1.0, 300.0, 700.0))
FULL = RunOptions(physics="full", truth="model", draw=True)


def told(
    folder: Path, jobs: list[Job], policy: Policy | str, job_id: str, on: Cluster = ON, options: RunOptions = FULL
) -> Explanation:
    """The explanation of a job, by way of files."""
    sim = simulate(jobs, on, policy, EVERY_EVENT, options)
    sim.run()
    write_run(folder, result(sim), {})
    return explain(read_record(folder), on, job_id)


def full(job_id: str, gpus: int, submit_s: float = 0.0, duration_s: float = 100.0, **others: Any) -> Job:
    named = {"workload": "bert_train", "reference_gpu": "H200-SXM", **others}
    return job(job_id, gpus, submit_s, duration_s, **named)


def test_waiting_tells_what_was_free_and_who_was_there(tmp_path: Path) -> None:
    jobs = [full("a", 8), full("b", 8), full("c", 2), full("d", 8, 10.0), full("e", 8, 20.0), full("f", 1, 30.0)]
    found = told(tmp_path, jobs, "easy-backfill", "e")
    waiting = found.waiting
    assert waiting.seconds == found.job.start_s - 20.0  # type: ignore[operator]
    assert (waiting.room.free_gpus, waiting.room.largest, waiting.room.fits) == (2, 2, False)
    assert (waiting.ahead, waiting.overtook) == (1, 1)


def test_a_place_tells_its_room_and_its_end(tmp_path: Path) -> None:
    found = told(tmp_path, [full("a", 8), full("b", 4)], "fifo", "b")
    (place,) = found.places
    assert place.kinds == ("H200-SXM",) or place.kinds[0].startswith("V100")
    assert place.room.fits
    assert place.room.free_gpus == 12
    assert place.stay.ended == "finished"
    assert place.beside == ()


def test_clocks_come_with_who_set_them_and_what_else_there_was(tmp_path: Path) -> None:
    script: dict[float, tuple[Decision, ...]] = {
        0.0: (Place("a", ((0, 2),)),),
        10.0: (SetClock("a", 1005.0, "it is memory bound"),),
    }
    found = told(tmp_path, [full("a", 2)], Scripted(script), "a")
    (place,) = found.places
    assert (place.stay.clock_mhz, place.stay.why) == (1005.0, "it is memory bound")
    assert place.clock is not None
    assert place.clock.least_mhz < place.clock.default_mhz
    assert place.clock.least_slower > 1.0 > place.clock.least_j
    names = [other.name for other in found.alternatives]
    assert names[:3] == ["as it was set", "default clock", "least-energy clock"]
    by_name = {(other.name, other.gpu): other for other in found.alternatives}
    least = by_name["least-energy clock", "H200-SXM"]
    assert least.energy_j == min(other.energy_j for other in found.alternatives if other.gpu == "H200-SXM")
    assert by_name["default clock", "H200-SXM"].time_s == pytest.approx(100.0)


def test_the_model_says_what_a_run_without_luck_took(tmp_path: Path) -> None:
    found = told(tmp_path, [full("a", 1, gpu_kind=("H200-SXM",))], "fifo", "a")
    default = next(other for other in found.alternatives if other.name == "default clock" and other.gpu == "H200-SXM")
    assert found.cost.energy_j == pytest.approx(default.energy_j)
    assert found.cost.service_s == pytest.approx(default.time_s)
    assert found.cost.share is not None
    assert 0.0 < found.cost.share < 1.0


def test_stops_and_neighbours_are_told(tmp_path: Path) -> None:
    script: dict[float, tuple[Decision, ...]] = {
        0.0: (Place("a", ((0, 1),)), Place("b", ((0, 1),), beside="a", sharing="mps", thread_percent=50.0)),
        20.0: (Preempt("a", "others rank before it"),),
        30.0: (Place("a", ((1, 1),)),),
    }
    found = told(tmp_path, [full("a", 1), full("b", 1)], Scripted(script), "a")
    first, second = found.places
    assert first.stay.ended == "stopped: others rank before it"
    assert (first.beside, second.beside) == (("b",), ())
    assert second.stay.pieces == (("n1", 1),)
    assert found.cost.lost_s["interference"] > 0.0


def test_money_is_the_part_of_the_bill(tmp_path: Path) -> None:
    sim = simulate([full("a", 1)], ON, "fifo", EVERY_EVENT, FULL)
    sim.run()
    outcome = result(sim)
    bill = {**outcome.summary, "energy_cost": 50.0, "currency": "EUR", "co2_kg": None}
    write_run(tmp_path, replace(outcome, summary=bill), {})
    cost = explain(read_record(tmp_path), ON, "a").cost
    assert cost.money == pytest.approx(50.0 * cost.share)  # type: ignore[operator]
    assert (cost.currency, cost.co2_kg) == ("EUR", None)


def test_gangs_may_have_been_on_fewer_nodes(tmp_path: Path) -> None:
    script: dict[float, tuple[Decision, ...]] = {0.0: (Place("a", ((0, 4), (1, 4))),)}
    found = told(tmp_path, [full("a", 8)], Scripted(script), "a")
    assert "on 1 nodes instead of 2" in [other.name for other in found.alternatives]


def test_ideal_physics_knows_no_alternatives(tmp_path: Path) -> None:
    found = told(tmp_path, [job("a", 2)], "fifo", "a", options=RunOptions(draw=True))
    assert found.alternatives == ()
    assert found.places[0].clock is None


def test_free_gpus_and_how_they_are_written() -> None:
    assert set(free_masks(ON, [], "").values()) == {0xFF, 0xF}
    assert [gpus_text(mask) for mask in (0b1, 0b1111, 0b1011101)] == ["0", "0-3", "0, 2-4, 6"]


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"jobs.csv is missing"):
        read_record(tmp_path)
    told(tmp_path, [full("a", 1)], "fifo", "a")
    with pytest.raises(UnknownNameError, match="unknown job"):
        explain(read_record(tmp_path), ON, "b")
    (tmp_path / "stays.csv").write_text("job_id\na\n")
    with pytest.raises(InputError, match="damaged content"):
        read_record(tmp_path)
