"""The instances of services in steps of a tick: the model of `request_fleet` for months and thousands of instances.

Requests still come one by one, and each gets its times; but within a tick an instance's pace of decoding is that of its
batch at the beginning of the tick:

1. the pace of decoding follows from batch, context, clock and cap (`tick_instances`);
2. requests are given to instances (`tick_routing`);
3. prompts are put into iterations, each as long as the pace and its tokens make it (`tick_prompts`);
4. that says how many iterations an instance has made at any moment, and so who ends when (`tick_decode`).

All instances and requests stand in tables (`tick_tables`), over which compiled loops go. A test holds it to the other:
throughput 2%, p99 latency 10%, energy 2%.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from goodwatt.simulator.services.board import SPENT, Board, Spent
from goodwatt.simulator.services.fleet import Report
from goodwatt.simulator.services.latency_book import Finished, LatencyBook
from goodwatt.simulator.services.service import Role
from goodwatt.simulator.services.serving import TRANSFER_S, Serving
from goodwatt.simulator.services.tick_arrivals import TickArrivals
from goodwatt.simulator.services.tick_decode import compute_done, end_rows, join_rows, make_iterations, spend
from goodwatt.simulator.services.tick_instances import TickInstances
from goodwatt.simulator.services.tick_prompts import compute_prompts
from goodwatt.simulator.services.tick_routing import TickRouting
from goodwatt.simulator.services.tick_tables import STRETCH, Decoding, Rows, no_rows, restarted, together

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
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
        self._routing = TickRouting([serving.service for serving in servings])
        self._arrivals = TickArrivals([serving.service for serving in servings])
        self._slots: list[int] = []
        self._position: dict[int, int] = {}
        self._roles: list[Role] = []
        self._next_slot = 0
        self._waiting, self._begun = no_rows(), no_rows()
        self._homeless, self._sent = no_rows(), no_rows()
        self._decoding = Decoding()
        self._spent = np.zeros((0, len(SPENT)))
        self._stretches = np.zeros(0, dtype=STRETCH)
        self._seen = 0
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
        self._spent = np.append(self._spent, np.zeros((1, len(SPENT))), axis=0)
        self._routing.accepts.append(TAKES[role])
        self._routing.change(self._instances.service)
        return self._slots[-1]

    def drain(self, slot: int) -> None:
        """An instance gets no more requests; it finishes those that it has."""
        self._routing.accepts[self._position[slot]] = ()
        self._routing.change(self._instances.service)

    def outstanding(self, slot: int) -> int:
        """Requests that an instance has not finished."""
        return self._unfinished()[self._position[slot]]

    def _unfinished(self) -> list[int]:
        if self._outstanding is None:
            table = self._instances.table
            unbegun = np.bincount(self._waiting["position"][self._waiting["computed"] == 0.0], minlength=len(table))
            self._outstanding = (table["batch"] + table["opened"] + unbegun).round().astype(np.int64).tolist()
        return self._outstanding

    def queued(self, service: int) -> int:
        """Requests of a service of which nothing has been computed yet."""
        waiting = self._waiting[self._waiting["computed"] == 0.0]
        here = self._instances.service[waiting["position"]] == service
        return int(here.sum() + (self._homeless["position"] == service).sum())

    def waiting_since_s(self, service: int) -> float:
        """When the first of those came who have had no token yet; infinite if there is nobody."""
        here = self._instances.service[self._waiting["position"]] == service
        tables = (self._waiting[here], self._homeless[self._homeless["position"] == service])
        columns = [table["arrival_s"][np.isnan(table["first_s"])] for table in tables]
        return min((float(column.min()) for column in columns if len(column)), default=np.inf)

    def board(self, slot: int) -> Board:
        """To set its clock, its cap and what co-runners do to it; it counts from the next tick."""
        return self._instances.board(self._position[slot])

    def board_as_set(self, slot: int) -> Board:
        """The same to be read only."""
        return self._instances.boards_of[self._position[slot]]

    def take_spent(self, slot: int) -> Spent:
        """What its iterations took since this was last asked."""
        position, spent = self._position[slot], Spent()
        for name, value in zip(SPENT, self._spent[position].tolist(), strict=True):
            setattr(spent, name, value)
        self._spent[position] = 0.0
        return spent

    def report(self) -> Report:
        """What all did since they were last asked, and what they have to do."""
        spent = self._spent.copy()
        self._spent[:] = 0.0
        return Report(self._slots[:], spent, self._unfinished()[:])

    def copy(self) -> TickFleet:
        """An independent copy; services are facts and shared."""
        twin = object.__new__(TickFleet)
        twin.__dict__.update(self.__dict__)
        twin._books = [book.copy() for book in self._books]
        twin._instances = self._instances.copy()
        twin._routing, twin._decoding = self._routing.copy(), self._decoding.copy()
        twin._slots, twin._roles, twin._ended = self._slots[:], self._roles[:], self._ended[:]
        twin._position = dict(self._position)
        twin._come = [come[:] for come in self._come]
        for name in ("_waiting", "_begun", "_homeless", "_sent", "_spent", "_stretches"):
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
        self._homeless = together(self._homeless, restarted(rows, int(self._instances.service[position])))
        self._remove(position)

    def _remove(self, position: int) -> None:
        del self._slots[position], self._roles[position], self._routing.accepts[position]
        self._position = {slot: at for at, slot in enumerate(self._slots)}
        self._instances.remove(position)
        self._outstanding = None
        self._spent = np.delete(self._spent, position, axis=0)
        to = np.arange(len(self._instances) + 1)
        to[position:] -= 1
        self._decoding.move(to)
        for table in (self._begun, self._waiting):
            table["position"] = to[table["position"]]
        self._routing.change(self._instances.service)

    # a tick ------------------------------------------------------------------------------------------------------

    def advance(self, until_s: float) -> None:
        """Requests come up to this time: one tick."""
        if not until_s > self.now_s:
            return
        self._outstanding = None
        self._instances.begin()
        rows = self._coming(until_s)
        if len(self._instances):
            self._compute(rows, until_s)
            if "prefill" in self._roles:
                self._send(until_s)
                self._hand_over(until_s)
            self._decode(until_s)
        self.now_s = until_s
        if len(self._ended) >= NOTE_AFTER:
            self._note()

    def _compute(self, rows: Rows, until_s: float) -> None:
        """Put prompts into iterations."""
        instances = self._instances
        rows = rows[rows["position"].argsort(kind="stable")]
        rows["due"] = np.inf
        most = 2 * len(instances) + int(((until_s - self.now_s) / instances.table["wall_s"]).sum())
        if most > len(self._stretches):
            self._stretches = np.zeros(most, dtype=STRETCH)
        span = (self.now_s, until_s)
        ends = self._decoding.ends(instances.table, until_s - self.now_s)
        compute_prompts(instances.table, instances.laws, rows, ends, self._stretches, self._spent, span, self._seen)
        self._seen += len(rows)
        done = rows["due"] < np.inf
        self._waiting, self._begun = rows[~done], together(self._begun, rows[done])

    def _decode(self, until_s: float) -> None:
        """What is decoded up to the end of the tick, and who ends."""
        table, stretches, span = self._instances.table, self._stretches, (self.now_s, until_s)
        make_iterations(table, stretches, *span)
        ended = self._decoding.take_ended(table["count"] + table["total"])
        end_rows(table, stretches, ended, *span)
        self._note_ended(ended)
        joined = self._join(until_s)
        if spend(table, stretches, self._spent, joined, self.now_s):
            self._preempt()

    def _join(self, until_s: float) -> tuple[Ints, Floats, Floats]:
        """Those whose prompt is done begin to decode; (positions, from when, until when) of them, by instance."""
        due = self._begun["due"] <= until_s
        rows, self._begun = self._begun[due], self._begun[~due]
        rows = rows[np.lexsort((rows["due"], rows["position"]))]
        table, positions = self._instances.table, rows["position"]
        compute_done(table, rows)
        begin_s, end_s = rows["due"].copy(), np.empty(len(rows))
        join_rows(table, self._stretches, rows, end_s, self.now_s, until_s)
        over = rows["owed"] == 0.0
        self._note_ended(rows[over])
        self._decoding.add(rows[~over])
        return positions, begin_s, end_s

    def _note_ended(self, rows: Rows) -> None:
        if len(rows):
            self._ended.append((self._instances.service[rows["position"]], rows))

    def _preempt(self) -> None:
        """Where the caches are over-full, who began to decode last waits again, first in line, to be computed anew."""
        table = self._instances.table
        over = (table["context"] + table["reserved"] > table["kv_tokens"]) & (table["batch"] > 1.0)
        for position in np.flatnonzero(over).tolist():
            self._preempt_at(position, table[position])

    def _preempt_at(self, position: int, one: np.void) -> None:
        rows, count = self._decoding.rows, float(one["count"])
        mine = np.flatnonzero(rows["position"] == position)
        held = (rows["held"][mine] + count)[::-1]
        excess = one["context"] + one["reserved"] - one["kv_tokens"]
        number = min(len(mine) - 1, int(np.searchsorted(np.cumsum(held), excess)) + 1)
        gone = self._decoding.take_rows(mine[len(mine) - number :])
        one["batch"] -= len(gone)
        one["held"] -= gone["held"].sum()
        gone["left"], gone["computed"] = gone["held"] + count, 0.0
        gone["owed"] = gone["due"] - count
        self._waiting = together(gone, self._waiting)

    # requests ----------------------------------------------------------------------------------------------------

    def _coming(self, until_s: float) -> Rows:
        """Those who wait, and those who come in this tick, with the instances that they are given to."""
        rows, table = [self._waiting], self._instances.table
        load = table["context"] + table["reserved"]
        np.add.at(load, self._waiting["position"], self._waiting["left"])
        homeless, self._homeless = self._homeless, no_rows()
        for service in range(len(self._servings)):
            fresh = self._arrivals.between(service, self.now_s, until_s)
            self._come[service].append(fresh["arrival_s"])
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
        compute_done(self._instances.table, rows)
        over = rows["owed"] <= 0.0
        self._note_ended(rows[over])
        away = rows[~over]
        away["position"] = self._instances.service[away["position"]]
        each_s = np.array([serving.transfer_token_s for serving in self._servings])[away["position"]]
        away["due"] += TRANSFER_S + away["computed"] * each_s
        self._sent = together(self._sent, away)

    def _hand_over(self, until_s: float) -> None:
        """Those whose cache arrives in this tick join an instance that decodes, if its cache has room."""
        table = self._instances.table
        load = table["context"] + table["reserved"]
        arriving = self._sent["due"] < until_s
        for service in np.unique(self._sent["position"][arriving]).tolist():
            mine = arriving & (self._sent["position"] == service)
            rows = self._sent[mine]
            positions = self._routing.choose(service, "decode", rows["prompt"], load)
            if positions is None:
                continue
            fits = load[positions] <= table["kv_tokens"][positions]  # `load` has theirs already
            self._receive(rows[fits], positions[fits])
            self._sent = together(self._sent[~mine], rows[~fits])
            arriving = self._sent["due"] < until_s

    def _receive(self, rows: Rows, positions: Ints) -> None:
        table = self._instances.table
        rows["position"], rows["due"] = positions, np.maximum(rows["due"], self.now_s)
        rows["owed"] += 1.0  # which joining takes away, for the token that computing a prompt makes
        np.add.at(table["reserved"], positions, rows["computed"])
        np.add.at(table["opened"], positions, 1.0)
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
