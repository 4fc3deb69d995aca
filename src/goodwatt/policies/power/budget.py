"""A power budget that is kept: every job has a cap, and the caps are divided so that the budget does the most."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.state import NodeCounts
from goodwatt.policies.budget_memory import BudgetMemory
from goodwatt.policies.fed_gpus import fed_shares
from goodwatt.policies.job_budget import (
    STEP_W,
    Share,
    ask_of,
    board_w,
    counts_of,
    divided,
    floors_fit,
    rounded,
    together,
)
from goodwatt.policies.power_memory import OBSERVE_S
from goodwatt.policies.power_policy import SteadyPower
from goodwatt.power.workloads.demand import Demand
from goodwatt.simulator.decisions import Decision, Hold, Place, Preempt, SetCap, WaitUntil
from goodwatt.simulator.held import AllBut, Held
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.power.power_plan import PowerPlan
from goodwatt.simulator.power.power_room import PowerRoom
from goodwatt.simulator.view import View

SOON_S = 1.0
AGAIN_S = 60.0
"""Power is divided anew so long after jobs were stopped for others, at the latest: sooner, their order would stop them
again. When somebody has to be stopped for a limit and nobody may be, it is looked at again so much later, too."""
FIRST_FEW = 8
SPARE_STEP = 0.25
"""What a job gets beyond what it asks for is a multiple of this share of its rated power."""
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
        return AllBut(frozenset((*first, *waiting)) - hopeless)

    def fed(self, view: View) -> Sequence[float] | None:
        """As many GPUs as can have their floors, for orders that stop jobs."""
        book, memory = view.book, _memory(view)
        if book is None or not book.limited or not view.preemptive:
            return None
        limits = book.limit_uw
        if memory.fed is None or memory.fed[0] != limits:
            memory.fed, memory.trust = (limits, fed_shares(view.state.cluster, book, self.floor_share)), 1.0
        return [share * memory.trust if share < 1.0 else share for share in memory.fed[1]]

    def start(self, place: Place, run: JobRun, view: View) -> Place | Hold:
        """Under the highest cap for which there is power; held back if there is not even enough for its floor.

        Whoever comes after somebody that is held back waits too, or it would never get its power. Where jobs are
        stopped for others all of these have to start, so they begin at their floors.
        """
        book, memory, kind = view.book, _memory(view), view.kind_of(place.nodes)
        if book is None or not book.limited or kind is None or kind.max_w is None or not run.spec.num_gpus:
            return place
        if place.beside is not None:
            return replace(place, cap_w=memory.asked.get(place.beside))
        return (self._moved if run.running else self._started)(place, run, kind, view)

    def _started(self, place: Place, run: JobRun, kind: GpuKind, view: View) -> Place | Hold:
        """A waiting job, on GPUs that it will have to itself."""
        book, memory = view.book, _memory(view)
        assert book is not None  # noqa: S101 - start has seen it
        if memory.held:
            return Hold(run.spec.job_id, f"{memory.held[0][0]} waits for power before it")
        share = self._share(run, place.nodes, kind, view, running=False)
        plan = memory.plan or book.plan(view.leaving)
        if shortage := plan.shortage(place.nodes, share.ask.floor_w):
            if never := book.plan(view.state.placements).shortage(place.nodes, share.ask.floor_w):
                memory.hopeless[run.spec.job_id] = view.now_s
                return Hold(run.spec.job_id, f"power, whoever else runs: {never}")
            memory.held.append((run.spec.job_id, place.nodes))
            return Hold(run.spec.job_id, f"power: {shortage}")
        found_w, memory.plan = share.ask.floor_w if view.leaving else _highest(plan, share), plan
        plan.start(place.nodes, found_w)
        memory.lowest &= found_w <= share.ask.floor_w
        memory.asked[run.spec.job_id] = cap_w = found_w if found_w < board_w(kind) else None
        memory.stale = True
        return replace(place, cap_w=cap_w)

    def _moved(self, place: Place, run: JobRun, kind: GpuKind, view: View) -> Place | Hold:
        """A running job takes its cap along; on other boards, or more or fewer, it has the highest there is power for.

        It stays if there is none, or if somebody waits for power.
        """
        book, memory, cap_w = view.book, _memory(view), place.cap_w
        assert book is not None  # noqa: S101 - start has seen it
        if view.kind_of(run.placement) is not kind or sum(count for _, count in place.nodes) != run.spec.num_gpus:
            share = self._share(run, place.nodes, kind, view, running=False)
            plan = memory.plan.copy() if memory.plan else book.plan(view.leaving)
            plan.leave((run.spec.job_id,))
            if memory.held or plan.shortage(place.nodes, share.ask.floor_w):
                return Hold(run.spec.job_id, "power: none is free for it where it would go")
            found_w, memory.plan = _highest(plan, share), plan
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
        self._learn_what_is_fed(view, held, starts)
        if held and (moved or memory.stale or held != before):
            down = moved or not memory.lowest  # else nobody can come down any further
            if not (down and self._floors_fit(view, book, held)):
                held = []
        if not moved and (not held or (held == before and not memory.stale)):
            if not memory.stale:
                return again
            if view.now_s < (next_s := memory.divided_s + self.period_s):
                return [*again, WaitUntil(next_s, "the budget is divided anew")]
        memory.limits, memory.divided_s, memory.stale = book.limit_uw, view.now_s, False
        # on other nodes there may be more
        memory.hopeless = {job_id: time_s for job_id, time_s in memory.hopeless.items() if time_s == view.now_s}
        commands = self._divide(view, book, held, moved)
        memory.lowest &= not starts  # the division knows only of who runs already
        return [*commands, *again]

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
        self, view: View, book: PowerRoom, held: Sequence[tuple[str, NodeCounts]], moved: bool
    ) -> Sequence[Decision]:
        """The commands that lead to a new division; running jobs are stopped while their floors do not fit.

        `moved`: a limit is another than at the last division.
        """
        memory = _memory(view)
        waiting = [
            self._share(view.run(job_id), nodes, kind, view, running=False)
            for job_id, nodes in held
            if (kind := view.kind_of(nodes)) is not None
        ]
        groups = {runs[0].spec.job_id: runs for runs in together(view)}
        shares = [self._running_share(runs, view) for runs in groups.values()]
        caps = divided(view, book, [*shares, *waiting], self.division)
        stopped: list[Decision] = []
        # without a limit that fell they have started on these watts: what is short is the safe side of the estimate
        while caps.short and (moved or book.over):
            youngest = _youngest(shares, groups, view)
            if youngest is None:
                memory.limits = ()
                stopped.append(WaitUntil(view.now_s + AGAIN_S, "somebody may be stopped by then"))
                break
            shares.remove(youngest)
            why = "its least power does not fit the budget any more"
            stopped += [Preempt(run.spec.job_id, why) for run in groups[youngest.job_id]]
            caps = divided(view, book, shares, self.division)
        wishes = {share.job_id: _cap(caps.cap_w[share.job_id], share) for share in shares}
        wishes |= {run.spec.job_id: cap_w for first, cap_w in wishes.items() for run in groups[first]}
        return [*stopped, *self._commands(view, shares, wishes, moved or bool(waiting))]

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

    def _commands(
        self, view: View, shares: Sequence[Share], wishes: dict[str, float | None], urgent: bool
    ) -> list[Decision]:
        """Caps that differ from what was asked for last; none if none differs by much."""
        memory, moves, most = _memory(view), list[tuple[str, float | None]](), 0.0
        asked = memory.asked
        for job_id, cap_w in wishes.items():
            kind = view.kind_of(view.run(job_id).placement)
            rated_w = board_w(kind) if kind is not None else 1.0
            before_w, after_w = (rated_w if w is None else w for w in (asked.get(job_id), cap_w))
            if before_w != after_w:
                moves.append((job_id, cap_w))
                most = max(most, abs(after_w - before_w) / before_w)
        if not urgent and most < WORTH_SETTING:
            return []
        asked.update(moves)
        memory.lowest = all(asked.get(share.job_id) == share.ask.floor_w for share in shares)
        return [SetCap(job_id, cap_w, self.name) for job_id, cap_w in moves]

    def _running_share(self, runs: Sequence[JobRun], view: View) -> Share:
        """What jobs on the same GPUs ask for: what the first does, unless one of them may not be slowed.

        It goes by what was believed of it when it had just started or been seen.
        """
        run, memory, floor_share = runs[0], _memory(view), self._floor_share(runs, view)
        job_id, kind, now = run.spec.job_id, view.kind_of(run.placement), (run.started_s, floor_share)
        assert kind is not None  # noqa: S101 - it has been grouped by it
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
        return floors_fit(view, book, [nodes for _, nodes in held], leaving, self.floor_share, spared)

    def _demand(self, run: JobRun, kind: GpuKind, view: View) -> Demand | None:
        estimate = None if kind.power_model is None else _memory(view).demands.estimate(run.spec, kind.name)
        return None if estimate is None else estimate.demand

    def _share(self, run: JobRun, nodes: NodeCounts, kind: GpuKind, view: View, running: bool = True) -> Share:
        """What a job asks for on these nodes."""
        demand = self._demand(run, kind, view)
        ask = ask_of(kind, demand, self._floor_share([run], view), self.margin)
        return Share(run.spec.job_id, nodes, ask, run.spec.priority, running)


def _round(view: View) -> tuple[object, ...]:
    """All that decides whether somebody who waits for power finds it: as long as it stays, asking again is in vain."""
    first = [run.spec.job_id for pool in view.pools for _, _, run in pool.queue[:FIRST_FEW]]
    book = view.book
    return () if book is None else (*book.granted_uw, *book.limit_uw, view.state.free_gpus, *first)


def _memory(view: View) -> BudgetMemory:
    assert isinstance(view.memory, BudgetMemory)  # noqa: S101 - new_memory above made it
    return view.memory


def _youngest(shares: Sequence[Share], groups: Mapping[str, Sequence[JobRun]], view: View) -> Share | None:
    """Who started last of those that may be stopped, with all who share their GPUs."""
    may_stop = [share for share in shares if all(view.may_stop(run) for run in groups[share.job_id])]
    return max(may_stop, key=lambda share: view.run(share.job_id).started_s, default=None)


def _highest(plan: PowerPlan, share: Share) -> float:
    """The highest cap for which there is power; there is for the floor."""
    floor_w, most_w = share.ask.floor_w, share.ask.most_w
    if plan.shortage(share.nodes, most_w) is None:
        return most_w
    low, high = 0, math.ceil((most_w - floor_w) / STEP_W)  # steps above the floor; low fits
    while high - low > 1:
        middle = (low + high) // 2
        if plan.shortage(share.nodes, floor_w + STEP_W * middle) is None:
            low = middle
        else:
            high = middle
    return floor_w + STEP_W * low


def _cap(cap_w: float, share: Share) -> float | None:
    """A cap in whole steps, down, but not below the floor; None at the rated power."""
    ask = share.ask
    if cap_w > ask.most_w:  # what nobody needs: not worth a command for every step
        cap_w = max(ask.most_w, math.floor(cap_w / (SPARE_STEP * ask.rated_w)) * SPARE_STEP * ask.rated_w)
    cap_w = max(rounded(cap_w), ask.floor_w)
    return None if cap_w >= share.ask.rated_w else cap_w
