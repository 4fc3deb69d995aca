"""What `goodwatt replay` does: inputs in, one run, files and a summary out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from goodwatt.cli import inputs, manifest, summary_view
from goodwatt.cli.inputs import Inputs, TraceSource
from goodwatt.cli.out_folder import take_folder
from goodwatt.cli.power_needs import note_idle_powers
from goodwatt.cli.power_options import PowerSettings, Prices
from goodwatt.cli.progress import progress
from goodwatt.cli.service_options import ServiceSettings, check_end, check_instances, note_requests
from goodwatt.cluster.job import Job
from goodwatt.errors import InputError
from goodwatt.policies.power_registry import DEFAULT_POWER, with_power
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.simulator.records.outputs import clear, write_refusals, write_run
from goodwatt.simulator.records.result import RunResult
from goodwatt.simulator.run import extent, finish, result
from goodwatt.simulator.settings.objective import Objective, SitePrices
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What was asked for."""

    source: TraceSource
    settings: PowerSettings
    services: ServiceSettings
    policy: str | None
    power: str | None
    seed: int
    from_s: float | None
    horizon_s: float | None
    out: Path | None
    report: bool
    as_json: bool


def replay_trace(asked: Replay) -> None:
    """Replay, and leave the files. Raises InputError before anything has run; exit status 130 if interrupted."""
    _check(asked)
    objective = asked.settings.read_objective()
    policy, power = _policies(asked, objective)
    serving = asked.services.contenders()[0]
    chosen = with_power(with_services(make_policy(policy), serving), power)
    read = asked.source.read()
    jobs = _jobs(asked, read)
    prices = Prices.read(objective, _start_s(asked, read.trace.jobs))
    options = _options(asked, objective, prices.series, jobs)
    _check_services(read, options)
    note_idle_powers([power], options, read.cluster)
    simulation = Simulation(jobs, read.cluster, chosen, read.engine, options)
    out = take_folder(asked.out)
    with progress(policy, *extent(simulation)) as advance:
        complete = finish(simulation, lambda done: advance(done, ""))
    run = replace(result(simulation, partial=not complete), policy=policy, power=power, service_policy=serving)
    run.summary.update(policy=policy, power=power, **manifest.cost())
    facts = _manifest(asked, read, run, partial=not complete)
    _write(out, asked.report, simulation, run, facts)
    prices.note_carried([run.summary])
    inputs.note_hosts(read.cluster)
    summary_view.show(run.summary, out, report=asked.report, as_json=asked.as_json)
    if not complete:
        done = f"{simulation.recorder.totals.ended:,} of {len(jobs):,} jobs ended"
        inputs.note(f"interrupted at {simulation.now_s:,.0f} s, {done}: marked as partial")
        raise typer.Exit(130)


def _check(asked: Replay) -> None:
    """Raises InputError where options do not go together."""
    asked.source.check()
    asked.services.check(asked.settings.physics.value)
    if asked.source.trace is None and asked.source.scenario is None and asked.services.file is None:
        raise InputError("Missing argument 'TRACE': expected a trace (goodwatt traces list), --scenario or --services")


def _check_services(read: Inputs, options: RunOptions) -> None:
    """Raises InputError where services cannot run, or would for ever."""
    check_end(options.services, options.horizon_s)
    check_instances(read.cluster, options)
    note_requests(options.services, options.start_s or 0.0)


def _policies(asked: Replay, objective: Objective) -> tuple[str, str]:
    policy = asked.policy or objective.policy
    if policy is None:
        raise InputError(
            "--policy: expected a policy (goodwatt policies list) or an objective that names one, got none"
        )
    return policy, asked.power or objective.power or DEFAULT_POWER


def _jobs(asked: Replay, read: Inputs) -> Sequence[Job]:
    """Those from `--from` on, with the classes that the user knows."""
    if not read.trace.jobs:
        return ()
    jobs = [job for job in read.trace.jobs if asked.from_s is None or job.submit_s >= asked.from_s]
    if not jobs:
        last_s = read.trace.jobs[-1].submit_s
        raise InputError(f"--from {asked.from_s:g}: no jobs left, the last is submitted at {last_s:g}")
    return asked.settings.classed(jobs)


def _options(asked: Replay, objective: Objective, prices: SitePrices, jobs: Sequence[Job]) -> RunOptions:
    start_s = _start_s(asked, jobs) if asked.from_s is None else asked.from_s
    until_s = None if asked.horizon_s is None else start_s + asked.horizon_s
    options = RunOptions(seed=asked.seed, start_s=start_s, horizon_s=until_s, draw=True)
    services = asked.services.read(asked.seed, skip_bad_rows=asked.source.skip_bad_rows)
    return asked.services.apply(asked.settings.apply(options, objective, prices), services)


def _start_s(asked: Replay, jobs: Sequence[Job]) -> float:
    """When the first job comes; where there is none, `--from`, and the beginning of the requests without it."""
    return jobs[0].submit_s if jobs else asked.from_s or 0.0


def _manifest(asked: Replay, read: Inputs, run: RunResult, partial: bool) -> dict[str, Any]:
    named = {name: run.summary[name] for name in ("policy", "power", "physics", "truth", "seed")}
    if run.service_policy:
        named["service_policy"] = run.service_policy
    files = asked.settings.files() | asked.services.files() | asked.source.files()
    named |= asked.source.named()
    return manifest.manifest(read.trace, read.cluster, read.engine, files=files, **named, partial=partial)


def _write(out: Path, report: bool, simulation: Simulation, run: RunResult, facts: dict[str, Any]) -> None:
    clear(out)
    write_run(out, run, facts)
    if simulation.executor.refusals:
        write_refusals(out / "refusals.csv", simulation.executor.refusals)
    if report:
        from goodwatt.cli.report import write_report

        write_report(out / "report.html", [run], None, facts)
