"""What may happen to a run with services, as a vocabulary for courses that are drawn: nothing here is sensible."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from goodwatt.simulator.decisions import Decision, Drain, Place, Preempt, SetCap, SetClock
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.simulation import Simulation
from tests.simulator.services.test_service_run import services_of

Happening = tuple[str, int]
"""What happens, and a number that says to whom, where or how."""


def one_of(runs: Sequence[JobRun], which: int) -> list[JobRun]:
    """One of them, or nobody."""
    return [runs[which % len(runs)]] if runs else []


def instances(sim: Simulation, *, holding: bool) -> list[JobRun]:
    return [one.run for one in services_of(sim).instances.values() if bool(one.run.placement) == holding]


def jobs(sim: Simulation, *, running: bool) -> list[JobRun]:
    there = services_of(sim).instances
    return [run for job_id, run in sim.live.items() if job_id not in there and bool(run.placement) == running]


def place(sim: Simulation, run: JobRun, which: int) -> Place:
    return Place(run.spec.job_id, ((which % len(sim.cluster.nodes), run.base.num_gpus),))


def start(sim: Simulation, which: int) -> Iterator[Decision]:
    for run in one_of(instances(sim, holding=False), which):
        yield place(sim, run, which)


def drain(sim: Simulation, which: int) -> Iterator[Decision]:
    for run in one_of(instances(sim, holding=True), which):
        yield Drain(run.spec.job_id)


def start_anew(sim: Simulation, which: int) -> Iterator[Decision]:
    for run in one_of(instances(sim, holding=True), which):
        yield Drain(run.spec.job_id)
        yield place(sim, run, which)


def set_clock(sim: Simulation, which: int) -> Iterator[Decision]:
    for run in one_of(instances(sim, holding=True), which):
        yield SetClock(run.spec.job_id, (None, 990.0, 1_500.0)[which % 3])


def set_cap(sim: Simulation, which: int) -> Iterator[Decision]:
    for run in one_of(instances(sim, holding=True), which):
        yield SetCap(run.spec.job_id, (None, 200.0, 300.0, 450.0)[which % 4])


def come_beside(sim: Simulation, which: int) -> Iterator[Decision]:
    for host in one_of(instances(sim, holding=True), which):
        alike = [run for run in jobs(sim, running=False) if run.base.num_gpus == host.base.num_gpus]
        for run in one_of(alike, which):
            percent = (25.0, 50.0, 100.0)[which % 3]
            yield Place(run.spec.job_id, (), beside=host.spec.job_id, sharing="mps", thread_percent=percent)


def start_job(sim: Simulation, which: int) -> Iterator[Decision]:
    for run in one_of(jobs(sim, running=False), which):
        yield place(sim, run, which)


def stop_job(sim: Simulation, which: int) -> Iterator[Decision]:
    for run in one_of(jobs(sim, running=True), which):
        yield Preempt(run.spec.job_id)


def nothing(_sim: Simulation, _which: int) -> Iterator[Decision]:
    return iter(())


HAPPENS: dict[str, Callable[[Simulation, int], Iterator[Decision]]] = {
    "nothing": nothing,
    "an instance starts": start,
    "an instance drains": drain,
    "an instance drains and starts at once": start_anew,
    "a clock is set": set_clock,
    "a cap is set": set_cap,
    "a job comes beside": come_beside,
    "a job starts": start_job,
    "a job is stopped": stop_job,
}
ALONE = [what for what in HAPPENS if what != "a job comes beside"] + ["nothing"] * 12
"""Nobody comes beside an instance, and there is time between what happens."""


def drawn(seed: int, happens: Sequence[str] = (*HAPPENS,)) -> list[Happening]:
    """A course by a seed, in which instances start often enough for something to happen to them."""
    dice = random.Random(seed)
    return [(dice.choice([*happens, "an instance starts"]), dice.randrange(60)) for _ in range(200)]
