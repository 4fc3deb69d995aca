"""YAML files of users: every problem is told by file, line, key, what was expected and what came."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, model_validator

from goodwatt.checked_yaml import Name, NotNegative, Number, Positive, Strict, build_checked, read_text
from goodwatt.errors import FieldError, InputError


class Shelf(Strict):
    """A section in a list."""

    height: Positive
    width: NotNegative = 1.0
    label: Name | None = None


class Lamp(Strict):
    """A section."""

    colour: Literal["warm", "cold"] = "warm"
    watts: Annotated[int, Field(ge=1, le=60)] = 10
    shelves: list[Shelf] = []

    @model_validator(mode="after")
    def _sane(self) -> Lamp:
        if self.colour == "cold" and self.watts > 50:
            raise ValueError("less than 50 watts of cold light")
        return self


class Room(Strict):
    """A file."""

    name: Name | None = None
    offset: Number = 0.0
    shelves: list[Shelf] = []
    lamp: Lamp | None = None


def built(text: str, build: Any = dict) -> Any:
    return build_checked(text, "room.yaml", "a room", Room, {"shelves": Shelf, "lamp": Lamp}, build)


def message(text: str, build: Any = dict) -> str:
    with pytest.raises(InputError) as error:
        built(text, build)
    return str(error.value).replace("room.yaml, ", "")


def test_what_is_given_reaches_the_builder_and_nothing_else_does() -> None:
    text = "name: den\nshelves:\n  - {height: 3}\n  - {height: 4, width: 2.5}\nlamp:\n"
    assert built(text) == {"name": "den", "shelves": [{"height": 3}, {"height": 4, "width": 2.5}]}


@pytest.mark.parametrize(
    ("text", "value"),
    [("6e4", 60_000.0), ("1e-3", 0.001), ("-2.5", -2.5), ("7", 7.0), ("'12'", 12.0), ("0x10", 16.0), ("1_000", 1000.0)],
)
def test_numbers_as_people_write_them(text: str, value: float) -> None:
    assert built(f"offset: {text}") == {"offset": value}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "room.yaml: expected a room, got an empty file"),
        ("# nothing\n", "room.yaml: expected a room, got an empty file"),
        ("null", "line 1: expected keys with values, got nothing"),
        ("- a\n- b", "line 1: expected keys with values, got ['a', 'b']"),
        ("just text", "line 1: expected keys with values, got 'just text'"),
        ("nam: x", "line 1, key 'nam': unknown key: did you mean 'name'?"),
        ("zzz: x", "line 1, key 'zzz': unknown key; known: lamp, name, offset, shelves"),
        (
            "name: den\nshelves:\n- {heigth: 3}",
            "line 3, key 'height': this key is missing\nline 3, key 'heigth': unknown key: did you mean 'height'?",
        ),
        ("lamp: {coulour: warm}", "line 1, key 'coulour': unknown key: did you mean 'colour'?"),
        ("lamp:\n  shelves:\n  - {height: 1, widht: 3}", "line 3, key 'widht': unknown key: did you mean 'width'?"),
        ("name: 5", "line 1, key 'name': expected text, got 5: write it in quotes, \"...\""),
        ("name: ''", "line 1, key 'name': expected a name, got ''"),
        ("name: [x]", "line 1, key 'name': expected text, got ['x']"),
        ("offset: high", "line 1, key 'offset': expected a number, got 'high'"),
        ("offset: true", "line 1, key 'offset': expected a number, got True"),
        ("offset: .inf", "line 1, key 'offset': expected a finite number, got inf"),
        ("offset: 1e999", "line 1, key 'offset': expected a finite number, got '1e999'"),
        ("shelves: {height: 3}", "line 1, key 'shelves': expected a list, got keys with values"),
        ("shelves: [3]", "line 1, key 'shelves': expected keys with values, got 3"),
        ("shelves: [{height: 0}]", "line 1, key 'height': expected a number above 0, got 0"),
        ("shelves: [{height: 1.5}]", "line 1, key 'height': expected a whole number, got 1.5"),
        ("shelves: [{height: 1, width: -1}]", "line 1, key 'width': expected a number of at least 0, got -1"),
        ("lamp: {watts: 61}", "line 1, key 'watts': expected a number of at most 60, got 61"),
        ("lamp: {colour: blue}", "line 1, key 'colour': expected 'warm' or 'cold', got 'blue'"),
        (
            "lamp: {colour: cold, watts: 55}",
            "line 1, key 'lamp': expected less than 50 watts of cold light, got keys with values",
        ),
        ("lamp: 3", "line 1, key 'lamp': expected keys with values, got 3"),
        ("1: x", "line 1: expected keys that are text, got 1"),
        ("name: a\nname: b", "line 2, key 'name': it stands on line 1 already"),
        ("lamp:\n  watts: 1\n  colour: warm\n  watts: 2", "line 4, key 'watts': it stands on line 2 already"),
        ("name: 'open", "line 1: expected YAML, got found unexpected end of stream"),
        ("\tname: x", "line 1: expected YAML, got found character that cannot start any token"),
        ("a: b: c", "line 1: expected YAML, got mapping values are not allowed in this context"),
        ("name: x\n---\nname: y", "line 2: expected YAML, got but found another document"),
        ("? [a]\n: b", "line 1: expected YAML, got found unhashable key"),
        ("name: !!python/object:os.system x", "line 1: expected YAML, got could not determine a constructor"),
        ("name: 2020-13-45", "room.yaml: expected YAML, got month must be in 1..12"),
        ("name: \x00", "room.yaml: expected YAML, got unacceptable character"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    assert message(text).startswith(told)


def test_the_line_is_that_of_the_entry() -> None:
    text = "name: den\nshelves:\n  - height: 1\n  - height: 2\n    width: 3\n  - width: 4\n    height: none\n"
    assert message(text) == "line 7, key 'height': expected a whole number, got 'none'"


def test_problems_come_by_line_and_no_more_than_ten() -> None:
    text = "".join(f"k{i:02}: 1\n" for i in range(14))
    lines = message(text).splitlines()
    assert [line.split(",")[0] for line in lines[:-1]] == [f"line {i}" for i in range(1, 11)]
    assert lines[-1] == "and 4 more"


def test_long_values_are_cut() -> None:
    line = message(f"offset: {'x' * 500}")
    assert len(line) < 150
    assert line.endswith("...")


def test_the_builder_may_find_more() -> None:
    def build(_: dict[str, Any]) -> None:
        raise FieldError(("shelves", 1, "height"), "too high for the room")

    text = "shelves:\n- height: 1\n- width: 2\n  height: 9\n"
    assert message(text, build) == "line 4, key 'height': too high for the room"


def test_a_place_that_is_not_there_is_told_by_what_is() -> None:
    def build(_: dict[str, Any]) -> None:
        raise FieldError(("shelves", 5, "height"), "too few")

    assert message("name: x\nshelves:\n- height: 1\n", build).startswith("line 2, key 'height': too few")


def test_merged_and_shared_sections() -> None:
    text = "shelves:\n- &a {height: 3, width: 2}\n- <<: *a\n  height: 4\n- *a\n"
    shelves = built(text)["shelves"]
    assert shelves == [{"height": 3, "width": 2}, {"height": 4, "width": 2}, {"height": 3, "width": 2}]


def test_a_list_that_holds_itself_ends() -> None:
    assert "expected" in message("shelves: &a [*a]")


def test_ever_more_aliases_take_no_time() -> None:
    text = "offset: 1\nzzz: &a0 [x]\n" + "".join(f"z{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
    assert message(text).startswith("line 2, key 'zzz': unknown key")


def test_a_byte_order_mark_is_no_key() -> None:
    assert built("\ufeffname: x") == {"name": "x"}


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00n", "folder"])
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "room.yaml"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    with pytest.raises(InputError) as error:
        read_text(path, "room file")
    told = "no such room file" if content is None else "cannot be read as text"
    assert str(error.value).startswith(f"{path}: {told}")
