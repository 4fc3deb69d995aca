"""Moves grants from one division of a budget to the next so that their sum exceeds no limit at any instant.

Lower first, wait until it is confirmed, then raise. A leaf counts with the most that may be in force there: the last
value that it confirmed, and every later one that was sent, because a message may be lost, late or applied without an
answer. Messages carry a sequence number per leaf; a device applies a message only if it is newer than the last one it
applied, and may be sent the same one again. A leaf that nobody hears of any more keeps what it may be drawing until
its power is known to be off. Sending, timeouts and repeats are left to the caller, what to grant to `division`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from goodwatt.errors import InputError
from goodwatt.power.budget_tree import BudgetTree

STEP_MW = 1000
"""A raise that can only be granted in part waits until the part is at least a watt."""


@dataclass(frozen=True, slots=True)
class Message:
    """Tell `leaf` (position among the tree's leaves) to draw at most `mw` milliwatts from now on."""

    leaf: int
    sequence: int
    mw: int


class _Leaf:
    """What one leaf may be drawing; `sent` are messages not confirmed, oldest first."""

    __slots__ = ("alive", "confirmed_mw", "sent", "sequence", "target_mw")

    def __init__(self, mw: int) -> None:
        self.alive = True
        self.confirmed_mw = self.target_mw = mw
        self.sequence = 0
        self.sent: list[tuple[int, int]] = []

    @property
    def worst_mw(self) -> int:
        return max(self.confirmed_mw, max((mw for _, mw in self.sent), default=0))

    @property
    def last_mw(self) -> int:
        """What it was told last."""
        return self.sent[-1][1] if self.sent else self.confirmed_mw


class GrantBook:
    """Who was told what, what may be in force, and what may be said next.

    `worst_mw` of every node of the tree is the sum over its leaves of the most that may be in force there; it stays
    within the limits of the tree for ever if it was so in the beginning and limits do not fall.
    """

    def __init__(self, tree: BudgetTree, granted_mw: Sequence[int]) -> None:
        """In the beginning `granted_mw` is in force, in the order of the tree's leaves; 0: known to be off."""
        self._tree = tree
        self._paths = [tuple(tree.path(node)) for node in tree.leaves]
        self._leaves = [_Leaf(mw) for mw in granted_mw]
        self._worst = tree.sums(granted_mw)
        self._waiting: dict[int, None] = {}

    @property
    def worst_mw(self) -> tuple[int, ...]:
        """The most that may be drawn below each node of the tree, in its order."""
        return tuple(self._worst)

    def leaf_mw(self, leaf: int) -> int:
        """The most that may be in force at a leaf."""
        return self._leaves[leaf].worst_mw

    def confirmed_mw(self, leaf: int) -> int:
        """What the leaf confirmed last: at least so much is its own to use."""
        return self._leaves[leaf].confirmed_mw

    @property
    def settled(self) -> bool:
        """Whether every leaf that is alive has confirmed what it should have."""
        return all(x.confirmed_mw == x.target_mw and not x.sent for x in self._leaves if x.alive)

    @property
    def over(self) -> tuple[int, ...]:
        """Nodes of the tree below which more may be drawn than their limit: after a limit fell, until it is obeyed."""
        return tuple(n for n, (mw, most) in enumerate(zip(self._worst, self._tree.limit_mw, strict=True)) if mw > most)

    def aim(self, target_mw: Sequence[int]) -> None:
        """A new division to reach; leaves that are not alive are passed over.

        Raises InputError if it exceeds a limit of the tree.
        """
        if broken := self._tree.over(target_mw):
            raise InputError(
                f"grants: expected a division within the limits, got more at {self._tree.names[broken[0]]}"
            )
        for leaf, (state, mw) in enumerate(zip(self._leaves, target_mw, strict=True)):
            if state.alive:
                state.target_mw = mw
                self._waiting[leaf] = None

    def change_limits(self, tree: BudgetTree) -> None:
        """The same tree with other limits. Raises nothing: see `over`, and `aim` at a division that fits."""
        self._tree = tree

    def due(self) -> tuple[Message, ...]:
        """What may be said now, lowers first: call it after `aim`, and after confirmations came in."""
        lowers = [leaf for leaf in self._waiting if self._leaves[leaf].target_mw < self._leaves[leaf].last_mw]
        messages = [self._tell(leaf, self._leaves[leaf].target_mw) for leaf in lowers]
        for leaf in list(self._waiting):
            if (mw := self._raise_to(leaf)) is not None:
                messages.append(self._tell(leaf, mw))
        return tuple(messages)

    def repeat(self, leaf: int) -> Message | None:
        """The last message again, if it is not confirmed."""
        sent = self._leaves[leaf].sent
        return Message(leaf, *sent[-1]) if sent else None

    def confirm(self, leaf: int, sequence: int) -> None:
        """The leaf says that it obeys this message. Old and unknown confirmations change nothing."""
        state = self._leaves[leaf]
        obeyed = next((i for i, (number, _) in enumerate(state.sent) if number == sequence), None)
        if obeyed is None:
            return
        before = state.worst_mw
        state.confirmed_mw = state.sent[obeyed][1]
        state.sent = state.sent[obeyed + 1 :]
        self._count(leaf, state.worst_mw - before)
        if state.confirmed_mw != state.target_mw and state.alive:
            self._waiting[leaf] = None

    def lose(self, leaf: int) -> None:
        """Nobody hears of it any more. It may go on drawing: nothing of it is free, and nothing is said to it."""
        self._leaves[leaf].alive = False
        self._waiting.pop(leaf, None)

    def find(self, leaf: int) -> None:
        """A lost leaf is heard of again, its power was never off; what it obeys it tells by `confirm`."""
        state = self._leaves[leaf]
        state.alive = True
        self._waiting[leaf] = None

    def off(self, leaf: int) -> None:
        """Its power is known to be off: what it held is free. It stays out until `switch_on`."""
        state = self._leaves[leaf]
        self._count(leaf, -state.worst_mw)
        state.alive, state.confirmed_mw, state.target_mw = False, 0, 0
        state.sent = []
        self._waiting.pop(leaf, None)

    def switch_on(self, leaf: int, mw: int) -> Message | None:
        """The leaf is off and is to come up with at most `mw`; None: there is no room for that yet.

        The device starts with the message, so that older ones still under way mean nothing to it.
        """
        state = self._leaves[leaf]
        if mw - state.worst_mw > self._room(leaf):
            return None
        state.alive, state.target_mw = True, mw
        return self._tell(leaf, mw)

    def copy(self) -> GrantBook:
        """An independent copy; the tree is a fact and shared."""
        twin = GrantBook(self._tree, [0] * len(self._leaves))
        twin.restore(self.to_plain())
        return twin

    def to_plain(self) -> dict[str, Any]:
        """What changes, as plain JSON; the tree is given again by whoever restores it."""
        return {
            "leaves": [
                [x.alive, x.confirmed_mw, x.target_mw, x.sequence, [list(message) for message in x.sent]]
                for x in self._leaves
            ],
            "waiting": list(self._waiting),
        }

    def restore(self, plain: Mapping[str, Any]) -> None:
        """Takes over what `to_plain` gave."""
        for state, (alive, confirmed, target, sequence, sent) in zip(self._leaves, plain["leaves"], strict=True):
            state.alive, state.confirmed_mw, state.target_mw, state.sequence = alive, confirmed, target, sequence
            state.sent = [(number, mw) for number, mw in sent]
        self._worst = self._tree.sums([state.worst_mw for state in self._leaves])
        self._waiting = dict.fromkeys(plain["waiting"])

    def _raise_to(self, leaf: int) -> int | None:
        """What the leaf may be told now that is more than it was told last; None: nothing."""
        state = self._leaves[leaf]
        if state.last_mw == state.target_mw:
            del self._waiting[leaf]
            return None
        room = self._room(leaf)
        mw = min(state.target_mw, state.worst_mw + room)
        enough = mw == state.target_mw or mw - state.last_mw >= STEP_MW
        return mw if room >= 0 and mw > state.last_mw and enough else None

    def _tell(self, leaf: int, mw: int) -> Message:
        state = self._leaves[leaf]
        before = state.worst_mw
        state.sequence += 1
        state.sent.append((state.sequence, mw))
        self._count(leaf, state.worst_mw - before)
        return Message(leaf, state.sequence, mw)

    def _room(self, leaf: int) -> int:
        limits, worst = self._tree.limit_mw, self._worst
        return min([limits[node] - worst[node] for node in self._paths[leaf]])

    def _count(self, leaf: int, more_mw: int) -> None:
        if more_mw:
            for node in self._paths[leaf]:
                self._worst[node] += more_mw
