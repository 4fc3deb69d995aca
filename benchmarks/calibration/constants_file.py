"""Writes fitted numbers into the modules that ship them: only the numbers change, words and sources stay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from goodwatt.power.colocation import interference_constants
from goodwatt.power.telemetry import counters as telemetry

LAWS_FILE = Path(interference_constants.__file__)
TELEMETRY_FILE = Path(telemetry.__file__)
NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"


def set_fields(path: Path, constant: str, values: Mapping[str, float]) -> None:
    """Replace numbers in `CONSTANT = ...`, up to the end of its statement: `name=number` or `"name": number` each."""
    text = path.read_text(encoding="utf-8")
    found = re.search(rf"^{constant} = .*?(?:^[)}}]|[)}}]$)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{path.name}: no {constant}"
    statement = found[0]
    for name, value in values.items():
        statement, count = re.subn(rf'(\b{name}"?(?:=|: ))(?:{NUMBER})', rf"\g<1>{float(value)}", statement)
        assert count == 1, f"{path.name}: {constant} has {name} {count} times"
    path.write_text(text[: found.start()] + statement + text[found.end() :], encoding="utf-8")


def set_tuple(path: Path, names: str, values: tuple[float, ...]) -> None:
    """Replace the numbers of `A, B, C = 1.0, 2.0, 3.0`."""
    text = path.read_text(encoding="utf-8")
    text, count = re.subn(rf"^{names} = .*$", f"{names} = " + ", ".join(map(str, values)), text, flags=re.MULTILINE)
    assert count == 1, f"{path.name}: {names} {count} times"
    path.write_text(text, encoding="utf-8")
