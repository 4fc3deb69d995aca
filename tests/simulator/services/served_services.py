"""A service with given requests, for tests of fleets of instances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.sequence import Request
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.services.serving import Serving, serving_of
from goodwatt.traces.requests.blocks import NO_REQUESTS, Requests
from tests.simulator.services.served_requests import SHAPE_8B


class Given:
    """A source of just these requests."""

    name = "given"

    def __init__(self, requests: Sequence[Request]) -> None:
        columns = [[request[place] for request in requests] for place in (1, 2, 3)]
        arrival, prompt, output = columns
        self._all = Requests(np.array(arrival, float), np.array(prompt, np.int32), np.array(output, np.int32))
        self.span_s = arrival[-1] + 1.0 if arrival else 0.0

    def between(self, from_s: float, until_s: float) -> Requests:
        return self._all.cut(from_s, until_s) if until_s > from_s else NO_REQUESTS


def service_of(requests: Sequence[Request] = (), **more: Any) -> Service:
    return Service(
        name="chat",
        model=SHAPE_8B,
        gpu="H200-SXM",
        tensor_parallel=1,
        promise=Promise(ttft_s=1.0, tpot_s=0.05),
        requests=Given(requests),
        **more,
    )


def serving(requests: Sequence[Request] = (), **more: Any) -> Serving:
    service = service_of(requests, **more)
    return serving_of(service, gpu_kind(service.gpu))
