"""The kinds of service that requests can be made up for: service_classes.yaml as checked facts.

Every figure there was fitted to a public trace by benchmarks/calibration/request_lengths.py, or says that it is
assumed.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from goodwatt.errors import InputError, UnknownNameError
from goodwatt.traces.requests.bursts import Bursts, Scale
from goodwatt.traces.requests.rhythm import Rhythm
from goodwatt.traces.requests.token_lengths import TokenLengths, fixed

CLASSES = Path(__file__).with_suffix(".yaml")


class _Lengths(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: tuple[float, ...]
    output: tuple[tuple[float, ...], ...]


class _Rhythm(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    peak_to_trough: float
    peak_hour: float
    weekend: float


class ServiceClass(BaseModel):
    """One kind of service: how long its requests are, how they burst, and how their rate follows day and week.

    `rate_per_s` is the mean rate of the trace that the figures are from. `scales` are (window_s, excess dispersion).
    `sources` says of each figure where it is from. `lengths` None: a service without tokens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    rate_per_s: float = Field(gt=0)
    rhythm: _Rhythm
    scales: tuple[tuple[float, float], ...] = ()
    sources: dict[str, str]
    lengths: _Lengths | None = None

    def token_lengths(self, name: str) -> TokenLengths:
        """The distribution of lengths, under the name of the class."""
        if self.lengths is None:
            return fixed(name=name)
        return TokenLengths(name, self.lengths.prompt, self.lengths.output)

    def bursts(self) -> Bursts:
        """The factors on the rate."""
        return Bursts(tuple(Scale(window_s, excess) for window_s, excess in self.scales))

    def daily_rhythm(self, peak_to_trough: float | None = None) -> Rhythm:
        """The rhythm, with another ratio of peak to trough where one is given."""
        ratio = self.rhythm.peak_to_trough if peak_to_trough is None else peak_to_trough
        return Rhythm(ratio, self.rhythm.peak_hour, self.rhythm.weekend)


def read_classes(path: Path = CLASSES) -> dict[str, ServiceClass]:
    """All classes by name; raises InputError where the file holds none."""
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {name: ServiceClass.model_validate(entry) for name, entry in entries.items()}
    except (OSError, AttributeError, yaml.YAMLError, ValidationError) as error:
        raise InputError(f"{path}: expected service classes, got {error}") from None


@cache
def service_classes() -> dict[str, ServiceClass]:
    """Those that ship with the package."""
    return read_classes()


def service_class(name: str) -> ServiceClass:
    """One class by name; raises UnknownNameError."""
    if name not in service_classes():
        raise UnknownNameError("class of service", name, service_classes())
    return service_classes()[name]
