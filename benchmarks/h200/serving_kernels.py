"""The small kernels of a decoder that serving engines fuse: norms, rotary embedding with the cache's writes, gating,
and decode attention over a split context. Triton on a GPU; on a CPU the same sums in plain torch, to try things out.

`rms_norm`, `rotate`, `gate` and `attend_decode` choose by where their tensors lie.
"""

from __future__ import annotations

from typing import Any

import torch

if torch.cuda.is_available():
    import triton
    from h200 import serving_triton as fused

EPSILON = 1e-5
PART_TOKENS = 256
"""Least tokens of context that one program of decode attention goes through."""
PROGRAMS = 132 * 4
"""Programs that fill the GPU."""


def rms_norm(x: Any, residual: Any, weight: Any, add: bool) -> Any:
    """Norm of x (tokens, hidden), plus the residual stream if `add`; the stream becomes what was normed."""
    tokens, width = x.shape
    if not x.is_cuda:
        residual.copy_(x + residual if add else x)
        return torch.nn.functional.rms_norm(residual, (width,), weight, EPSILON)
    out = torch.empty_like(x)
    fused.rms_norm[tokens,](
        x, residual, weight, out, width, EPSILON, ADD=add, BLOCK=triton.next_power_of_2(width), num_warps=8
    )
    return out


def rotate(qkv: Any, turn: tuple[Any, Any], slots: Any, keys: Any, values: Any, heads: int) -> Any:
    """Turned queries (tokens, heads, width) of qkv (tokens, heads + 2 kv_heads, width); keys and values go to `slots`
    of the cache (slots, kv_heads, width). `turn`: cosine and sine, each (tokens, width / 2) in float32."""
    tokens, every, width = qkv.shape
    kv_heads = keys.shape[1]
    query = torch.empty(tokens, heads, width, device=qkv.device, dtype=qkv.dtype)
    if qkv.is_cuda:
        grid = (tokens, triton.cdiv(every, 8))
        fused.rotate[grid](
            qkv, *turn, slots, query, keys, values, heads, kv_heads, GROUP=8, HALF=width // 2, num_warps=2
        )
        return query
    low, high = qkv[:, : heads + kv_heads].float().chunk(2, -1)
    cosine, sine = (part[:, None, :] for part in turn)
    turned = torch.cat([low * cosine - high * sine, high * cosine + low * sine], -1).to(qkv.dtype)
    keys[slots], values[slots] = turned[:, heads:], qkv[:, heads + kv_heads :]
    return query.copy_(turned[:, :heads])


def gate(both: Any) -> Any:
    """silu(gate) * up of (tokens, 2 inner)."""
    tokens, inner = both.shape[0], both.shape[1] // 2
    if not both.is_cuda:
        return torch.nn.functional.silu(both[:, :inner]) * both[:, inner:]
    out = torch.empty(tokens, inner, device=both.device, dtype=both.dtype)
    fused.gate[tokens, triton.cdiv(inner, 2048)](both, out, inner, BLOCK=2048, num_warps=4)
    return out


def attend_decode(query: Any, keys: Any, values: Any) -> Any:
    """(batch, heads, width) of one query a sequence over a cache (batch, context, kv_heads, width)."""
    batch, heads, width = query.shape
    context, kv_heads = keys.shape[1:3]
    if not query.is_cuda:
        return attend_plain(query, keys, values)
    share = heads // kv_heads
    splits = parts(batch * kv_heads, context)
    part = -(-context // splits)
    sums = torch.empty(batch * heads, splits, width, device=query.device)
    maxima, totals = (torch.empty(batch * heads, splits, device=query.device) for _ in range(2))
    fused.attend_part[batch * kv_heads, splits](
        query, keys, values, sums, maxima, totals, context, part, width**-0.5,
        KV_HEADS=kv_heads, SHARE=share, ROWS=max(16, triton.next_power_of_2(share)), WIDTH=width, BLOCK=64,
        num_warps=4, num_stages=3,
    )  # fmt: skip
    out = torch.empty_like(query)
    fused.attend_join[batch * heads,](
        sums, maxima, totals, out, splits, SPLITS=triton.next_power_of_2(splits), WIDTH=width, num_warps=2
    )
    return out


def attend_plain(query: Any, keys: Any, values: Any) -> Any:
    """The same through torch's own attention: heads that share keys go as so many queries of one head."""
    batch, heads, width = query.shape
    kv_heads = keys.shape[2]
    grouped = query.view(batch, kv_heads, heads // kv_heads, width)
    seen = torch.nn.functional.scaled_dot_product_attention(grouped, keys.transpose(1, 2), values.transpose(1, 2))
    return seen.reshape(batch, heads, width)


def parts(programs: int, context: int) -> int:
    """Into how many parts a context is split so that `programs` times as many programs fill the GPU."""
    return max(1, min(-(-PROGRAMS // programs), context // PART_TOKENS))
