"""A service on the GPUs of its kind: what its iterations cost, its room, how fast a KV cache is sent elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from goodwatt.cluster import mig
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.errors import InputError
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.network.board import NETWORK_EFFICIENCY, board_of
from goodwatt.power.serving.iteration_law import IterationLaw
from goodwatt.power.serving.llm_on_gpu import kv_capacity_tokens, llm_law
from goodwatt.power.serving.llm_shape import LlmShape
from goodwatt.power.serving.sliced_law import on_slice
from goodwatt.power.serving.step_shape import NO_CACHE_TOKENS, StepShape, step_law
from goodwatt.simulator.services.request_instance import Batching
from goodwatt.simulator.services.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """`transfer_token_s`: seconds for which the KV cache of one token is on its way to another instance."""

    service: Service
    model: GpuModel
    law: IterationLaw
    batching: Batching
    transfer_token_s: float

    @property
    def has_cache(self) -> bool:
        """Whether its requests take room of a KV cache."""
        return isinstance(self.service.model, LlmShape)

    def transfer_s(self, tokens: int) -> float:
        """Seconds to send the KV cache of so many tokens."""
        return TRANSFER_S + tokens * self.transfer_token_s


TRANSFER_S = 0.002
"""To begin a transfer: assumed; Splitwise reports 5 ms in all for small prompts (section 5.3)."""


def serving_of(service: Service, kind: GpuKind) -> Serving:
    """Raises InputError where the kind is unknown to the model, or the weights do not fit."""
    if isinstance(service.model, StepShape):
        return _of_steps(service, service.model, kind)
    return _of_tokens(service, service.model, kind)


def _of_tokens(service: Service, shape: LlmShape, kind: GpuKind) -> Serving:
    gpus = service.tensor_parallel
    part = None if service.mig_profile is None else mig.profile(kind, service.mig_profile)
    law, memory_share = llm_law(shape, kind, gpus, service.software), service.memory_share
    if part is not None:
        law, memory_share = on_slice(law, part), memory_share * part.memory_mib / kind.memory_mib
    board = board_of(kind)
    nic_gbps = board.nic_gbps / max(1, board.gpus_per_nic or gpus) * gpus * NETWORK_EFFICIENCY
    return Serving(
        service=service,
        model=gpu_model(kind),
        law=law,
        batching=Batching(
            budget=service.iteration_tokens,
            most=service.most_sequences,
            kv_tokens=kv_capacity_tokens(shape, kind, gpus, memory_share),
        ),
        transfer_token_s=shape.kv_token_bytes / (nic_gbps * 1e9),
    )


def _of_steps(service: Service, shape: StepShape, kind: GpuKind) -> Serving:
    """Each request is one token in an iteration, and no cache is ever full."""
    if service.tensor_parallel != 1:
        raise InputError(f"expected 1 GPU an instance for a model without tokens, got {service.tensor_parallel}")
    batching = Batching(budget=service.most_sequences, most=service.most_sequences, kv_tokens=NO_CACHE_TOKENS)
    return Serving(
        service=service, model=gpu_model(kind), law=step_law(shape, kind), batching=batching, transfer_token_s=0.0
    )
