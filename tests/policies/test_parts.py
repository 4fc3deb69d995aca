"""Parts by name: the grammar of specifications, parameters of every type, and what messages teach."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any, ClassVar, Literal

import pytest

from goodwatt.errors import InputError, UnknownNameError
from goodwatt.policies.parts import Parts, parameters

SOURCE = """
from dataclasses import dataclass
from typing import Literal

@dataclass(frozen=True)
class RoundPart:
    name = "round-part"
    size: int = 3
    share: float = 0.5
    how: Literal["fast", "slow"] = "fast"
    loud: bool = False
    label: str = ""

    def __post_init__(self):
        if self.size < 0:
            raise ValueError(f"expected a size of at least 0, got {self.size}")

class Bare:
    name = "bare"

class Elsewhere:
    name = "elsewhere"
"""


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    """A package with two parts in files of their names, and a class in a file of another name."""
    package = tmp_path / "made_up_parts"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "round_part.py").write_text(dedent(SOURCE), encoding="utf-8")
    (package / "bare.py").write_text("class Bare:\n    name = 'bare'\n", encoding="utf-8")
    (package / "beside.py").write_text("from made_up_parts.bare import Bare\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield Parts("made_up_parts", "made.up", "part")
    for name in [name for name in sys.modules if name.startswith("made_up_parts")]:
        del sys.modules[name]


def test_what_lies_in_the_package_under_its_own_name(parts: Parts) -> None:
    assert list(parts.names()) == ["bare", "round-part"]
    assert parts.find("round-part").__name__ == "RoundPart"


@pytest.mark.parametrize("name", ["elsewhere", "beside", "Bare", "", "../bare", "made_up_parts.bare", "bare "])
def test_nothing_else_is_found(parts: Parts, name: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown part"):
        parts.find(name)


def test_the_nearest_name_is_offered(parts: Parts) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown part 'round-prat'.*round-part"):
        parts.find("round-prat")


def test_what_was_left_out_says_why_unless_somebody_made_it(parts: Parts) -> None:
    reasons = {"square-part": "nobody needs it", "bare": "is there after all"}
    told = Parts(parts.package, parts.group, parts.noun, reasons)
    with pytest.raises(InputError, match=r"^part square-part: nobody needs it$"):
        told.find("square-part")
    assert told.find("bare").__name__ == "Bare"
    assert list(told.names()) == ["bare", "round-part"]


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ("round-part", (3, 0.5, "fast", False, "")),
        ("round-part:", (3, 0.5, "fast", False, "")),
        ("round-part:size=4", (4, 0.5, "fast", False, "")),
        (" round-part : share = 1e-3 , how=slow,loud=true,label=a=b", (3, 0.001, "slow", True, "a=b")),
        ("round-part:share=inf,", (3, math.inf, "fast", False, "")),
    ],
)
def test_specifications(parts: Parts, spec: str, values: tuple[Any, ...]) -> None:
    made = parts.make(spec)
    assert (made.size, made.share, made.how, made.loud, made.label) == values


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("round-part:size", "expected size=value, got 'size'"),
        ("round-part:size=4.5", "parameter size: expected a whole number, got '4.5'"),
        ("round-part:share=half", "parameter share: expected a number, got 'half'"),
        ("round-part:share=nan", "parameter share: expected a number, got 'nan'"),
        ("round-part:how=badly", "parameter how: expected one of fast, slow, got 'badly'"),
        ("round-part:loud=yes", "parameter loud: expected one of true, false, got 'yes'"),
        ("round-part:size=1,size=2", "parameter size is given twice"),
        ("round-part:sise=1", "unknown parameter of round-part 'sise'.*size"),
        ("round-part:size=-1", "part 'round-part:size=-1': expected a size of at least 0"),
        ("bare:size=1", "part bare has no parameters, got 'size=1'"),
    ],
)
def test_messages(parts: Parts, spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parts.make(spec)


def test_parameters_are_the_fields_of_a_dataclass() -> None:
    @dataclass
    class Made:
        how: Literal["a", "b"] = "a"
        count: int = 1
        kind: ClassVar[str] = "no parameter"

    assert {key: default for key, (_, default) in parameters(Made).items()} == {"how": "a", "count": 1}
    assert parameters(int) == {}
