"""The instances of services in steps of a tick: the model of `request_fleet` for months and thousands of instances.

Requests still come one by one, and each gets its times; but within a tick an instance's pace of decoding is that of its
batch at the beginning of the tick, and all instances are computed at once, as arrays:

1. requests are given to instances (`tick_routing`);
2. the pace of decoding follows from batch, context, clock and cap;
3. prompts are put into iterations (`prompt_iterations`), each as long as the pace and its tokens make it;
4. that says how many iterations an instance has made at any moment (`made_iterations`), and so who ends when: a
   sequence ends with the iteration that was known when it began to decode.

A test holds it to the other: throughput 2%, p99 latency 10%, energy 2%.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from goodwatt.power.serving.iteration_law import Cost
from goodwatt.simulator.services.board import Board, Spent
from goodwatt.simulator.services.by_instance import counted, summed
from goodwatt.simulator.services.decoding_time import decoding_s
from goodwatt.simulator.services.latency_book import Finished, LatencyBook
from goodwatt.simulator.services.made_iterations import MadeIterations, Stretches
from goodwatt.simulator.services.service import Role
from goodwatt.simulator.services.serving import TRANSFER_S, Serving
from goodwatt.simulator.services.tick_instances import Pace, TickInstances
from goodwatt.simulator.services.tick_prompts import Extra, TickPrompts
from goodwatt.simulator.services.tick_routing import TickRouting
from goodwatt.simulator.services.tick_tables import Decoding, Rows, fresh_rows, no_rows, restarted, together, tokens_by

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SPENT = Spent.__slots__
TAKES: dict[Role, tuple[Role, ...]] = {"both": ("prefill", "decode"), "prefill": ("prefill",), "decode": ("decode",)}
"""What instances of a role are given."""
NOTE_AFTER = 30
"""Ticks after which finished requests are written into the books, all at once."""


class TickFleet:
    """Instances are known by slot, a number never given twice, and stand in the arrays at a position."""

    def __init__(self, servings: Sequence[Serving], now_s: float) -> None:
        self._servings, self.now_s = servings, now_s
        self._books = [LatencyBook(serving.service.promise, now_s) for serving in servings]
        self._instances = TickInstances(servings)
        self._prompts = TickPrompts(self._instances)
        self._routing = TickRouting([serving.service for serving in servings])
        self._slots: list[int] = []
        self._position: dict[int, int] = {}
        self._roles: list[Role] = []
        self._next_slot = 0
        self._waiting, self._begun = no_rows(), no_rows()
        self._homeless, self._sent = no_rows(), no_rows()
        self._decoding = Decoding()
        self._spent = np.zeros((len(SPENT), 0))
        self._ended: list[tuple[Ints, Rows]] = []
        self._come: list[list[Floats]] = [[] for _ in servings]
        self._outstanding: list[int] | None = None
        """By position, since somebody asked after the last tick."""

    # instances ---------------------------------------------------------------------------------------------------

    @property
    def books(self) -> list[LatencyBook]:
        """By service, in their order."""
        self._note()
        return self._books

    def start(self, service: int, board: Board, role: Role = "both") -> int:
        """An instance takes requests from now on; its slot."""
        self._position[self._next_slot] = len(self._slots)
        self._slots.append(self._next_slot)
        self._roles.append(role)
        self._next_slot += 1
        self._instances.add(service, board, self.now_s)
        self._outstanding = None
        self._spent = np.append(self._spent, np.zeros((len(SPENT), 1)), axis=1)
        self._routing.accepts.append(TAKES[role])
        self._routing.change(self._instances.state.service)
        return self._slots[-1]

    def drain(self, slot: int) -> None:
        """An instance gets no more requests; it finishes those that it has."""
        self._routing.accepts[self._position[slot]] = ()
        self._routing.change(self._instances.state.service)

    def outstanding(self, slot: int) -> int:
        """Requests that an instance has not finished."""
        if self._outstanding is None:
            state, size = self._instances.state, len(self._instances)
            unbegun = counted(self._waiting["position"][self._waiting["computed"] == 0.0], size)
            self._outstanding = (state.batch + state.opened + unbegun).round().astype(np.int64).tolist()
        return self._outstanding[self._position[slot]]

    def queued(self, service: int) -> int:
        """Requests of a service of which nothing has been computed yet."""
        waiting = self._waiting[self._waiting["computed"] == 0.0]
        here = self._instances.state.service[waiting["position"]] == service
        return int(here.sum() + (self._homeless["position"] == service).sum())

    def waiting_since_s(self, service: int) -> float:
        """When the first of those came who have had no token yet; infinite if there is nobody."""
        here = self._instances.state.service[self._waiting["position"]] == service
        tables = (self._waiting[here], self._homeless[self._homeless["position"] == service])
        columns = [table["arrival_s"][np.isnan(table["first_s"])] for table in tables]
        return min((float(column.min()) for column in columns if len(column)), default=np.inf)

    def board(self, slot: int) -> Board:
        """To set its clock, its cap and what co-runners do to it; it counts from the next tick."""
        self._instances.stale = True
        return self.board_as_set(slot)

    def board_as_set(self, slot: int) -> Board:
        """The same to be read only."""
        return self._instances.boards_of[self._position[slot]]

    def take_spent(self, slot: int) -> Spent:
        """What its iterations took since this was last asked."""
        position, spent = self._position[slot], Spent()
        for name, value in zip(SPENT, self._spent[:, position].tolist(), strict=True):
            setattr(spent, name, value)
        self._spent[:, position] = 0.0
        return spent

    def copy(self) -> TickFleet:
        """An independent copy; services are facts and shared."""
        twin = object.__new__(TickFleet)
        twin.__dict__.update(self.__dict__)
        twin._books = [book.copy() for book in self._books]
        twin._instances = self._instances.copy()
        twin._prompts = self._prompts.copy(twin._instances)
        twin._routing, twin._decoding = self._routing.copy(), self._decoding.copy()
        twin._slots, twin._roles, twin._ended = self._slots[:], self._roles[:], self._ended[:]
        twin._position = dict(self._position)
        twin._come = [come[:] for come in self._come]
        for name in ("_waiting", "_begun", "_homeless", "_sent", "_spent"):
            setattr(twin, name, getattr(self, name).copy())
        return twin

    def evict(self, slot: int) -> None:
        """An instance is gone, and its requests begin anew elsewhere."""
        position = self._position[slot]
        here = np.arange(len(self._instances)) == position
        rows = [self._decoding.take_of(here)]
        for name in ("_begun", "_waiting"):
            table: Rows = getattr(self, name)
            mine = table["position"] == position
            rows.append(table[mine])
            setattr(self, name, table[~mine])
        self._homeless = together(self._homeless, restarted(rows, int(self._instances.state.service[position])))
        self._remove(position)

    def _remove(self, position: int) -> None:
        del self._slots[position], self._roles[position], self._routing.accepts[position]
        self._position = {slot: at for at, slot in enumerate(self._slots)}
        self._instances.remove(position)
        self._outstanding = None
        self._spent = np.delete(self._spent, position, axis=1)
        to = np.arange(len(self._instances) + 1)
        to[position:] -= 1
        self._decoding.move(to)
        for table in (self._begun, self._waiting):
            table["position"] = to[table["position"]]
        self._routing.change(self._instances.state.service)

    # a tick ------------------------------------------------------------------------------------------------------

    def advance(self, until_s: float) -> None:
        """Requests come up to this time: one tick."""
        if not until_s > self.now_s:
            return
        instances, self._outstanding = self._instances, None
        instances.begin()
        rows = self._coming(until_s)
        if len(instances):
            self._serve(rows, until_s)
        self.now_s = until_s
        if len(self._ended) >= NOTE_AFTER:
            self._note()

    def _serve(self, rows: Rows, until_s: float) -> None:
        """Compute prompts and decode."""
        instances = self._instances
        pace, prompts = instances.pace(), instances.under_way(self.now_s)
        extra = np.zeros((len(SPENT), len(instances)))
        if len(rows):
            computed = self._prompts.compute(rows, pace, self.now_s, until_s)
            self._waiting, self._begun = computed.waiting, together(self._begun, computed.done)
            prompts = prompts.followed_by(computed.iterations)
            instances.note_last(computed.iterations)
            extra = _by_instance(computed.extra, computed.positions, len(instances))
        if "prefill" in self._roles:
            self._send(until_s)
            self._hand_over(until_s)
        self._decode(pace, prompts.until(until_s), extra, until_s)

    def _decode(self, pace: Pace, prompts: Stretches, extra: Floats, until_s: float) -> None:
        """What is decoded up to the end of the tick, and who ends."""
        instances, state, each_s = self._instances, self._instances.state, pace.cost.wall_s
        made = MadeIterations(self.now_s, until_s, each_s, prompts)
        last_s = self._last_end_s(made, until_s)
        self._end(self._decoding.take_ended(state.count + made.total), made)
        joined = self._join(made, until_s)
        spent_s = decoding_s((self.now_s, until_s), last_s, *joined, prompts)
        positions, size = prompts.positions, len(instances)
        prompts_s = summed(positions, prompts.end_s - prompts.begin_s, size)
        iterations = spent_s / each_s + summed(positions, prompts.iterations, size)
        decoded = np.array(_columns(pace.cost, pace.joules)) * iterations
        decoded[SPENT.index("wall_s")] = spent_s + prompts_s
        decoded[SPENT.index("iterations")] = iterations
        extra[SPENT.index("wall_s")] = extra[SPENT.index("iterations")] = 0.0
        self._spent += decoded + extra
        joules = (decoded + extra)[SPENT.index("joules")]
        state.mean_w = instances.boards.context_w + joules / (until_s - self.now_s)
        state.count = state.count + made.total
        self._preempt()

    def _last_end_s(self, made: MadeIterations, until_s: float) -> Floats:
        """When the last of those who decode already will have ended, by instance."""
        state = self._instances.state
        everybody = np.arange(len(self._instances))
        owed = state.last_due - state.count
        end_s = made.when(everybody, np.minimum(np.maximum(owed, 0.0), made.total))
        end_s = np.where(owed > made.total, until_s, end_s)
        return np.where(state.batch > 0.0, end_s, self.now_s)

    def _end(self, rows: Rows, made: MadeIterations) -> None:
        """Their last token has come, and they leave the batch."""
        if not len(rows):
            return
        state, positions, size = self._instances.state, rows["position"], len(self._instances)
        state.batch -= counted(positions, size)
        state.held -= tokens_by(rows, "held", size)
        self._note_ended(rows, made.when(positions, rows["due"] - state.count[positions]))

    def _join(self, made: MadeIterations, until_s: float) -> tuple[Ints, Floats, Floats]:
        """Those whose prompt is done begin to decode; (positions, from when, until when) of them."""
        due = self._begun["due"] <= until_s
        rows, self._begun = self._begun[due], self._begun[~due]
        state, positions = self._instances.state, rows["position"]
        self._compute_done(rows)
        begin_s = rows["due"].copy()
        count = state.count[positions] + made.at(positions, begin_s)
        ends = count + rows["owed"]
        over = ends <= state.count[positions] + made.total[positions]
        end_s = np.where(over, np.maximum(begin_s, made.when(positions, ends - state.count[positions])), until_s)
        self._note_ended(rows[over], end_s[over])
        rows["due"], rows["held"] = ends, rows["computed"] - count
        self._enter(rows[~over])
        return positions, begin_s, end_s

    def _compute_done(self, rows: Rows) -> None:
        """Their context is in the cache and their next token is made."""
        state, positions, size = self._instances.state, rows["position"], len(self._instances)
        state.reserved -= tokens_by(rows, "computed", size)
        state.opened -= counted(positions, size)
        rows["owed"] -= 1.0
        rows["first_s"] = np.where(np.isnan(rows["first_s"]), rows["due"], rows["first_s"])

    def _enter(self, rows: Rows) -> None:
        state, positions, size = self._instances.state, rows["position"], len(self._instances)
        self._decoding.add(rows)
        state.batch += counted(positions, size)
        state.held += tokens_by(rows, "held", size)
        np.maximum.at(state.last_due, positions, rows["due"])

    def _note_ended(self, rows: Rows, end_s: Floats) -> None:
        rows["due"] = end_s
        self._ended.append((self._instances.state.service[rows["position"]], rows))

    def _preempt(self) -> None:
        """Where the caches are over-full, who began to decode last waits again, first in line, to be computed anew."""
        instances, state = self._instances, self._instances.state
        context = state.held + state.batch * state.count
        over = (context + state.reserved > instances.kv_tokens) & (state.batch > 1.0)
        for position in np.flatnonzero(over).tolist():
            self._preempt_at(position, float(context[position] + state.reserved[position]))

    def _preempt_at(self, position: int, tokens: float) -> None:
        state, rows = self._instances.state, self._decoding.rows
        mine = np.flatnonzero(rows["position"] == position)
        count = float(state.count[position])
        held = (rows["held"][mine] + count)[::-1]
        excess = tokens - float(self._instances.kv_tokens[position])
        number = min(len(mine) - 1, int(np.searchsorted(np.cumsum(held), excess)) + 1)
        gone = self._decoding.take_rows(mine[len(mine) - number :])
        state.batch[position] -= len(gone)
        state.held[position] -= gone["held"].sum()
        gone["left"], gone["computed"] = gone["held"] + count, 0.0
        gone["owed"] = gone["due"] - count
        self._waiting = together(gone, self._waiting)

    # requests ----------------------------------------------------------------------------------------------------

    def _coming(self, until_s: float) -> Rows:
        """Those who wait, and those who come in this tick, with the instances that they are given to."""
        rows = [self._waiting]
        state = self._instances.state
        waiting = summed(self._waiting["position"], self._waiting["left"], len(self._instances))
        load = self._instances.context + state.reserved + waiting
        homeless, self._homeless = self._homeless, no_rows()
        for service, serving in enumerate(self._servings):
            come = serving.service.requests.between(self.now_s, until_s)
            self._come[service].append(come.arrival_s)
            fresh = fresh_rows(service, come.arrival_s, come.prompt_tokens, come.output_tokens)
            mine = together(homeless[homeless["position"] == service], fresh) if len(homeless) else fresh
            if len(mine):
                rows.append(self._given(mine, service, load))
        return together(*rows)

    def _given(self, rows: Rows, service: int, load: Floats) -> Rows:
        positions = self._routing.choose(service, "prefill", rows["prompt"], load)
        if positions is None:
            self._homeless = together(self._homeless, rows)
            return no_rows()
        rows["position"] = positions
        return rows

    def _send(self, until_s: float) -> None:
        """Those whose prompt is done on an instance for prompts leave it: done, or on their way to one that decodes."""
        senders = np.array([role == "prefill" for role in self._roles], dtype=bool)
        leave = (self._begun["due"] <= until_s) & senders[self._begun["position"]]
        rows, self._begun = self._begun[leave], self._begun[~leave]
        self._compute_done(rows)
        over = rows["owed"] <= 0.0
        self._note_ended(rows[over], rows["due"][over])
        away = rows[~over]
        away["position"] = self._instances.state.service[away["position"]]
        each_s = np.array([serving.transfer_token_s for serving in self._servings])[away["position"]]
        away["due"] += TRANSFER_S + away["computed"] * each_s
        self._sent = together(self._sent, away)

    def _hand_over(self, until_s: float) -> None:
        """Those whose cache arrives in this tick join an instance that decodes, if its cache has room."""
        load = self._instances.context + self._instances.state.reserved
        arriving = self._sent["due"] < until_s
        for service in np.unique(self._sent["position"][arriving]).tolist():
            mine = arriving & (self._sent["position"] == service)
            rows = self._sent[mine]
            positions = self._routing.choose(service, "decode", rows["prompt"], load)
            if positions is None:
                continue
            fits = load[positions] <= self._instances.kv_tokens[positions]  # `load` has theirs already
            self._receive(rows[fits], positions[fits])
            self._sent = together(self._sent[~mine], rows[~fits])
            arriving = self._sent["due"] < until_s

    def _receive(self, rows: Rows, positions: Ints) -> None:
        state, size = self._instances.state, len(self._instances)
        rows["position"], rows["due"] = positions, np.maximum(rows["due"], self.now_s)
        rows["owed"] += 1.0  # which joining takes away, for the token that computing a prompt makes
        state.reserved += tokens_by(rows, "computed", size)
        state.opened += counted(positions, size)
        self._begun = together(self._begun, rows)

    def _note(self) -> None:
        """Write requests that have come, and those that are finished, into the books."""
        for book, come in zip(self._books, self._come, strict=True):
            if come:
                book.arrive(np.concatenate(come))
        self._come = [[] for _ in self._servings]
        if not self._ended:
            return
        services = np.concatenate([service for service, _ in self._ended])
        rows = together(*[rows for _, rows in self._ended])
        self._ended = []
        columns = [rows[name] for name in ("arrival_s", "first_s", "due", "prompt", "output")]
        for service, book in enumerate(self._books):
            mine = services == service
            book.finish(Finished(*[column[mine] for column in columns]))


def _columns(cost: Cost, joules: Floats) -> list[Floats]:
    """In the order of `SPENT`."""
    named = {**cost._asdict(), "joules": joules, "iterations": np.zeros_like(joules)}
    return [named[name] for name in SPENT]


def _by_instance(extra: Extra, positions: Ints, size: int) -> Floats:
    places = (np.arange(len(SPENT))[:, None] * size + positions).ravel()  # one sum in place of many short ones
    columns = np.concatenate(_columns(extra.cost, extra.joules))
    return summed(places, columns, len(SPENT) * size).reshape(len(SPENT), size)
