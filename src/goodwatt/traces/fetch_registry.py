"""The registry of public traces: fetch_registry.yaml as checked facts."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from goodwatt.errors import InputError, UnknownNameError

REGISTRY = Path(__file__).with_suffix(".yaml")


class RemoteFile(BaseModel):
    """One file to download; `sha256` None where nobody published it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    url: str = Field(pattern=r"^https?://")
    bytes: int | None = Field(default=None, gt=0)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class PublicTrace(BaseModel):
    """One public trace: its home page, the terms of its use, its files, and what to do once they are here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    home: str
    licence: str
    citation: str
    next: str
    files: tuple[RemoteFile, ...] = Field(min_length=1)


def read_registry(path: Path = REGISTRY) -> dict[str, PublicTrace]:
    """All public traces by name; raises InputError where the file is not a registry."""
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {name: PublicTrace.model_validate(entry) for name, entry in entries.items()}
    except (OSError, AttributeError, yaml.YAMLError, ValidationError) as error:
        raise InputError(f"{path}: expected a registry of public traces, got {error}") from None


@cache
def registry() -> dict[str, PublicTrace]:
    """The one that ships with the package."""
    return read_registry()


def public_trace(name: str) -> PublicTrace:
    """One public trace; raises UnknownNameError."""
    if name not in registry():
        raise UnknownNameError("public trace", name, registry())
    return registry()[name]


def chosen_files(trace: PublicTrace, names: tuple[str, ...]) -> tuple[RemoteFile, ...]:
    """The files of these names, all where none is named; raises UnknownNameError."""
    known = {file.name: file for file in trace.files}
    for name in names:
        if name not in known:
            raise UnknownNameError("file of this trace", name, known)
    return tuple(known[name] for name in names) or trace.files
