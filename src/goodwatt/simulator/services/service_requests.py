"""The section `requests` of a services file: from its content to a source of requests.

A trace, a rate profile with lengths of tokens, or a class of services whose requests are made up. Files are read once
for all services of a file. What a file lost on the way in is told by `request_notes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from goodwatt.errors import FieldError, InputError, Place
from goodwatt.simulator.services.step_source import StepSource
from goodwatt.traces.requests.generate import class_source
from goodwatt.traces.requests.rate_profile import RateProfile, ramps
from goodwatt.traces.requests.reading import read_rate_profile, read_request_trace
from goodwatt.traces.requests.request_source import ProfileSource, RequestSource, TraceSource
from goodwatt.traces.requests.request_trace import RequestTrace
from goodwatt.traces.requests.service_classes import service_class
from goodwatt.traces.requests.token_lengths import TokenLengths, fitted, fixed

Content = Mapping[str, Any]
T = TypeVar("T")

WEEK_DAYS = 7.0
"""A class of services has a rhythm of the week: so many days are made up, and begin again."""
_ORIGINS = {"file": "file", "profile": "profile", "class_": "class"}
_ONLY_WITH: Mapping[str, tuple[str, ...]] = {
    "format": ("file", "profile"),
    "time_zone": ("file",),
    "select": ("profile",),
    "rate_factor": ("file",),
    "mean_per_s": ("profile", "class_"),
    "peak_per_s": ("profile",),
    "peak_to_trough": ("class_",),
    "days": ("class_",),
    "rates": ("class_",),
    "lengths": ("profile",),
}

_RHYTHM = ("mean_per_s", "peak_to_trough", "days")
"""What says the rates of a class."""


class RequestFiles:
    """Reads sources for the services of one file, which lies in `folder`; `seed` is that of the run."""

    def __init__(self, folder: Path, seed: int, *, skip_bad_rows: bool) -> None:
        self._folder, self._seed, self._skip = folder, seed, skip_bad_rows
        self._traces: dict[tuple[str, ...], RequestTrace] = {}
        self._profiles: dict[tuple[str, ...], RateProfile] = {}

    def source(self, content: Content, service: str, place: Place, *, tokens: bool) -> RequestSource:
        """The requests of a service; `tokens`: whether its requests have prompts and outputs. Raises FieldError.

        Random draws depend on the seed and the name of the service, so two services of one file draw apart.
        """
        origin = _origin(content, place)
        _refuse_what_counts_nowhere(content, origin, place, tokens=tokens)
        make = {"file": self._of_trace, "profile": self._of_profile, "class_": self._of_class}[origin]
        return _placed(place, lambda: make(content, service, place, tokens))

    def _of_trace(self, content: Content, service: str, place: Place, tokens: bool) -> RequestSource:  # noqa: ARG002
        trace = self._trace(content)
        return TraceSource(
            replace(trace, name=f"{service}/{trace.name}"),
            rate_factor=content.get("rate_factor", 1.0),
            repeat=content.get("repeat", False),
            start_s=content.get("start_s", 0.0),
            seed=content.get("seed", self._seed),
        )

    def _of_profile(self, content: Content, service: str, place: Place, tokens: bool) -> RequestSource:
        profile = self._profile(content)
        asked = {key: content[key] for key in ("mean_per_s", "peak_per_s") if key in content}
        if asked:
            profile = profile.scaled(**asked)
        elif profile.relative:
            problem = f"expected mean_per_s or peak_per_s: {content['profile']} tells the shape of demand only"
            raise FieldError(place, problem)
        return ProfileSource(
            profile,
            self._lengths(content, place, tokens=tokens),
            name=f"{service}/{profile.name}",
            seed=content.get("seed", self._seed),
            repeat=content.get("repeat", False),
            start_s=content.get("start_s", 0.0),
        )

    def _of_class(self, content: Content, service: str, place: Place, tokens: bool) -> RequestSource:
        name = _class(content, place, tokens=tokens)
        if "rates" in content:
            return self._of_rates(name, content, service, place)
        source = class_source(
            name,
            mean_per_s=content.get("mean_per_s"),
            days=content.get("days", WEEK_DAYS),
            seed=content.get("seed", self._seed),
            peak_to_trough=content.get("peak_to_trough"),
            name=f"{service}/{name}",
            repeat=content.get("repeat", True),
        )
        return replace(source, start_s=content["start_s"]) if "start_s" in content else source

    def _of_rates(self, name: str, content: Content, service: str, place: Place) -> RequestSource:
        """Requests like those of a class, in their lengths and bursts, at rates that are written down."""
        for key in _RHYTHM:
            if key in content:
                raise FieldError((*place, key), "expected without rates, which say how many requests come when")
        known = service_class(name)
        return ProfileSource(
            _placed((*place, "rates"), lambda: ramps(name, content["rates"])),
            known.token_lengths(name),
            name=f"{service}/{name}",
            seed=content.get("seed", self._seed),
            bursts=known.bursts(),
            repeat=content.get("repeat", True),
            start_s=content.get("start_s", 0.0),
        )

    def _lengths(self, content: Content, place: Place, *, tokens: bool) -> TokenLengths:
        entry, place = content.get("lengths"), (*place, "lengths")
        if not tokens:
            return fixed()
        if entry is None:
            raise FieldError(place[:-1], "expected lengths: how long prompts and outputs are, such as lengths: chat")
        told = [name for name in ("class_", "file", "prompt_tokens") if name in entry]
        alike = [name for name in ("prompt_tokens", "output_tokens") if name in entry]
        if len(told) != 1 or len(alike) == 1 or (alike and told != ["prompt_tokens"]):
            expected = "expected a class, a file of requests, or prompt_tokens and output_tokens"
            raise FieldError(place, f"{expected}, got {', '.join(key.rstrip('_') for key in entry) or 'none of them'}")
        if alike:
            return fixed(entry["prompt_tokens"], entry["output_tokens"])
        if "file" in entry:
            return _placed(place, lambda: self._fitted(entry))
        name = _class(entry, place, tokens=True)
        return service_class(name).token_lengths(name)

    def _fitted(self, entry: Content) -> TokenLengths:
        trace = self._trace(entry)
        return fitted(trace.name, trace.prompt_tokens, trace.output_tokens)

    def _trace(self, content: Content) -> RequestTrace:
        key = content["file"], content.get("format", ""), content.get("time_zone", "UTC")
        if key not in self._traces:
            self._traces[key] = read_request_trace(
                self._folder / key[0], format=key[1] or None, time_zone=key[2], skip_bad_rows=self._skip
            )
        return self._traces[key]

    def _profile(self, content: Content) -> RateProfile:
        key = content["profile"], content.get("format", ""), content.get("select", "")
        if key not in self._profiles:
            self._profiles[key] = read_rate_profile(
                self._folder / key[0], format=key[1] or None, select=key[2] or None, skip_bad_rows=self._skip
            )
        return self._profiles[key]


def request_notes(source: RequestSource) -> list[str]:
    """What whoever reads the results should know of a source: rows left out or skipped, what was made up."""
    if isinstance(source, StepSource):
        return request_notes(source.source)
    told = getattr(source, "trace", None) or getattr(source, "profile", None)
    return list(_notes(told)) if isinstance(told, RequestTrace | RateProfile) else []


def _notes(told: RequestTrace | RateProfile) -> Iterator[str]:
    for dropped in told.dropped:
        yield f"{told.name}: {dropped.count:,} rows left out: {dropped.reason} (first: line {dropped.first_line})"
    if told.bad_rows:
        yield f"{told.name}: {len(told.bad_rows):,} bad rows skipped, the first: {told.bad_rows[0]}"
    if isinstance(told, RequestTrace) and told.synthetic:
        yield f"{told.name}: synthetic: {', '.join(told.synthetic)}"
    yield from (f"{told.name}: {note}" for note in told.notes)


def _origin(content: Content, place: Place) -> str:
    found = [key for key in _ORIGINS if key in content]
    if len(found) != 1:
        got = " and ".join(_ORIGINS[key] for key in found) or "none of them"
        raise FieldError(place, f"expected one of {', '.join(_ORIGINS.values())}, got {got}")
    return found[0]


def _refuse_what_counts_nowhere(content: Content, origin: str, place: Place, *, tokens: bool) -> None:
    for key in content:
        fitting = _ONLY_WITH.get(key, (origin,))
        if key not in _ORIGINS and origin not in fitting:
            problem = f"expected with {' or '.join(_ORIGINS[name] for name in fitting)}, got it with {_ORIGINS[origin]}"
            raise FieldError((*place, key), problem)
    if "lengths" in content and not tokens:
        raise FieldError((*place, "lengths"), "expected with a language model: requests of others have no tokens")


def _class(content: Content, place: Place, *, tokens: bool) -> str:
    """The checked name of a class."""
    name: str = content["class_"]
    found = _placed((*place, "class"), lambda: service_class(name))
    if tokens and found.lengths is None:
        raise FieldError((*place, "class"), f"expected a class whose requests have tokens, got {name!r}")
    return name


def _placed(place: Place, make: Callable[[], T]) -> T:
    """What `make` gives; what it finds wrong, at this place of the services file."""
    try:
        return make()
    except FieldError:
        raise
    except InputError as error:
        raise FieldError(place, str(error)) from None
