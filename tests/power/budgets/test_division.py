"""Dividing a budget: small trees worked out by hand, and properties over random trees."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.errors import InputError, UnknownNameError
from goodwatt.power.budgets.budget_tree import BudgetTree
from goodwatt.power.budgets.division import WAYS, Division, Want, divide
from goodwatt.power.budgets.goodput_curve import GoodputCurve, goodput_curve
from tests.power.budgets.budget_trees import Level, budget_tree, over, sums

STEEP = goodput_curve([(100, 0.5), (200, 0.9), (400, 1.0)])  # 4 per kW, then 0.5 per kW
EVEN = goodput_curve([(100, 0.2), (400, 0.8)])  # 2 per kW
FLAT = goodput_curve([(100, 0.5), (400, 0.5)])


def flat(budget_w: float, *leaves: float | None) -> BudgetTree:
    """A site with leaves of these limits."""
    return budget_tree(Level("site", budget_w, tuple(Level(f"g{i}", w) for i, w in enumerate(leaves))))


def racks(site_w: float, *limits: float) -> BudgetTree:
    """A site with racks of these limits, two leaves in each."""
    return budget_tree(
        Level("site", site_w, tuple(Level(f"r{r}", w, (Level("a"), Level("b"))) for r, w in enumerate(limits)))
    )


def watts(tree: BudgetTree, way: str, *wants: Want) -> list[float]:
    return list(divide(tree, wants, way).grant_w)


def power(most_w: float, floor_w: float = 0.0, priority: int = 0, capacity_w: float = 0.0) -> Want:
    return Want(most_w=most_w, floor_w=floor_w, priority=priority, capacity_w=capacity_w)


def curve(which: GoodputCurve) -> Want:
    return Want(curve=which)


@dataclass(frozen=True)
class Case:
    about: str
    tree: BudgetTree
    way: str
    wants: tuple[Want, ...]
    grants: tuple[float, ...]


CASES = [
    Case("enough for all", flat(1000, None, None), "demand", (power(300), power(500)), (300, 500)),
    Case("in proportion to demand", flat(400, None, None), "demand", (power(300), power(500)), (150, 250)),
    Case("above the floors", flat(400, None, None), "demand", (power(300, 100), power(500, 100)), (166.667, 233.333)),
    Case("a leaf's own limit", flat(400, 50, None), "demand", (power(300), power(500)), (50, 350)),
    Case(
        "what one rack cannot take, another does", racks(500, 100, 900), "demand", (power(300),) * 4, (50, 50, 200, 200)
    ),
    Case(
        "in proportion to size",
        flat(300, None, None),
        "capacity",
        (power(300, 0, 0, 1), power(300, 0, 0, 2)),
        (100, 200),
    ),
    Case(
        "no more than it wants", flat(300, None, None), "capacity", (power(40, 0, 0, 1), power(300, 0, 0, 1)), (40, 260)
    ),
    Case("the highest first", flat(500, None, None), "priority", (power(400), power(400, 0, 1)), (100, 400)),
    Case(
        "but not below the floor of others",
        flat(500, None, None),
        "priority",
        (power(400, 150), power(400, 0, 1)),
        (150, 350),
    ),
    Case(
        "equals by demand",
        flat(300, None, None, None),
        "priority",
        (power(200), power(200), power(200, 0, 9)),
        (50, 50, 200),
    ),
    Case("the steepest first", flat(500, None, None), "goodput", (curve(STEEP), curve(EVEN)), (200, 300)),
    Case("then the next", flat(650, None, None), "goodput", (curve(STEEP), curve(EVEN)), (250, 400)),
    Case("equal slopes share", flat(500, None, None), "goodput", (curve(EVEN), curve(EVEN)), (250, 250)),
    Case("what buys nothing is not granted", flat(900, None, None), "goodput", (curve(FLAT), curve(EVEN)), (100, 400)),
    Case("the inner limit binds first", racks(900, 250, 900), "goodput", (curve(STEEP),) * 4, (125, 125, 325, 325)),
    Case("nobody asks", flat(500, None), "goodput", (Want(),), (0,)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.about)
def test_divisions_by_hand(case: Case) -> None:
    assert watts(case.tree, case.way, *case.wants) == pytest.approx(case.grants, abs=0.002)


def test_floors_that_do_not_fit_are_shared_and_told() -> None:
    division = divide(flat(300, None, None), (power(400, 200), power(400, 400)), "demand")
    assert division == Division((100_000, 200_000), (100_000, 200_000))


BAD = [
    (lambda: divide(flat(1), [Want()], "goodputt"), "did you mean 'goodput'"),
    (
        lambda: divide(flat(1, None), [power(1, 2)], "demand"),
        "leaf 0 of the budget: expected 0 <= floor <= most, got 2 and 1",
    ),
    (lambda: goodput_curve([]), "expected at least one point"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises((InputError, UnknownNameError), match=message):
        call()


def test_a_curve_is_the_hull_of_its_points() -> None:
    hull = goodput_curve([(300, 0.9), (100, 0.2), (200, 0.3), (300, 0.7), (400, 0.9)])
    assert hull == GoodputCurve((100, 300), (0.2, 0.9))
    assert [hull.at(w) for w in (50, 100, 200, 300, 999)] == pytest.approx([0, 0.2, 0.55, 0.9, 0.9])


# random trees --------------------------------------------------------------------------------------------------------

some_watts = st.one_of(st.integers(0, 900).map(float), st.floats(0, 900))
limits = st.one_of(st.none(), some_watts)
levels = st.recursive(
    st.builds(Level, st.just("leaf"), limits),
    lambda below: st.builds(Level, st.just("inner"), limits, st.lists(below, min_size=1, max_size=4).map(tuple)),
    max_leaves=12,
)
curves = st.lists(st.tuples(st.integers(1, 800), st.integers(1, 20)), min_size=1, max_size=5).map(goodput_curve)
wants = st.builds(
    lambda floor, more, capacity, priority, c: Want(
        floor_w=floor, most_w=floor + more, capacity_w=capacity, priority=priority, curve=c
    ),
    some_watts,
    some_watts,
    st.floats(0.1, 1000),
    st.integers(0, 2),
    curves,
)


@given(st.data(), levels, st.sampled_from(sorted(WAYS)))
def test_no_limit_is_exceeded_and_nothing_of_use_is_left(data: st.DataObject, root: Level, way: str) -> None:
    tree = budget_tree(root)
    asked = data.draw(st.lists(wants, min_size=len(tree.leaves), max_size=len(tree.leaves)))
    division = divide(tree, asked, way)
    assert over(tree, division.grant_mw) == ()
    drawn = sums(tree, division.grant_mw)
    for leaf, want, mw, short in zip(tree.leaves, asked, division.grant_mw, division.short_mw, strict=True):
        assert want.most_w is not None
        of_use = want.most_w if way != "goodput" or want.curve is None else min(want.most_w, want.curve.watts[-1])
        room = min(tree.limit_mw[node] - drawn[node] for node in tree.path(leaf))
        assert 0 <= mw <= want.most_w * 1000
        assert mw >= int(of_use * 1000) or room == 0
        assert not short or room == 0


@given(st.data(), levels, st.sampled_from(sorted(WAYS)))
def test_floors_that_fit_are_kept(data: st.DataObject, root: Level, way: str) -> None:
    tree = budget_tree(root)
    asked = data.draw(st.lists(wants, min_size=len(tree.leaves), max_size=len(tree.leaves)))
    least = [
        min(math.ceil(max(want.floor_w, want.curve.watts[0]) * 1000), int(want.most_w * 1000))
        for want in asked
        if want.curve is not None and want.most_w is not None
    ]
    if not over(tree, least):
        assert all(got >= floor for got, floor in zip(divide(tree, asked, way).grant_mw, least, strict=True))


@given(st.data())
def test_no_other_division_has_more_goodput(data: st.DataObject) -> None:
    """Against every division in steps of 50 W of two racks of two."""
    grid = range(0, 301, 50)
    points = st.lists(st.integers(0, 9), min_size=len(grid), max_size=len(grid))
    tree = racks(*data.draw(st.tuples(*[st.sampled_from([150, 300, 450, 900])] * 3)))
    made = [
        goodput_curve(zip(grid, itertools.accumulate(sorted(data.draw(points), reverse=True)), strict=True))
        for _ in range(4)
    ]
    best = max(
        math.fsum(c.at(w) for c, w in zip(made, division, strict=True))
        for division in itertools.product(grid, repeat=4)
        if not over(tree, [w * 1000 for w in division])
    )
    got = divide(tree, [curve(c) for c in made], "goodput").grant_w
    assert math.fsum(c.at(w) for c, w in zip(made, got, strict=True)) >= best - 1e-3


def test_the_same_question_has_the_same_answer() -> None:
    tree, asked = racks(700, 300, 900), [curve(STEEP), curve(EVEN), curve(EVEN), curve(STEEP)]
    assert divide(tree, asked) == divide(tree, asked)
