"""What replay and compare read: the trace, and whether its jobs fit the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.gang import Feasibility
from goodwatt.cluster.presets import load_cluster
from goodwatt.cluster.state import ClusterState
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.simulator.power.supply_changes import feed_losses
from goodwatt.simulator.settings.engine import Engine, load_engine
from goodwatt.traces import bundled
from goodwatt.traces.reading import read_trace
from goodwatt.traces.trace import Trace

if TYPE_CHECKING:
    from goodwatt.scenarios.scenario import Scenario

MOST_PROBLEMS = 5
NO_JOBS = Trace("services alone", (), format="none")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a run is made on."""

    trace: Trace
    cluster: Cluster
    engine: Engine


@dataclass(frozen=True, slots=True)
class TraceSource:
    """Names of the inputs as the command line has them, and the scenario that says what they leave open.

    Without a trace there are the scenario's jobs, drawn from `seed`, or none, only services.
    """

    trace: str | None
    cluster: str | None
    engine: str | None
    format_name: str | None = None
    skip_bad_rows: bool = False
    scenario: Scenario | None = None
    seed: int = 0

    def read(self) -> Inputs:
        """The inputs, which fit each other. Raises InputError."""
        cluster, engine = self._cluster(), self._engine()
        check_absences(engine, cluster)
        if self.trace is not None:
            trace = load_trace(self.trace, self.format_name, self.skip_bad_rows)
        else:
            trace = NO_JOBS if self.scenario is None else self.scenario.jobs(self.seed)
        if trace.jobs:
            check_fits(trace, cluster, self.skip_bad_rows)
        return Inputs(trace, cluster, engine)

    def check(self) -> None:
        """Raises InputError where nobody names a cluster."""
        if self.cluster is None and self.scenario is None:
            raise InputError("Missing option '--cluster' / '-c': expected a preset (goodwatt clusters list) or a file")

    @property
    def start_s(self) -> float | None:
        """When runs begin: those of a scenario at 0 s; None: with the first submission."""
        return None if self.scenario is None else 0.0

    def files(self) -> dict[str, Path]:
        """The scenario's file."""
        return {} if self.scenario is None else {"scenario": self.scenario.path}

    def named(self) -> dict[str, str]:
        """What a manifest says of them, so that `explain` can read the cluster again."""
        cluster = {} if self.cluster is None else {"cluster_given": self.cluster}
        return cluster if self.scenario is None else {**cluster, "scenario_given": str(self.scenario.path)}

    def _cluster(self) -> Cluster:
        if self.cluster is not None:
            return load_cluster(self.cluster)
        self.check()
        assert self.scenario is not None  # noqa: S101 - `check` has looked
        return self.scenario.cluster

    def _engine(self) -> Engine:
        if self.engine is None and self.scenario is not None:
            return self.scenario.engine
        return load_engine(self.engine or "default")


def load_trace(name_or_path: str, format_name: str | None, skip_bad_rows: bool) -> Trace:
    """A bundled trace by name, or a file or folder; says on stderr what was left out and why."""
    trace = read_trace(bundled.resolve(name_or_path), format=format_name, skip_bad_rows=skip_bad_rows)
    for dropped in trace.dropped:
        note(f"{trace.name}: {dropped.count:,} rows left out: {dropped.reason} (first: line {dropped.first_line})")
    if trace.bad_rows:
        note(f"{trace.name}: {len(trace.bad_rows):,} bad rows skipped, the first: {trace.bad_rows[0]}")
    if trace.synthetic:
        note(f"{trace.name}: synthetic: {', '.join(trace.synthetic)}")
    if not trace.jobs:
        raise InputError(f"{name_or_path}: no jobs to replay")
    return trace


def check_fits(trace: Trace, cluster: Cluster, skip: bool) -> None:
    """Refuse a trace with jobs that this cluster can never run; with `skip` only say how many there are."""
    never_fits = Feasibility(ClusterState(cluster))
    problems = [
        f"line {trace.line_of(index)}, job {job.job_id}: {reason}"
        for index, job in enumerate(trace.jobs)
        if (reason := never_fits(job)) is not None
    ]
    if not problems:
        return
    shown = "\n  ".join(problems[:MOST_PROBLEMS])
    text = f"{len(problems):,} of {len(trace.jobs):,} jobs of {trace.name} can never run on {cluster.name}:\n  {shown}"
    if not skip:
        raise InputError(f"{text}\nchoose another cluster, or go on without them: --skip-bad-rows")
    note(text)


def check_absences(engine: Engine, cluster: Cluster) -> None:
    """Refuse maintenance of a node, or the loss of a feed, that the cluster does not have."""
    feed_losses(engine.plain.lost_feeds, cluster)
    nodes = {node.name for node in cluster.nodes}
    for outage in (*engine.plain.outages, *engine.preemptive.outages):
        if outage.node not in nodes:
            raise UnknownNameError(f"node in the maintenance of engine {engine.name}:", outage.node, nodes)


def note_hosts(cluster: Cluster) -> None:
    """Say where energy is reported if nobody said what hosts draw."""
    power = cluster.power
    if power.node is None and not power.host_max_w:
        note(f"cluster {cluster.name} says nothing of its hosts' power (power: node), so they count as 0 W")


def note(text: str) -> None:
    """A line for the person, beside the results."""
    typer.echo(f"goodwatt: {text}", err=True)
