"""Packing beside a running job: only whom telemetry has shown, only where both do well, only what fits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.errors import InputError
from goodwatt.policies.pair_choice import THREADS
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.run import result
from goodwatt.simulator.simulation import Simulation
from tests.policies.power.powered_runs import decisions_of, powered
from tests.scenario import Nodes, cluster, job

LIGHT, HEAVY = "rl_small", "resnet50_train"
ONE = cluster(Nodes(1, gpus=1, kind="H200"))
TWO = cluster(Nodes(1, gpus=2, kind="H200"))


def who(user: str, workload: str, submit_s: float, duration_s: float = 5000.0, gpus: int = 1, **spec: Any) -> Job:
    return job(f"{user}-{submit_s:g}", gpus, submit_s, duration_s, user=user, name="run", workload=workload, **spec)


def known_then(*jobs: Job) -> list[Job]:
    """Both kinds of job have run before, alone."""
    return [who("light", LIGHT, 0.0, 100.0), who("heavy", HEAVY, 200.0, 100.0), *jobs]


def places(jobs: list[Job], spec: str = "pack", on: Cluster = ONE, **options: Any) -> dict[str, Place]:
    sim = powered(jobs, "default", on, f"fifo+{spec}", **options)
    made = {d.job_id: d for _, d in decisions_of(sim) if isinstance(d, Place)}
    assert sim.executor.refusals == []
    return made


def pair(first: str, second: str) -> list[Job]:
    return known_then(who(first, {"light": LIGHT, "heavy": HEAVY}[first], 1000.0),
                      who(second, {"light": LIGHT, "heavy": HEAVY}[second], 1200.0))  # fmt: skip


def test_a_light_job_goes_beside_a_heavy_one() -> None:
    made = places(pair("heavy", "light"))["light-1200"]
    assert (made.beside, made.sharing, made.nodes) == ("heavy-1000", "mps", ((0, 1),))
    assert made.thread_percent in THREADS


def test_two_heavy_jobs_wait_for_each_other() -> None:
    assert places(pair("heavy", "heavy"))["heavy-1200"].beside is None


def test_time_slicing_has_no_thread_limit() -> None:
    made = places(pair("heavy", "light"), "pack:mode=timeslice,least_speed=0.3,gain=1")["light-1200"]
    assert (made.sharing, made.thread_percent) == ("timeslice", 100.0)


@pytest.mark.parametrize(("spec", "beside"), [("pack", None), ("pack:eager=true", "heavy-1000")])
def test_a_free_gpu_is_better_unless_eager(spec: str, beside: str | None) -> None:
    assert places(pair("heavy", "light"), spec, TWO)["light-1200"].beside == beside


def test_strangers_are_not_packed_unless_guessed_at() -> None:
    jobs = [who("heavy", HEAVY, 0.0), job("new", submit_s=500.0, workload=LIGHT)]
    assert places(jobs)["new"].beside is None


def test_a_guess_takes_the_mean_of_all() -> None:
    jobs = [who("light", LIGHT, 0.0, 100.0), who("light", LIGHT, 200.0), job("new", submit_s=500.0, workload=LIGHT)]
    assert places(jobs)["new"].beside is None
    assert places(jobs, "pack:guess=true")["new"].beside == "light-200"


def test_only_as_many_gpus() -> None:
    jobs = known_then(who("heavy", HEAVY, 1000.0, gpus=2), who("light", LIGHT, 1200.0))
    assert places(jobs, on=TWO)["light-1200"].beside is None


def test_only_two_to_a_gpu() -> None:
    sim = powered(known_then(*(who("light", LIGHT, 1000.0 + i) for i in range(3))), "default", ONE, "fifo+pack")
    decisions_of(sim, 2000.0)
    assert len(sim.state.placements) == 2


def test_memory_must_fit() -> None:
    asks = who("light", LIGHT, 1200.0, gpu_memory_mib=139_000)
    assert places(known_then(who("heavy", HEAVY, 1000.0), asks))["light-1200"].beside is None


@pytest.mark.parametrize(("mode", "packs"), [("mps", False), ("timeslice", True)])
def test_without_counters_only_time_slicing_is_understood(mode: str, packs: bool) -> None:
    kind = gpu_kind("P100-PCIE")
    pascal = replace(ONE, nodes=(replace(ONE.nodes[0], gpu_kind=kind.name),), kinds={kind.name: kind})
    jobs = [who("ann", "ncf_movielens", submit_s) for submit_s in (0.0, 200.0)]
    made = places(jobs, f"pack:mode={mode}", pascal)["ann-200"]
    assert (made.beside is not None) == packs


def test_ideal_physics_never_packs() -> None:
    sim = Simulation(pair("heavy", "light"), ONE, make_policy("fifo+pack"))
    assert not [d for _, d in decisions_of(sim) if isinstance(d, Place) and d.beside]


@pytest.mark.parametrize(
    "order", ["fifo", "qssf", "sjf", "las", "srtf", "tiresias", "easy-backfill", "conservative-backfill"]
)
def test_it_goes_with_every_order(order: str) -> None:
    sim = powered(pair("heavy", "light"), "default", ONE, f"{order}+pack")
    sim.run()
    assert sim.executor.refusals == []
    assert result(sim).summary["finished"] == 4


@pytest.mark.parametrize("spec", ["least_speed=0", "gain=0", "depth=0"])
def test_settings_that_make_no_sense(spec: str) -> None:
    with pytest.raises(InputError, match="expected least_speed"):
        make_policy(f"pack:{spec}")
