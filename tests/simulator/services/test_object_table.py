"""What is written of objects is JSON and comes back alike: the same numbers, the same sharing, nothing else's code."""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict, deque
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.errors import RunError
from goodwatt.power.serving.iteration_law import Cost
from goodwatt.simulator.services.board import Spent
from goodwatt.simulator.services.object_table import read, written
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.tick_tables import fresh_rows


def again(value: Any, **facts: Any) -> Any:
    return read(json.loads(json.dumps(written(value, facts))), facts)


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
anything = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers() | st.tuples(st.integers(), st.text(max_size=2)), inner, max_size=4)
        | st.lists(inner, max_size=4).map(deque)
    ),
)


@given(anything)
def test_plain_data_comes_back(value: Any) -> None:
    back = again(value)
    assert back == value
    assert type(back) is type(value)


def test_classes_of_the_package_come_back() -> None:
    spent, promise = Spent(), Promise(ttft_s=1.0)
    spent.joules = math.pi
    back = again([spent, promise, Cost(1.0, 2.0, 3.0, 4.0, 5.0), defaultdict(int, {(0, "both"): 3})])
    assert (type(back[0]), back[0].joules) == (Spent, math.pi)
    assert back[1:3] == [promise, Cost(1.0, 2.0, 3.0, 4.0, 5.0)]
    assert back[3]["nobody"] == 0


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(0),
        np.array([1.5, np.nan, -np.inf]),
        np.arange(12.0).reshape(3, 4),
        np.arange(12.0).reshape(3, 4).T,
        np.arange(100)[::7],
        np.zeros((3, 5, 200), dtype=np.int64),
        np.array(2.5),
        fresh_rows(3, [1.0, 2.0], [5, 6], [7, 8]),
    ],
    ids=str,
)
def test_arrays_come_back(array: Any) -> None:
    back = again({"here": array, "number": np.float64(0.1)})
    assert back["here"].dtype == array.dtype
    assert back["here"].shape == array.shape
    assert back["here"].tobytes() == array.tobytes()
    assert back["here"].flags.writeable
    assert type(back["number"]) is np.float64


def test_what_is_one_stays_one() -> None:
    line: list[Any] = [1]
    line.append(line)
    table = np.arange(6.0).reshape(2, 3)
    back = again({"a": line, "b": line, "table": table, "row": table[1], "column": table[:, 0], "other": table.copy()})
    assert back["a"] is back["b"] is back["a"][1]
    back["table"][:] = 7.0
    assert (back["row"].tolist(), back["column"].tolist()) == ([7.0] * 3, [7.0] * 2)
    assert back["other"].tolist() == table.tolist()


def test_views_of_what_lies_column_by_column() -> None:
    whole = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    back = again([whole, whole[:, 1], whole[:, :0], whole[::-1]])
    back[0][1, 1] = 9.0
    assert (back[1].tolist(), back[2].shape, back[3].tolist()) == (
        [1.0, 9.0],
        (2, 0),
        [[3.0, 9.0, 5.0], [0.0, 1.0, 2.0]],
    )


def test_views_of_what_nobody_else_holds_share_it_still() -> None:
    whole = np.arange(10)
    back = again([whole[:6], whole[3:]])
    back[0][4] = 99
    assert back[1].tolist() == [3, 99, 5, 6, 7, 8, 9]


def test_parts_that_do_not_overlap_are_written_alone() -> None:
    whole = np.arange(100_000, dtype=np.float64)
    told = written([whole[:3], whole[5:9]], {})
    assert [entry[0] for entry in told["objects"]] == ["list", "array", "array"]


def test_facts_are_written_by_name() -> None:
    fact = object()
    assert again([fact, fact], known=fact) == [fact, fact]


@pytest.mark.parametrize("value", [object(), os.getcwd, lambda: 1, np.array([object()]), defaultdict(Spent)], ids=str)
def test_what_cannot_be_written_is_told(value: Any) -> None:
    with pytest.raises(RunError, match="expected"):
        written([value], {})


@pytest.mark.parametrize(
    "entry",
    [
        ["function", "os:getcwd"],
        ["object", "builtins:dict", {}],
        ["method", {"#": 1}, "copy"],
        ["method", {"#": 2}, "__class__"],
        ["number", "|O", "AAAAAAAAAAA="],
        ["array", "<f8", [2], "C", "AAAA"],
        ["view", {"#": 3}, "<f8", [9], [8], 0],
    ],
    ids=str,
)
def test_what_is_none_of_ours_is_not_made(entry: Any) -> None:
    others = [["list", []], ["object", "goodwatt.simulator.services.board:Spent", {}], ["array", "<f8", [0], "C", ""]]
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        read({"top": {"#": 0}, "objects": [entry, *others]}, {})
