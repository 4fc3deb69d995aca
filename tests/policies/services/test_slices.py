"""Jobs in MIG slices beside instances: who gets which, and that nobody suffers by it."""

from __future__ import annotations

from typing import Any

import pytest

from goodwatt.cluster.job import Job
from goodwatt.cluster.presets import load_cluster
from goodwatt.simulator.decisions import Place
from tests.policies.services.service_runs import Watched, chat, serving

ONE_GPU = load_cluster("generated:gpus=1,gpu=H100-SXM")
TWO_GPUS = load_cluster("generated:gpus=2,gpu=H100-SXM,per_node=2")
LOAD = (0.0, 3.0)


def jobs(count: int, **more: Any) -> list[Job]:
    facts: dict[str, Any] = {"submit_s": 30.0, "num_gpus": 1, "duration_s": 1e6}
    return [Job(job_id=f"j{i}", **(facts | more)) for i in range(count)]


GETS = [
    # profile of the instance, least, slices that jobs get beside it
    ("4g.40gb", 2, ["3g.40gb"]),
    ("3g.40gb", 2, ["4g.40gb"]),
    ("2g.20gb", 2, ["4g.40gb"]),
    ("4g.40gb", 4, []),
    ("4g.40gb", 1, ["3g.40gb"]),
    ("2g.20gb", 1, ["4g.40gb", "1g.20gb"]),
]


@pytest.mark.parametrize(("profile", "least", "slices"), GETS)
def test_what_jobs_get(profile: str, least: int, slices: list[str]) -> None:
    service = chat(LOAD, mig_profile=profile, max_replicas=1)
    run = Watched(serving(f"fixed+slices:least={least}", service, until_s=120.0, on=ONE_GPU, jobs=jobs(4)))
    placed = [one for _, one in run.decisions if isinstance(one, Place) and one.sharing == "mig"]
    assert [one.profile for one in placed] == slices
    assert not run.sim.executor.refusals


REFUSED = [
    ({"num_gpus": 2}, "two GPUs"),
    ({"gpu_memory_mib": 70_000}, "more memory than the slice has"),
    ({"mig_profile": "1g.10gb", "gpu_milli": 143}, "has a profile of its own, which the scheduler sees to"),
]


@pytest.mark.parametrize("job", [more for more, _ in REFUSED], ids=[why for _, why in REFUSED])
def test_who_gets_none(job: dict[str, Any]) -> None:
    service = chat(LOAD, mig_profile="4g.40gb", max_replicas=1)
    run = Watched(serving("fixed+slices", service, until_s=120.0, on=ONE_GPU, jobs=jobs(1, **job)))
    assert not [one for _, one in run.decisions if isinstance(one, Place) and one.sharing == "mig" and one.profile]


def test_a_free_gpu_comes_first() -> None:
    service = chat(LOAD, mig_profile="4g.40gb", max_replicas=1)
    run = Watched(serving("fixed+slices", service, until_s=120.0, on=TWO_GPUS, jobs=jobs(1)))
    assert run.sim.live["j0"].spec.mig_profile is None
    assert run.sim.live["j0"].running


def test_an_instance_does_not_feel_its_neighbour() -> None:
    service = chat((0.0, 0.0), (60.0, 3.0), mig_profile="3g.40gb", max_replicas=1)
    alone = Watched(serving("fixed", service, until_s=600.0, on=ONE_GPU))
    beside = Watched(serving("fixed+slices", service, until_s=600.0, on=ONE_GPU, jobs=jobs(1)))
    books = [run.sim.services.fleet.books[0] for run in (alone, beside) if run.sim.services is not None]
    assert books[0].percentile_s("tpot_s") == books[1].percentile_s("tpot_s")
    assert books[0].attainment == books[1].attainment
    assert beside.sim.live["j0"].attained(600.0) > 0.0


def test_instances_that_start_and_jobs_that_come_get_different_slices() -> None:
    four = load_cluster("generated:gpus=4,gpu=H100-SXM,per_node=4")
    steps = (0.0, 2.0), (300.0, 20.0), (600.0, 2.0), (900.0, 20.0)
    service = chat(*steps, mig_profile="3g.40gb", max_replicas=8)
    run = Watched(
        serving("reactive:down_s=60+slices", service, until_s=1200.0, on=four, jobs=jobs(12, duration_s=400.0))
    )
    assert [one for _, one in run.decisions if isinstance(one, Place) and one.profile]
    assert len(set(run.counts)) > 3
    assert run.sim.executor.refusals == []
