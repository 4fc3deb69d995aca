"""Decoder-only transformers with random weights in bf16, as a serving engine runs them: one forward pass over a chunk
of a prompt and one token of each sequence that decodes, with a cache of keys and values allocated before.

Projections and MLP go over all tokens together, attention separately. What is not here: paging of the cache, a
sampler (the greatest logit is taken and not fed back), quantisation, real text. Weights and cache are normal, since
watts depend on data. With `tensor_parallel` above 1 every rank holds its share of heads, of the MLP and of the words,
and sums by NCCL twice a layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from h200.serving_kernels import attend_decode, attend_plain, gate, rms_norm, rotate

Step = Callable[[], object]
ROPE_BASE = 500_000.0


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder: `inner` is the width of the gated MLP, `words` the vocabulary."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    inner: int
    words: int

    @property
    def width(self) -> int:
        """Of one head."""
        return self.hidden // self.heads


SHAPES = {
    "8b": Shape(layers=32, hidden=4096, heads=32, kv_heads=8, inner=14336, words=128256),
    "30b": Shape(layers=60, hidden=6656, heads=52, kv_heads=52, inner=17920, words=32000),
    "tiny": Shape(layers=2, hidden=64, heads=4, kv_heads=2, inner=128, words=100),
}
"""Llama-3.1-8B (grouped keys, 131,072 bytes of cache a token) and LLaMA-30B (every head its own keys, 1,597,440)."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one iteration goes over: `chunk` tokens of a prompt after `earlier` ones, and one token of each of `batch`
    sequences, which with it have `context` tokens."""

    chunk: int = 0
    earlier: int = 0
    batch: int = 0
    context: int = 0

    @property
    def cached(self) -> int:
        """Tokens that the cache has to hold."""
        return self.batch * self.context + self.earlier + self.chunk


class Decoder:
    """Weights and cache of one rank; `step(tokens)` is one iteration over fixed tokens.

    `decode`: attention of decoding, `split` (Triton, see serving_kernels) or `plain` (torch). `prefill`: `flash` or
    `cudnn`; after earlier tokens always flash, which alone aligns the mask to the end.
    """

    def __init__(self, shape: Shape, tensor_parallel: int = 1, decode: str = "split", prefill: str = "flash") -> None:
        self.shape, self.ranks = shape, tensor_parallel
        self.decode, self.prefill = decode, prefill
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.heads, self.kv_heads = shape.heads // tensor_parallel, max(1, shape.kv_heads // tensor_parallel)
        inner, words = shape.inner // tensor_parallel, shape.words // tensor_parallel
        own = self.heads * shape.width
        sizes = (
            ((self.heads + 2 * self.kv_heads) * shape.width, shape.hidden),
            (shape.hidden, own),
            (2 * inner, shape.hidden),
            (shape.hidden, inner),
        )
        self._layers = [tuple(self._weights(*size) for size in sizes) for _ in range(shape.layers)]
        self._words_in = self._weights(shape.words, shape.hidden) * shape.hidden**0.5
        self._words_out = self._weights(words, shape.hidden)
        self._norm = torch.ones(shape.hidden, device=self.device, dtype=torch.bfloat16)
        self._cache = list[tuple[Any, Any]]()
        self._cached = 0

    def reserve(self, cached: int) -> None:
        """Make room for so many tokens, unless there is; steps made before are void then."""
        if cached <= self._cached:
            return
        self._cache.clear()
        size = (cached, self.kv_heads, self.shape.width)
        self._cache += [(self._normal(*size), self._normal(*size)) for _ in range(self.shape.layers)]
        self._cached = cached

    def step(self, tokens: Tokens, graph: bool) -> Step:
        """One iteration, as a CUDA graph or as calls of torch."""
        self.reserve(tokens.cached)
        forward = self._forward(tokens)
        if not graph or self.device == "cpu":
            return forward
        return captured(forward)

    def all_reduces(self, tokens: int, times: int) -> Step:
        """Only the sums over ranks of an iteration, as a CUDA graph: `times` of them over (tokens, hidden)."""
        data = self._normal(tokens, self.shape.hidden)

        def sums() -> None:
            for _ in range(times):
                torch.distributed.all_reduce(data)

        return captured(sums)

    def _forward(self, tokens: Tokens) -> Step:
        count = tokens.batch + tokens.chunk
        ids = torch.randint(0, self.shape.words, (count,), device=self.device)
        positions, slots, last = (torch.tensor(row, device=self.device) for row in _places(tokens))
        frequency = ROPE_BASE ** -(torch.arange(self.shape.width // 2, device=self.device) * 2 / self.shape.width)
        angle = positions[:, None].float() * frequency
        turn = angle.cos(), angle.sin()
        residual = torch.empty(count, self.shape.hidden, device=self.device, dtype=torch.bfloat16)

        def forward() -> Any:
            normed = rms_norm(torch.nn.functional.embedding(ids, self._words_in), residual, self._norm, add=False)
            for place in range(self.shape.layers):
                normed = self._layer(place, tokens, normed, residual, turn, slots)
            return torch.nn.functional.linear(normed[last], self._words_out).argmax(-1)

        without_gradients: Step = torch.no_grad()(forward)
        return without_gradients

    def _layer(self, place: int, tokens: Tokens, normed: Any, residual: Any, turn: tuple[Any, Any], slots: Any) -> Any:
        qkv, out, gate_up, down = self._layers[place]
        linear, cache = torch.nn.functional.linear, self._cache[place]
        heads = linear(normed, qkv).view(-1, self.heads + 2 * self.kv_heads, self.shape.width)
        query = rotate(heads, turn, slots, *cache, self.heads)
        seen = self._summed(linear(self._attend(query, *cache, tokens), out))
        gated = gate(linear(rms_norm(seen, residual, self._norm, add=True), gate_up))
        return rms_norm(self._summed(linear(gated, down)), residual, self._norm, add=True)

    def _attend(self, query: Any, keys: Any, values: Any, tokens: Tokens) -> Any:
        """(tokens, heads * width): first of the sequences that decode, then of the prompt."""
        begin, found = tokens.batch * tokens.context, list[Any]()
        if tokens.batch:
            size = (tokens.batch, tokens.context, self.kv_heads, self.shape.width)
            decode = attend_decode if self.decode == "split" else attend_plain
            found.append(decode(query[: tokens.batch], keys[:begin].view(size), values[:begin].view(size)))
        if tokens.chunk:
            rows = slice(begin, begin + tokens.earlier + tokens.chunk)
            found.append(self._attend_prompt(query[tokens.batch :], keys[rows], values[rows], tokens.earlier))
        return (found[0] if len(found) == 1 else torch.cat(found)).flatten(1)

    def _attend_prompt(self, query: Any, keys: Any, values: Any, earlier: int) -> Any:
        q, k, v = (part.transpose(0, 1)[None] for part in (query, keys, values))
        if self.device == "cpu":
            mask = torch.ones(len(query), len(keys), dtype=torch.bool).tril(earlier)
            seen = torch.nn.functional.scaled_dot_product_attention(q, k, v, mask, enable_gqa=True)
        elif self.prefill == "cudnn" and not earlier:
            backend = torch.nn.attention.SDPBackend.CUDNN_ATTENTION
            with torch.nn.attention.sdpa_kernel(backend):
                seen = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        else:
            seen = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, 0.0, True)[0]
        return seen[0].transpose(0, 1)

    def _summed(self, x: Any) -> Any:
        if self.ranks > 1:
            torch.distributed.all_reduce(x)
        return x

    def _weights(self, rows: int, columns: int) -> Any:
        return self._normal(rows, columns).mul_(columns**-0.5)

    def _normal(self, *size: int) -> Any:
        return torch.empty(size, device=self.device, dtype=torch.bfloat16).normal_()

    def bytes_of_weights(self) -> int:
        """Bytes that an iteration reads at least: every layer and the words that come out."""
        read = [weight for layer in self._layers for weight in layer] + [self._words_out]
        return sum(math.prod(weight.shape) * 2 for weight in read)


def captured(step: Step) -> Step:
    """A CUDA graph of it, warm."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):
            step()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        step()

    held = [step]  # the graph reads the tensors that its step holds

    def replay() -> None:
        graph.replay()
        assert held

    return replay


def _places(tokens: Tokens) -> tuple[list[int], list[int], list[int]]:
    """Positions and slots of the cache of every token, and the tokens whose next one is asked for."""
    chunk = range(tokens.earlier, tokens.earlier + tokens.chunk)
    begin = tokens.batch * tokens.context
    positions = [tokens.context - 1] * tokens.batch + list(chunk)
    slots = [(n + 1) * tokens.context - 1 for n in range(tokens.batch)] + [begin + place for place in chunk]
    last = list(range(tokens.batch)) + ([tokens.batch + tokens.chunk - 1] if tokens.chunk else [])
    return positions, slots, last
