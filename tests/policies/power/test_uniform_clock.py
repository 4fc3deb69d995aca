"""One clock for every GPU: which, on which boards, and what it does to jobs."""

from __future__ import annotations

import pytest

from goodwatt.errors import InputError
from goodwatt.policies.power.uniform_clock import UniformClock
from goodwatt.policies.power_registry import make_power
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.settings.guardrails import Guardrails
from tests.policies.power.powered_runs import V100, decisions_of, one_of_each, powered
from tests.scenario import Nodes, cluster, job, until
from tests.simulator.physics.full_physics_runs import MODELS, NET, demand


@pytest.mark.parametrize("share", ["0", "1.01", "-0.5", "nan", "slow"])
def test_shares_that_make_no_sense(share: str) -> None:
    with pytest.raises(InputError):
        make_power(f"uniform-clock:share={share}")


@pytest.mark.parametrize(
    ("share", "kind", "clock_mhz"),
    [(0.8, "V100", 1104.0), (1.0, "V100", 1380.0), (0.5, "H200", 990.0), (0.8, "small", None)],
)
def test_the_share_of_the_boards_greatest_clock_where_that_is_known(
    share: float, kind: str, clock_mhz: float | None
) -> None:
    sim = powered([job(workload=NET)], f"uniform-clock:share={share}", cluster(Nodes(1, 2, kind)))
    (place,) = (d for _, d in decisions_of(sim) if isinstance(d, Place))
    assert place.clock_mhz == (None if clock_mhz is None else pytest.approx(clock_mhz))


def test_every_gpu_that_a_job_holds_runs_at_it() -> None:
    sim = until(powered(one_of_each(duration_s=600.0), "uniform-clock:share=0.5", V100, truth="model"), 100.0)
    sum_mhz, gpus = sim.physics.clocks()
    assert gpus == 16
    assert sum_mhz / gpus == pytest.approx(MODELS["V100-PCIE"].clocks_mhz[MODELS["V100-PCIE"].index_of(690.0)])


def test_what_runs_at_a_clock_takes_as_long_as_the_model_says() -> None:
    sim = powered([job(workload=NET)], "uniform-clock:share=0.75", V100, truth="model")
    sim.run()
    assert sim.recorder.end_s[0] == pytest.approx(100.0 * MODELS["V100-PCIE"].slowdown(demand(), 1035.0))


def test_a_guardrail_goes_before_it() -> None:
    sim = powered([job(workload=NET)], "uniform-clock:share=0.2", V100, guardrails=Guardrails(max_slowdown=1.25))
    until(sim, 0.0)
    assert 1104.0 <= min(sim.physics.held_mhz(sim.live["a"]).values()) < 1112.0


def test_beside_another_job_it_holds_for_that_ones_gpus() -> None:
    sim = until(powered([job("a", workload=NET)], "uniform-clock:share=0.5", V100), 0.0)
    place = UniformClock(0.5).start(Place("b", (), beside="a", sharing="mps"), sim.live["a"], sim.view)
    assert place is not None
    assert place.clock_mhz == 690.0
