"""One cap for every GPU: which, on which boards, and what it does to jobs."""

from __future__ import annotations

import pytest

from goodwatt.errors import InputError
from goodwatt.policies.power.uniform_cap import UniformCap
from goodwatt.policies.power_registry import make_power
from goodwatt.power.gpu.model import CAP_KEPT
from goodwatt.simulator.decisions import Place
from tests.policies.power.powered_runs import V100, decisions_of, one_of_each, powered
from tests.scenario import Nodes, cluster, job, until
from tests.simulator.physics.full_physics_runs import NET, point

BOTH = cluster(Nodes(1, 2, "V100"), Nodes(1, 2, "H200"), Nodes(1, 2, "small"))


@pytest.mark.parametrize("share", ["0", "1.01", "-0.5", "nan", "much"])
def test_shares_that_make_no_sense(share: str) -> None:
    with pytest.raises(InputError):
        make_power(f"uniform-cap:share={share}")


@pytest.mark.parametrize(
    ("share", "kind", "cap_w"),
    [
        (0.7, "V100-PCIE", 175.0),
        (1.0, "V100-PCIE", 250.0),
        (0.1, "V100-PCIE", 100.0),
        (0.7, "H200-SXM", 490.0),
        (0.5, "small", 125.0),
    ],
)
def test_the_share_of_what_the_board_is_rated_for_but_no_less_than_it_takes(
    share: float, kind: str, cap_w: float
) -> None:
    sim = powered([job(gpu_kind=(kind,), workload=NET)], f"uniform-cap:share={share}", BOTH)
    (place,) = (d for _, d in decisions_of(sim) if isinstance(d, Place))
    assert place.cap_w == pytest.approx(cap_w)
    assert not sim.executor.refusals


def test_every_job_is_under_it_and_no_gpu_draws_more() -> None:
    sim = powered(one_of_each(duration_s=600.0), "uniform-cap:share=0.5", V100, truth="model")
    until(sim, 100.0)
    running = [run for run in sim.live.values() if run.placement]
    assert len(running) == 16
    assert {run.cap_w for run in running} == {125.0}
    assert all(run._truth.power_w <= 125.0 for run in running if run._truth.power_w is not None)
    assert {run._truth.rate < 1.0 for run in running} == {True, False}


def test_what_is_capped_takes_as_long_as_the_model_says() -> None:
    sim = powered([job(workload=NET)], "uniform-cap:share=0.6", V100, truth="model")
    capped = point(cap_w=150.0)
    assert capped.watts <= 150.0 * CAP_KEPT
    assert until(sim, 0.0).live["a"]._truth.rate == pytest.approx(capped.speeds[0])


def test_jobs_without_gpus_have_no_cap() -> None:
    sim = powered([job("a", 0)], "uniform-cap", V100)
    assert until(sim, 0.0).live["a"].cap_w is None


def test_a_gang_on_two_kinds_is_capped_by_its_first_as_far_as_the_others_take_it() -> None:
    gang = job("a", 4, workload="lstm_wikitext2", reference_gpu="V100-PCIE")
    on = cluster(Nodes(1, 2, "V100"), Nodes(1, 2, "H200"))
    sim = until(powered([gang], "uniform-cap:share=0.8", on, truth="model"), 0.0)
    assert sim.live["a"].placement
    assert not sim.executor.refusals
    assert sim.physics.power().gpu_w < 2 * 200.0 + 2 * 200.0


def test_beside_another_job_it_holds_for_that_ones_gpus() -> None:
    policy = UniformCap(0.8)
    sim = powered([job("a", workload=NET)], "uniform-cap:share=0.8", V100)
    until(sim, 0.0)
    place = policy.start(Place("b", (), beside="a", sharing="mps"), sim.live["a"], sim.view)
    assert place is not None
    assert place.cap_w == 200.0
