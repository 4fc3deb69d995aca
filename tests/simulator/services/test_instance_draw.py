"""What GPUs are metered to draw for an instance is what its iterations took, beside a job too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goodwatt.cluster.job import Job
from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.simulator.decisions import Place, SetCap
from goodwatt.simulator.physics.instance_rows import InstanceDraws
from goodwatt.simulator.services import instance_draw
from goodwatt.simulator.services.board import SPENT
from goodwatt.simulator.services.fleet import Report
from goodwatt.simulator.services.instance_draw import draws_of
from goodwatt.simulator.services.service_record import energy_j
from goodwatt.simulator.services.services_state import Services
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.traces.requests.generate import class_source
from tests.simulator.services.test_service_run import CHAT, services_of

FROM_S, UNTIL_S = 100.0, 700.0
BESIDE = [
    # requests a second, threads of the job beside it in per cent
    (1.0, 50.0),
    (3.0, 25.0),
    (8.0, 25.0),
]


@pytest.mark.parametrize(("rate", "threads"), BESIDE)
def test_watts_beside_a_job_are_those_of_its_iterations(
    rate: float, threads: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim, spent = _simulation(rate), _spent(monkeypatch)
    before_j = 0.0
    while (view := sim.advance()) is not None:
        instance = services_of(sim).instances["chat/0"].run
        sim.apply(list(sim.policy.decide(view)) if sim.now_s < 20.0 else [])
        if sim.now_s >= 60.0 and not sim.live["guest"].placement:
            sim.apply([Place("guest", (), beside="chat/0", sharing="mps", thread_percent=threads)])
        if sim.now_s == FROM_S:
            before_j, spent[:] = energy_j(instance, FROM_S), []
    drawn_w = (energy_j(services_of(sim).instances["chat/0"].run, UNTIL_S) - before_j) / (UNTIL_S - FROM_S)
    held_w = services_of(sim).servings[0].model.context_w / 2
    assert drawn_w - held_w == pytest.approx(sum(spent) / (UNTIL_S - FROM_S), rel=0.04)


def test_what_was_drawn_before_a_cap_is_shown_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sim, spent, watts = _simulation(8.0), _spent(monkeypatch), [0.0]
    while (view := sim.advance()) is not None:
        sim.apply(list(sim.policy.decide(view)) if sim.now_s < 20.0 else [])
        if sim.now_s % 30.0 == 0.0 and sim.now_s < UNTIL_S - 60.0:
            sim.apply([SetCap("chat/0", 300.0 if sim.now_s % 60.0 else None)])
        watts.append(sim.physics.gpu_w(0, 0))  # type: ignore[attr-defined]
    drawn_j = energy_j(services_of(sim).instances["chat/0"].run, UNTIL_S)
    held_w = services_of(sim).servings[0].model.context_w
    assert drawn_j - held_w * UNTIL_S == pytest.approx(sum(spent), rel=2e-2)
    assert max(watts) > 400.0


def _simulation(rate: float) -> Simulation:
    requests = class_source("chat", mean_per_s=rate / 2, seed=1, peak_to_trough=1.0)
    chat = replace(CHAT, requests=requests, min_replicas=1, max_replicas=1)
    options = RunOptions(seed=1, physics="full", start_s=0.0, horizon_s=UNTIL_S, services=(chat,), truth="model")
    jobs = [Job(job_id="guest", submit_s=20.0, num_gpus=1, duration_s=1e6)]
    policy = with_services(make_policy("fifo"), "fixed")
    return Simulation(jobs, load_cluster("generated:gpus=1,gpu=H100-SXM"), policy, None, options)


def _spent(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Joules of its iterations, control by control."""
    spent: list[float] = []

    def spied(services: Services, report: Report) -> InstanceDraws:
        spent.append(float(report.spent[:, SPENT.index("joules")].sum()))
        return draws_of(services, report)

    monkeypatch.setattr(instance_draw, "draws_of", spied)
    return spent
