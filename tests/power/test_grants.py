"""Grants on their way: scenarios as tables, and the budget kept under random delays, losses and deaths."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.errors import InputError
from goodwatt.power.budget_tree import BudgetTree, Level, budget_tree
from goodwatt.power.grants import GrantBook, Message


def site(budget_w: float, leaves: int = 2) -> BudgetTree:
    return budget_tree(Level("site", budget_w, 0.0, tuple(Level(f"n{i}") for i in range(leaves))))


def book(budget_w: float, *granted_w: int) -> GrantBook:
    return GrantBook(site(budget_w, len(granted_w)), [w * 1000 for w in granted_w])


def said(messages: tuple[Message, ...]) -> list[tuple[int, int]]:
    """(leaf, watts) of each message."""
    return [(m.leaf, m.mw // 1000) for m in messages]


def play(grants: GrantBook, text: str) -> list[tuple[int, int]]:
    """Words as in the table below; what is said at the end of them, also what was said at the last `due`."""
    last: tuple[Message, ...] = ()
    for word in text.split():
        verb, _, rest = word.partition(":")
        values = [int(value) for value in rest.split(",") if value]
        if verb == "aim":
            grants.aim([w * 1000 for w in values])
        elif verb == "due":
            last = grants.due()
        elif verb == "limit":
            grants.change_limits(site(values[0]))
        elif verb == "on":
            message = grants.switch_on(values[0], values[1] * 1000)
            last = (message,) if message else ()
        else:
            getattr(grants, verb)(*values)
    return said(last)


SCENARIOS = [
    ("a lower is said at once, the raise waits", "aim:300,700 due", [(0, 300)]),
    ("confirmed, the raise follows", "aim:300,700 due confirm:0,1 due", [(1, 700)]),
    ("a raise that fits is said at once", "aim:300,300 due confirm:0,1 confirm:1,1 aim:600,300 due", [(0, 600)]),
    ("a confirmation of something never said", "aim:300,700 due confirm:0,7 due", []),
    ("twice the same confirmation", "aim:300,700 due confirm:0,1 confirm:0,1 due due", []),
    ("a dead node's grant is not free", "aim:300,700 lose:0 due", []),
    ("known to be off it is", "aim:300,700 lose:0 off:0 due", [(1, 700)]),
    ("dead after the lower was said: still not free", "aim:300,700 due lose:0 due", []),
    ("found again, it obeyed", "aim:300,700 due lose:0 find:0 confirm:0,1 due", [(1, 700)]),
    ("no room to switch it on", "aim:300,700 off:0 due on:0,400", []),
    ("room to switch it on", "aim:300,700 off:0 due on:0,300", [(0, 300)]),
    ("an aim that changes before the confirmation", "aim:300,700 due aim:500,500 due", [(0, 500)]),
    ("a limit fell: lowers only", "limit:600 aim:100,500 due", [(0, 100)]),
    ("a limit fell and is obeyed", "limit:600 aim:500,100 due confirm:1,1 due", []),
]


@pytest.mark.parametrize(("words", "expected"), [row[1:] for row in SCENARIOS], ids=[row[0] for row in SCENARIOS])
def test_scenarios(words: str, expected: list[tuple[int, int]]) -> None:
    assert play(book(1000, 500, 500), words) == expected


def test_part_of_a_raise_is_said_where_it_fits() -> None:
    grants = book(1000, 500, 400)
    assert play(grants, "aim:300,700 due") == [(0, 300), (1, 500)]
    assert play(grants, "confirm:0,1 due") == [(1, 700)]


def test_a_late_raise_still_counts() -> None:
    """Told 700, then 200, only the first one lost or late: until the second is confirmed it counts as 700."""
    grants = book(1000, 300, 300)
    play(grants, "aim:700,300 due aim:200,300 due")
    assert grants.leaf_mw(0) == 700_000
    grants.confirm(0, 1)
    assert grants.leaf_mw(0) == 700_000
    grants.confirm(0, 2)
    assert grants.leaf_mw(0) == 200_000


def test_what_is_not_confirmed_can_be_said_again() -> None:
    grants = book(1000, 500, 500)
    assert play(grants, "aim:300,700 due") == [(0, 300)]
    assert grants.repeat(0) == Message(0, 1, 300_000)
    assert grants.repeat(1) is None


def test_a_fallen_limit_is_told_until_it_is_obeyed() -> None:
    grants = book(1000, 500, 500)
    play(grants, "limit:600 aim:300,300 due")
    assert list(grants.over) == [0]
    play(grants, "confirm:0,1 confirm:1,1")
    assert list(grants.over) == []
    assert grants.settled


def test_a_division_over_a_limit_is_refused() -> None:
    with pytest.raises(InputError, match="expected a division within the limits, got more at site"):
        book(1000, 500, 500).aim([600_000, 600_000])


def test_limits_of_racks_count_too() -> None:
    rack = Level("r0", 500, 0.0, (Level("a"), Level("b")))
    tree = budget_tree(Level("site", 2000, 0.0, (rack, Level("c"))))
    grants = GrantBook(tree, [400_000, 100_000, 100_000])
    grants.aim([800_000, 100_000, 400_000])  # leaves in the order of the tree: c, a, b
    assert said(grants.due()) == [(0, 800), (2, 400)]
    grants.aim([800_000, 350_000, 100_000])
    assert said(grants.due()) == [(2, 100)]


# a network that loses, delays and turns round ------------------------------------------------------------------------


@dataclass
class Device:
    """What the protocol asks of a leaf: newer messages only."""

    mw: int
    sequence: int = 0
    on: bool = True

    def take(self, message: Message) -> tuple[int, int] | None:
        if not self.on:
            return None
        if message.sequence > self.sequence:
            self.mw, self.sequence = message.mw, message.sequence
        return (message.leaf, self.sequence)


@dataclass
class World:
    grants: GrantBook
    tree: BudgetTree
    devices: list[Device]
    chance: random.Random
    downwards: list[Message] = field(default_factory=list)
    upwards: list[tuple[int, int]] = field(default_factory=list)

    def step(self) -> None:
        """One thing happens, then the limits are looked at."""
        action = self.chance.choice(
            ["aim", "due", "deliver", "deliver", "answer", "answer", "repeat", "lose", "off", "on"]
        )
        getattr(self, action)()
        drawn = [device.mw if device.on else 0 for device in self.devices]
        assert self.tree.over(drawn) == ()
        assert all(drawn[i] <= self.grants.leaf_mw(i) for i in range(len(drawn)))
        assert self.grants.over == ()

    def some_leaf(self) -> int:
        return self.chance.randrange(len(self.devices))

    def aim(self) -> None:
        target = [0] * len(self.devices)
        for leaf in self.chance.sample(range(len(target)), len(target)):
            target[leaf] = self.chance.randrange(400_000)
            if self.tree.over(target):
                target[leaf] = 0
        self.grants.aim(target)

    def due(self) -> None:
        self.downwards += self.grants.due()

    def deliver(self) -> None:
        if self.downwards:
            message = self.downwards.pop(self.chance.randrange(len(self.downwards)))
            if self.chance.random() < 0.3:
                return
            answer = self.devices[message.leaf].take(message)
            self.upwards += [answer] if answer else []
            self.downwards += [message] if self.chance.random() < 0.2 else []

    def answer(self) -> None:
        if self.upwards:
            answer = self.upwards.pop(self.chance.randrange(len(self.upwards)))
            if self.chance.random() < 0.7:
                self.grants.confirm(*answer)

    def repeat(self) -> None:
        message = self.grants.repeat(self.some_leaf())
        self.downwards += [message] if message else []

    def lose(self) -> None:
        leaf = self.some_leaf()
        if self.devices[leaf].on:
            (self.grants.lose if self.chance.random() < 0.5 else self.grants.find)(leaf)

    def off(self) -> None:
        leaf = self.some_leaf()
        if self.chance.random() < 0.3:
            self.devices[leaf].on = False
            self.devices[leaf].mw = 0
            self.grants.off(leaf)

    def on(self) -> None:
        leaf = self.some_leaf()
        if not self.devices[leaf].on and (message := self.grants.switch_on(leaf, 50_000)):
            self.devices[leaf] = Device(message.mw, message.sequence)
            self.upwards.append((leaf, message.sequence))

    def quiet(self) -> None:
        """Nothing is lost any more: everybody alive ends where he should be."""
        for leaf, device in enumerate(self.devices):
            if device.on:
                self.grants.find(leaf)
        self.aim()
        for _ in range(5):
            self.due()
            for leaf in range(len(self.devices)):
                message = self.grants.repeat(leaf)
                answer = message and self.devices[leaf].take(message)
                if answer:
                    self.grants.confirm(*answer)


TREE = budget_tree(
    Level(
        "site", 900, 0.0, tuple(Level(f"r{r}", 500, 0.0, (Level("a"), Level("b", 350), Level("c"))) for r in range(2))
    )
)


@given(st.integers(0, 2**32))
def test_the_budget_holds_whatever_the_network_does(seed: int) -> None:
    granted = [100_000] * 6
    world = World(GrantBook(TREE, granted), TREE, [Device(mw) for mw in granted], random.Random(seed))
    for _ in range(150):
        world.step()
    world.quiet()
    assert world.grants.settled


@given(st.integers(0, 2**32))
def test_a_copy_goes_its_own_way_and_a_saved_book_goes_on(seed: int) -> None:
    granted = [100_000] * 6
    world = World(GrantBook(TREE, granted), TREE, [Device(mw) for mw in granted], random.Random(seed))
    for _ in range(40):
        world.step()
    plain = world.grants.to_plain()
    twin = world.grants.copy()
    restored = GrantBook(TREE, granted)
    restored.restore(json.loads(json.dumps(plain)))
    assert twin.to_plain() == restored.to_plain() == plain
    assert twin.worst_mw == restored.worst_mw == world.grants.worst_mw
    world.aim()
    world.due()
    assert twin.to_plain() == plain
    twin.aim([0] * 6)
    restored.aim([0] * 6)
    assert twin.due() == restored.due()
