"""What the limits are, and what they say to a board."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from goodwatt.power.gpu.model import gpu_model
from goodwatt.simulator.settings.guardrails import NO_GUARDRAILS, PROTECTIONS, Guardrails
from tests.scenario import KINDS

V100, H200 = KINDS["V100"], KINDS["H200"]


@pytest.mark.parametrize("wrong", [{"max_slowdown": 0.9}, {"max_wait_s": -1.0}, {"min_clock_mhz": math.nan}])
def test_limits_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"expected {next(iter(wrong))} of at least"):
        Guardrails(**wrong)


def test_protections_have_names() -> None:
    with pytest.raises(ValueError, match=r"expected protected_from out of preemption, .* got rain"):
        Guardrails(protected_from=frozenset({"rain"}))


def test_they_read_the_same_in_every_process() -> None:
    """Saved runs are told apart by their options as text."""
    code = (
        "from goodwatt.simulator.settings.guardrails import Guardrails as G; print(G(protected=frozenset('abcdefgh')))"
    )
    texts = {
        subprocess.run(  # noqa: S603 - our own code
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1
    assert "protected=['a', 'b'," in texts.pop()


@pytest.mark.parametrize("kind", ["V100", "H200"])
@pytest.mark.parametrize("slowdown", [1.0, 1.01, 1.3, 2.0, 50.0])
def test_the_slowest_clock_is_the_lowest_supported_one_that_keeps_the_promise(kind: str, slowdown: float) -> None:
    facts = KINDS[kind]
    clocks = gpu_model(facts).clocks_mhz
    slowest = Guardrails(max_slowdown=slowdown).slowest_mhz([facts])
    assert slowest == min(clock for clock in clocks if clock >= clocks[-1] / slowdown - 1e-6)


def test_a_gang_on_two_kinds_goes_at_the_higher_of_their_limits() -> None:
    limits = Guardrails(max_slowdown=1.5)
    assert limits.slowest_mhz([V100, H200]) == limits.slowest_mhz([H200]) > limits.slowest_mhz([V100])


def test_a_floor_above_what_a_board_has_is_its_greatest_clock() -> None:
    assert Guardrails(min_clock_mhz=9_000).slowest_mhz([V100]) == V100.max_clock_mhz
    assert Guardrails(min_clock_mhz=9_000).slowest_mhz([KINDS["small"]]) == 0.0
    assert NO_GUARDRAILS.slowest_mhz([V100]) == 0.0


DOCS = Path(__file__).parents[3] / "docs/reference/guardrails.md"


def test_the_reference_names_every_limit_and_its_example_runs() -> None:
    text = DOCS.read_text(encoding="utf-8")
    names = [*(f.name for f in fields(Guardrails)), *PROTECTIONS]
    assert [name for name in names if f"| `{name}` |" not in text] == []
    example = text.split("```python\n")[1].split("```")[0]
    known: dict[str, Any] = {}
    exec(example, known)  # noqa: S102 - our own page
    assert known["options"].guardrails == Guardrails(
        max_slowdown=1.1, max_wait_s=86_400, protected=frozenset({"alice"})
    )
