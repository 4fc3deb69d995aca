"""A language model on a kind of GPU: its law of iterations and the room of its KV cache.

Tensor parallelism cuts weights, heads and arithmetic evenly over the GPUs of an instance and joins them by two
all-reduces a layer; `power.network.collectives` knows how long these take.
"""

from __future__ import annotations

from functools import lru_cache

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.network import Network
from goodwatt.errors import InputError
from goodwatt.power.network.board import board_of
from goodwatt.power.network.collectives import all_reduce_s
from goodwatt.power.network.layout import Layout, Machine
from goodwatt.power.serving.iteration_law import IterationLaw
from goodwatt.power.serving.llm_shape import HALF_BYTES, LlmShape
from goodwatt.power.serving.serving_figures import ChipFigures, Software, chip_figures, software
from goodwatt.power.workloads.kind_rates import RATES, KindRates

MEMORY_SHARE = 0.9
"""Of a GPU's memory that weights and KV cache may take; the default of vLLM (gpu_memory_utilization)."""
ACTIVATION_PASSES = 12.0
"""How often an activation of width `hidden` is written or read in a layer: assumed; matters for long prompts only."""
REDUCES = 2
"""All-reduces of a layer: after attention and after the feed-forward part (Megatron-LM)."""
_MANY_TOKENS = 2048
_MIB = 2**20
_US = 1e-6


@lru_cache(maxsize=256)
def llm_law(shape: LlmShape, kind: GpuKind, tensor_parallel: int, software_name: str) -> IterationLaw:
    """Raises InputError for a kind whose rates are unknown, UnknownNameError for unknown software."""
    return law_with(shape, kind, tensor_parallel, chip_figures(kind.architecture), software(software_name))


def law_with(shape: LlmShape, kind: GpuKind, tensor_parallel: int, chip: ChipFigures, around: Software) -> IterationLaw:
    """The law with figures of one's own, as calibrations try them."""
    rates, kept = rates_of(kind), weights_kept(shape, around)
    flops, bandwidth = rates.half_tflops * 1e12 * tensor_parallel, rates.memory_gbps * 1e9 * tensor_parallel
    activation_bytes = ACTIVATION_PASSES * shape.layers * shape.hidden * HALF_BYTES
    activation_s = activation_bytes / (rates.memory_gbps * 1e9)
    token_s, pair_s = shape.token_flops / flops, shape.pair_flops / flops
    row_s = shape.kv_row_flops / flops * around.decode_rows
    sample_s = around.sample_mb * 1e6 / (rates.memory_gbps * 1e9)
    fixed_s, per_token_s = _exchange(shape, kind, tensor_parallel)
    return IterationLaw(
        multiply_s=token_s / chip.gemm / kept,
        rows=chip.rows * shape.parameters / shape.active_parameters,
        weights_s=shape.weights_bytes / bandwidth / chip.weights / kept,
        experts=shape.experts,
        dormant=shape.dormant,
        token_s=activation_s / chip.weights,
        pair_s=pair_s / chip.attention,
        context_s=shape.kv_token_bytes / bandwidth / chip.context,
        sample_s=sample_s / chip.weights,
        gap_s=shape.layers * (chip.gap_us + (around.experts_layer_us if shape.experts else 0.0)) * _US,
        exchange_s=fixed_s * around.exchange_start,
        exchange_token_s=per_token_s * around.exchange,
        slow_tokens=around.slow_mib * _MIB / (shape.hidden * HALF_BYTES),
        slow=around.slow_exchange if tensor_parallel > 2 else 1.0,
        launch_s=shape.layers * around.launch_layer_us * _US,
        launch_more_s=shape.layers * around.launch_more_us * _US,
        launch_prompt_s=shape.layers * around.launch_prompt_us * _US,
        between_s=around.between_us * _US,
        sequence_s=around.between_sequence_us * _US,
        multiply_sm_s=token_s * chip.gemm_sm,
        pair_sm_s=pair_s * chip.attention_sm,
        context_sm_s=row_s * chip.attention_sm,
        sample_sm_s=sample_s / chip.weights * around.sample_sm,
        reading_sm=chip.reading_sm,
        exchange_sm=chip.exchange_sm,
        weights_dram_s=shape.weights_bytes / bandwidth,
        token_dram_s=activation_s,
        context_dram_s=shape.kv_token_bytes / bandwidth,
        sample_dram_s=sample_s,
    )


def weights_kept(shape: LlmShape, around: Software) -> float:
    """Of the speed that dense 16-bit weights have."""
    return (around.experts if shape.experts else 1.0) * (around.eight_bit if shape.weight_bytes < HALF_BYTES else 1.0)


def kv_capacity_tokens(shape: LlmShape, kind: GpuKind, tensor_parallel: int, memory_share: float = MEMORY_SHARE) -> int:
    """Tokens whose KV cache fits beside the weights into this share of the memory.

    Raises InputError if the weights alone do not fit.
    """
    room_bytes = kind.memory_mib * _MIB * memory_share * tensor_parallel - shape.weights_bytes
    if room_bytes < shape.kv_token_bytes:
        raise InputError(
            f"{shape.weights_bytes / 1e9:.0f} GB of weights do not fit {tensor_parallel} x {kind.name} "
            f"({kind.memory_mib} MiB each, of which {memory_share:.0%} may be used): "
            "expected a greater tensor_parallel, or smaller weights"
        )
    return int(room_bytes / shape.kv_token_bytes)


def rates_of(kind: GpuKind) -> KindRates:
    """The peaks of a kind. Raises InputError where they are unknown."""
    if kind.name not in RATES:
        raise InputError(f"GPU kind {kind.name}: its arithmetic and memory rates are unknown")
    return RATES[kind.name]


def _exchange(shape: LlmShape, kind: GpuKind, tensor_parallel: int) -> tuple[float, float]:
    """Seconds of an iteration's all-reduces: what they take however small, and for each token."""
    if tensor_parallel == 1:
        return 0.0, 0.0
    board = board_of(kind)
    domain = min(tensor_parallel, board.domain) or 1
    islands = (domain,) * (tensor_parallel // domain)
    layout = Layout(board, tensor_parallel, ((Machine(islands, ((tensor_parallel, tensor_parallel),)), 1),))
    count, token_bytes = REDUCES * shape.layers, shape.hidden * HALF_BYTES
    few_s, many_s = (all_reduce_s(layout, Network(), n * token_bytes) for n in (1, _MANY_TOKENS))
    per_token_s = (many_s - few_s) / (_MANY_TOKENS - 1)
    return count * (few_s - per_token_s), count * per_token_s
