"""A service is off its law by as much as the law errs, the same for one seed, and policies are not told by how much."""

from __future__ import annotations

import statistics

import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.power.serving.iteration_law import Cost
from goodwatt.simulator.physics.truth import NO_RESIDUAL, Truth
from goodwatt.simulator.run import finish
from goodwatt.simulator.services.board import Board
from goodwatt.simulator.services.instance_draw import idle_of
from goodwatt.simulator.services.service_truth import TIME_ERROR, WATTS_ERROR, scaled, truly
from goodwatt.simulator.services.serving import Serving, serving_of
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.simulator.services.served_services import service_of, serving
from tests.simulator.services.test_saved_services import BUSY, CLUSTER

ITERATIONS = [
    # tokens, pairs, sequences, context, clock, sharing
    (32, 32_000, 32, 32_000, 1.0, 1.0),
    (2048, 2_000_000, 1, 2048, 0.7, 1.0),
    (512, 90_000, 33, 40_000, 0.5, 1.6),
    (1, 100, 1, 100, 1.0, 1.0),
]


@pytest.mark.parametrize("iteration", ITERATIONS)
def test_all_iterations_are_off_by_the_same(iteration: tuple[float, ...]) -> None:
    law = serving().law
    told, true = law.cost(*iteration), scaled(law, 1.1, 0.95).cost(*iteration)
    assert true == pytest.approx(
        Cost(told.wall_s * 1.1, told.gpu_s * 1.1, told.scaled_s * 1.1, told.sm_s * 1.045, told.dram_s * 1.045)
    )


def off(seed: int) -> tuple[float, float]:
    """How far the truth of a seed is off in time and in watts, decoding."""
    told = serving()
    costs = [one.law.cost(32, 32_000, 32, 32_000) for one in (told, truly(told, Truth(seed)))]
    board = Board(told.model)
    watts = [board.watts(cost, board.top) for cost in costs]
    return costs[1].wall_s / costs[0].wall_s - 1.0, watts[1] / watts[0] - 1.0


def test_errors_are_as_large_as_the_law_s() -> None:
    both = [off(seed) for seed in range(1000)]
    for errors, size in zip(zip(*both, strict=True), (TIME_ERROR, WATTS_ERROR), strict=True):
        assert statistics.fmean(errors) == pytest.approx(0.0, abs=0.1 * size)
        assert statistics.pstdev(errors) == pytest.approx(size, rel=0.1)


def test_services_and_kinds_have_their_own() -> None:
    truth, service = Truth(1), service_of()
    assert truly(serving(), truth).law == truly(serving(), truth).law
    times = {
        truth.service_factors(name, kind, 0.1, 0.1) for name in ("chat", "code") for kind in (service.gpu, "H100-SXM")
    }
    assert len(times) == 4


def test_without_a_residual_the_law_is_the_truth() -> None:
    told = serving()
    assert truly(told, NO_RESIDUAL) is told


SEED = 4


def simulated(truth: str) -> Simulation:
    options = RunOptions(seed=SEED, physics="full", start_s=0.0, horizon_s=120.0, services=(BUSY,), truth=truth)
    sim = Simulation([], CLUSTER, with_services(make_policy("fifo"), "fixed"), None, options)
    assert finish(sim)
    return sim


def test_requests_are_answered_by_the_true_law_and_policies_see_the_other() -> None:
    sims = {truth: simulated(truth) for truth in ("model", "residual")}
    tpot_s = {}
    for truth, sim in sims.items():
        assert sim.services is not None
        assert sim.view.services is not None
        believed: Serving = sim.view.services.servings[0]
        assert believed.law == serving_of(BUSY, gpu_kind(BUSY.gpu)).law
        assert sim.view.services.least_w(0) == idle_of(believed).least_w(believed.model, 1.0)
        assert (sim.services.idle[0] == idle_of(believed)) == (truth == "model")
        tpot_s[truth] = sim.services.fleet.books[0].percentile_s("tpot_s", 50.0) or 0.0
    time, _ = Truth(SEED).service_factors(BUSY.name, BUSY.gpu, TIME_ERROR, WATTS_ERROR)
    assert abs(time - 1.0) > 0.02, "else this seed tests nothing"
    assert (tpot_s["residual"] > tpot_s["model"]) == (time > 1.0)
