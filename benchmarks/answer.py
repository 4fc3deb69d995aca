"""What it would have saved: Philly and Venus under schedulers and power policies, full physics, matched service.

    python benchmarks/answer.py [--quick] [CLUSTER ...]

Per trace and cluster the parameter of each power policy is chosen on one span (most goodput per watt whose service
still matches the same scheduler at default clocks) and reported on a later one that nothing was chosen on. The traces
hold neither users nor names: `traces enrich` adds them by a seeded rule, marked synthetic; workload classes, chips and
residuals are drawn, too. So the later span is run with several seeds: figures are means, gains are taken within a seed
and stand with the least and the greatest of the seeds. `--quick` takes one seed, and one cluster a trace; clusters that
are named are run again, and what an earlier run found of others is kept.
Clusters and spans: see SPANS. Takes about 40 minutes on two cores; `answer_chart.py` writes the picture and the table.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from statistics import fmean
from typing import Any

from measured import RESULTS, SHARED, need, report

from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.bounds.energy_bounds import BoundOptions, energy_bounds
from goodwatt.policies.bounds.share import share_of_bound
from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.run import run
from goodwatt.simulator.settings.engine import load_engine
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.traces.enrich import enrich
from goodwatt.traces.reading import read_trace
from goodwatt.traces.trace import Trace

DAY_S = 86_400.0


@dataclass(frozen=True)
class Span:
    """A trace with the days on which parameters are chosen, and those that are reported."""

    trace: str
    origin: str
    select: tuple[str, str]
    report: tuple[str, str]
    clusters: tuple[str, ...]


SPANS = (
    Span(
        "philly_2017/philly_jobs.csv.gz",
        "2017-09-04 10:30:41",
        ("2017-11-01", "2017-11-10"),
        ("2017-11-10", "2017-11-28"),
        ("philly-80", "philly-100"),
    ),
    Span(
        "helios_venus_2020/venus_gpu_jobs.csv.gz",
        "2020-04-01 00:00:00",
        ("2020-07-01", "2020-07-16"),
        ("2020-07-16", "2020-09-01"),
        ("venus-80", "venus-90", "venus-100"),
    ),
)
SCHEDULERS = ("fifo", "easy-backfill", "qssf", "qssf+pack")
CANDIDATES = {
    "uniform cap": tuple(f"uniform-cap:share={share}" for share in (0.9, 0.8, 0.7, 0.6)),
    "static clock": tuple(f"static:slowdown={slowdown}" for slowdown in (0.02, 0.05, 0.1)),
    "static clock and sleep": tuple(f"static:slowdown={slowdown}+sleep" for slowdown in (0.02, 0.05)),
}
WITH_SLEEP = ("qssf", "qssf+pack")
"""Schedulers that are shown with sleeping nodes too; the last with a clock for each job is the composite."""
LIMITS = {
    "mean_jct_s": 1.05,
    "p95_jct_s": 1.10,
    "work_weighted_stretch": 1.10,
    "p99_queueing_s": 1.10,
}
"""Matched service: at most this much of the reference (docs: how policies are judged)."""
MORE_UNFINISHED = 0.005
TITLE = "Energy and service; chosen on an earlier span, mean [least, greatest] of seeds"
SEEDS = (0, 1, 2)
"""The first is also that of the span on which parameters are chosen."""


@dataclass(frozen=True)
class Case:
    """One run."""

    span: Span
    days: tuple[str, str]
    cluster: str
    scheduler: str
    power: str
    seed: int = SEEDS[0]


def main() -> None:
    for span in SPANS:
        need(SHARED / "data" / span.trace)
    quick, named = "--quick" in sys.argv, [name for name in sys.argv[1:] if not name.startswith("-")]
    rows: dict[str, list[dict[str, Any]]] = {cluster: [] for span in SPANS for cluster in span.clusters}
    if named:
        for row in _earlier():
            rows[row["cluster"]].append(row)
    with ProcessPoolExecutor(2) as pool:
        for span in SPANS:
            for cluster in span.clusters[-1:] if quick and not named else span.clusters:
                if not named or cluster in named:
                    rows[cluster] = _rows(pool, span, cluster, SEEDS[:1] if quick else SEEDS)
                    report("answer", TITLE, [row for of_cluster in rows.values() for row in of_cluster])


def _earlier() -> list[dict[str, Any]]:
    path = RESULTS / "answer.json"
    return list(json.loads(path.read_text(encoding="utf-8"))["rows"]) if path.exists() else []


def _rows(pool: ProcessPoolExecutor, span: Span, cluster: str, seeds: Sequence[int]) -> list[dict[str, Any]]:
    chosen = {name: _choose(pool, span, cluster, specs) for name, specs in CANDIDATES.items()}
    awake = ("default", chosen["uniform cap"], chosen["static clock"])
    asleep = ("sleep", chosen["static clock and sleep"])
    runs = [
        (scheduler, power)
        for scheduler in SCHEDULERS
        for power in (*awake, *(asleep if scheduler in WITH_SLEEP else ()))
    ]
    bounds = [[pool.submit(_bounds, span, cluster, seed, residents) for residents in (1, 2)] for seed in seeds]
    results = list(pool.map(_summary, [Case(span, span.report, cluster, *run, seed) for seed in seeds for run in runs]))
    of_seed = [results[i : i + len(runs)] for i in range(0, len(results), len(runs))]
    lines = [[bound.result() for bound in both] for both in bounds]
    return [
        {"cluster": cluster, "scheduler": scheduler, "power": power}
        | _row([_figures(runs, number, found, line) for found, line in zip(of_seed, lines, strict=True)])
        for number, (scheduler, power) in enumerate(runs)
    ]


def _choose(pool: ProcessPoolExecutor, span: Span, cluster: str, specs: Sequence[str]) -> str:
    """The candidate with the most goodput per watt on the earlier span whose service matches; else the mildest."""
    reference, *tried = pool.map(_summary, [Case(span, span.select, cluster, "qssf", s) for s in ("default", *specs)])
    fitting = [
        (result["goodput_per_watt_it"], spec)
        for spec, result in zip(specs, tried, strict=True)
        if _matched(result, reference)
    ]
    return max(fitting)[1] if fitting else specs[0]


def _figures(
    runs: Sequence[tuple[str, str]], number: int, results: Sequence[dict[str, Any]], bounds: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What one seed says of a run: gains are in work per kJ, service is what of it is broken.

    `bounds`: for jobs that have their GPUs to themselves, and for pairs that share them.
    """
    (scheduler, _), result = runs[number], results[number]
    first, own = results[0], results[runs.index((scheduler, "default"))]
    share = share_of_bound(result, bounds[result["most_jobs_per_gpu"] > 1])
    bound = None if share is None or share["relaxation_it"] is None else 100.0 * share["relaxation_it"]
    return {
        "MWh IT": result["it_energy_j"] / 3.6e9,
        "work/kJ": result["goodput_per_watt_it"],
        "vs FIFO %": _percent(result, first, "it"),
        "vs own default %": _percent(result, own, "it"),
        "GPU MWh": result["gpu_energy_j"] / 3.6e9,
        "GPUs vs own default %": _percent(result, own, "gpu"),
        "% of bound": bound,
        "JCT h": result["mean_jct_s"] / 3600.0,
        "p95 JCT h": result["p95_jct_s"] / 3600.0,
        "p99 wait h": result["p99_queueing_s"] / 3600.0,
        "stretch": result["work_weighted_stretch"],
        "unfinished": result["unfinished"],
        "matched FIFO": list(_broken(result, first)),
        "matched own": list(_broken(result, own)),
    }


def _row(seeds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over the seeds; gains with their least and greatest; what of the service broke in how many."""
    row: dict[str, Any] = {}
    for name in seeds[0]:
        values = [figures[name] for figures in seeds]
        if name.startswith("matched"):
            row[name] = _service(values)
        elif None in values:
            row[name] = "-"
        else:
            row[name] = fmean(values)
            if name.endswith(" %") and "vs" in name:
                row[f"{name} range"] = f"[{min(values):+.1f}, {max(values):+.1f}]"
    return row


def _service(broken: Sequence[Sequence[str]]) -> str:
    """yes, or no with what was broken and for how many seeds the service matched."""
    names = dict.fromkeys(name for of_seed in broken for name in of_seed)
    kept = sum(not of_seed for of_seed in broken)
    return "yes" if not names else f"no, kept in {kept} of {len(broken)}: " + ", ".join(names)


def _matched(result: dict[str, Any], reference: dict[str, Any]) -> bool:
    return not list(_broken(result, reference))


def _broken(result: dict[str, Any], reference: dict[str, Any]) -> Iterable[str]:
    for key, most in LIMITS.items():
        if result[key] > most * reference[key] + 1e-9:
            yield key.removesuffix("_s")
    if result["unfinished"] > reference["unfinished"] + MORE_UNFINISHED * result["jobs"]:
        yield "unfinished"


def _percent(result: dict[str, Any], base: dict[str, Any], scope: str) -> float:
    """By how much more work a joule does, of all that is plugged in or of the GPUs alone."""
    name = f"goodput_per_watt_{scope}"
    return 100.0 * (float(result[name]) / float(base[name]) - 1.0)


def _bounds(span: Span, cluster: str, seed: int, residents: int) -> dict[str, Any]:
    """What no schedule of the reported span can do better than, with so many jobs at most on a GPU."""
    from_s, until_s = (_seconds(span, day) for day in span.report)
    jobs = [job for job in _trace(span.trace, seed).jobs if from_s <= job.submit_s < until_s]
    options = BoundOptions(start_s=from_s, horizon_s=until_s, seed=seed, residents=residents)
    return energy_bounds(jobs, load_cluster(cluster), options)


def _summary(case: Case) -> dict[str, Any]:
    from_s, until_s = (_seconds(case.span, day) for day in case.days)
    jobs = [job for job in _trace(case.span.trace, case.seed).jobs if from_s <= job.submit_s < until_s]
    options = RunOptions(start_s=from_s, horizon_s=until_s, drain=True, physics="full", seed=case.seed)
    policy = with_power(make_policy(case.scheduler), case.power)
    return run(jobs, load_cluster(case.cluster), policy, load_engine("default"), options).summary


@lru_cache(maxsize=2)
def _trace(name: str, seed: int) -> Trace:
    return enrich(read_trace(SHARED / "data" / name), seed).trace


def _seconds(span: Span, day: str) -> float:
    return (datetime.fromisoformat(day) - datetime.fromisoformat(span.origin)).total_seconds()


if __name__ == "__main__":
    main()
