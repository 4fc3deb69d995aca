"""One run of a policy on a cluster: advance to the next decision, apply it, fork, save and load.

    simulation = Simulation(jobs, cluster, policy)
    while (view := simulation.advance()) is not None:
        simulation.apply(policy.decide(view))
    result = run.result(simulation)

All that changes stands in fields of this object; the SimPy processes in `processes` only loop over them. That is
what makes `fork` possible: copy the fields, start the processes anew, put the ends of running jobs back on the clock
in their old order. `save` and `load` are in `saved_run`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence

from simpy.core import EmptySchedule
from simpy.events import Event
from sortedcontainers import SortedSet

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.gang import Feasibility
from goodwatt.cluster.job import Job, JobRequest
from goodwatt.cluster.state import ClusterState, NodeCounts
from goodwatt.errors import RunError
from goodwatt.simulator import nodes, processes, standstill
from goodwatt.simulator.acting import holding, longest_wait, promise_guard
from goodwatt.simulator.acting.executor import Executor
from goodwatt.simulator.acting.well_formed import sound
from goodwatt.simulator.decisions import Decision
from goodwatt.simulator.events.clock import Clock, Kind
from goodwatt.simulator.events.timers import Timers
from goodwatt.simulator.failures import breakdowns
from goodwatt.simulator.forking import forked
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.jobs.submission_order import check_jobs, submission_order
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.power import racks, slowest_clock, supply_changes
from goodwatt.simulator.quota import QuotaUse
from goodwatt.simulator.records.facility import FacilityMeter
from goodwatt.simulator.records.recorder import Recorder
from goodwatt.simulator.services import service_run
from goodwatt.simulator.settings.engine import Engine, EngineSettings, load_engine
from goodwatt.simulator.settings.run_options import DEFAULTS, RunOptions
from goodwatt.simulator.timetable import mark_times, outage_times
from goodwatt.simulator.view import Pool, View
from goodwatt.simulator.world import (
    book_of,
    failures_of,
    jobs_of,
    make_physics,
    meter_of,
    new_view,
    pools_of,
    ramp_of,
    services_in,
    show,
    submitted_of,
)

MOST_ROUNDS = 10_000
"""Decisions at one instant; a policy that goes on after so many stops what it starts for ever."""


class Simulation:
    """The state of a run and the four verbs on it.

    For policies and processes: `now_s`, `live` (waiting and running jobs by id), `state`, `view`. At a decision,
    `deciding` is true until `apply`.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        cluster: Cluster,
        policy: Policy,
        engine: Engine | None = None,
        options: RunOptions = DEFAULTS,
    ) -> None:
        self.cluster, self.policy, self.options = cluster, policy, options
        self.engine: EngineSettings = (engine or load_engine("default")).settings(policy.preemptive)
        check_jobs(jobs)
        in_order = submission_order(jobs, self.engine.unstable_sorts, cluster.partitions)
        self.submitted = submitted_of(in_order)
        self.jobs = jobs_of(self.submitted, cluster, options)
        self.start_s = options.start_s if options.start_s is not None else jobs[0].submit_s if jobs else 0.0
        self.outages = outage_times(self.engine.outages, cluster)
        self.marks = mark_times(self.start_s, self.engine.warm_up_s, options.horizon_s)
        self.observe_s: float | None = getattr(policy, "observe_s", None)
        self._build()
        self._begin()
        show(self)
        self.set_going(self.start_s)
        breakdowns.begin(self)
        supply_changes.begin(self)
        service_run.begin(self)

    def _build(self) -> None:
        """The cluster with all of its parts, as it is before anything happens."""
        cluster, policy, options = self.cluster, self.policy, self.options
        self.state = ClusterState(cluster)
        self._never_fits = Feasibility(self.state.copy())
        self.state.slices.settle(self.engine.mig == "dynamic")
        self.physics = make_physics(self.state, self.engine, options)
        self.quotas = QuotaUse.of(cluster.quotas)
        self.services = services_in(cluster, options, len(self.jobs), self.start_s)
        # A quota may hold the head back, and then others may pass it.
        self._head_only = policy.head_only and self.quotas is None
        rows = len(self.jobs) + (len(self.services.instances) if self.services is not None else 0)
        self.budget_w = supply_changes.budget_at(options, self.start_s)
        self.recorder = Recorder(rows, self.start_s, self.budget_w, options.draw)
        self.facility = FacilityMeter(cluster.power, options.price, options.outside_c)
        self.racks = racks.Racks(cluster, meter_of(self.physics), self.start_s)
        self.asleep: dict[int, str] = {}
        self.book = book_of(cluster, self.physics, self.racks, policy, options, self.budget_w, self.asleep)
        self.ramp = ramp_of(cluster, self.physics, policy)
        self.failures, self.stragglers = failures_of(cluster, self.engine, options.seed, self.start_s)
        self.pools = pools_of(cluster)
        self.view = new_view(self, policy.new_memory(), random.Random(f"{options.seed}/policy"))
        self.executor = Executor(self)
        self.timers = Timers(self)

    def _begin(self) -> None:
        """Nobody is there, nothing is away, and no decision is due."""
        self.live: dict[str, JobRun] = {}
        self.refused: dict[int, str] = {}
        self.away: dict[int, int] = {}
        self.late: SortedSet[tuple[int, str]] = SortedSet()
        self.resetting: dict[tuple[int, int], float] = {}
        self.next_arrival = self.next_outage = self.next_mark = 0
        self.sequence = self.rounds_now = 0
        self.still_since_s = self.start_s
        self.wake_s = self.round_s = math.inf
        self.last_round_s = -math.inf
        self.deciding = self.stopped = False

    # the verbs ---------------------------------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        """Simulated time, seconds."""
        now_s: float = self.clock.now
        return now_s

    def advance(self) -> View | None:
        """Run to the next decision and return what the policy may see; None when the run is over."""
        step = self.clock.step
        while not self.deciding:
            if self.stopped:
                return None
            try:
                step()
            except EmptySchedule:
                return None
        self.view.now_s = self.clock.now
        return self.view

    def apply(self, decisions: Iterable[Decision]) -> None:
        """Carry out the policy's answer to the view that `advance` returned."""
        self.deciding = False
        if self.services is not None:
            self.services.due = False
        self.view.late, self.view.kept = None, 0
        for pool in self.view.pools if not self.view.between else ():
            pool.changed = False
        self.view.between = False
        self.executor.apply(sound(self, decisions))

    def run(self) -> None:
        """Advance and apply to the end."""
        while (view := self.advance()) is not None:
            self.apply(self.policy.decide(view))

    def close(self) -> None:
        """Account for everything up to now: the end of the run, or the moment of an interruption."""
        self.account()
        self._settle()
        self.recorder.close(self.clock.now, list(self.live.values()))
        service_run.mark(self, "end")

    def fork(self) -> Simulation:
        """An independent copy that goes on exactly as this one would."""
        return forked(self)

    # what processes do -------------------------------------------------------------------------------------------

    def admit(self) -> None:
        """Jobs whose time has come enter the queue, or are refused because they can never run here."""
        now = self.clock.now
        self.account()
        while self.next_arrival < len(self.jobs) and self.jobs[self.next_arrival].submit_s <= now:
            index = self.next_arrival
            self.next_arrival += 1
            job = self.jobs[index]
            if reason := self._never_fits(job) or (self.quotas and self.quotas.never(job.request)):
                self.refused[index] = reason
                continue
            run = self.live[job.job_id] = JobRun(job, index, self.submitted[index].request)
            self._enqueue(run)
        self.stopped = self.stopped or self._all_done()

    def open_round(self) -> None:
        """A decision is due now."""
        self.rounds_now = self.rounds_now + 1 if self.clock.now == self.last_round_s else 0
        self.last_round_s = self.clock.now
        if self.rounds_now > MOST_ROUNDS:
            raise RunError(
                f"{self.policy.name} was asked {MOST_ROUNDS:,} times at {self.clock.now:g} s: it undoes itself"
            )
        self.round, self.round_s = Event(self.clock), math.inf
        self._decide()

    def open_between(self, _: Event) -> None:
        """A decision about services is due now, though that about jobs is later."""
        if self.services is not None and self.services.due and not self.deciding:
            self.view.between = True
            self._decide()

    def _decide(self) -> None:
        self.account()
        if standstill.reached(self):
            self.stopped = True
            return
        self.deciding = True
        if self.services is not None and self.services.due:
            promise_guard.guard(self)
        longest_wait.show(self)

    def change_node(self) -> None:
        """The next outage begins or ends."""
        _, node, up = self.outages[self.next_outage]
        self.next_outage += 1
        self.account()
        if up:
            nodes.free(self, node)
        else:
            for run in nodes.jobs_on(self, node):
                self.stop(run, why="its node went away")
            nodes.hold(self, node)

    def pass_mark(self, name: str) -> None:
        """The warm-up or the horizon ends here."""
        self.next_mark += 1
        self.account()
        self._settle()
        self.recorder.mark(name, self.clock.now, list(self.live.values()))
        service_run.mark(self, name)
        self.stopped = self.stopped or self._all_done() or (name == "horizon" and not self.options.drain)

    # what the executor does --------------------------------------------------------------------------------------

    def start(
        self,
        run: JobRun,
        counts: NodeCounts,
        gpus: tuple[int, ...] | None = None,
        beside: JobRun | None = None,
        granted: bool = False,
    ) -> None:
        """A waiting job takes its GPUs, those of `beside` if given; DoesNotFitError, and nothing happened, if not.

        `granted`: there is power for it once all that happens at this instant has happened.
        """
        holding.take(self, run, counts, gpus, beside, granted)
        pool = self.pool_of(run.spec)
        pool.queue.remove((run.key, run.sequence, run))
        if self.late:
            self.late.discard((run.index, run.spec.job_id))
        pool.enter(run)
        holding.set_to_work(self, run)

    def stop(self, run: JobRun, failed: bool = False, why: str = "") -> None:
        """A running job gives its GPUs back and waits again; by a failure, or because somebody wants it."""
        now = self.clock.now
        run.settle(now)
        run._truth.lose(self.engine.restart_s(run.spec.num_gpus), failed)
        run.failures += failed
        run.preemptions += not failed
        run.version += 1
        self._leave(run, now, "failed" if failed else f"stopped: {why}" if why else "stopped")
        run.spec = run.base
        self._enqueue(run)

    def wake_at(self, time_s: float) -> None:
        """Make a decision at this time whatever happens; the earliest wish counts, later ones are asked again."""
        if time_s < self.wake_s:
            self.wake_s = time_s
            self.clock.call(time_s, Kind.WAKE, self._on_wake, time_s)

    def pool_of(self, job: JobRequest) -> Pool:
        """The pool that a job waits and runs in; instances of services have their own."""
        if self.services is not None and (pool := self.services.pool_of(job.job_id)) is not None:
            return pool
        return self.pools.get(job.partition) or self.pools[None]

    # inside ------------------------------------------------------------------------------------------------------

    def set_going(self, now_s: float) -> None:
        """Start a clock at this time and put on it all that is to come: after a fork, or when a saved run goes on."""
        self.clock = Clock(now_s)
        self.round = Event(self.clock)
        for process in (processes.arrivals, processes.scheduler, processes.outages, processes.marks):
            self.clock.process(process(self))
        ending = (run for run in self.live.values() if run.placement and run._truth.end_s < math.inf)
        for run in sorted(ending, key=lambda r: r.sequence):
            self.clock.call(run._truth.end_s, Kind.END, self._on_end, (run, run.version))
        self.timers.restart()
        if self.wake_s < math.inf:
            self.clock.call(self.wake_s, Kind.WAKE, self._on_wake, self.wake_s)
        if self.round_s < math.inf:
            self.clock.fire(self.round, self.round_s, Kind.DECIDE)

    def stop_if_over(self) -> bool:
        """End the run if nothing is left to happen; whether it has."""
        self.stopped = self.stopped or self._all_done()
        return self.stopped

    def _all_done(self) -> bool:
        """Whether nothing is left to happen; idle nodes draw power up to the horizon."""
        if self.services is not None:
            jobs_live = len(self.live) > len(self.services.instances)
            if jobs_live or not self.served:
                return False
        elif self.live:
            return False
        return self.next_arrival == len(self.jobs) and self.next_mark == len(self.marks)

    @property
    def served(self) -> bool:
        """Whether the run need not go on for services: they are done, or the horizon is past, after which jobs end."""
        past = self.options.horizon_s is not None and self.next_mark == len(self.marks)
        return past or self.services is None or self.services.over(self.clock.now)

    def account(self) -> None:
        """Count what has been drawn and done up to now."""
        now_s, last_s = self.clock.now, self.recorder.last_s
        if now_s > last_s:
            running, queued = self.running_and_queued()
            self.recorder.advance(now_s, self.state, self.physics, queued, running, len(self.asleep))
            self.facility.add(self.recorder.totals, self.recorder.power[-1], last_s, now_s)

    def running_and_queued(self) -> tuple[int, int]:
        """Jobs that hold GPUs and jobs that wait, instances of services left out."""
        running, waiting = len(self.state.placements), len(self.live) - len(self.state.placements)
        if self.services is not None:
            holding = self.services.holding
            running, waiting = running - holding, waiting - (len(self.services.instances) - holding)
        return running, waiting

    def _settle(self) -> None:
        for run in self.live.values():
            run.settle(self.clock.now)

    def follow(self) -> None:
        """Jobs whose point has changed go on at it."""
        self.recorder.dirty = True
        now = self.clock.now
        changes = self.physics.changes()
        for run, point in changes:
            run.settle(now)
            run._truth.power_w = point.power_w
            if run._truth.go(point.rate, point.slow):
                self._schedule_end(run)
        racks.follow(self)
        if changes and self.options.guardrails.limits_clocks:
            slowest_clock.follow(self, [run for run, _ in changes])

    def straggle(self, run: JobRun, slowdown: float) -> None:
        """The slowest GPU of a running job slows it down by this factor from now on."""
        run.settle(self.clock.now)
        run._truth.straggle = slowdown
        if run._truth.go(run._truth.pace, run._truth.slow[1:4]):
            self._schedule_end(run)

    def _schedule_end(self, run: JobRun) -> None:
        run.version += 1
        run.sequence = self.sequence = self.sequence + 1
        run._truth.end_s = run._truth.finish_time(self.clock.now)
        if run._truth.end_s < math.inf:
            self.clock.call(run._truth.end_s, Kind.END, self._on_end, (run, run.version))

    def _on_end(self, event: Event) -> None:
        run, version = event._value
        if run.version != version:
            return
        now = self.clock.now
        self.account()
        run.settle(now)
        run._truth.finish()
        self.recorder.ended(run, now)
        del self.live[run.spec.job_id]
        self._leave(run, now)
        self.physics.forget(run)
        # Under ideal physics the two are the same but for rounding, and golden results hang on the last bit.
        ran_s = run._truth.job.duration_s if self.options.physics == "ideal" else run._truth.ran_s
        self.view.memory.job_ended(run.base, ran_s, now)
        self.stopped = self.stopped or self._all_done()

    def _leave(self, run: JobRun, now_s: float, stopped: str = "") -> None:
        """It gives its GPUs back: stopped so, or done."""
        pool = self.pool_of(run.spec)
        pool.leave(run)
        if stopped:
            self.recorder.stay(run, now_s, stopped)
        holding.give_back(self, run)
        if not self._head_only or any(other.queue for other in self._concerned(pool)):
            self._change(pool)

    def _enqueue(self, run: JobRun) -> None:
        self.view.now_s = self.clock.now
        pool = self.pool_of(run.spec)
        if self.services is not None and run.spec.job_id in self.services.instances:
            pool.queue.add((run.key, run.sequence, run))
            return
        run.key = self.policy.queue_key(run, self.view)
        run.sequence = self.sequence = self.sequence + 1
        pool.queue.add((run.key, run.sequence, run))
        longest_wait.watch(self, run)
        if not self._head_only or pool.queue[0][2] is run:
            self._change(pool)

    def _change(self, pool: Pool) -> None:
        if len(self.view.pools) > 1 or self.services is not None:
            for other in self._concerned(pool):
                other.changed = True
        pool.changed = True
        self.ask()

    def ask(self) -> None:
        """Let a decision fall due, though nothing has happened to a queue."""
        if not self.deciding and self.round_s == math.inf:
            now, interval = self.clock.now, self.engine.decision_interval_s
            self.round_s = math.ceil(now / interval) * interval if interval else now
            self.clock.fire(self.round, self.round_s, Kind.DECIDE)

    def _concerned(self, pool: Pool) -> Sequence[Pool]:
        """The pools of jobs that share nodes or a user's quota with this one, itself among them.

        What instances of services leave concerns all: the pools of services are not the policies'.
        """
        shared = self.pools[None]
        everybody = pool is shared or self.quotas is not None or self.services is not None
        return self.view.pools if everybody else (pool, shared)

    def change_pool_of(self, run: JobRun) -> None:
        """Something happened that concerns the queue of a job."""
        self._change(self.pool_of(run.spec))

    def change_all(self) -> None:
        """Something happened that concerns every queue."""
        for pool in self.view.pools:
            self._change(pool)

    def _on_wake(self, event: Event) -> None:
        if event._value == self.wake_s:
            self.wake_s = math.inf
            self.change_all()
