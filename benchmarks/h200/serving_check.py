"""Whether the fused kernels of `serving_kernels` compute on this machine's GPU what the plain ones compute.

PYTHONPATH=src:benchmarks python -m h200.serving_check
"""

from __future__ import annotations

from typing import Any

import torch
from h200 import serving_kernels as kernels
from h200.serving_model import SHAPES

LIMIT = 0.01
"""Relative error that bf16 leaves."""


def main() -> None:
    for name in ("8b", "30b"):
        shape = SHAPES[name]
        heads, kv_heads, width = shape.heads, shape.kv_heads, shape.width
        x, residual = _normal(7, shape.hidden), _normal(7, shape.hidden)
        weight = _normal(shape.hidden)
        own, plain = residual.cuda(), residual.clone()
        _compare(f"{name} norm", kernels.rms_norm(x.cuda(), own, weight.cuda(), True),
                 kernels.rms_norm(x, plain, weight, True))  # fmt: skip
        _compare(f"{name} residual", own, plain)
        both = _normal(7, 2 * shape.inner)
        _compare(f"{name} gate", kernels.gate(both.cuda()), kernels.gate(both))
        qkv, slots = _normal(7, heads + 2 * kv_heads, width), torch.randperm(40)[:7]
        turn = torch.randn(7, width // 2), torch.randn(7, width // 2)
        keys, values = _normal(40, kv_heads, width), _normal(40, kv_heads, width)
        own_keys, own_values = keys.cuda(), values.cuda()
        turned = kernels.rotate(qkv.cuda(), (turn[0].cuda(), turn[1].cuda()), slots.cuda(), own_keys, own_values, heads)
        _compare(f"{name} rotate", turned, kernels.rotate(qkv, turn, slots, keys, values, heads))
        _compare(f"{name} keys", own_keys, keys)
        _compare(f"{name} values", own_values, values)
        for batch, context in ((1, 8192), (3, 1000), (64, 512)):
            query = _normal(batch, heads, width).cuda()
            keys, values = (_normal(batch, context, kv_heads, width).cuda() for _ in range(2))
            _compare(f"{name} attention {batch} {context}", kernels.attend_decode(query, keys, values),
                     kernels.attend_plain(query, keys, values))  # fmt: skip


def _normal(*size: int) -> Any:
    return torch.randn(*size).bfloat16()


def _compare(what: str, found: Any, expected: Any) -> None:
    found, expected = found.double().cpu(), expected.double().cpu()
    error = float((found - expected).norm() / expected.norm())
    print(f"{what:30} {error:.1e}", flush=True)
    assert error < LIMIT, what


if __name__ == "__main__":
    main()
