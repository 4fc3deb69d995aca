"""TEST DATA: made-up runs of made-up jobs, from one seed. Nothing in here was measured or simulated.

A small first-come-first-served filling of nodes, with the order of the queue as the only policy, gives runs whose
columns, timeline and occupancy agree with each other.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from goodwatt.policies.comparison_table import Cell, ComparisonTable, Estimate, Metric, PolicyRow
from goodwatt.simulator.records.result import JobColumns, Occupancy, RunResult, Timeline

HOSTILE = "</script><img src=x onerror=alert(1)>"
GPUS_PER_NODE = 8
GANGS = (1, 1, 1, 1, 2, 2, 4, 4, 8, 8, 16, 32)
BUSY_W, IDLE_W = 600.0, 80.0


@dataclass(frozen=True)
class MadeJob:
    """One made-up job."""

    job_id: str
    user: str | None
    partition: str | None
    num_gpus: int
    submit_s: float
    duration_s: float


Order = Callable[[MadeJob], float]
ORDERS: dict[str, Order] = {
    "fifo": lambda job: job.submit_s,
    "qssf:history_days=30+fgd": lambda job: job.num_gpus * job.duration_s**0.5,
    "srtf": lambda job: job.duration_s,
    "largest-first": lambda job: -job.num_gpus,
    "smallest-first": lambda job: job.num_gpus,
    "lifo": lambda job: -job.submit_s,
}


def made_jobs(count: int, nodes: int, seed: int) -> list[MadeJob]:
    """Jobs that load the nodes to about nine tenths; one user and one job have hostile names."""
    rng = random.Random(seed)
    users = [HOSTILE, None, *(f"user-{i:02}" for i in range(30))]
    durations = [min(rng.lognormvariate(7.6, 1.6), 6e5) for _ in range(count)]
    gangs = [min(rng.choice(GANGS), nodes * GPUS_PER_NODE) for _ in range(count)]
    work = math.fsum(d * g for d, g in zip(durations, gangs, strict=True))
    span = work / (0.93 * nodes * GPUS_PER_NODE)
    submits = sorted(rng.uniform(0.0, span) for _ in range(count))
    return [
        MadeJob(HOSTILE if i == 0 else f"job-{i:05}", rng.choice(users), f"vc{rng.randrange(4)}", g, s, d)
        for i, (g, s, d) in enumerate(zip(gangs, submits, durations, strict=True))
    ]


@dataclass
class Filling:
    """The nodes while they fill."""

    free: list[int]
    heap: list[tuple[float, int]] = field(default_factory=list)
    held: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    stays: list[Occupancy] = field(default_factory=list)

    def start(self, i: int, job: MadeJob, now_s: float, horizon_s: float) -> bool:
        """Start a job if it fits."""
        if sum(mask.bit_count() for mask in self.free) < job.num_gpus:
            return False
        need, pieces = job.num_gpus, []
        for node in sorted(range(len(self.free)), key=lambda n: -self.free[n].bit_count()):
            mask = lowest_bits(self.free[node], min(need, self.free[node].bit_count()))
            if mask:
                self.free[node] &= ~mask
                need -= mask.bit_count()
                pieces.append((node, mask))
        end_s = now_s + job.duration_s
        self.held[i] = pieces
        self.stays += [Occupancy(i, node, mask, now_s, min(end_s, horizon_s)) for node, mask in pieces]
        heapq.heappush(self.heap, (end_s, i))
        return True

    def finish(self) -> tuple[float, int]:
        """Free what the next job to end holds."""
        end_s, i = heapq.heappop(self.heap)
        for node, mask in self.held.pop(i):
            self.free[node] |= mask
        return end_s, i


def lowest_bits(mask: int, count: int) -> int:
    """The `count` lowest set bits."""
    chosen = 0
    for _ in range(count):
        chosen |= (mask ^ chosen) & -(mask ^ chosen)
    return chosen


def made_run(
    policy: str = "fifo",
    *,
    count: int = 1500,
    nodes: int = 24,
    seed: int = 0,
    window: str = "1/1",
    budget_w: float | None = None,
    horizon_share: float = 1.05,
) -> RunResult:
    """One run; jobs that did not end by the horizon are running or waiting."""
    jobs = made_jobs(count, nodes, 100 * seed + ord(window[0]))
    horizon_s = jobs[-1].submit_s * horizon_share
    starts, ends, stays, rows = filled(jobs, nodes, ORDERS[policy], horizon_s)
    columns = made_columns(jobs, starts, ends, stays)
    busy = [row[3] for row in rows]
    timeline = Timeline(
        t_s=[row[0] for row in rows],
        queued=[row[1] for row in rows],
        running=[row[2] for row in rows],
        busy_gpus=busy,
        power_w=[IDLE_W * nodes * GPUS_PER_NODE + (BUSY_W - IDLE_W) * b for b in busy],
        budget_w=budget_w,
    )
    return RunResult(
        policy=policy,
        oracle=policy == "srtf",
        cluster="made-up",
        window=window,
        seed=seed,
        summary=made_summary(policy, columns, timeline),
        jobs=columns,
        timeline=timeline,
        node_names=[f"node-{i:03}" for i in range(nodes)],
        gpus_per_node=[GPUS_PER_NODE] * nodes,
        occupancy=stays,
    )


Rows = list[tuple[float, int, int, float]]


def filled(
    jobs: list[MadeJob], nodes: int, order: Order, horizon_s: float
) -> tuple[dict[int, float], dict[int, float], list[Occupancy], Rows]:
    """Starts, ends, stays, and rows of (time, queued, running, busy GPUs)."""
    filling = Filling([(1 << GPUS_PER_NODE) - 1] * nodes)
    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    waiting: list[tuple[float, int]] = []
    rows: Rows = [(0.0, 0, 0, 0.0)]
    arrived = 0
    while arrived < len(jobs) or filling.heap:
        arrival_s = jobs[arrived].submit_s if arrived < len(jobs) else math.inf
        if filling.heap and filling.heap[0][0] <= arrival_s:
            now_s, i = filling.finish()
            if now_s <= horizon_s:
                ends[i] = now_s
        else:
            now_s = arrival_s
            heapq.heappush(waiting, (order(jobs[arrived]), arrived))
            arrived += 1
        if now_s > horizon_s:
            break
        while waiting and filling.start(waiting[0][1], jobs[waiting[0][1]], now_s, horizon_s):
            starts[heapq.heappop(waiting)[1]] = now_s
        busy = nodes * GPUS_PER_NODE - sum(mask.bit_count() for mask in filling.free)
        rows.append((now_s, len(waiting), len(filling.held), float(busy)))
    return starts, ends, filling.stays, [*rows, (max(horizon_s, rows[-1][0]), *rows[-1][1:])]


def made_columns(
    jobs: list[MadeJob], starts: dict[int, float], ends: dict[int, float], stays: list[Occupancy]
) -> JobColumns:
    """The columns of jobs; work and energy from the stays."""
    held: dict[int, float] = {}
    for stay in stays:
        held[stay.job] = held.get(stay.job, 0.0) + stay.gpus.bit_count() * (stay.end_s - stay.start_s)
    states = ["finished" if i in ends else "running" if i in starts else "waiting" for i in range(len(jobs))]
    return JobColumns(
        job_id=[job.job_id for job in jobs],
        user=[job.user for job in jobs],
        partition=[job.partition for job in jobs],
        num_gpus=[job.num_gpus for job in jobs],
        submit_s=[job.submit_s for job in jobs],
        start_s=[starts.get(i) for i in range(len(jobs))],
        end_s=[ends.get(i) for i in range(len(jobs))],
        queueing_s=[starts[i] - job.submit_s if i in starts else None for i, job in enumerate(jobs)],
        preemptions=[0] * len(jobs),
        nodes=["" for _ in jobs],
        work_gpu_s=[held.get(i, 0.0) for i in range(len(jobs))],
        lost_work_gpu_s=[0.0] * len(jobs),
        energy_j=[held[i] * BUSY_W if i in held else None for i in range(len(jobs))],
        state=states,
    )


def made_summary(policy: str, jobs: JobColumns, timeline: Timeline) -> dict[str, object]:
    """The fields that the report reads, and a few that it only lists."""
    times, power = timeline.t_s, timeline.power_w
    steps = [b - a for a, b in itertools.pairwise(times)]
    energy_j = math.fsum(p * dt for p, dt in zip(power, steps, strict=False))
    over = [dt for p, dt in zip(power, steps, strict=False) if timeline.budget_w and p > timeline.budget_w]
    work = math.fsum(jobs.work_gpu_s)
    return {
        "policy": policy,
        "power": None,
        "jobs": len(jobs.job_id),
        "finished": sum(end is not None for end in jobs.end_s),
        "gpu_energy_j": energy_j,
        **made_parts(energy_j, work),
        "it_energy_j": energy_j * 1.15,
        "goodput_per_watt_gpu": work / (energy_j / 1000.0),
        "mean_power_w": energy_j / times[-1],
        "peak_power_w": max(power),
        "over_budget_s": math.fsum(over),
        "preemptions": 0,
        "makespan_s": times[-1],
    }


def made_parts(energy_j: float, work_gpu_s: float) -> dict[str, float]:
    """Where energy and time went, by shares that anyone can see were made up."""
    joules = {
        "idle": 0.1,
        "held": 0.2,
        "sm": 0.4,
        "dram": 0.3,
        "host": 0.1,
        "loss": 0.05,
        "asleep": 0.0,
        "cooling": 0.2,
    }
    seconds = {"productive": 1.0, "restart": 0.01, "redone": 0.02, "checkpoint": 0.0, "slow_clock": 0.1}
    seconds |= {"interference": 0.0, "communication": 0.05, "straggler": 0.0, "queue": 0.5}
    return {
        **{f"{part}_energy_j": share * energy_j for part, share in joules.items()},
        **{f"{part}_gpu_s": share * work_gpu_s for part, share in seconds.items()},
    }


METRICS = (
    Metric("mean_jct_s", "mean JCT", "h", "low", ",.2f", 1 / 3600),
    Metric("p99_jct_s", "p99 JCT", "h", "low", ",.1f", 1 / 3600),
    Metric("mean_queueing_s", "mean queueing", "min", "low", ",.1f", 1 / 60),
    Metric("goodput_per_watt_gpu", "goodput per watt", "work/kJ", "high", ",.3f"),
    Metric("it_energy_j", "IT energy", "MWh", "low", ",.2f", 1 / 3.6e9),
    Metric("peak_power_w", "peak power", "kW", None, ",.0f", 1 / 1000),
    Metric("unfinished", "unfinished", "jobs", "low", ",.0f"),
)
MADE_MEANS = (44_444.0, 444_444.0, 4_444.0, 1.234, 4.4e10, 210_000.0, 0.0)


def made_row(
    label: str, factor: float, *, oracle: bool = False, marks: tuple[str, ...] = (), front: bool = False
) -> PolicyRow:
    """A policy whose every metric is `factor` times the reference's, which itself has factor 1."""
    cells = {}
    for metric, mean in zip(METRICS, MADE_MEANS, strict=True):
        change = mean * (factor - 1.0)
        spread = abs(change) * 0.3 + mean * 0.01
        difference = Estimate(change, (change - spread, change + spread))
        percent = None
        if mean:
            lo, hi = ((change + sign * spread) / mean * 100.0 for sign in (-1.0, 1.0))
            percent = Estimate(change / mean * 100.0, (lo, hi))
        paired = factor != 1.0
        cells[metric.key] = Cell(mean * factor, difference if paired else None, percent if paired else None)
    service = "" if factor == 1.0 else "short" if marks else "strict"
    return PolicyRow(label, cells, oracle, factor == 1.0, marks, service, front)


def made_comparison() -> ComparisonTable:
    """Four policies: the reference, a better one, one within noise with marks, an oracle."""
    return ComparisonTable(
        rows=(
            made_row("fifo", 1.0),
            made_row("qssf:history_days=30+fgd", 0.877, front=True),
            made_row("largest-first", 0.996, marks=("12 unfinished jobs", "service floor not met")),
            made_row("srtf", 0.7, oracle=True),
        ),
        metrics=METRICS,
        trace="made-up trace",
        cluster="made-up",
        command="goodwatt compare made.csv --cluster made-up --policy fifo --policy qssf:history_days=30+fgd",
        windows=("1/2", "2/2"),
        seeds=(0, 1),
    )


def made_manifest() -> dict[str, object]:
    """What the command line would say of itself."""
    return {
        "command": "goodwatt compare made.csv --cluster made-up --policy fifo",
        "version": "0.0.0",
        "created": "2025-01-02 03:04 UTC",
        "trace": "made-up trace (test data)",
        "seeds": [0, 1],
        "inputs": {"made.csv": "0" * 64, HOSTILE: "1" * 64},
        "machine": {"cpu": "made up", "cores": 2},
        "cpu_s": 12.5,
    }
