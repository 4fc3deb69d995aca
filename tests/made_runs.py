"""Made-up clusters, traces and engines for property tests, drawn by hypothesis or from a seed, and what must hold."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from goodwatt.cluster.bitset import members
from goodwatt.cluster.cluster import Cluster, HostPower, Quotas
from goodwatt.cluster.job import WHOLE_GPU_MILLI, Job
from goodwatt.cluster.state import host_share
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.jobs.progress import Progress
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.records.result import RunResult
from goodwatt.simulator.settings.engine import Engine, Outage
from goodwatt.simulator.settings.failure_rates import ComponentRates, FailureSettings, StragglerRates
from goodwatt.simulator.settings.guardrails import NO_GUARDRAILS, Guardrails
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import DRAWN, Chaos, Nodes, cluster, engine
from tests.state_content import content

POLICIES = ("fifo", "sjf", "tiresias:threshold_gpu_s=60", "srtf", "chaos", "power-chaos")
MOST_DECISIONS = 400
"""Chaos may go on for ever; after so many decisions a run is judged as it stands."""


def policy_of(spec: str) -> Policy:
    """The policy of a specification; "chaos" decides at random, "power-chaos" on power too."""
    return Chaos(power=spec == "power-chaos") if spec.endswith("chaos") else make_policy(spec)


@dataclass(frozen=True)
class Made:
    """The inputs of a run."""

    on: Cluster
    jobs: tuple[Job, ...]
    settings: Engine
    policy: str
    options: RunOptions = DRAWN

    def simulation(self) -> Simulation:
        return Simulation(self.jobs, self.on, policy_of(self.policy), self.settings, self.options)


# by hypothesis -------------------------------------------------------------------------------------------------------

groups = st.builds(
    Nodes,
    count=st.integers(1, 2),
    gpus=st.integers(0, 8),
    kind=st.sampled_from(["small", "large", "secret", "V100", "H200"]),
    partition=st.sampled_from([None, "east", "west"]),
    cpu_milli=st.sampled_from([None, 0, 999, 16_000]),
    memory_mib=st.sampled_from([None, 0, 31, 64_000]),
    domain=st.sampled_from([0, 1, 2, 4]),
    clique=st.sampled_from([None, "x", "y"]),
)

quotas = st.sampled_from([Quotas(), Quotas(users={"ann": 3, "*": 6.5}), Quotas(partitions={"east": 4})])

clusters = st.builds(
    lambda groups, quotas: cluster(*groups, quotas=quotas, power=HostPower(1.2, 300.0, 700.0)),
    st.lists(groups, min_size=1, max_size=3),
    quotas,
)

times = st.one_of(st.integers(-5, 40).map(float), st.floats(0, 40))

jobs = st.lists(
    st.tuples(
        times,
        st.sampled_from([0.0, 0.1, 1.0, 7.3, 20.0, 50.0]),
        st.one_of(st.tuples(st.integers(0, 12), st.just(1000)), st.tuples(st.just(1), st.integers(1, 999))),
        st.sampled_from([0, 1, 500, 4000]),
        st.sampled_from([0, 1, 32]),
        st.sampled_from([None, "east", "west"]),
        st.sampled_from([None, "ann", "bob"]),
        st.booleans(),
        st.sampled_from([None, 0.0, 3.0]),
    ),
    max_size=14,
).map(
    lambda rows: tuple(
        Job(
            job_id=f"j{i}",
            submit_s=submit_s,
            duration_s=duration_s,
            num_gpus=gpus,
            gpu_milli=milli,
            cpu_milli=cpu,
            memory_mib=memory,
            partition=partition,
            user=user,
            preemptible=preemptible,
            checkpoint_interval_s=checkpoint_s,
        )
        for i, (
            submit_s,
            duration_s,
            (gpus, milli),
            cpu,
            memory,
            partition,
            user,
            preemptible,
            checkpoint_s,
        ) in enumerate(sorted(rows, key=lambda row: row[0]))
    )
)

outages = st.lists(
    st.builds(
        lambda from_s, length_s: Outage("n0", from_s, from_s + length_s), st.integers(-5, 60), st.integers(1, 30)
    ),
    max_size=2,
).map(tuple)

OFTEN = ComponentRates(per_hour=60.0, repair_median_s=20.0, repair_spread=1.0)
FRAIL = FailureSettings(gpu=OFTEN, node=OFTEN, stragglers=StragglerRates(share=0.5, spell_s=9.0))
"""Something breaks every few seconds."""

engines = st.builds(
    engine,
    decision_interval_s=st.sampled_from([0.0, 0.0, 0.1, 5.0]),
    completion_lag_s=st.sampled_from([0.0, 0.0, 1.0]),
    restart_overhead_s=st.sampled_from([0.0, 3.5]),
    checkpoint_interval_s=st.sampled_from([0.0, 4.0]),
    gpu_choice=st.sampled_from(["kubelet", "policy"]),
    outages=outages,
    checkpoint_rule=st.sampled_from(["none", "daly"]),
    share_mode=st.sampled_from(["timeslice", "mps"]),
)

frail_engines = st.builds(
    engine,
    failures=st.sampled_from([FRAIL, replace(FRAIL, gpu_takes="gpu"), replace(FRAIL, gpu_takes="reset", reset_s=4.0)]),
    restart_overhead_s=st.sampled_from([0.0, 3.5]),
    checkpoint_interval_s=st.sampled_from([0.0, 1.0]),
    checkpoint_rule=st.sampled_from(["none", "daly"]),
    share_mode=st.sampled_from(["timeslice", "mps"]),
)

STRICT = Guardrails(max_slowdown=1.5, max_wait_s=15.0, protected=frozenset({"ann"}))

options = st.builds(
    RunOptions,
    seed=st.integers(0, 1000),
    horizon_s=st.sampled_from([None, 45.0, 500.0]),
    drain=st.booleans(),
    budget_w=st.sampled_from([None, 2000.0]),
    draw=st.just(True),
    physics=st.sampled_from(["ideal", "full"]),
    truth=st.sampled_from(["residual", "model"]),
    guardrails=st.sampled_from([NO_GUARDRAILS, STRICT]),
)

sturdy = st.builds(Made, clusters, jobs, engines, st.sampled_from(POLICIES), options)
"""Runs in which nothing breaks: every job that fits ends if the policy means well."""
made = sturdy | st.builds(Made, clusters, jobs, frail_engines, st.sampled_from(POLICIES), options)


# from a seed ---------------------------------------------------------------------------------------------------------


def busy_trace(seed: int, count: int = 60, people: bool = True) -> tuple[Job, ...]:
    """Jobs enough to queue on two nodes of eight GPUs."""
    dice = random.Random(seed)
    submissions = sorted(float(dice.randrange(300)) for _ in range(count))
    return tuple(
        Job(
            job_id=f"j{i}",
            name=f"train-{dice.randrange(5)}",
            submit_s=submit_s,
            num_gpus=dice.choice([1, 1, 1, 2, 4, 8, 12]),
            duration_s=float(dice.choice([0, 1, 5, 20, 60, 200])),
            requested_s=dice.choice([None, 100.0, 1000.0]),
            user=dice.choice(["ann", "bob", None]) if people else None,
            preemptible=dice.random() < 0.9,
        )
        for i, submit_s in enumerate(submissions)
    )


TWO_NODES = cluster(Nodes(2), power=HostPower(1.2, 300.0, 700.0))
ROUGH = engine(
    restart_overhead_s=((8.0, 4.0), (math.inf, 6.0)),
    checkpoint_interval_s=7.0,
    outages=(Outage("n1", 100, 140), Outage("n0", 300, 330)),
)


# what must hold ------------------------------------------------------------------------------------------------------


def snapshot(sim: Simulation) -> dict[str, Any]:
    """All that changes during a run, as plain data."""
    return {
        "state": content(sim.state),
        "live": [_fields(run, JobRun.__slots__, "_truth") for run in sim.live.values()],
        "truth": [_fields(run._truth, Progress.__slots__) for run in sim.live.values()],
        "pools": [
            ([entry[2].spec.job_id for entry in p.queue], list(p.running), p.changed, p.gpus) for p in sim.view.pools
        ],
        "recorder": {
            name: value if isinstance(value, int | float | bool | None) else repr(value)
            for name, value in vars(sim.recorder).items()
        },
        "refused": dict(sim.refused),
        "refusals": list(sim.executor.refusals),
        "random": sim.view.random.getstate(),
        "memory": sim.view.memory.to_plain(),
        "fields": (sim.next_arrival, sim.next_outage, sim.next_mark, sim.wake_s, sim.round_s, sim.deciding),
        "more": (sim.stopped, sim.sequence, sim.now_s),
        "to come": (sim.timers.to_plain(), sim.failures and sim.failures.to_plain()),
        "nodes": (dict(sim.asleep), dict(sim.away), dict(sim.resetting), list(sim.late)),
        "physics": (sim.physics.power(), sim.physics.clocks(), sim.racks.to_plain()),
        "limits": (sim.book and sim.book.to_plain(), sim.ramp and sim.ramp.to_plain()),
    }


def _fields(of: object, names: Iterable[str], without: str = "") -> dict[str, Any]:
    return {name: getattr(of, name) for name in names if name != without}


@dataclass(frozen=True)
class Stay:
    """One job on one GPU or, for host resources, on one node."""

    where: tuple[int, int]
    amount: float
    start_s: float
    end_s: float


def most_at_once(stays: Iterable[Stay]) -> Mapping[tuple[int, int], float]:
    """The greatest sum of amounts at any time, by place; what ends at an instant is gone before what starts then."""
    changes = sorted(
        (time_s, sign, stay.where, stay.amount)
        for stay in stays
        if stay.end_s > stay.start_s
        for time_s, sign in ((stay.start_s, 1), (stay.end_s, -1))
    )
    now, most = dict[tuple[int, int], float](), dict[tuple[int, int], float]()
    for _, sign, where, amount in changes:
        now[where] = now.get(where, 0) + sign * amount
        most[where] = max(most.get(where, 0), now[where])
    return most


def assert_occupancy_fits(outcome: RunResult, of: Made, jobs: Iterable[Job]) -> None:
    """From the recorded stays alone: no GPU, CPU or memory was given twice, no node used while it was away."""
    jobs = list(jobs)
    gpus, cpu, memory = list[Stay](), list[Stay](), list[Stay]()
    for stay in outcome.occupancy:
        spec = jobs[stay.job]
        span = (stay.start_s, stay.end_s)
        gpus += [Stay((stay.node, gpu), spec.gpu_milli, *span) for gpu in members(stay.gpus)]
        cpu_milli, memory_mib = host_share(spec, stay.gpus.bit_count())
        cpu.append(Stay((stay.node, 0), cpu_milli, *span))
        memory.append(Stay((stay.node, 0), memory_mib, *span))
        for outage in of.settings.plain.outages:
            away = max(stay.start_s, outage.from_s) < min(stay.end_s, outage.to_s)
            assert not away or outcome.node_names[stay.node] != outage.node
    nodes = of.on.nodes
    assert all(gpu < nodes[node].gpus for node, gpu in (stay.where for stay in gpus))
    assert all(most <= WHOLE_GPU_MILLI for most in most_at_once(gpus).values())
    for (node, _), most in most_at_once(cpu).items():
        assert most <= (math.inf if (limit := nodes[node].cpu_milli) is None else limit)
    for (node, _), most in most_at_once(memory).items():
        assert most <= (math.inf if (limit := nodes[node].memory_mib) is None else limit)


def assert_adds_up(outcome: RunResult, of: Made, sim: Simulation) -> None:
    """Jobs end once and do their work, and every integral is the sum of its parts."""
    columns, stays = outcome.jobs, dict[int, float]()
    for job_index, in_use in itertools.groupby(sorted(outcome.occupancy), key=lambda stay: stay.job):
        spec = sim.jobs[job_index]
        stays[job_index] = math.fsum(
            (s.end_s - s.start_s) * s.gpus.bit_count() * spec.gpu_milli / WHOLE_GPU_MILLI for s in in_use
        )
    assert columns.state.count("finished") == sim.recorder.totals.ended == outcome.summary["finished"]
    for i, spec in enumerate(sim.jobs):
        state, end_s = columns.state[i], columns.end_s[i]
        assert (state == "finished") == (end_s is not None)
        assert (state == "running") == (spec.job_id in sim.state.placements)
        assert (state == "refused") == (i in sim.refused)
        if end_s is not None:
            assert columns.work_gpu_s[i] == spec.duration_s * spec.gpus
            if unslowed(of):
                assert_service(columns.lost_work_gpu_s[i], columns.preemptions[i], stays.get(i, 0.0), spec, of)
    end_s = sim.recorder.last_s
    rows = list(itertools.pairwise([*outcome.timeline.t_s, end_s]))
    totals = sim.recorder.totals
    assert close(totals.busy_gpu_s, math.fsum(stays.values()))
    assert close(totals.busy_gpu_s, integral(rows, outcome.timeline.busy_gpus))
    assert close(totals.it_j, integral(rows, outcome.timeline.power_w))
    assert close(totals.queued_s, integral(rows, [min(n, 1) for n in outcome.timeline.queued]))
    assert totals.peak_w == max(outcome.timeline.power_w[:-1], default=0.0)
    spans = {(stay.job, stay.start_s, stay.end_s) for stay in outcome.occupancy}
    running_s = math.fsum(end - start for _, start, end in spans)
    assert close(integral(rows, outcome.timeline.running), running_s)
    gone_s = [sim.now_s if end is None else end for end in columns.end_s]
    arrived = [i for i in range(sim.next_arrival) if i not in sim.refused]
    present_s = math.fsum(gone_s[i] - max(sim.jobs[i].submit_s, sim.start_s) for i in arrived)
    assert close(integral(rows, outcome.timeline.queued), present_s - running_s)


def unslowed(of: Made) -> bool:
    """Whether every job runs at rate 1 and only policies stop it."""
    engine = of.settings.plain
    return of.options.physics == "ideal" and engine.failures is None and engine.checkpoint_rule == "none"


def assert_service(lost_gpu_s: float, stops: int, held_gpu_s: float, spec: Job, of: Made) -> None:
    """GPU time of a finished job = work + lost work + overheads + lag; a stop during the lag may cut that short."""
    settings = of.settings.plain
    paid_s = stops * settings.restart_s(spec.num_gpus)
    least = spec.duration_s * spec.gpus + lost_gpu_s + (paid_s + settings.completion_lag_s) * spec.gpus
    most = least + stops * settings.completion_lag_s * spec.gpus
    assert least - 1e-6 <= held_gpu_s <= most + 1e-6


def integral(rows: Iterable[tuple[float, float]], values: Iterable[float]) -> float:
    """The sum of values times how long they held."""
    return math.fsum(value * (end - start) for (start, end), value in zip(rows, values, strict=True))


def close(a: float, b: float) -> bool:
    """Equal but for rounding."""
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-6)
