"""Laws, requests and a way to put them through an instance, for the tests of this folder."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from hypothesis import strategies as st

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.serving.iteration_law import IterationLaw
from goodwatt.power.serving.llm_on_gpu import llm_law
from goodwatt.power.serving.llm_shape import LlmShape
from goodwatt.simulator.services.board import Board
from goodwatt.simulator.services.request_instance import Batching, RequestInstance
from goodwatt.simulator.services.sequence import Request
from goodwatt.simulator.services.sequence import Sequence as Served

SHAPE_8B = LlmShape(parameters=8.03e9, active_parameters=8.03e9, layers=32, hidden=4096, kv_heads=8)
SHAPE_70B = LlmShape(parameters=70.6e9, active_parameters=70.6e9, layers=80, hidden=8192, kv_heads=8)
LAWS = {
    "8B on one H200": (SHAPE_8B, "H200-SXM", 1, "vllm"),
    "70B on four H100": (SHAPE_70B, "H100-SXM", 4, "vllm"),
    "70B on eight A100": (SHAPE_70B, "A100-SXM4-80GB", 8, "vllm"),
    "8B, launches as long as its kernels": (SHAPE_8B, "H200-SXM", 1, "torch"),
}
NO_CAP_W = 1e6
LATER_S = 1e7


@cache
def law_of(name: str) -> IterationLaw:
    shape, kind, gpus, software = LAWS[name]
    return llm_law(shape, gpu_kind(kind), gpus, software)


def model_of(name: str) -> GpuModel:
    return gpu_model(gpu_kind(LAWS[name][1]))


def straight(law: IterationLaw) -> IterationLaw:
    """Without launches beside the GPU's work: then the time of a batch that decodes is linear in its context."""
    return replace(law, launch_s=0.0, launch_more_s=0.0, launch_prompt_s=0.0)


@dataclass
class Outcome:
    """`first_s`, `end_s` by number; `ended`: numbers in the order of their last tokens."""

    first_s: dict[int, float] = field(default_factory=dict)
    end_s: dict[int, float] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)
    firsts: int = 0

    def first(self, served: Served, now_s: float) -> bool:
        self.first_s[served.request.number] = now_s
        self.firsts += 1
        return False

    def done(self, served: Served, now_s: float) -> None:
        self.first_s[served.request.number] = served.first_s
        self.end_s[served.request.number] = now_s
        self.ended.append(served.request.number)


def instance_of(
    law: IterationLaw, batching: Batching, model: GpuModel, cap_w: float = NO_CAP_W
) -> tuple[RequestInstance, Outcome]:
    board, outcome = Board(model), Outcome()
    board.cap_w = cap_w
    return RequestInstance(law, batching, board, 0.0, outcome.first, outcome.done), outcome


def put_through(instance: RequestInstance, requests: Sequence[Request], stops_s: Iterable[float] = ()) -> None:
    """Everything is served; on the way the instance is also advanced to each of the stops."""
    events: list[tuple[float, int, Request | None]] = [(stop, -1, None) for stop in stops_s]
    events += [(request.arrival_s, request.number, request) for request in requests]
    for time_s, _, request in sorted(events, key=lambda event: event[:2]):
        instance.advance(time_s)
        if request:
            instance.admit(Served(request))
    instance.advance(LATER_S)


def random_requests(seed: int) -> list[Request]:
    """Few or many, at once or over a minute, short or long; outputs of one token among them."""
    rng = random.Random(seed)
    gap_s, prompt, output = rng.choice([0.0, 0.01, 0.2, 2.0]), rng.choice([10, 300, 6000]), rng.choice([3, 40, 400])
    requests, now_s = [], 0.0
    for number in range(rng.randint(1, 30)):
        if rng.random() < 0.7:
            now_s += rng.expovariate(1.0) * gap_s
        tokens = 1 if rng.random() < 0.1 else rng.randint(1, output)
        requests.append(Request(number, now_s, rng.randint(1, prompt), tokens))
    return requests


REQUESTS = st.integers(0, 2**32).map(random_requests)
BATCHINGS = st.builds(
    Batching,
    budget=st.sampled_from([20, 64, 512, 2048, 8192]),
    most=st.sampled_from([1, 2, 5, 256]),
    kv_tokens=st.sampled_from([40.0, 500.0, 3000.0, 12000.5, 4e5]),
)
