"""The requests of a model that is no language model: each is one token of prompt and an output token a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from goodwatt.traces.requests.blocks import Requests
from goodwatt.traces.requests.request_source import RequestSource


@dataclass(frozen=True)
class StepSource:
    """The arrivals of another source, whose tokens do not count; see `power.serving.step_shape`."""

    source: RequestSource
    steps: int

    @property
    def name(self) -> str:
        """That of the other source."""
        return self.source.name

    @property
    def span_s(self) -> float:
        """The time from which on no request comes any more."""
        return self.source.span_s

    def between(self, from_s: float, until_s: float) -> Requests:
        """The requests that arrive at `from_s` or later and before `until_s`, in order of arrival."""
        arrival_s = self.source.between(from_s, until_s).arrival_s
        count = len(arrival_s)
        return Requests(arrival_s, np.ones(count, np.int32), np.full(count, self.steps, np.int32))
