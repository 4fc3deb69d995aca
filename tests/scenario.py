"""Small clusters, tables of jobs, and policies made for tests.

A table has one job per line. Left of the bar stands what is submitted, right of it what must come of it; "-" is
"not given" or "never". Nodes are called n0, n1, ... in their order.

    job  submit  gpus  time | start  end
    a         0     8   100 |     0  100
    b         1     2    10 |   100  110
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from goodwatt.cluster import catalogue
from goodwatt.cluster.cluster import Cluster, HostPower, Node, Quotas
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.job import Job, JobRequest
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.decisions import (
    Decision,
    Group,
    Migrate,
    Place,
    Preempt,
    SetCap,
    SetClock,
    Sleep,
    WaitUntil,
    Wake,
)
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.records.result import RunResult
from goodwatt.simulator.run import result
from goodwatt.simulator.settings.engine import Engine, EngineSettings
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.view import View

# clusters ------------------------------------------------------------------------------------------------------------


def gpu_kind(name: str, idle_w: float | None, active_w: float | None, memory_mib: int) -> GpuKind:
    """A kind with round figures."""
    return GpuKind(
        name=name,
        architecture="made for tests",
        memory_mib=memory_mib,
        min_clock_mhz=None,
        max_clock_mhz=None,
        min_cap_w=None,
        max_cap_w=None,
        idle_w=idle_w,
        active_w=active_w,
        max_w=active_w,
        nvlink_gbps=0.0,
        nvlink_domain=1,
        mig_slices=0,
    )


KINDS = {
    "small": gpu_kind("small", 50.0, 250.0, 16_000),
    "large": gpu_kind("large", 100.0, 400.0, 80_000),
    "secret": gpu_kind("secret", None, None, 0),
    # Kinds of the catalogue, with a power model: for full physics.
    "V100": catalogue.gpu_kind("V100-PCIE"),
    "H200": catalogue.gpu_kind("H200-SXM"),
}


NO_HOST_POWER = HostPower()
NO_QUOTAS = Quotas()


@dataclass(frozen=True)
class Nodes:
    """So many equal nodes."""

    count: int = 1
    gpus: int = 8
    kind: str = "small"
    partition: str | None = None
    cpu_milli: int | None = None
    memory_mib: int | None = None
    domain: int = 0
    """GPUs per NVLink domain inside a node; 0: all of them."""
    clique: str | None = None
    mig: tuple[str, ...] = ()


def cluster(*groups: Nodes, power: HostPower = NO_HOST_POWER, quotas: Quotas = NO_QUOTAS) -> Cluster:
    """A cluster of these groups of nodes."""
    nodes: list[Node] = []
    for group in groups:
        width = group.domain or max(group.gpus, 1)
        domains = tuple(((1 << min(width, group.gpus - low)) - 1) << low for low in range(0, group.gpus, width))
        nodes += [
            Node(
                name=f"n{len(nodes) + i}",
                gpu_kind=KINDS[group.kind].name,
                gpus=group.gpus,
                partition=group.partition,
                cpu_milli=group.cpu_milli,
                memory_mib=group.memory_mib,
                domains=domains,
                clique=group.clique,
                mig=group.mig,
            )
            for i in range(group.count)
        ]
    kinds = {KINDS[group.kind].name: KINDS[group.kind] for group in groups}
    return Cluster(name="test", nodes=tuple(nodes), kinds=kinds, power=power, quotas=quotas)


# jobs ----------------------------------------------------------------------------------------------------------------


def job(job_id: str = "a", gpus: int = 1, submit_s: float = 0.0, duration_s: float = 100.0, **others: Any) -> Job:
    """A job, of which only what matters is said."""
    return Job(job_id=job_id, num_gpus=gpus, submit_s=submit_s, duration_s=duration_s, **others)


_GIVEN: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "job": ("job_id", str),
    "submit": ("submit_s", float),
    "gpus": ("num_gpus", int),
    "time": ("duration_s", float),
    "milli": ("gpu_milli", int),
    "cpu": ("cpu_milli", int),
    "memory": ("memory_mib", int),
    "gpu_memory": ("gpu_memory_mib", int),
    "kind": ("gpu_kind", lambda text: tuple(text.split("|"))),
    "user": ("user", str),
    "partition": ("partition", str),
    "checkpoint": ("checkpoint_interval_s", float),
    "mig": ("mig_profile", str),
    "min": ("min_gpus", int),
    "max": ("max_gpus", int),
    "class": ("workload", str),
    "reference": ("reference_gpu", str),
    "preemptible": ("preemptible", lambda text: text == "yes"),
}

_EXPECTED: Mapping[str, Callable[[str], Any]] = {
    "start": float,
    "end": float,
    "stops": int,
    "lost": float,
    "nodes": str,
    "state": str,
}


@dataclass(frozen=True)
class Table:
    """The jobs of a table and what is expected of each: column to value."""

    jobs: tuple[Job, ...]
    expected: Mapping[str, Mapping[str, Any]]


def table(text: str) -> Table:
    """Read a table."""
    head, *rows = [line.split() for line in text.strip().splitlines()]
    jobs, expected = [], {}
    for row in rows:
        assert len(row) == len(head), f"the columns are {head}, the row is {row}"
        cells = {name: cell for name, cell in zip(head, row, strict=True) if name != "|"}
        given = {_GIVEN[n][0]: _GIVEN[n][1](c) for n, c in cells.items() if n in _GIVEN and c != "-"}
        jobs.append(Job(**{"submit_s": 0.0, "duration_s": 100.0, "num_gpus": 1, **given}))
        expected[cells["job"]] = {n: None if c == "-" else _EXPECTED[n](c) for n, c in cells.items() if n in _EXPECTED}
    return Table(tuple(jobs), expected)


def fates(outcome: RunResult) -> dict[str, dict[str, Any]]:
    """What came of each job, in the terms of a table."""
    columns = outcome.jobs
    return {
        job_id: {
            "start": columns.start_s[i],
            "end": columns.end_s[i],
            "stops": columns.preemptions[i],
            "lost": columns.lost_work_gpu_s[i],
            "nodes": columns.nodes[i] or None,
            "state": columns.state[i],
        }
        for i, job_id in enumerate(columns.job_id)
    }


# running -------------------------------------------------------------------------------------------------------------


def engine(**settings: Any) -> Engine:
    """An engine with these settings for every policy."""
    if isinstance(restart := settings.get("restart_overhead_s"), int | float):
        settings["restart_overhead_s"] = ((math.inf, float(restart)),)
    both = EngineSettings(**{"name": "test", **settings})
    return Engine("test", both, both)


EVERY_EVENT = engine()
DRAWN = RunOptions(draw=True)


def simulate(
    jobs: Sequence[Job],
    on: Cluster,
    policy: Policy | str = "fifo",
    settings: Engine = EVERY_EVENT,
    options: RunOptions = DRAWN,
) -> Simulation:
    """A simulation that has not begun."""
    return Simulation(jobs, on, make_policy(policy) if isinstance(policy, str) else policy, settings, options)


def step(sim: Simulation) -> None:
    """One event, or the decision that is due."""
    if not sim.deciding:
        sim.clock.step()
    elif (view := sim.advance()) is not None:
        sim.apply(sim.policy.decide(view))


def until(sim: Simulation, time_s: float) -> Simulation:
    """Run on to a time, what happens and is decided then included."""
    while not sim.stopped and (sim.deciding or sim.clock.peek() <= time_s):
        step(sim)
    return sim


def finished(simulation: Simulation) -> RunResult:
    """Run to the end and gather the result."""
    simulation.run()
    return result(simulation)


def check(
    text: str,
    on: Cluster,
    policy: Policy | str = "fifo",
    settings: Engine = EVERY_EVENT,
    options: RunOptions = DRAWN,
) -> Simulation:
    """Run the jobs of a table and compare with what it expects."""
    wanted = table(text)
    simulation = simulate(wanted.jobs, on, policy, settings, options)
    got = fates(finished(simulation))
    assert {i: {n: got[i][n] for n in row} for i, row in wanted.expected.items()} == wanted.expected
    return simulation


# policies for tests --------------------------------------------------------------------------------------------------


@dataclass
class Calls:
    """Memory of the policies below: when they were asked, and how often at that time."""

    now_s: float = -math.inf
    count: int = 0
    ended: list[tuple[str, float]] = field(default_factory=list)

    def ask(self, now_s: float) -> int:
        """How often there has been a question at this time before."""
        self.count = self.count + 1 if now_s == self.now_s else 0
        self.now_s = now_s
        return self.count

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        self.ended.append((job.job_id, ran_s))

    def copy(self) -> Self:
        return replace(self, ended=self.ended[:])

    def to_plain(self) -> Any:
        return [self.now_s, self.count, [list(pair) for pair in self.ended]]

    def load_plain(self, plain: Any) -> None:
        self.now_s, self.count = plain[0], plain[1]
        self.ended = [(job_id, ran_s) for job_id, ran_s in plain[2]]


def calls(view: View) -> Calls:
    """The memory that these policies put there."""
    assert isinstance(view.memory, Calls)
    return view.memory


class MadeUp:
    """What the policies below have in common."""

    name = "made-up"
    oracle = False
    preemptive = True
    head_only = False

    def new_memory(self) -> Calls:
        return Calls()

    def queue_key(self, run: JobRun, view: View) -> float:
        return run.spec.submit_s


@dataclass(frozen=True)
class Scripted(MadeUp):
    """Says at given times what is written down for them, and nothing else."""

    script: Mapping[float, Sequence[Decision]]
    oracle: bool = False

    def decide(self, view: View) -> Sequence[Decision]:
        if calls(view).ask(view.now_s):
            return ()
        later = [time_s for time_s in self.script if time_s > view.now_s]
        wake = [WaitUntil(min(later))] if later else []
        return [*self.script.get(view.now_s, ()), *wake]


def scripted(*steps: tuple[float, Decision]) -> Scripted:
    """Decisions by time."""
    times = dict.fromkeys(time_s for time_s, _ in steps)
    return Scripted({time_s: [decision for at_s, decision in steps if at_s == time_s] for time_s in times})


@dataclass(frozen=True)
class Chaos(MadeUp):
    """Decides at random, often what cannot be: unknown jobs, missing nodes, too many GPUs, groups that contradict.

    With `power` it also shares GPUs, sets clocks and caps, and puts nodes to sleep.
    """

    rounds_s: float = 7.0
    """It asks to be asked again after about so long."""
    power: bool = False

    def queue_key(self, run: JobRun, view: View) -> float:
        return view.random.random()

    def decide(self, view: View) -> Sequence[Decision]:
        again = calls(view).ask(view.now_s)
        decisions = [self._one(view, stops=again < 2) for _ in range(view.random.randrange(4))]
        if any(pool.queue for pool in view.pools):
            wait_s = view.random.choice([-1.0, 0.0, self.rounds_s / 3, self.rounds_s])
            decisions += [WaitUntil(view.now_s + wait_s), WaitUntil(view.now_s + self.rounds_s)]
        return decisions

    def _power(self, view: View) -> Decision:
        dice = view.random
        running = [run.spec.job_id for pool in view.pools for run in pool.running.values()]
        waiting = [run.spec for pool in view.pools for _, _, run in pool.queue]
        node = dice.randrange(-1, len(view.state.capacity) + 1)
        job_id = dice.choice([*running, "nobody"])
        if waiting and running and dice.random() < 0.5:
            spec = dice.choice(waiting)
            mode = dice.choice(["timeslice", "mps", "mps", "telepathy"])
            return Place(spec.job_id, (), beside=job_id, sharing=mode, thread_percent=dice.choice([0, 30, 100]))
        decisions: list[Decision] = [
            SetClock(job_id, dice.choice([None, 1.0, 900.0, 5000.0])),
            SetCap(job_id, dice.choice([None, 1.0, 120.0, 220.0, 300.0, 5000.0])),
            Sleep(node),
            Wake(dice.choice([*view.asleep, node])),
        ]
        return dice.choice(decisions)

    def _one(self, view: View, stops: bool) -> Decision:
        if self.power and view.random.random() < 0.5:
            return self._power(view)
        if view.random.random() < 0.3:
            steps = tuple(self._step(view, stops) for _ in range(view.random.randrange(4)))
            return Group(steps, "chance")
        return self._step(view, stops)

    def _step(self, view: View, stops: bool) -> Place | Preempt | Migrate:
        dice = view.random
        waiting = [run.spec for pool in view.pools for _, _, run in pool.queue]
        running = [view_run.spec for pool in view.pools for view_run in pool.running.values()]
        anyone = [*waiting, *running, job("nobody")]
        roll = dice.random()
        if stops and roll < 0.15 and running:
            return Preempt(dice.choice(running if dice.random() < 0.8 else anyone).job_id)
        if stops and roll < 0.3 and running:
            spec = dice.choice(running if dice.random() < 0.8 else anyone)
            return Migrate(spec.job_id, self._nodes(view, spec), self._gpus(view))
        spec = dice.choice(waiting if waiting and dice.random() < 0.8 else anyone)
        return Place(spec.job_id, self._nodes(view, spec), self._gpus(view))

    def _nodes(self, view: View, spec: JobRequest) -> tuple[tuple[int, int], ...]:
        dice, capacity = view.random, view.state.capacity
        left, nodes = spec.num_gpus, []
        for node in dice.sample(range(len(capacity)), len(capacity)):
            here = min(left, capacity[node]) if dice.random() < 0.8 else dice.randrange(-1, left + 2)
            if here > 0 or not spec.num_gpus:
                nodes.append((node, here))
                left -= here
            if left <= 0:
                break
        if dice.random() < 0.05:
            nodes.append((dice.choice([-1, 0, len(capacity)]), dice.choice([-1, 0, 1])))
        return tuple(nodes)

    def _gpus(self, view: View) -> tuple[int, ...] | None:
        dice = view.random
        return (
            tuple(dice.choice([-1, 0, 1, 2, 3, 128]) for _ in range(dice.randrange(3))) if dice.random() < 0.3 else None
        )
