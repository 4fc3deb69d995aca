"""From a view nobody reaches what only the simulated world knows, unless by a name with an underscore."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pytest

from goodwatt.cluster.job import Job
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.jobs.progress import Progress
from goodwatt.simulator.physics.full import FullPhysics
from goodwatt.simulator.physics.job_facts import JobFacts
from goodwatt.simulator.physics.truth import Truth
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.view import View
from tests.made_runs import ROUGH, busy_trace
from tests.scenario import Nodes, cluster, job

TRUTH = (Job, Progress, JobFacts, Truth, FullPhysics, Simulation)
NAMED = "bert_pretrain"
ON = cluster(Nodes(2, kind="H200"))


def reachable(start: object) -> Iterator[tuple[str, object]]:
    """Everything that can be read from an object by public names, each thing once, with a way to it."""
    seen, waiting = {id(start)}, [("view", start)]
    while waiting:
        way, thing = waiting.pop()
        yield way, thing
        for name, part in parts(thing):
            if id(part) not in seen:
                seen.add(id(part))
                waiting.append((f"{way}{name}", part))


def parts(thing: object) -> Iterator[tuple[str, object]]:
    if isinstance(thing, str | bytes | int | float | None) or callable(thing):
        return
    if isinstance(thing, Mapping):
        yield from ((f"[{key!r}]", value) for key, value in thing.items())
    if isinstance(thing, Iterable):
        yield from ((f"[{i}]", value) for i, value in enumerate(thing))
    if type(thing).__module__.startswith("goodwatt"):
        yield from ((f".{name}", getattr(thing, name)) for name in dir(thing) if not name.startswith("_"))


def simulation(power: str, physics: str, jobs: tuple[Job, ...]) -> Simulation:
    policy = with_power(make_policy("qssf+pack"), power)
    return Simulation(jobs, ON, policy, ROUGH, RunOptions(physics=physics, budget_w=9_000.0))


@pytest.mark.parametrize("physics", ["ideal", "full"])
@pytest.mark.parametrize("power", ["static+sleep", "budget", "ramp", "least-energy"])
def test_the_truth_cannot_be_reached_from_a_view(power: str, physics: str) -> None:
    sim = simulation(power, physics, busy_trace(2, count=25))
    decisions = 0
    while (view := sim.advance()) is not None and decisions < 60:
        if decisions % 6 == 0:
            assert_hidden(view)
        sim.apply(sim.policy.decide(view))
        decisions += 1
    assert sim.recorder.totals.ended > 3, "nothing has happened"


def assert_hidden(view: View) -> None:
    found = dict(reachable(view))
    assert any(isinstance(thing, JobRun) for thing in found.values()) or not view._live
    assert [way for way, thing in found.items() if isinstance(thing, TRUTH)] == []


def test_the_truth_is_there_behind_an_underscore() -> None:
    """So the search above would have found it."""
    sim = simulation("static", "full", busy_trace(2, count=25))
    sim.advance()
    assert any(isinstance(thing, Progress) for _, thing in reachable(next(iter(sim.live.values()))._truth))


def test_a_class_that_was_drawn_is_not_seen_and_one_that_was_named_is() -> None:
    sim = simulation("static", "full", (job("named", workload=NAMED), job("drawn")))
    sim.advance()
    seen = {job_id: run.spec.workload for job_id, run in sim.live.items()}
    assert seen == {"named": NAMED, "drawn": None}
    assert all(run.spec.reference_gpu is None for run in sim.live.values())
    assert all(run._truth.job.workload and run._truth.job.reference_gpu for run in sim.live.values())
