"""The shape of a decoder-only language model: from it follow the bytes and FLOPs of an iteration."""

from __future__ import annotations

from dataclasses import dataclass

HEAD_DIM = 128
"""Of nearly all published decoders (Llama, Qwen, Mistral, BLOOM)."""
HALF_BYTES = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmShape:
    """A decoder of `layers` layers of width `hidden` whose KV cache has `kv_heads` heads of `head_dim` a layer.

    `parameters`: all that an iteration may read, so without the table that words come in by (the figures were fitted
    so; 7% of a model of 8B, less of larger ones). `active_parameters`: those that one token passes, fewer than all in a
    mixture of experts.
    `weight_bytes`, `kv_bytes`: of a parameter and of a cached number, 2 in 16-bit. `routed`: the share of the experts
    that a token passes (8 of 128: 0.0625); 0 where it is not known: then all weights count as those of experts.
    `query_width`: heads that ask times `head_dim`, where it is not `hidden` (0).
    """

    parameters: float
    layers: int
    hidden: int
    kv_heads: int
    active_parameters: float
    head_dim: int = HEAD_DIM
    routed: float = 0.0
    query_width: int = 0
    weight_bytes: float = HALF_BYTES
    kv_bytes: float = HALF_BYTES

    @property
    def weights_bytes(self) -> float:
        """Of the whole model."""
        return self.parameters * self.weight_bytes

    @property
    def kv_token_bytes(self) -> float:
        """Of the KV cache, for one token: a key and a value for each layer and KV head."""
        return 2.0 * self.layers * self.kv_heads * self.head_dim * self.kv_bytes

    @property
    def token_flops(self) -> float:
        """A multiplication and an addition for each parameter that a token passes."""
        return 2.0 * self.active_parameters

    @property
    def pair_flops(self) -> float:
        """Attention of one token to one token of its context: scores and their sum, in every layer."""
        return 4.0 * self.layers * (self.query_width or self.hidden)

    @property
    def kv_row_flops(self) -> float:
        """Attention of one row of a tile to one token of context, over all KV heads and layers."""
        return 4.0 * self.layers * self.kv_heads * self.head_dim

    @property
    def dormant(self) -> float:
        """Share of the experts' weights that one token does not touch."""
        return 1.0 - (self.routed or self.active_parameters / self.parameters)

    @property
    def experts(self) -> float:
        """Share of the weights in experts; 0 without any.

        All but what every token passes: with e in experts and r of them routed, parameters - active = e (1 - r).
        """
        if self.active_parameters >= self.parameters:
            return 0.0
        return min(1.0, (1.0 - self.active_parameters / self.parameters) / self.dormant)
