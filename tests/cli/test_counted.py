"""How many of something, in words."""

from __future__ import annotations

import pytest

from goodwatt.cli.counted import counted


@pytest.mark.parametrize(
    ("number", "one", "many", "text"),
    [
        (0, "job", "", "0 jobs"),
        (1, "job", "", "1 job"),
        (1_200, "node", "", "1,200 nodes"),
        (2, "policy", "policies", "2 policies"),
        (1, "policy", "policies", "1 policy"),
    ],
)
def test_counts(number: int, one: str, many: str, text: str) -> None:
    assert counted(number, one, many) == text
