"""Which pools and which physics a run has, the jobs as that physics needs them, and what its policy sees of all that.

Full physics is only imported where it is used.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import Job
from goodwatt.cluster.mig_state import sliced_request
from goodwatt.cluster.state import ClusterState
from goodwatt.simulator.physics.contract import IdealPhysics, Physics
from goodwatt.simulator.policy import Memory, Policy
from goodwatt.simulator.power.power_room import PowerRoom
from goodwatt.simulator.settings.engine import EngineSettings
from goodwatt.simulator.view import Pool, View

if TYPE_CHECKING:
    from goodwatt.simulator.failures.schedule import Failures
    from goodwatt.simulator.failures.stragglers import Stragglers
    from goodwatt.simulator.physics.power_meter import PowerMeter
    from goodwatt.simulator.power.power_book import PowerBook
    from goodwatt.simulator.power.racks import Racks
    from goodwatt.simulator.power.ramping import SiteRamp
    from goodwatt.simulator.services.services_state import Services
    from goodwatt.simulator.services.services_view import ServicesView
    from goodwatt.simulator.settings.run_options import RunOptions
    from goodwatt.simulator.simulation import Simulation


def submitted_of(jobs: Sequence[Job]) -> Sequence[Job]:
    """The jobs as they ask for GPUs: one in a MIG instance counts as a share of a GPU."""
    if any(job.mig_profile is not None for job in jobs):
        return [_sliced(job) for job in jobs]
    return jobs


def jobs_of(jobs: Sequence[Job], cluster: Cluster, options: RunOptions) -> Sequence[Job]:
    """Under full physics every job has a workload class and a reference GPU; those it does not name are drawn.

    Policies see what was submitted, and nothing of what was drawn.
    """
    if options.physics == "ideal":
        return jobs
    from goodwatt.power.workloads.assignment import assign

    return assign(jobs, options.seed, cluster)


def _sliced(job: Job) -> Job:
    return job if job.mig_profile is None else sliced_request(job, job.mig_profile)


def pools_of(cluster: Cluster) -> dict[str | None, Pool]:
    """One pool per partition, and one for jobs that name none (the only one without partitions)."""
    sizes = {p: sum(n.gpus for n in cluster.nodes if n.partition == p) for p in cluster.partitions}
    pools: dict[str | None, Pool] = {p: Pool(p, gpus) for p, gpus in sizes.items()}
    pools[None] = Pool(None, cluster.num_gpus)
    return pools


def make_physics(state: ClusterState, engine: EngineSettings, options: RunOptions) -> Physics:
    """The physics that the options ask for."""
    if options.physics == "ideal":
        return IdealPhysics(state)
    from goodwatt.simulator.physics.full import FullPhysics
    from goodwatt.simulator.physics.truth import truth_of

    return FullPhysics(state, truth_of(options), engine.share_mode)


def meter_of(physics: Physics) -> PowerMeter | None:
    """The meter of the nodes; None where the physics has none."""
    meter: PowerMeter | None = getattr(physics, "meter", None)
    return meter


def book_of(
    cluster: Cluster,
    physics: Physics,
    racks: Racks,
    policy: Policy,
    options: RunOptions,
    budget_w: float | None,
    asleep: Mapping[int, str],
) -> PowerBook | None:
    """The book of who may draw how much, if the policy has budgets enforced and the physics has a meter."""
    if not getattr(policy, "enforces_budget", False) or options.physics == "ideal":
        return None
    from goodwatt.simulator.physics.full import FullPhysics
    from goodwatt.simulator.power.power_book import PowerBook

    assert isinstance(physics, FullPhysics)  # noqa: S101 - `make_physics` made it
    return PowerBook(cluster, physics, racks, budget_w, asleep)


def ramp_of(cluster: Cluster, physics: Physics, policy: Policy) -> SiteRamp | None:
    """Keeps the site's and the racks' ramp limits, if the policy wants them kept and the physics knows of watts."""
    wish_w = getattr(policy, "ramp_w_per_s", None)
    if wish_w is None or getattr(physics, "meter", None) is None:
        return None
    from goodwatt.simulator.physics.full import FullPhysics
    from goodwatt.simulator.power.ramping import SiteRamp

    assert isinstance(physics, FullPhysics)  # noqa: S101 - no other has a meter
    return SiteRamp(cluster, physics, wish_w or cluster.power.ramp_w_per_s)


def failures_of(
    cluster: Cluster, engine: EngineSettings, seed: int, start_s: float
) -> tuple[Failures | None, Stragglers | None]:
    """What fails in a run, and which GPUs are slow at times; None where the engine knows of nothing."""
    settings = engine.failures
    if settings is None:
        return None, None
    from goodwatt.simulator.failures.schedule import Failures
    from goodwatt.simulator.failures.stragglers import Stragglers

    schedule = Failures(cluster, settings, seed, start_s) if settings.any_failure else None
    return schedule, Stragglers(cluster, settings.stragglers, seed)


def services_in(cluster: Cluster, options: RunOptions, jobs: int, start_s: float) -> Services | None:
    """The services of a run; None without any, and then nothing of what they need is imported."""
    if not options.services:
        return None
    from goodwatt.simulator.services.services_state import services_of

    return services_of(cluster, options, jobs, start_s)


def _seen(sim: Simulation) -> ServicesView | None:
    if sim.services is None:
        return None
    from goodwatt.simulator.services.services_view import ServicesView

    return ServicesView(sim.services)


def new_view(sim: Simulation, memory: Memory, rng: random.Random) -> View:
    """A view of a run for its policy, of which `show` fills in the rest."""
    return View(sim.state, list(sim.pools.values()), sim.engine, memory, rng, sim.quotas, sim.policy.oracle)


def show(sim: Simulation) -> None:
    """Let the view see what it may."""
    view, options = sim.view, sim.options
    view._live, view._racks, view.asleep = sim.live, sim.racks, sim.asleep
    view.book = None if sim.book is None else PowerRoom(sim.book)
    view.budget_w, view.price, view.guardrails = sim.budget_w, options.price, options.guardrails
    view.preemptive = sim.policy.preemptive
    view.services = _seen(sim)
