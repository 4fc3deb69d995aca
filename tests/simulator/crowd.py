"""A policy that shares GPUs in every way there is, at random, and what must hold of shared GPUs at any time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from goodwatt.cluster.bitset import members
from goodwatt.cluster.job import WHOLE_GPU_MILLI, Job
from goodwatt.cluster.packed import MOST_TENANTS
from goodwatt.simulator.decisions import Decision, Migrate, Partition, Place, Preempt, Resize, SetCap, SetClock
from goodwatt.simulator.failures.memory_fit import ALLOCATES_AFTER_S
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.physics.full import FullPhysics
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.settings.engine import Engine
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.view import View
from tests.scenario import MadeUp, Nodes, calls, cluster, engine
from tests.state_content import legal

CLASSES = ("resnet50_train", "llm_decode", "bert_train", "dlrm", "gnn_train", "llama7b_train", "resnet50_imagenet")
PROFILES = ("1g.18gb", "2g.35gb", "3g.71gb", "4g.71gb", "7g.141gb")
HOSTS = cluster(
    Nodes(1, gpus=4, kind="H200", cpu_milli=12_000),
    Nodes(1, gpus=2, kind="H200", mig=("3g.71gb", "2g.35gb", "2g.35gb")),
    Nodes(1, gpus=4, kind="V100", cpu_milli=16_000),
)
FULL = RunOptions(physics="full", draw=True, horizon_s=4_000.0)


@dataclass(frozen=True)
class Crowd(MadeUp):
    """Packs, cuts, resizes, stops and clocks at random; much of it cannot be done."""

    def decide(self, view: View) -> Sequence[Decision]:
        if calls(view).ask(view.now_s) > 2:
            return ()
        return [self._one(view) for _ in range(view.random.randrange(1, 6))]

    def _one(self, view: View) -> Decision:
        dice = view.random
        waiting = [run for pool in view.pools for _, _, run in pool.queue]
        running = [run for pool in view.pools for run in pool.running.values()]
        node = dice.randrange(len(view.state.capacity))
        if waiting and dice.random() < 0.6:
            return self._place(dice, dice.choice(waiting), running, node)
        if not running or dice.random() < 0.15:
            names = tuple(dice.choice(PROFILES) for _ in range(dice.randrange(4)))
            return Partition(node, dice.randrange(5), names)
        return self._change(dice, dice.choice(running), node)

    def _place(self, dice: random.Random, run: JobRun, running: list[JobRun], node: int) -> Place:
        job_id, way = run.spec.job_id, dice.random()
        if way < 0.4 and running:
            hosts = [other for other in running if other.spec.num_gpus == run.spec.num_gpus] or running
            beside = dice.choice(hosts).spec.job_id
            percent, mode = dice.choice([10, 50, 100]), dice.choice(["mps", "timeslice"])
            return Place(job_id, (), beside=beside, sharing=mode, thread_percent=percent)
        if way < 0.6:
            return Place(job_id, ((node, 1),), sharing="mig", profile=dice.choice(PROFILES))
        gpus = run.spec.num_gpus if dice.random() < 0.8 else dice.randrange(1, 7)
        other = dice.randrange(3)
        nodes = ((node, gpus),) if dice.random() < 0.6 or other == node else ((node, 1), (other, max(gpus - 1, 1)))
        return Place(job_id, nodes, clock_mhz=dice.choice([None, 900.0]))

    def _change(self, dice: random.Random, run: JobRun, node: int) -> Decision:
        job_id = run.spec.job_id
        sizes = [((node, dice.randrange(1, 5)),), ((node, 1), ((node + 1) % 3, 1))]
        changes: list[Decision] = [
            Preempt(job_id),
            Migrate(job_id, ((node, run.spec.num_gpus),)),
            Resize(job_id, dice.choice(sizes)),
            Resize(job_id, dice.choice(sizes)),
            SetClock(job_id, dice.choice([None, 800.0])),
            SetCap(job_id, dice.choice([None, 250.0])),
        ]
        return dice.choice(changes)


def crowd_of_jobs(seed: int, count: int = 40) -> tuple[Job, ...]:
    """Jobs of every kind that may share, more than the GPUs hold."""
    dice = random.Random(seed)
    times = sorted(float(dice.randrange(1500)) for _ in range(count))
    return tuple(_job(dice, f"j{i}", submit_s) for i, submit_s in enumerate(times))


def _job(dice: random.Random, job_id: str, submit_s: float) -> Job:
    gpus = dice.choice([1, 1, 1, 2, 4])
    milli = dice.choice([1000, 1000, 400, 600]) if gpus == 1 else 1000
    elastic = milli == WHOLE_GPU_MILLI and dice.random() < 0.5
    small = gpus == 1 and milli == WHOLE_GPU_MILLI and not elastic and dice.random() < 0.2
    return Job(
        job_id=job_id,
        submit_s=submit_s,
        num_gpus=gpus,
        gpu_milli=milli,
        duration_s=float(dice.choice([5, 60, 300, 900])),
        gpu_memory_mib=dice.choice([0, 0, 8_000, 30_000]),
        cpu_milli=dice.choice([0, 500]),
        workload=dice.choice(CLASSES),
        reference_gpu="H200-SXM",
        mig_profile="1g.18gb" if small else None,
        min_gpus=1 if elastic else None,
        max_gpus=6 if elastic else None,
    )


def crowded(seed: int, settings: Engine | None = None) -> Simulation:
    """A run that has not begun."""
    mode = ("timeslice", "mps")[seed % 2]
    rough = settings or engine(restart_overhead_s=5.0, share_mode=mode, checkpoint_interval_s=100.0)
    return Simulation(crowd_of_jobs(seed), HOSTS, Crowd(), rough, replace(FULL, seed=seed))


def assert_shared_well(sim: Simulation) -> None:
    """Seats, memory, speeds and watts of every GPU."""
    physics = sim.physics
    assert isinstance(physics, FullPhysics)
    for node in range(len(sim.cluster.nodes)):
        assert_seats(sim, node)
    for run in sim.live.values():
        if run.placement:
            assert (run._truth.rate > 0.0) != physics.paused(run.spec.job_id)
            assert sim.now_s - run.started_s <= ALLOCATES_AFTER_S or physics.fits_memory(run)
    for node, points in enumerate(physics._gpus.points):
        for gpu, point in enumerate(points):
            if point is not None:
                tenants = physics.tenants(node)[gpu]
                for job_id, speed in zip(tenants, point.speeds, strict=True):
                    assert 0.0 < speed <= 1.0 or len(tenants) == 1 or physics.paused(job_id)
    assert_watts(sim, physics)


def assert_watts(sim: Simulation, physics: FullPhysics) -> None:
    """Watts of the jobs are the watts of the GPUs that they hold, to the microwatt."""
    power = physics.power()
    held = [part for parts in physics._book.parts for part in parts if not part[0]]
    idle = sum(not any(n == node and mask >> gpu & 1 for run in sim.live.values() for n, mask in run.placement)
               for node, facts in enumerate(sim.cluster.nodes) for gpu in range(facts.gpus))  # fmt: skip
    assert len(held) == sim.cluster.num_gpus - idle
    jobs_uw = sum(round((run._truth.power_w or 0.0) * MICRO) for run in sim.live.values() if run.placement)
    assert jobs_uw == sum(map(sum, held))
    assert abs(power.held_w + power.sm_w + power.dram_w - jobs_uw / MICRO) < 1e-6


def assert_seats(sim: Simulation, node: int) -> None:
    """No GPU has more tenants, shares or instances than it can have."""
    whole, milli, sliced = Counter[int](), Counter[int](), Counter[int]()
    for run in sim.live.values():
        for mask in (mask for where, mask in run.placement if where == node):
            for gpu in members(mask):
                if run.spec.mig_profile is not None:
                    sliced[gpu] += 1
                elif run.spec.gpu_milli < WHOLE_GPU_MILLI:
                    milli[gpu] += run.spec.gpu_milli
                else:
                    whole[gpu] += 1
    assert not whole.keys() & milli.keys()
    assert not sliced.keys() & (whole.keys() | milli.keys())
    assert all(count <= MOST_TENANTS for count in whole.values())
    assert all(used <= WHOLE_GPU_MILLI for used in milli.values())
    for one in sim.state.slices.of_node[node]:
        legal(sim.state, node, one)
        assert sliced.pop(one.gpu, 0) == sum(bool(slot.holder) for slot in one.slots)
    assert not sliced
    used = sum(1 << gpu for gpu in {*whole, *milli}) | sum(1 << one.gpu for one in sim.state.slices.of_node[node])
    there = ((1 << sim.cluster.nodes[node].gpus) - 1) & ~sim.state.lost_mask[node]
    assert sim.state.free_mask[node] == there & ~used
