"""The instances of services, request by request: who gets which request, and what became of it.

Events are taken in the order of their times: an arrival, or a request whose prompt was computed on an instance for
prompts and whose KV cache has been sent to one that decodes. Between events instances do not know of each other.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence as Many

import numpy as np

from goodwatt.simulator.services.board import SPENT, Board, Spent
from goodwatt.simulator.services.fleet import Report
from goodwatt.simulator.services.latency_book import Finished, LatencyBook
from goodwatt.simulator.services.request_instance import RequestInstance
from goodwatt.simulator.services.routing import Router
from goodwatt.simulator.services.sequence import Request, Sequence
from goodwatt.simulator.services.service import Role
from goodwatt.simulator.services.serving import Serving

PROMPTS: tuple[Role, ...] = ("both", "prefill")
DECODES: tuple[Role, ...] = ("both", "decode")


class RequestFleet:
    """Instances are known by slot, a number never given twice. `now_s`: up to when requests have come."""

    def __init__(self, servings: Many[Serving], now_s: float) -> None:
        self._services = [_Instances(serving, now_s) for serving in servings]
        self.now_s = now_s
        self._of: list[_Instances] = []

    @property
    def books(self) -> list[LatencyBook]:
        """By service, in their order."""
        return [instances.book for instances in self._services]

    def start(self, service: int, board: Board, role: Role = "both") -> int:
        """An instance takes requests from now on; its slot."""
        slot = len(self._of)
        self._of.append(self._services[service])
        self._of[slot].start(slot, board, role, self.now_s)
        return slot

    def drain(self, slot: int) -> None:
        """An instance gets no more requests; it finishes those that it has."""
        self._of[slot].drain(slot)

    def evict(self, slot: int) -> None:
        """An instance is gone, what it spent and all; its requests begin anew elsewhere."""
        self._of[slot].evict(slot, self.now_s)

    def outstanding(self, slot: int) -> int:
        """Requests that an instance has not finished."""
        return self._of[slot].instances[slot].outstanding

    def queued(self, service: int) -> int:
        """Requests of a service of which nothing has been computed yet."""
        return self._services[service].queued

    def waiting_since_s(self, service: int) -> float:
        """When the first of those came who have had no token yet; infinite if there is nobody."""
        return self._services[service].waiting_since_s

    def board(self, slot: int) -> Board:
        """To set its clock, its cap and what co-runners do to it; it counts from the next iteration."""
        return self._of[slot].instances[slot].board

    def board_as_set(self, slot: int) -> Board:
        """The same to be read only."""
        return self.board(slot)

    def take_spent(self, slot: int) -> Spent:
        """What its iterations took since this was last asked."""
        instance = self._of[slot].instances[slot]
        spent, instance.spent = instance.spent, Spent()
        return spent

    def report(self) -> Report:
        """What all did since they were last asked, and what they have to do."""
        slots = [slot for instances in self._services for slot in instances.instances]
        spent = [self.take_spent(slot) for slot in slots]
        table = np.array([[getattr(one, name) for name in SPENT] for one in spent]).reshape(len(slots), len(SPENT))
        return Report(slots, table, [self.outstanding(slot) for slot in slots])

    def copy(self) -> RequestFleet:
        """An independent copy; services are facts and shared."""
        twin = object.__new__(RequestFleet)
        copies = {id(instances): instances.copy() for instances in self._services}
        twin._services = list(copies.values())
        twin._of = [copies[id(instances)] for instances in self._of]
        twin.now_s = self.now_s
        return twin

    def advance(self, until_s: float) -> None:
        """Requests come up to this time."""
        for instances in self._services:
            instances.advance(self.now_s, until_s)
        self.now_s = until_s


class _Instances:
    """Those of one service."""

    def __init__(self, serving: Serving, now_s: float) -> None:
        self.serving, self.service = serving, serving.service
        self.book = LatencyBook(self.service.promise, now_s)
        self.instances: dict[int, RequestInstance] = {}
        self.prompts: list[int] = []
        self.decodes: list[int] = []
        self._senders: list[int] = []
        self._router, self._decode_router = Router(self.service), Router(self.service)
        self._homeless: deque[Sequence] = deque()
        self._sent: list[tuple[float, int, Sequence]] = []
        self._count = 0
        self._done: list[tuple[float, float, float, int, int]] = []

    def copy(self) -> _Instances:
        twin = object.__new__(_Instances)
        twin.__dict__.update(self.__dict__)
        twin.book, twin._done = self.book.copy(), self._done[:]
        twin._router, twin._decode_router = self._router.copy(), self._decode_router.copy()
        twin.prompts, twin.decodes, twin._senders = self.prompts[:], self.decodes[:], self._senders[:]
        twin._homeless = deque(sequence.copy() for sequence in self._homeless)
        twin._sent = [(time_s, number, sequence.copy()) for time_s, number, sequence in self._sent]
        twin.instances = {
            slot: instance.copy(twin._send if slot in self._senders else _stays, twin._finish)
            for slot, instance in self.instances.items()
        }
        return twin

    def start(self, slot: int, board: Board, role: Role, now_s: float) -> None:
        first = self._send if role == "prefill" else _stays
        if role == "prefill":
            self._senders.append(slot)
        self.instances[slot] = RequestInstance(
            self.serving.law, self.serving.batching, board, now_s, first, self._finish
        )
        for roles, slots in ((PROMPTS, self.prompts), (DECODES, self.decodes)):
            if role in roles:
                slots.append(slot)
        homeless, self._homeless = self._homeless, deque()
        for sequence in homeless:
            self._route(sequence, now_s)

    def drain(self, slot: int) -> None:
        for slots in (self.prompts, self.decodes):
            if slot in slots:
                slots.remove(slot)

    def evict(self, slot: int, now_s: float) -> None:
        self.drain(slot)
        self._senders = [sender for sender in self._senders if sender != slot]
        for sequence in self.instances.pop(slot).drain():
            self._route(sequence, now_s)

    @property
    def queued(self) -> int:
        return len(self._homeless) + sum(len(instance.waiting) for instance in self.instances.values())

    @property
    def waiting_since_s(self) -> float:
        inside = (sequence for instance in self.instances.values() for sequence in instance.without_token())
        return min((sequence.request.arrival_s for sequence in (*self._homeless, *inside)), default=math.inf)

    def advance(self, now_s: float, until_s: float) -> None:
        come = self.service.requests.between(now_s, until_s)
        self.book.arrive(come.arrival_s)
        columns = (come.arrival_s.tolist(), come.prompt_tokens.tolist(), come.output_tokens.tolist())
        for arrival_s, prompt, output in zip(*columns, strict=True):
            self._deliver(arrival_s)
            self._route(Sequence(Request(self._count, arrival_s, prompt, output)), arrival_s)
            self._count += 1
        self._deliver(until_s)
        for instance in self.instances.values():
            instance.advance(until_s)
        self._note()

    def _deliver(self, until_s: float) -> None:
        """Hand over what has been sent and arrives before this time; prompts may be done meanwhile."""
        for slot in self._senders:
            self.instances[slot].advance(until_s)
        while self._sent and self._sent[0][0] < until_s:
            time_s, _, sequence = heapq.heappop(self._sent)
            self._route(sequence, time_s)

    def _route(self, sequence: Sequence, now_s: float) -> None:
        computed = not sequence.left
        slots, router = (self.decodes, self._decode_router) if computed else (self.prompts, self._router)
        if not slots:
            self._homeless.append(sequence)
            return
        instances = self.instances
        slot = router.choose(slots, sequence.request.prompt_tokens, lambda slot: instances[slot].load_tokens(now_s))
        instances[slot].advance(now_s)
        instances[slot].admit(sequence)

    def _send(self, sequence: Sequence, now_s: float) -> bool:
        arrives_s = now_s + self.serving.transfer_s(sequence.computed)
        heapq.heappush(self._sent, (arrives_s, sequence.request.number, sequence))
        return True

    def _finish(self, sequence: Sequence, now_s: float) -> None:
        request = sequence.request
        self._done.append((request.arrival_s, sequence.first_s, now_s, request.prompt_tokens, request.output_tokens))

    def _note(self) -> None:
        if self._done:
            self.book.finish(Finished(*np.array(self._done, dtype=np.float64).T))
            self._done = []


def _stays(sequence: Sequence, now_s: float) -> bool:  # noqa: ARG001 - as `_Instances._send`
    return False
