"""`harvest`: jobs beside instances as far as these still carry their load, and gone when it returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from goodwatt.cluster.job import Job
from goodwatt.cluster.presets import load_cluster
from goodwatt.errors import InputError
from goodwatt.policies.service_registry import make_services
from goodwatt.simulator.decisions import Decision, Group, Place
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.simulation import Simulation
from tests.policies.services.service_runs import Watched, chat, serving

FULL = load_cluster("generated:gpus=4,gpu=H100-SXM,per_node=4")


def backlog(count: int = 12, **more: Any) -> list[Job]:
    """Training jobs of one GPU that want more than there is."""
    facts: dict[str, Any] = {"num_gpus": 1, "duration_s": 3e4, "gpu_memory_mib": 9000, "workload": "bert_train"}
    return [Job(job_id=f"j{number}", submit_s=0.0, **(facts | more)) for number in range(count)]


def run(
    spec: str, *steps: tuple[float, float], jobs: Sequence[Job] = (), until_s: float = 900.0, **more: Any
) -> Watched:
    facts: dict[str, Any] = {"min_replicas": 4, "max_replicas": 4, "memory_share": 0.6} | more
    guardrails = facts.pop("guardrails", Guardrails(promises=False))
    service = chat(*steps, **facts)
    return Watched(serving(spec, service, until_s=until_s, on=FULL, jobs=jobs or backlog(), guardrails=guardrails))


def placed(watched: Watched, after_s: float = 0.0) -> list[Place]:
    return [d for t, d in watched.decisions if t >= after_s and isinstance(d, Place) and d.beside is not None]


def stopped(watched: Watched, reason: str) -> list[tuple[float, Decision]]:
    return [(t, d) for t, d in watched.decisions if isinstance(d, Group) and d.reason == reason]


@pytest.mark.parametrize(("rate_per_s", "guests"), [(4.0, 4), (24.0, 4), (56.0, 0)])
def test_jobs_come_where_instances_carry_their_load_beside_them(rate_per_s: float, guests: int) -> None:
    watched = run("harvest", (0.0, rate_per_s))
    assert len({d.beside for d in placed(watched)}) == guests
    assert watched.attainment > 0.985
    assert watched.sim.executor.refusals == []


def test_some_instances_have_guests_where_not_all_can() -> None:
    counts = [len({d.beside for d in placed(run("harvest:spare=0.1", (0.0, rate)))}) for rate in (38.0, 46.0, 56.0)]
    assert counts == sorted(counts, reverse=True)
    assert any(0 < count < 4 for count in counts)


def test_they_leave_within_a_minute_when_load_returns_and_come_again() -> None:
    watched = run("harvest:hold_s=120", (0.0, 6.0), (600.0, 50.0), (1000.0, 6.0), until_s=1600.0)
    gone = [t for t, _ in stopped(watched, "load has returned")]
    assert gone
    assert min(gone) > 600.0
    assert max(gone) < 660.0
    assert placed(watched, 1000.0)
    assert not [d for t, d in watched.decisions if 660.0 < t < 1000.0 and isinstance(d, Place)]
    assert watched.attainment > 0.985


def test_a_guest_whose_instance_has_drained_does_not_stay_behind() -> None:
    watched = run("reactive:down_s=60+harvest", (0.0, 20.0), (500.0, 3.0), min_replicas=1, until_s=1200.0)
    assert stopped(watched, "its instance has gone") or stopped(watched, "the instance goes")
    sim = watched.sim
    limited = [run for pool in sim.view.pools for run in pool.running.values() if run.thread_percent < 100.0]
    hosts = {one.run.placement for one in sim.services.of(0)} if sim.services else set()
    assert all(run.placement in hosts for run in limited)


def test_work_is_gained_and_the_promise_kept() -> None:
    alone, beside = (run(spec, (0.0, 8.0), until_s=1800.0) for spec in ("fixed", "harvest"))
    work = [result(watched.sim).summary["work_gpu_s"] for watched in (alone, beside)]
    assert work[1] > work[0] + 0.1 * 4 * 1200.0
    assert beside.attainment > 0.99


def test_telemetry_of_jobs_alone_tells_who_is_light() -> None:
    """Beside an instance with little to spare: a job whose namesakes were seen with gaps, none that nobody knows."""
    light = backlog(16, workload="embedding_train", user="u", name="light", duration_s=300.0)
    watched = run("harvest:spare=0.1", (0.0, 22.0), jobs=light, min_replicas=3, max_replicas=3, until_s=1500.0)
    before = {d.job_id for d in placed(watched)} - {d.job_id for d in placed(watched, 120.0)}
    assert len(placed(watched, 120.0)) > len(before)


@pytest.mark.parametrize(
    "guardrails",
    [
        Guardrails(promises=False, preemption=False),
        Guardrails(promises=False, protected=frozenset({"u"})),
        Guardrails(promises=False, protected=frozenset({"u"}), protected_from=frozenset({"sharing"})),
        Guardrails(promises=False, min_run_s=600.0),
    ],
    ids=["no preemption", "protected", "protected from sharing", "left alone"],
)
def test_nobody_comes_who_could_not_be_stopped_or_packed(guardrails: Guardrails) -> None:
    watched = run("harvest", (0.0, 4.0), jobs=backlog(user="u"), guardrails=guardrails, until_s=400.0)
    assert placed(watched) == []


def test_nobody_comes_where_somebody_else_goes_first() -> None:
    late = Guardrails(promises=False, max_wait_s=100.0)
    watched = run("harvest", (0.0, 56.0), (200.0, 6.0), guardrails=late, until_s=600.0)
    assert watched.sim.late
    assert placed(watched) == []
    assert watched.sim.executor.refusals == []


@pytest.mark.parametrize("facts", [{"gpu_memory_mib": 60000}, {"num_gpus": 2}], ids=["memory", "size"])
def test_nobody_comes_who_does_not_fit(facts: dict[str, int]) -> None:
    assert placed(run("harvest", (0.0, 4.0), jobs=backlog(**facts), until_s=400.0)) == []


def test_slower_clocks_make_room_for_guests_first() -> None:
    watched = run("follow+harvest", (0.0, 6.0), until_s=1500.0)
    assert watched.sim.executor.refusals == []
    assert len(stopped(watched, "its promise comes near")) <= 1
    assert watched.attainment > 0.985
    without = run("follow", (0.0, 6.0), until_s=1500.0)
    assert watched.clocks[-1] > without.clocks[-1]


@pytest.mark.parametrize("text", ["threads=0", "threads=101", "spare=-1", "least=2", "ahead_s=-1", "hold_s=-1"])
def test_parameters_that_make_no_sense(text: str) -> None:
    with pytest.raises(InputError):
        make_services(f"harvest:{text}")


def test_a_fork_ends_the_same() -> None:
    def made() -> Simulation:
        service = chat((0.0, 6.0), (200.0, 30.0), min_replicas=4, max_replicas=4, memory_share=0.6)
        return serving("harvest", service, until_s=400.0, on=FULL, jobs=backlog())

    sims = made(), made()
    while sims[1].now_s < 250.0 and (view := sims[1].advance()) is not None:
        sims[1].apply(sims[1].policy.decide(view))
    fork = sims[1].fork()
    for sim in (*sims, fork):
        sim.run()
    work = [result(sim).summary["work_gpu_s"] for sim in (*sims, fork)]
    assert work[0] == work[1] == work[2]
