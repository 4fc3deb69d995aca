"""What `goodwatt compare` does: inputs in, many runs, a table, files and a report out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from goodwatt.cli import comparison_files, inputs, manifest
from goodwatt.cli.compare import DEFAULT_POLICIES, DEFAULT_POWERS
from goodwatt.cli.comparison_view import comparison_json, comparison_panel
from goodwatt.cli.inputs import Inputs, TraceSource
from goodwatt.cli.out_folder import take_folder
from goodwatt.cli.power_needs import note_idle_powers
from goodwatt.cli.power_options import PowerSettings, Prices
from goodwatt.cli.progress import progress
from goodwatt.cli.service_options import ServiceSettings, check_end, check_instances, note_requests
from goodwatt.errors import RunError
from goodwatt.policies.comparison import Case, Comparison, Scenario, compare
from goodwatt.policies.comparison_rows import comparison_table
from goodwatt.policies.comparison_table import ComparisonTable
from goodwatt.policies.power_registry import DEFAULT_POWER, with_power
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.records.outputs import clear
from goodwatt.simulator.settings.objective import Objective, SitePrices
from goodwatt.simulator.settings.run_options import RunOptions

if TYPE_CHECKING:
    from goodwatt.cluster.job import Job
    from goodwatt.simulator.services.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing:
    """What was asked for. `demo`: where nobody names power policies, some are compared anyway.

    `horizon_s`: over how long from the first submission on; None: to the last one. `bounds`: whether runs are held
    against what is possible; None: where that takes seconds.
    """

    source: TraceSource
    settings: PowerSettings
    services: ServiceSettings
    horizon_s: float | None
    policies: tuple[str, ...]
    powers: tuple[str, ...]
    demo: bool
    windows: int
    bounds: bool | None
    seeds: int
    workers: int | None
    out: Path | None
    report: bool
    as_json: bool


def compare_policies(asked: Comparing) -> None:
    """Compare, and leave the files. Raises InputError before anything has run; exit status 130 if interrupted."""
    asked.services.check(asked.settings.physics.value)
    objective = asked.settings.read_objective()
    policies, powers = _contenders(asked, objective)
    serving = _once(asked.services.contenders(), "--service-policy")
    read = asked.source.read()
    prices = Prices.read(objective, read.trace.jobs[0].submit_s if read.trace.jobs else 0.0)
    scenario = _scenario(asked, objective, prices.series, read)
    if len(scenario.jobs) == 1:
        inputs.note(f"{read.trace.name} has one job, which waits for nobody: policies can hardly differ")
    note_idle_powers(powers, scenario.options, read.cluster)
    out = take_folder(asked.out)
    ran = _run(asked, scenario, policies, powers, serving)
    comparison = _bounded(asked, scenario, ran)
    goal = objective.goal if asked.settings.objective else None
    table = comparison_table(
        comparison, read.trace.name, read.cluster.name, manifest.command_line(), objective.floor, goal
    )
    prices.note_carried(run.summary for run in comparison.results)
    inputs.note_hosts(read.cluster)
    _write(out, asked.report, table, comparison, _manifest(asked, read, comparison))
    _print(table, asked.as_json)
    inputs.note(f"wrote {out / 'report.html' if asked.report else out}")
    if comparison.partial:
        total = len(policies) * len(serving) * len(powers) * asked.windows * asked.seeds
        lacking = "" if ran.partial else ", without all of their shares of the bound"
        inputs.note(f"interrupted: {len(comparison.results)} of {total} runs{lacking}, marked as partial")
        raise typer.Exit(130)


def _contenders(asked: Comparing, objective: Objective) -> tuple[list[str], list[str]]:
    """The policies and the power policies; what an objective names is held against the plainest of each."""
    policies = asked.policies or ((DEFAULT_POLICIES[0], objective.policy) if objective.policy else DEFAULT_POLICIES)
    usual = DEFAULT_POWERS if asked.demo and not asked.policies else (DEFAULT_POWER,)
    powers = asked.powers or ((DEFAULT_POWER, objective.power) if objective.power else usual)
    for policy in policies:
        make_policy(policy)
    for power in powers:
        with_power(make_policy(policies[0]), power)
    return _once(policies, "--policy"), _once(powers, "--power")


def _once(names: Sequence[str], option: str) -> list[str]:
    """Each name once; says so of those that were given several times."""
    for name in [name for name, times in Counter(names).items() if times > 1]:
        inputs.note(f"{option} {name} was given several times and runs once")
    return list(dict.fromkeys(names))


def _scenario(asked: Comparing, objective: Objective, prices: SitePrices, read: Inputs) -> Scenario:
    options = asked.settings.apply(RunOptions(draw=asked.report), objective, prices)
    jobs = asked.settings.classed(read.trace.jobs)
    skip = asked.source.skip_bad_rows
    services = {seed: asked.services.read(seed, skip_bad_rows=skip) for seed in range(asked.seeds)}
    span_s = _span_s(asked, jobs, services[0])
    check_instances(read.cluster, asked.services.apply(options, services[0]))
    note_requests(services[0], span_s[0] if span_s else 0.0)
    return Scenario(
        jobs=jobs if span_s is None else [job for job in jobs if job.submit_s < span_s[1]],
        cluster=read.cluster,
        engine=read.engine,
        options=asked.services.apply(options, ()),
        services=services,
        span_s=span_s,
        drain=asked.source.scenario is None,
    )


def _span_s(asked: Comparing, jobs: Sequence[Job], services: Sequence[Service]) -> tuple[float, float] | None:
    """What is cut into windows; None: the submissions of the trace. Raises InputError where it would have no end."""
    start_s = asked.source.start_s
    if start_s is None:
        start_s = jobs[0].submit_s if jobs else 0.0
    if asked.horizon_s is not None:
        return start_s, start_s + asked.horizon_s
    if jobs:
        return None
    check_end(services, None)
    return start_s, max(service.requests.span_s for service in services)


def _run(
    asked: Comparing, scenario: Scenario, policies: list[str], powers: list[str], serving: list[str]
) -> Comparison:
    total, ended = len(policies) * len(serving) * len(powers) * asked.windows * asked.seeds, 0
    with progress("comparing", total, "runs") as advance:

        def done(case: Case) -> None:
            nonlocal ended
            ended += 1
            advance(ended, case.label)

        seeds = range(asked.seeds)
        return compare(scenario, policies, asked.windows, seeds, _workers(asked), done, powers, serving)


def _bounded(asked: Comparing, scenario: Scenario, comparison: Comparison) -> Comparison:
    """The comparison with shares of the bound, if they were asked for or cost little.

    Where they fail it is kept without them: it may have taken hours.
    """
    if comparison.partial or asked.bounds is False:
        return comparison
    unknown = "services" if asked.services.given else "budget that changes" if scenario.options.budget_steps else ""
    if unknown:
        if asked.bounds:
            inputs.note(f"shares of the bound left out: bounds know of no {unknown}")
        return comparison
    from goodwatt.policies.comparison_bounds import are_cheap, with_shares

    if asked.bounds is None and not are_cheap(scenario, asked.seeds):
        inputs.note("shares of the bound left out, they take long on so many jobs: --bounds")
        return comparison
    try:
        with progress("bounding", asked.windows * asked.seeds, "bounds") as advance:
            return with_shares(comparison, scenario, _workers(asked), lambda done: advance(done, ""))
    except KeyboardInterrupt:  # before the first bound, or after the last
        return replace(comparison, partial=True)
    except RunError as error:
        inputs.note(f"all runs are done, shares of the bound are left out: {error}")
    return comparison


def _workers(asked: Comparing) -> int:
    return asked.workers or os.cpu_count() or 1


def _manifest(asked: Comparing, read: Inputs, comparison: Comparison) -> dict[str, Any]:
    return manifest.manifest(
        read.trace,
        read.cluster,
        read.engine,
        files=asked.settings.files() | asked.services.files() | asked.source.files(),
        policies=list(comparison.policies),
        powers=list(comparison.powers),
        **({"service_policies": list(comparison.service_policies)} if asked.services.given else {}),
        **asked.source.named(),
        physics=asked.settings.physics.value,
        truth=asked.settings.truth.value,
        windows=asked.windows,
        seeds=list(comparison.seeds),
        partial=comparison.partial,
    )


def _write(out: Path, report: bool, table: ComparisonTable, comparison: Comparison, facts: dict[str, Any]) -> None:
    clear(out)
    comparison_files.write(out, table, comparison, facts)
    if report and comparison.results:
        from goodwatt.cli.report import write_report

        write_report(out / "report.html", comparison.results, table, facts)


def _print(table: ComparisonTable, as_json: bool) -> None:
    if as_json:
        import orjson

        typer.echo(orjson.dumps(comparison_json(table), option=orjson.OPT_INDENT_2).decode())
        return
    from goodwatt.cli.terminal import console

    console().print(comparison_panel(table))
