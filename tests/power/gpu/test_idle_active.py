"""The simplest power model: idle or active GPUs, hosts in proportion, and energy as the integral of power."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import HostPower
from goodwatt.cluster.state import ClusterState
from goodwatt.power.gpu.idle_active import IdleActivePower
from tests.scenario import DRAWN, Nodes, cluster, finished, job, simulate, table

HOSTS = HostPower(pue=1.2, host_idle_w=300.0, host_max_w=700.0)
MIXED = cluster(Nodes(2, gpus=8, kind="small"), Nodes(1, gpus=4, kind="large"), power=HOSTS)


def watts(state: ClusterState) -> tuple[float, float]:
    return IdleActivePower(state).watts(state.up_nodes, state.used_milli)


def test_an_idle_cluster_draws_idle_power() -> None:
    assert watts(ClusterState(MIXED)) == (16 * 50 + 4 * 100, 3 * 300)


def test_gpus_in_use_draw_active_power_and_hosts_their_share() -> None:
    state = ClusterState(MIXED)
    state.allocate(job("a", gpus=4), ((0, 4),))
    state.allocate(job("b", gpus=1), ((2, 1),))
    gpu_w, host_w = watts(state)
    assert gpu_w == pytest.approx(4 * 250 + 12 * 50 + 400 + 3 * 100)
    assert host_w == pytest.approx(3 * 300 + 400 * 4 / 8 + 400 * 1 / 4)


def test_a_share_of_a_gpu_draws_a_share_of_the_difference() -> None:
    state = ClusterState(MIXED)
    state.allocate(job(gpu_milli=250), ((0, 1),))
    assert watts(state)[0] == pytest.approx(16 * 50 + 4 * 100 + 0.25 * 200)


def test_a_full_cluster_draws_active_power() -> None:
    state = ClusterState(MIXED)
    state.allocate(job(gpus=20), ((0, 8), (1, 8), (2, 4)))
    assert watts(state) == pytest.approx((16 * 250 + 4 * 400, 3 * 700))


def test_a_node_that_is_down_draws_nothing() -> None:
    state = ClusterState(MIXED)
    state.set_up(2, False)
    assert watts(state) == (16 * 50, 2 * 300)


def test_kinds_of_unknown_power_draw_nothing_and_are_counted() -> None:
    state = ClusterState(cluster(Nodes(2, gpus=4, kind="secret"), Nodes(1, gpus=8, kind="small")))
    power = IdleActivePower(state)
    placement = state.allocate(job(gpus=4), ((0, 4),))
    assert watts(state) == (8 * 50, 0)
    assert power.gpus_without_energy == 8
    assert power.job_watts(placement, 1000) is None
    assert power.job_watts(((2, 0b11),), 1000) == 500


def test_what_a_job_draws() -> None:
    power = IdleActivePower(ClusterState(MIXED))
    assert power.job_watts(((0, 0b1111), (2, 0b1)), 1000) == 4 * 250 + 400
    assert power.job_watts(((0, 0b1),), 300) == pytest.approx(75)
    assert power.job_watts(((0, 0),), 1000) == 0


def test_nodes_without_gpus_draw_their_host() -> None:
    assert watts(ClusterState(cluster(Nodes(1, gpus=0), power=HOSTS))) == (0, 300)


# over a run ----------------------------------------------------------------------------------------------------------


def test_energy_of_a_run_by_hand() -> None:
    jobs = table("job submit gpus time\n a 0 8 100\n b 50 4 100").jobs
    outcome = finished(simulate(jobs, cluster(Nodes(2), power=HOSTS)))
    busy_gpu_s = 8 * 100 + 4 * 100
    gpu_j = 16 * 50 * 150 + 200 * busy_gpu_s
    host_j = 2 * 300 * 150 + 400 / 8 * busy_gpu_s
    assert outcome.summary["gpu_energy_j"] == pytest.approx(gpu_j)
    assert outcome.summary["it_energy_j"] == pytest.approx(gpu_j + host_j)
    assert outcome.summary["facility_energy_j"] == pytest.approx(1.2 * (gpu_j + host_j))
    assert outcome.summary["goodput_per_watt_gpu"] == pytest.approx(busy_gpu_s / (gpu_j / 1000))
    assert outcome.summary["peak_power_w"] == pytest.approx(4 * 50 + 12 * 250 + 2 * 300 + 400 * 12 / 8)
    assert outcome.jobs.energy_j == [8 * 250 * 100, 4 * 250 * 100]


def test_time_over_the_budget() -> None:
    jobs = table("job submit gpus time\n a 0 8 100\n b 50 4 100").jobs
    options = DRAWN.__class__(budget_w=16 * 50 + 8 * 200.0)
    outcome = finished(simulate(jobs, cluster(Nodes(2)), options=options))
    assert outcome.summary["over_budget_s"] == 50  # both run; at the budget is not over it
    assert outcome.timeline.budget_w == 2400


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0, 100), st.integers(0, 12), st.sampled_from([1000, 500, 1])),
        max_size=12,
    )
)
def test_jobs_and_idle_gpus_together_draw_all(rows: list[tuple[float, float, int, int]]) -> None:
    """GPU energy = energy of the jobs + idle power of what they left unused."""
    jobs = [
        job(f"j{i}", submit_s=s, duration_s=d, gpus=1 if milli < 1000 else g, gpu_milli=milli)
        for i, (s, d, g, milli) in enumerate(sorted(rows))
    ]
    simulation = simulate(jobs, cluster(Nodes(2)), "fifo")
    outcome = finished(simulation)
    totals = simulation.recorder.totals
    idle_gpu_s = 16 * outcome.summary["span_s"] - totals.busy_gpu_s
    by_jobs = math.fsum(energy_j or 0.0 for energy_j in outcome.jobs.energy_j)
    assert totals.gpu_j == pytest.approx(by_jobs + 50 * idle_gpu_s, rel=1e-9, abs=1e-6)
