"""A power budget that is kept: every job has a cap, and the caps are divided so that the budget does the most."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, cast

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.state import NodeCounts
from goodwatt.policies.budget_memory import BudgetMemory
from goodwatt.policies.budget_round import Round, highest, hosts_of
from goodwatt.policies.fed_gpus import fed_shares
from goodwatt.policies.job_budget import (
    NOTHING_MORE,
    Share,
    ask_of,
    board_w,
    counts_of,
    floors_fit,
    together,
)
from goodwatt.policies.power_memory import OBSERVE_S
from goodwatt.policies.power_policy import SteadyPower
from goodwatt.power.workloads.demand import Demand
from goodwatt.simulator.decisions import Decision, Hold, Place, SetCap, WaitUntil
from goodwatt.simulator.held import AllBut, Held
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.power.power_room import PowerRoom
from goodwatt.simulator.services.service import Role
from goodwatt.simulator.view import View

SOON_S = 1.0
AGAIN_S = 60.0
"""Power is divided anew so long after jobs were stopped for others, at the latest: sooner, their order would stop them
again. When somebody has to be stopped for a limit and nobody may be, it is looked at again so much later, too."""
FIRST_FEW = 8
WORTH_SETTING = 0.03
"""If no cap moves by more than this share, none is sent."""
LESS, MORE, LEAST = 0.9, 1.1, 0.25
"""What may be fed is taken for so much less after a round in vain, so much more after one in which all found power.

Assumed; rounds in vain cost little, so it comes back as fast as it goes.
"""


@dataclass(frozen=True, slots=True)
class Budget(SteadyPower):
    """Divides the power budget (`--budget-w`, or the limits of the cluster's site, rows and racks) among running jobs.

    `division`: by goodput (each watt where it buys the most work, by what telemetry shows), by demand or capacity in
    proportion, or by priority. No GPU gets less than `floor_share` of its rated power: a job waits until that fits, and
    if a limit falls so far that it does not, the youngest jobs are stopped. A job gets at most `margin` more than it is
    believed to draw. Unless a limit changes or somebody waits for power, shares move every `period_s` at most. Who may
    not be slowed gets its whole power, or waits for it; beside an order that stops jobs power goes by its ranks.
    Instances of services get first what carries their load within the promise (`policies.service_watts`).
    Sources: Wu et al., "Dynamo", ISCA 2016 (capping by priority below breakers); Federgruen and Groenevelt 1986
    (dividing by marginal gain is optimal).
    """

    name: ClassVar[str] = "budget"
    restless: ClassVar[bool] = True
    observe_s: ClassVar[float | None] = OBSERVE_S
    enforces_budget: ClassVar[bool] = True

    division: Literal["goodput", "demand", "priority", "capacity"] = "goodput"
    floor_share: float = 0.4
    margin: float = 0.1
    period_s: float = 300.0

    def __post_init__(self) -> None:
        if not (0 <= self.floor_share <= 1 and self.margin >= 0 and self.period_s >= 0):
            raise ValueError("expected a floor_share from 0 to 1, margin and period_s of at least 0")

    def new_memory(self) -> BudgetMemory:
        """Demands and caps."""
        return BudgetMemory()

    def holds(self, view: View) -> Held:
        """While somebody waits for power, all but the first few and him: to ask for those behind them costs much.

        Somebody further back who would fit waits with them until something changes. An order that stops jobs goes by
        ranks that change with time; it asks for no more than `fed` anyway.
        """
        memory = _memory(view)
        hopeless, waiting = frozenset(memory.hopeless), {job_id for job_id, _ in memory.in_vain}
        if view.preemptive or not waiting:
            return hopeless
        memory.same = memory.round == _round(view)
        if memory.same:
            return AllBut()
        first = (run.spec.job_id for pool in view.pools for _, _, run in pool.queue[:FIRST_FEW])
        jobs = (job_id for job_id in waiting if not _is_instance(job_id, view))
        return AllBut(frozenset((*first, *jobs)) - hopeless)

    def fed(self, view: View) -> Sequence[float] | None:
        """As many GPUs as can have their floors, for orders that stop jobs."""
        book, memory = view.book, _memory(view)
        if book is None or not book.limited or not view.preemptive:
            return None
        limits, more_w = book.limit_uw, self._more_w(view, book)
        known = (*limits, *(round(watts) for watts in more_w.values()))
        if memory.fed is None or memory.fed[0] != known:
            if memory.fed is not None and memory.fed[0][: len(limits)] != limits:
                memory.trust = 1.0
            memory.fed = known, fed_shares(view.state.cluster, book, self.floor_share, more_w)
        return [share * memory.trust if share < 1.0 else share for share in memory.fed[1]]

    def start(self, place: Place, run: JobRun, view: View) -> Place | Hold:
        """Under the highest cap for which there is power; held back if there is not even enough for its floor.

        Whoever comes after somebody that is held back waits too, or it would never get its power. Where jobs are
        stopped for others all of these have to start, so they begin at their floors.
        """
        book, memory, kind = view.book, _memory(view), view.kind_at(place)
        if book is None or not book.limited or kind is None or kind.max_w is None or not run.spec.num_gpus:
            return place
        if place.beside is not None:
            return replace(place, cap_w=memory.asked.get(place.beside))
        return (self._moved if run.running else self._started)(place, run, kind, view)

    def _started(self, place: Place, run: JobRun, kind: GpuKind, view: View) -> Place | Hold:
        """A waiting job, on GPUs that it will have to itself."""
        book, memory = view.book, _memory(view)
        assert book is not None  # noqa: S101 - start has seen it
        if memory.held and not _is_instance(run.spec.job_id, view):
            return Hold(run.spec.job_id, f"{memory.held[0][0]} waits for power before it")
        share = self._coming(run, place.nodes, kind, view, cast("Role", place.role))
        plan = memory.plan.copy() if memory.plan else book.plan()
        plan.leave(view.leaving)
        if shortage := plan.shortage(place.nodes, share.ask.floor_w):
            if never := book.plan(view.state.placements).shortage(place.nodes, share.ask.floor_w):
                memory.hopeless[run.spec.job_id] = view.now_s
                return Hold(run.spec.job_id, f"power, whoever else runs: {never}")
            memory.held.append((run.spec.job_id, place.nodes))
            return Hold(run.spec.job_id, f"power: {shortage}")
        if not self._left_by_services(run, place.nodes, view, book):
            memory.held.append((run.spec.job_id, place.nodes))
            return Hold(run.spec.job_id, "power: services want what there is")
        found_w, memory.plan = share.ask.floor_w if view.leaving else highest(plan, share), plan
        plan.start(place.nodes, found_w)
        memory.lowest &= found_w <= share.ask.floor_w
        memory.asked[run.spec.job_id] = cap_w = found_w if found_w < board_w(kind) else None
        memory.stale = True
        return replace(place, cap_w=cap_w)

    def _left_by_services(self, run: JobRun, nodes: NodeCounts, view: View, book: PowerRoom) -> bool:
        """Whether the power for which there is room is not what services wait for or want before long.

        Whoever started on it would be stopped for them.
        """
        needs = _memory(view).services
        if needs is None or _is_instance(run.spec.job_id, view):
            return True
        return not needs.wait and self._floors_fit(view, book, [(run.spec.job_id, nodes)])

    def _moved(self, place: Place, run: JobRun, kind: GpuKind, view: View) -> Place | Hold:
        """A running job takes its cap along; on other boards, or more or fewer, it has the highest there is power for.

        It stays if there is none, or if somebody waits for power.
        """
        book, memory, cap_w = view.book, _memory(view), place.cap_w
        assert book is not None  # noqa: S101 - start has seen it
        if view.kind_of(run.placement) is not kind or sum(count for _, count in place.nodes) != run.spec.num_gpus:
            share = self._coming(run, place.nodes, kind, view)
            plan = memory.plan.copy() if memory.plan else book.plan(view.leaving)
            plan.leave((run.spec.job_id,))
            if memory.held or plan.shortage(place.nodes, share.ask.floor_w):
                return Hold(run.spec.job_id, "power: none is free for it where it would go")
            found_w, memory.plan = highest(plan, share), plan
            plan.start(place.nodes, found_w)
            cap_w = found_w if found_w < board_w(kind) else None
        memory.asked[run.spec.job_id], memory.stale, memory.lowest = cap_w, True, False
        return replace(place, cap_w=cap_w)

    def decide(self, view: View) -> Sequence[Decision]:
        """Other caps, if something has changed that matters."""
        book, memory = view.book, _memory(view)
        held, memory.held = memory.held, []
        starts, memory.plan = memory.plan is not None, None
        before, same = memory.in_vain, memory.same
        held = before if same and not (held or starts) else held
        memory.in_vain, memory.same = held, False
        memory.round = _round(view) if held and not starts else ()
        if book is None or not book.limited:
            return ()
        moved, again = memory.limits != book.limit_uw, self._looks_again(view, held, before, starts)
        urgent = moved | self._looked_at_services(view, held)
        self._learn_what_is_fed(view, held, starts)
        if held and (urgent or memory.stale or held != before):
            down = urgent or not memory.lowest  # else nobody can come down any further
            if not (down and self._floors_fit(view, book, held)):
                held = [waits for waits in held if _is_instance(waits[0], view)]  # for these jobs are stopped
        if not urgent and (not held or (held == before and not memory.stale)):
            if not memory.stale:
                return again
            if view.now_s < (next_s := memory.divided_s + self.period_s):
                return [*again, WaitUntil(next_s, "the budget is divided anew")]
        memory.limits, memory.divided_s, memory.stale = book.limit_uw, view.now_s, False
        # on other nodes there may be more
        memory.hopeless = {job_id: time_s for job_id, time_s in memory.hopeless.items() if time_s == view.now_s}
        commands = self._divide(view, book, held, moved, urgent)
        memory.lowest &= not starts  # the division knows only of who runs already
        return [*commands, *again]

    def _looked_at_services(self, view: View, held: Sequence[tuple[str, NodeCounts]]) -> bool:
        """Whether other instances run than at the last control, or they need other watts.

        What was asked for their boards then is in force, or waits for room, or a guardrail has set them otherwise.
        """
        memory = _memory(view)
        needs = memory.needs(view)
        if needs is None or view.services is None or not view.services.due:
            return False
        moved = needs.look(view, self.floor_share, self.period_s)
        needs.wait = any(_is_instance(job_id, view) for job_id, _ in held)
        memory.asked.update((job_id, one.run.cap_w) for job_id, (_, one) in needs.instances(view).items())
        return moved

    def _looks_again(
        self, view: View, held: Sequence[tuple[str, NodeCounts]], before: Sequence[tuple[str, NodeCounts]], starts: bool
    ) -> list[Decision]:
        """When it is worth while to look again although nothing else happens; `before`: who was held last time."""
        memory = _memory(view)
        if view.leaving and starts:  # those begin at their floors
            memory.divided_s = -math.inf
            return [WaitUntil(view.now_s + AGAIN_S, "power is divided anew")]
        if view.now_s in memory.hopeless.values():
            return [WaitUntil(view.now_s + SOON_S, "those behind somebody who finds no power anyway")]
        # who has just started may come down for others; others were not looked at while somebody waited
        if (held and starts) or (before and not held):
            return [WaitUntil(view.now_s + SOON_S, "power is found")]
        return []

    def _divide(
        self, view: View, book: PowerRoom, held: Sequence[tuple[str, NodeCounts]], moved: bool, urgent: bool
    ) -> Sequence[Decision]:
        """The commands that lead to a new division; running jobs are stopped while floors do not fit.

        `moved`: a limit is another than at the last division; `urgent`: that, or services need other watts.
        """
        memory, needs = _memory(view), _memory(view).needs(view)
        # who is stopped at this moment takes no part, unless somebody is held back, with whom stops are undone
        gone = frozenset() if memory.in_vain else frozenset(view.leaving)
        groups = {runs[0].spec.job_id: runs for runs in together(view) if gone.isdisjoint(r.spec.job_id for r in runs)}
        there = [] if needs is None else [one.run for _, one in needs.instances(view).values()]
        hosts = hosts_of(groups, there) if there else {}
        jobs = [self._running_share(runs, view, hosts.get(first, ())) for first, runs in groups.items()]
        waiting = [
            self._coming(view.run(job_id), nodes, kind, view) for job_id, nodes in held if (kind := view.kind_of(nodes))
        ]
        round_ = Round(view, book, self.division, self.floor_share, groups, hosts, jobs, waiting, needs)
        round_.divide()
        stuck = False
        # without a limit that fell jobs have started on these watts: what is short is the safe side of the estimate
        while not stuck and round_.short and (moved or book.over or round_.services_short):
            stuck = not round_.stop_one()
        round_.soften()
        later = [self._later(view, round_.short and (moved or bool(book.over)))] if stuck else []
        return [*round_.stopped, *later, *self._commands(view, list(round_.caps()), urgent or bool(held))]

    def _later(self, view: View, pressing: bool) -> WaitUntil:
        """Somebody would have to be stopped, and nobody may be: power is divided anew later, or at the next chance."""
        memory = _memory(view)
        if pressing:
            memory.limits = ()
        else:
            memory.stale, memory.divided_s = True, view.now_s + AGAIN_S - self.period_s
        return WaitUntil(view.now_s + AGAIN_S, "somebody may be stopped by then")

    def _learn_what_is_fed(self, view: View, held: Sequence[tuple[str, NodeCounts]], starts: bool) -> None:
        """Who finds no power keeps everybody where he is, if jobs were to be stopped for him."""
        memory = _memory(view)
        if view.leaving and held and memory.fed is not None:
            wanted = view.run(held[0][0]).gpus
            fed = sum(n.gpus * share for n, share in zip(view.state.cluster.nodes, memory.fed[1], strict=True))
            if wanted <= fed * memory.trust:  # else it was asked for in spite of what is believed
                memory.trust = max(memory.trust * LESS, LEAST)
        elif starts and not held:
            memory.trust = min(memory.trust * MORE, 1.0)

    def _commands(self, view: View, found: Sequence[tuple[str, float | None, float]], urgent: bool) -> list[Decision]:
        """Caps that differ from what was asked for last; none if none differs by much. `found`: (job, cap, floor)."""
        memory, moves, most = _memory(view), list[tuple[str, float | None]](), 0.0
        asked = memory.asked
        for job_id, cap_w, _ in found:
            kind = view.kind_of(view.run(job_id).placement)
            rated_w = board_w(kind) if kind is not None else 1.0
            before_w, after_w = (rated_w if w is None else w for w in (asked.get(job_id), cap_w))
            if before_w != after_w:
                moves.append((job_id, cap_w))
                most = max(most, abs(after_w - before_w) / before_w)
        if not urgent and most < WORTH_SETTING:
            return []
        asked.update(moves)
        memory.lowest = all(asked.get(job_id) == floor_w for job_id, _, floor_w in found)
        return [SetCap(job_id, cap_w, self.name) for job_id, cap_w in moves]

    def _running_share(self, runs: Sequence[JobRun], view: View, hosts: Sequence[str] = ()) -> Share:
        """What jobs on the same GPUs ask for: what the first does, unless one of them may not be slowed.

        It goes by what was believed of it when it had just started or been seen. `hosts`: instances of services there;
        no job beside them gets less than they need.
        """
        run, memory, floor_share = runs[0], _memory(view), self._floor_share(runs, view)
        job_id, kind = run.spec.job_id, view.kind_of(run.placement)
        assert kind is not None  # noqa: S101 - it has been grouped by it
        if hosts and memory.services is not None:
            needed_w = max(memory.services.needed_w(view, host, self.floor_share) for host in hosts)
            floor_share = max(floor_share, needed_w / board_w(kind))
        now = run.started_s, floor_share
        before, share = memory.shares.get(job_id, (None, None))
        if share is None or before != now:
            since_s, demand = memory.taken_for.get(job_id, (None, None))
            if since_s != run.started_s:
                demand = self._demand(run, kind, view)
                memory.taken_for[job_id] = run.started_s, demand
            ask = ask_of(kind, demand, floor_share, self.margin)
            share = Share(job_id, counts_of(run), ask, run.spec.priority)
            memory.shares[job_id] = now, share
        return share

    def _floor_share(self, runs: Iterable[JobRun], view: View) -> float:
        """The least share of its rated power that a GPU with these jobs gets: all, if one of them may not be slowed."""
        return self.floor_share if all(view.guardrails.may_slow(run.spec) for run in runs) else 1.0

    def _floors_fit(self, view: View, book: PowerRoom, held: Sequence[tuple[str, NodeCounts]]) -> bool:
        """Whether those who go on running and those who wait for power could all have their floors."""
        leaving = [counts_of(view.run(job_id)) for job_id in view.leaving]
        spared: list[NodeCounts] = []
        if view.guardrails.protected:
            spared = [counts_of(runs[0]) for runs in together(view) if self._floor_share(runs, view) == 1.0]
            spared += [nodes for job_id, nodes in held if self._floor_share([view.run(job_id)], view) == 1.0]
        more_w = self._more_w(view, book)
        return floors_fit(view, book, [nodes for _, nodes in held], leaving, self.floor_share, spared, more_w)

    def _more_w(self, view: View, book: PowerRoom) -> Mapping[int, float]:
        """Watts by node that instances of services need above floors."""
        needs = _memory(view).needs(view)
        return NOTHING_MORE if needs is None else needs.more_w(view, book, self.floor_share)

    def _demand(self, run: JobRun, kind: GpuKind, view: View) -> Demand | None:
        estimate = None if kind.power_model is None else _memory(view).demands.estimate(run.spec, kind.name)
        return None if estimate is None else estimate.demand

    def _coming(self, run: JobRun, nodes: NodeCounts, kind: GpuKind, view: View, role: Role = "both") -> Share:
        """What a job, or an instance in this role, asks for that is to start on these nodes."""
        needs = _memory(view).needs(view)
        share = None if needs is None else needs.waiting(view, run, nodes, role, self.floor_share)
        if share is not None:
            return share
        demand = self._demand(run, kind, view)
        ask = ask_of(kind, demand, self._floor_share([run], view), self.margin)
        return Share(run.spec.job_id, nodes, ask, run.spec.priority, running=False)


def _is_instance(job_id: str, view: View) -> bool:
    """Whether this is an instance of a service."""
    return view.services is not None and view.services.number_of(job_id) is not None


def _round(view: View) -> tuple[object, ...]:
    """All that decides whether somebody who waits for power finds it: as long as it stays, asking again is in vain."""
    first = [run.spec.job_id for pool in view.pools for _, _, run in pool.queue[:FIRST_FEW]]
    book = view.book
    return () if book is None else (*book.granted_uw, *book.limit_uw, view.state.free_gpus, *first)


def _memory(view: View) -> BudgetMemory:
    assert isinstance(view.memory, BudgetMemory)  # noqa: S101 - new_memory above made it
    return view.memory
