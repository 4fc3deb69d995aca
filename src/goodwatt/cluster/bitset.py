"""Sets of nodes as Python integers: bit i stands for node i.

Set algebra on thousands of nodes costs a few machine words, copies are free because integers never change, and the
lowest bit is the node with the lowest index, which is how ties are broken everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence


def bitset(members: Iterable[int]) -> int:
    """The set of these members."""
    bits = 0
    for member in members:
        bits |= 1 << member
    return bits


def first(bits: int) -> int:
    """The lowest member; -1 of the empty set."""
    return (bits & -bits).bit_length() - 1


def members(bits: int) -> Iterator[int]:
    """All members, ascending."""
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


def lowest(bits: int, count: int) -> int:
    """The set of the `count` lowest members; all of them if there are no more."""
    if bits.bit_count() <= count:
        return bits
    taken = 0
    for _ in range(count):
        low = bits & -bits
        taken |= low
        bits ^= low
    return taken


def where(bits: int, test: Callable[[int], bool]) -> int:
    """The members that pass the test."""
    return bitset(member for member in members(bits) if test(member))


class LevelIndex:
    """Answers "which members have at least this much?" for an amount per member that changes often.

    Amounts fall into `levels` steps of equal width; `_at_least[k]` holds the members with k steps or more. Members
    in the step that a question cuts through are looked at one by one, all others are known from the index.
    """

    __slots__ = ("_at_least", "_step")

    def __init__(self, amounts: Sequence[int], levels: int = 32) -> None:
        self._step = max(max(amounts, default=0) // levels, 1)
        top = max(amounts, default=0) // self._step + 1
        self._at_least = [
            bitset(i for i, amount in enumerate(amounts) if amount >= k * self._step) for k in range(top + 1)
        ]

    def copy(self) -> LevelIndex:
        """An independent copy."""
        twin = object.__new__(LevelIndex)
        twin._step, twin._at_least = self._step, self._at_least[:]
        return twin

    def move(self, member: int, old: int, new: int) -> None:
        """A member's amount went from `old` to `new`."""
        low, high = sorted((old // self._step, new // self._step))
        for level in range(low + 1, high + 1):
            self._at_least[level] ^= 1 << member

    def at_least(self, amount: int, exact: Sequence[int], among: int) -> int:
        """The members of `among` whose amount, as `exact` has it, is at least `amount`."""
        level = amount // self._step
        if level + 1 >= len(self._at_least):
            return where(among & self._at_least[-1], lambda i: exact[i] >= amount)
        sure = self._at_least[level + 1]
        edge = among & self._at_least[level] & ~sure
        return (among & sure) | where(edge, lambda i: exact[i] >= amount)
