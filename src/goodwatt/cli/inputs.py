"""What replay and compare read: the trace, and whether its jobs fit the cluster."""

from __future__ import annotations

from dataclasses import dataclass

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
    """Names of the inputs as the command line has them; without a trace there are no jobs, only services."""

    trace: str | None
    cluster: str
    engine: str
    format_name: str | None = None
    skip_bad_rows: bool = False

    def read(self) -> Inputs:
        """The inputs, which fit each other. Raises InputError."""
        cluster, engine = load_cluster(self.cluster), load_engine(self.engine)
        check_absences(engine, cluster)
        if self.trace is None:
            return Inputs(NO_JOBS, cluster, engine)
        trace = load_trace(self.trace, self.format_name, self.skip_bad_rows)
        check_fits(trace, cluster, self.skip_bad_rows)
        return Inputs(trace, cluster, engine)


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
