"""The scenarios that ship, each under fixed partitions and under guarded service policies: promises, work, joules.

Fixed partitions are what clusters do without a policy for services: every service has, all the time, as many instances
as its busiest minute needs (`replicas: max`), jobs have the GPUs that are left, and nobody touches clocks or caps. A
partition counts GPUs and not nodes here, so nothing of it is left over. Where a budget is to be kept, gains are over
fixed partitions that keep it; those that do not are shown too. All policies begin knowing nothing. Jobs and
requests are drawn from the seed; the least share of minutes of any service and seed stands in the table, means over
seeds of all else.

    python benchmarks/scenarios.py [--scenario burst ..] [--policy predictive ..] [--seeds 2] [--workers 2]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from measured import report

from goodwatt.policies.power_registry import DEFAULT_POWER, with_power
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.scenarios.library import load_scenario, scenario_names
from goodwatt.scenarios.scenario import Scenario
from goodwatt.simulator.run import result
from goodwatt.simulator.simulation import Simulation

FIXED = "fixed"
POLICIES = ("reactive", "predictive", "predictive+follow", "predictive+harvest")
BAR = 99.0
"""Per cent of the minutes of every service in which its promise is to be kept."""
GPU_HOUR_S = 3600.0


@dataclass(frozen=True)
class Case:
    """One run; `hours`: of the scenario at most, None: all of it."""

    scenario: str
    services: str
    power: str
    seed: int
    scheduling: str
    hours: float | None


def run(case: Case) -> dict[str, Any]:
    """The figures of one run."""
    began_s, scenario = time.process_time(), shortened(load_scenario(case.scenario), case.hours)
    policy = with_power(with_services(make_policy(case.scheduling), case.services), case.power)
    options = scenario.options(case.seed)
    sim = Simulation(scenario.jobs(case.seed).jobs, scenario.cluster, policy, scenario.engine, options)
    sim.run()
    summary = result(sim).summary
    kept = {name: facts["minutes_kept"] for name, facts in summary["services"].items()}
    worst = min(kept, key=kept.__getitem__)
    return {
        "scenario": case.scenario,
        "services": case.services,
        "power": case.power,
        "seed": case.seed,
        "minutes_kept": kept[worst],
        "worst": worst,
        "kept": kept,
        "attainment": summary["attainment"],
        "work_gpu_s": summary["work_gpu_s"],
        "lost_work_gpu_s": summary["lost_work_gpu_s"],
        "preemptions": summary["preemptions"],
        "it_energy_j": summary["it_energy_j"],
        "tokens_per_joule_it": summary["tokens_per_joule_it"],
        "goodput_per_watt_it": summary["goodput_per_watt_it"],
        "mean_replicas": summary["mean_replicas"],
        "over_budget_s": summary["over_budget_s"],
        "trips": sim.racks.trips,
        "cpu_s": time.process_time() - began_s,
    }


def told(run: dict[str, Any]) -> dict[str, Any]:
    """The run, said to whoever waits for all of them."""
    said = " / ".join(str(run[key]) for key in ("scenario", "services", "power", "seed"))
    print(f"{said}: {run['minutes_kept']:.1%}, {run['cpu_s']:.0f} CPU s", file=sys.stderr, flush=True)
    return run


def shortened(scenario: Scenario, hours: float | None) -> Scenario:
    """The scenario up to so many hours."""
    if hours is None:
        return scenario
    return replace(scenario, horizon_s=min(scenario.horizon_s, hours * GPU_HOUR_S))


def powers(name: str, services: str) -> tuple[str, ...]:
    """Nobody touches power where partitions are fixed; policies keep the budget, where there is one."""
    limited = load_scenario(name).budget_w is not None
    if services == FIXED:
        return (DEFAULT_POWER, "budget") if limited else (DEFAULT_POWER,)
    return ("budget",) if limited else (DEFAULT_POWER,)


def row_of(runs: Sequence[dict[str, Any]], base: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The runs of all seeds as a row, against fixed partitions under the same seeds."""
    least = min(runs, key=lambda run: run["minutes_kept"])

    def mean(key: str, of: Sequence[dict[str, Any]] = runs) -> float:
        return fmean(run[key] for run in of)

    kept = 100.0 * least["minutes_kept"]
    power = "" if runs[0]["power"] == DEFAULT_POWER else f" / {runs[0]['power']}"
    return {
        "scenario": runs[0]["scenario"],
        "policies": f"{runs[0]['services']}{power}",
        "minutes %": kept,
        "worst": f"{least['worst']}{'' if kept >= BAR else ': missed'}",
        "work GPU h": mean("work_gpu_s") / GPU_HOUR_S,
        "work +%": 100.0 * (mean("work_gpu_s") / mean("work_gpu_s", base) - 1.0),
        "stops": mean("preemptions"),
        "IT MJ": mean("it_energy_j") / 1e6,
        "IT +%": 100.0 * (mean("it_energy_j") / mean("it_energy_j", base) - 1.0),
        "tokens/IT J": mean("tokens_per_joule_it"),
        "work/IT kJ": mean("goodput_per_watt_it"),
        "over budget s": mean("over_budget_s"),
        "trips": mean("trips"),
        "CPU s": mean("cpu_s"),
    }


def main() -> None:
    """Run all, print the table, write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scenario", action="append", choices=scenario_names())
    parser.add_argument("--policy", action="append", help="service policies held against fixed partitions")
    parser.add_argument("--scheduling", default="easy-backfill")
    parser.add_argument("--hours", type=float, help="of each scenario at most")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    kinds = [
        (name, services, power)
        for name in args.scenario or scenario_names()
        for services in (FIXED, *(args.policy or POLICIES))
        for power in powers(name, services)
    ]
    cases = [Case(*kind, seed, args.scheduling, args.hours) for kind in kinds for seed in range(args.seeds)]
    with ProcessPoolExecutor(args.workers) as pool:
        runs = [told(each) for each in pool.map(run, cases)]
    of = {kind: runs[at * args.seeds : (at + 1) * args.seeds] for at, kind in enumerate(kinds)}
    rows = [row_of(of[kind], of[kind[0], FIXED, powers(kind[0], FIXED)[-1]]) for kind in kinds]
    title = f"Scenarios under {args.scheduling}, {args.seeds} seeds; +%: against fixed partitions"
    report("service_scenarios", title, rows, bar_percent=BAR, runs=runs)


if __name__ == "__main__":
    main()
