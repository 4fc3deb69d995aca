"""A power budget that is kept: every job has a cap, and the caps are divided so that the budget does the most."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, Self

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.state import NodeCounts
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
from goodwatt.policies.power_memory import OBSERVE_S, PowerMemory
from goodwatt.policies.power_policy import SteadyPower
from goodwatt.power.telemetry.counters import Counters
from goodwatt.power.workloads.demand import Demand
from goodwatt.simulator.decisions import Decision, Hold, Place, Preempt, SetCap, WaitUntil
from goodwatt.simulator.held import AllBut, Held
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.power.power_plan import PowerPlan
from goodwatt.simulator.power.power_room import PowerRoom
from goodwatt.simulator.view import View

SOON_S = 1.0
FIRST_FEW = 8
SPARE_STEP = 0.25
"""What a job gets beyond what it asks for is a multiple of this share of its rated power."""
WORTH_SETTING = 0.03
"""If no cap moves by more than this share, none is sent."""
LESS, MORE, LEAST = 0.9, 1.02, 0.25
"""What may be fed is taken for so much less after a round in vain, so much more after another one, but not for less."""


class BudgetMemory(PowerMemory):
    """Demands, and what was asked for: `asked` caps by job (None: the board's own), limits at the last division.

    `stale`: jobs came, went or were seen since. `lowest`: nobody has been asked for more than his floor since. `held`:
    jobs that found no power in this round, with where they would have stood; `plan`: those that did, with their caps.
    `in_vain`: who was held when the last division was made, in a `round` that would end the `same` if nothing changed.
    `fed`: what the limits can feed, `trust`: how much of that did without rounds in vain. `taken_for`: demands of jobs
    since they started or were last seen; `shares` follow from them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, float | None] = {}
        self.divided_s = -math.inf
        self.limits: tuple[int, ...] = ()
        self.stale = self.lowest = False
        self.taken_for: dict[str, tuple[float, Demand | None]] = {}
        self.shares: dict[str, tuple[tuple[float, float], Share]] = {}
        self.held: list[tuple[str, NodeCounts]] = []
        self.plan: PowerPlan | None = None
        self.in_vain: list[tuple[str, NodeCounts]] = []
        self.round: tuple[object, ...] = ()
        self.fed: tuple[tuple[int, ...], tuple[float, ...]] | None = None
        self.trust = 1.0
        self.same = False

    def job_observed(self, run: JobRun, kind: str, seen: Counters, now_s: float) -> None:
        """What it needs may be another now."""
        super().job_observed(run, kind, seen, now_s)
        self._forget(run.spec.job_id)
        self.stale = True

    def job_ended(self, job: JobRequest, ran_s: float, now_s: float) -> None:
        """Its watts are free."""
        super().job_ended(job, ran_s, now_s)
        self.asked.pop(job.job_id, None)
        self._forget(job.job_id)
        self.stale = True

    def _forget(self, job_id: str) -> None:
        self.taken_for.pop(job_id, None)
        self.shares.pop(job_id, None)

    def copy(self) -> Self:
        """An independent copy."""
        twin = super().copy()
        twin.asked, twin.in_vain = dict(self.asked), self.in_vain[:]
        twin.divided_s, twin.limits, twin.stale = self.divided_s, self.limits, self.stale
        twin.round, twin.fed, twin.trust = self.round, self.fed, self.trust
        twin.lowest, twin.taken_for, twin.shares = self.lowest, dict(self.taken_for), dict(self.shares)
        return twin

    def to_plain(self) -> Any:
        """Its parts; `held` and `plan` are empty between rounds."""
        divided_s = None if self.divided_s == -math.inf else self.divided_s
        more = [list(self.asked.items()), divided_s, list(self.limits), self.stale, self.in_vain, self.lowest]
        believed = [
            [job_id, started_s, None if demand is None else [getattr(demand, f.name) for f in fields(Demand)]]
            for job_id, (started_s, demand) in self.taken_for.items()
        ]
        return [super().to_plain(), *more, believed, list(self.round), self.trust]

    def load_plain(self, plain: Any) -> None:
        """Take over what `to_plain` gave."""
        super().load_plain(plain[0])
        self.asked = dict(plain[1])
        self.divided_s = -math.inf if plain[2] is None else plain[2]
        self.limits, self.stale = tuple(plain[3]), plain[4]
        self.in_vain = [(job_id, tuple((node, gpus) for node, gpus in nodes)) for job_id, nodes in plain[5]]
        self.lowest, self.shares = plain[6], {}
        names = [f.name for f in fields(Demand)]
        self.taken_for = {
            job_id: (started_s, None if values is None else Demand(**dict(zip(names, values, strict=True))))
            for job_id, started_s, values in plain[7]
        }
        self.round, self.trust = tuple(plain[8]), plain[9]


@dataclass(frozen=True, slots=True)
class Budget(SteadyPower):
    """Divides the power budget (`--budget-w`, or the limits of the cluster's site, rows and racks) among running jobs.

    `division`: by goodput (each watt where it buys the most work, by what telemetry shows), by demand or capacity in
    proportion, or by priority. No GPU gets less than `floor_share` of its rated power: a job waits until that fits, and
    if a limit falls so far that it does not, the youngest jobs are stopped. A job gets at most `margin` more than it is
    believed to draw. Unless a limit changes or somebody waits for power, shares move every `period_s` at most.
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
        if view.preemptive:
            return frozenset()
        waiting = {job_id for job_id, _ in memory.in_vain}
        if not waiting:
            return frozenset()
        memory.same = memory.round == _round(view)
        if memory.same:
            return AllBut()
        first = (run.spec.job_id for pool in view.pools for _, _, run in pool.queue[:FIRST_FEW])
        return AllBut(frozenset((*first, *waiting)))

    def fed(self, view: View) -> Sequence[float] | None:
        """As many GPUs as can have their floors."""
        book, memory = view.book, _memory(view)
        if book is None or not book.limited:
            return None
        limits = book.limit_uw
        if memory.fed is None or memory.fed[0] != limits:
            memory.fed = limits, fed_shares(view.state.cluster, book, self.floor_share)
        return [share * memory.trust for share in memory.fed[1]]

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
        if run.running:
            return self._moved(place, run, kind, view)
        if memory.held:
            return Hold(run.spec.job_id, f"{memory.held[0][0]} waits for power before it")
        share = self._share(run, place.nodes, kind, view, running=False)
        plan = memory.plan or book.plan(view.leaving)
        if shortage := plan.shortage(place.nodes, share.ask.floor_w):
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
        moved = memory.limits != tuple(book.limit_uw)
        # who has just started may come down for others; others were not looked at while somebody waited
        again = [WaitUntil(view.now_s + SOON_S, "power is found")] if (held and starts) or (before and not held) else []
        if view.leaving:  # who finds no power keeps all of them where they are
            memory.trust = min(max(memory.trust * (LESS if held else MORE), LEAST), 1.0)
        if view.leaving and starts:  # those are at their floors
            again, memory.divided_s = [WaitUntil(view.now_s + SOON_S, "power is divided anew")], -math.inf
        if held and (moved or memory.stale or held != before):
            down = moved or not memory.lowest  # else nobody can come down any further
            if not (down and self._floors_fit(view, book, held)):
                held = []
        if not moved and (not held or (held == before and not memory.stale)):
            if not memory.stale:
                return again
            if view.now_s < (next_s := memory.divided_s + self.period_s):
                return [*again, WaitUntil(next_s, "the budget is divided anew")]
        memory.limits, memory.divided_s, memory.stale = tuple(book.limit_uw), view.now_s, False
        commands = self._divide(view, book, held, moved)
        memory.lowest &= not starts  # the division knows only of who runs already
        return [*commands, *again]

    def _divide(
        self, view: View, book: PowerRoom, held: Sequence[tuple[str, NodeCounts]], moved: bool
    ) -> Sequence[Decision]:
        """The commands that lead to a new division; running jobs are stopped while their floors do not fit.

        `moved`: a limit is another than at the last division.
        """
        waiting = [
            self._share(view.run(job_id), nodes, kind, view, running=False)
            for job_id, nodes in held
            if (kind := view.kind_of(nodes)) is not None
        ]
        groups = together(view)
        shares = [self._running_share(runs, view) for runs in groups]
        caps = divided(view, book, [*shares, *waiting], self.division)
        stopped: list[Decision] = []
        while caps.short:
            may_stop = [share for share in shares if view.may_stop(view.run(share.job_id))]
            if not may_stop:
                break
            youngest = max(may_stop, key=lambda share: view.run(share.job_id).started_s)
            shares.remove(youngest)
            stopped.append(Preempt(youngest.job_id, "its least power does not fit the budget any more"))
            caps = divided(view, book, shares, self.division)
        wishes = {share.job_id: _cap(caps.cap_w[share.job_id], share) for share in shares}
        for first, *others in groups:
            if first.spec.job_id in wishes:
                wishes |= {run.spec.job_id: wishes[first.spec.job_id] for run in others}
        return [*stopped, *self._commands(view, shares, wishes, moved or bool(waiting))]

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
