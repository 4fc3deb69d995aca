"""A service as facts: its model, what it promises, how many instances it may have, who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from goodwatt.power.serving.llm_on_gpu import MEMORY_SHARE
from goodwatt.power.serving.llm_shape import LlmShape
from goodwatt.power.serving.step_shape import StepShape
from goodwatt.simulator.services.promise import Promise
from goodwatt.traces.requests.request_source import RequestSource

Routing = Literal["round_robin", "least_loaded", "by_length"]
Role = Literal["both", "prefill", "decode"]
"""What an instance does: all of a request, its prompt, or what comes after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service; times in seconds.

    Each of its `min_replicas` to `max_replicas` instances holds `tensor_parallel` GPUs of kind `gpu` on one node, or
    the slice `mig_profile` of one GPU, and takes `start_s` until it serves. `iteration_tokens`: what an iteration
    computes at most; `most_sequences` are served at once. `memory_share`: of its memory, what it takes for weights and
    KV cache; jobs beside it get the rest. `long_tokens`: from how many prompt tokens a request is long, for routing by
    length, and `long_share` of the instances serve those. `separate`: prompts are computed on instances of their own,
    of which `min_prefill` to `max_prefill` of the replicas are, see `pools`. `partition`, `user`, `priority`: as of a
    job, for whoever places the instances. What speaks of tokens, prompts and pools is for language models.
    """

    name: str
    model: LlmShape | StepShape
    gpu: str
    tensor_parallel: int
    promise: Promise
    requests: RequestSource
    min_replicas: int = 1
    max_replicas: int = 1
    start_s: float = 60.0
    software: str = "vllm"
    iteration_tokens: int = 2048
    most_sequences: int = 256
    memory_share: float = MEMORY_SHARE
    mig_profile: str | None = None
    routing: Routing = "least_loaded"
    long_tokens: int = 4096
    long_share: float = 0.5
    separate: bool = False
    min_prefill: int = 0
    max_prefill: int = 0
    partition: str | None = None
    user: str | None = None
    priority: int = 0

    @property
    def pools(self) -> Mapping[Role, tuple[int, int]]:
        """Least and most instances of each role."""
        least, most = self.min_replicas, self.max_replicas
        if not self.separate:
            return {"both": (least, most)}
        prefill = self.min_prefill, self.max_prefill
        return {"prefill": prefill, "decode": (least - self.min_prefill, most - self.max_prefill)}
