"""Cluster files of users: YAML, checked against `cluster_schema`; messages name file, line and key."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import FieldError, Place, build_cluster
from goodwatt.cluster.cluster_schema import ClusterFile, NodeGroup, Power, QuotaTable, RackEntry
from goodwatt.errors import InputError

MOST_PROBLEMS = 10
"""More in one message help nobody."""

_SECTIONS: Mapping[str, type[BaseModel]] = {
    "nodes": NodeGroup,
    "racks": RackEntry,
    "power": Power,
    "quotas": QuotaTable,
}
_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "string_too_short": "a name",
    "list_type": "a list",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
    "too_short": "at least one entry",
    "finite_number": "a finite number",
}
_BOUNDS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
_BOUND_WORDS = {"gt": "above", "ge": "of at least", "lt": "below", "le": "of at most"}


def read_cluster(path: Path) -> Cluster:
    """The cluster that the file describes. Raises InputError, with a line for each problem."""
    return cluster_from_text(_text(path), str(path))


def cluster_from_text(text: str, source: str) -> Cluster:
    """The cluster that `text` describes; `source` names it in messages. Raises InputError."""
    tree, content = _parse(text, source)
    try:
        checked = ClusterFile.model_validate(content)
        return build_cluster(checked.model_dump(exclude_unset=True, exclude_none=True), Path(source).stem)
    except ValidationError as error:
        problems = [_described(details, tree) for details in _without_union_noise(error)]
    except FieldError as error:
        problems = [(_line(tree, error.place), _key(error.place), error.problem)]
    raise InputError(_message(source, problems))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such cluster file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None


def _parse(text: str, source: str) -> tuple[yaml.Node, Any]:
    """The tree of nodes, which know their lines, and the plain content."""
    try:
        loader = yaml.CSafeLoader(text)
        tree = loader.get_single_node()
        if tree is None:
            raise InputError(f"{source}: expected a cluster, got an empty file")
        _refuse_equal_keys(tree, source)
        return tree, loader.construct_document(tree)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{source}{place}: expected YAML, got {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{source}: expected YAML, got {error}") from None


def _refuse_equal_keys(tree: yaml.Node, source: str) -> None:
    for mapping in _mappings(tree):
        seen: dict[str, int] = {}
        for key, _ in mapping.value:
            line = key.start_mark.line + 1
            if first := seen.get(str(key.value)):
                raise InputError(f"{source}, line {line}, key {key.value!r}: it stands on line {first} already")
            seen[str(key.value)] = line


def _mappings(tree: yaml.Node) -> Iterator[yaml.MappingNode]:
    """Every mapping below `tree`, each once though aliases may lead to it often."""
    waiting, seen = [tree], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            waiting += [value for _, value in node.value]
        else:
            waiting += node.value


def _without_union_noise(error: ValidationError) -> list[ErrorDetails]:
    """One problem per place: a value that may be a name or a list of names fails as both."""
    places: dict[Place, ErrorDetails] = {}
    for details in error.errors(include_url=False):
        place = details["loc"][:3] if "names" in details["loc"] else details["loc"]
        places.setdefault(place, {**details, "loc": place})
    return list(places.values())


Problem = tuple[int, str, str]
"""Line, key, what is wrong."""


def _described(details: ErrorDetails, tree: yaml.Node) -> Problem:
    place = tuple(part for part in details["loc"] if part != "[key]")
    problem = _problem(details, place)
    return _line(tree, place), _key(place), problem


def _problem(details: ErrorDetails, place: Place) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(place)
    if kind == "missing":
        return "this key is missing"
    if kind in _BOUNDS:
        bound = _BOUNDS[kind]
        expected = f"a number {_BOUND_WORDS[bound]} {context[bound]:g}"
    else:
        expected = _EXPECTED.get(kind, details["msg"])
    return f"expected {expected}, got {_shown(details['input'])}{_hint(kind, details['input'])}"


def _unknown_key(place: Place) -> str:
    section = _SECTIONS.get(str(place[0]), ClusterFile) if len(place) > 1 else ClusterFile
    known = sorted(section.model_fields)
    near = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.5)
    return f"unknown key: did you mean {near[0]!r}?" if near else f"unknown key; known: {', '.join(known)}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "keys with values"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _hint(kind: str, value: object) -> str:
    return ': write it in quotes, "..."' if kind == "string_type" and isinstance(value, int | float) else ""


def _key(place: Place) -> str:
    return next((part for part in reversed(place) if isinstance(part, str)), "")


def _line(tree: yaml.Node, place: Place) -> int:
    """The line of the innermost part of `place` that is there."""
    node, line = tree, tree.start_mark.line
    for part in place:
        step = _step(node, part)
        if step is None:
            break
        line, node = step
    return line + 1


def _step(node: yaml.Node, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child: yaml.Node = node.value[part]
        return child.start_mark.line, child
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line, value
    return None


def _message(source: str, problems: list[Problem]) -> str:
    lines = [
        f"{source}, line {line}, key {key!r}: {problem}" if key else f"{source}, line {line}: {problem}"
        for line, key, problem in sorted(problems)[:MOST_PROBLEMS]
    ]
    more = len(problems) - MOST_PROBLEMS
    return "\n".join(lines + ([f"and {more} more"] if more > 0 else []))
