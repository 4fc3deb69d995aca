"""YAML files of users, checked against a pydantic model; messages name file, line, key, expected and got.

What the content means is left to those who pass the model and build from it. Files that ship with the package are
trusted and come in without this, because importing pydantic takes longer than reading them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from goodwatt.errors import FieldError, InputError, Place

T = TypeVar("T")


def scientific(value: object) -> object:
    """YAML 1.1 takes 6e4 for text, people take it for a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


Models = Mapping[str, type[BaseModel]]
Positive = Annotated[int, Field(gt=0)]
Name = Annotated[str, Field(min_length=1)]
Number = Annotated[float, BeforeValidator(scientific), Field(allow_inf_nan=False)]
NotNegative = Annotated[float, BeforeValidator(scientific), Field(ge=0, allow_inf_nan=False)]


class Strict(BaseModel):
    """Base of the models of files: no unknown keys, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


MOST_PROBLEMS = 10
"""More in one message help nobody."""

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
    "invalid_key": "keys that are text",
}
_BOUNDS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
_BOUND_WORDS = {"gt": "above", "ge": "of at least", "lt": "below", "le": "of at most"}


def read_text(path: Path, what: str) -> str:
    """The text of a file of users; `what` names it in the message of an InputError."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such {what}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None


def build_checked(
    text: str,
    source: str,
    what: str,
    model: type[BaseModel],
    sections: Models,
    build: Callable[[dict[str, Any]], T],
) -> T:
    """Check `text` against `model` and build from its content; `source` and `what` name it in messages.

    `sections` are the models below the top level, by key, whose keys are known when one is misspelt. Raises
    InputError, with file, line, key, what was expected and what came, for up to MOST_PROBLEMS problems; `build` may
    raise FieldError for what only the whole can tell.
    """
    tree, content = _parse(text, source, what)
    try:
        checked = model.model_validate(content)
        return build(checked.model_dump(exclude_unset=True, exclude_none=True))
    except ValidationError as error:
        known = {"": model, **sections}
        problems = [_described(details, tree, known) for details in _without_union_noise(error)]
    except FieldError as error:
        problems = [(_line(tree, error.place), _key(error.place), error.problem)]
    raise InputError(_message(source, problems))


def _parse(text: str, source: str, what: str) -> tuple[yaml.Node, Any]:
    """The tree of nodes, which know their lines, and the plain content."""
    try:
        loader = yaml.CSafeLoader(text)
        tree = loader.get_single_node()
        if tree is None:
            raise InputError(f"{source}: expected {what}, got an empty file")
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


def _described(details: ErrorDetails, tree: yaml.Node, known: Models) -> Problem:
    place = tuple(part for part in details["loc"] if part != "[key]")
    problem = _problem(details, place, known)
    return _line(tree, place), _key(place), problem


def _problem(details: ErrorDetails, place: Place, known: Models) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(place, known)
    if kind == "missing":
        return "this key is missing"
    if kind in _BOUNDS:
        bound = _BOUNDS[kind]
        expected = f"a number {_BOUND_WORDS[bound]} {context[bound]:g}"
    elif kind == "literal_error":
        expected = context["expected"]
    elif kind == "value_error":
        expected = str(context["error"])
    else:
        expected = _EXPECTED.get(kind, details["msg"])
    return f"expected {expected}, got {_shown(details['input'])}{_hint(kind, details['input'])}"


def _unknown_key(place: Place, known: Models) -> str:
    section = next((known[str(part)] for part in reversed(place[:-1]) if part in known), known[""])
    keys = sorted(field.alias or name for name, field in section.model_fields.items())
    near = difflib.get_close_matches(str(place[-1]), keys, n=1, cutoff=0.5)
    return f"unknown key: did you mean {near[0]!r}?" if near else f"unknown key; known: {', '.join(keys)}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "keys with values" if value else "no keys"
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
