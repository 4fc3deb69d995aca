"""The kernels of `serving_kernels` in Triton, which says what they compute. Sizes and strides are in elements.

Imported only where there is a GPU.
"""
# mypy: disable-error-code="no-untyped-def,untyped-decorator,no-untyped-call"
# ruff: noqa: N803

import triton
import triton.language as tl


@triton.jit
def rms_norm(x, residual, weight, out, width, epsilon, ADD: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * width
    at = tl.arange(0, BLOCK)
    inside = at < width
    value = tl.load(x + row + at, mask=inside, other=0.0).to(tl.float32)
    if ADD:
        value += tl.load(residual + row + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(residual + row + at, value.to(tl.bfloat16), mask=inside)
    scale = 1.0 / tl.sqrt(tl.sum(value * value) / width + epsilon)
    factor = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row + at, (value * scale * factor).to(tl.bfloat16), mask=inside)


@triton.jit
def rotate(qkv, cosine, sine, slots, query, keys, values, heads, kv_heads,
            GROUP: tl.constexpr, HALF: tl.constexpr):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    head = (tl.program_id(1) * GROUP + tl.arange(0, GROUP))[:, None]
    at = tl.arange(0, HALF)[None, :]
    is_query, every = head < heads, heads + 2 * kv_heads
    is_key = (head >= heads) & (head < heads + kv_heads)
    is_value = (head >= heads + kv_heads) & (head < every)
    place = (token * every + head) * (2 * HALF) + at
    low = tl.load(qkv + place, mask=head < every, other=0.0).to(tl.float32)
    high = tl.load(qkv + place + HALF, mask=head < every, other=0.0).to(tl.float32)
    c, s = tl.load(cosine + token * HALF + at), tl.load(sine + token * HALF + at)
    turned_low, turned_high = (low * c - high * s).to(tl.bfloat16), (high * c + low * s).to(tl.bfloat16)
    to_query = query + (token * heads + head) * (2 * HALF) + at
    tl.store(to_query, turned_low, mask=is_query)
    tl.store(to_query + HALF, turned_high, mask=is_query)
    slot = tl.load(slots + token)
    to_key = keys + (slot * kv_heads + head - heads) * (2 * HALF) + at
    tl.store(to_key, turned_low, mask=is_key)
    tl.store(to_key + HALF, turned_high, mask=is_key)
    to_value = values + (slot * kv_heads + head - heads - kv_heads) * (2 * HALF) + at
    tl.store(to_value, low.to(tl.bfloat16), mask=is_value)
    tl.store(to_value + HALF, high.to(tl.bfloat16), mask=is_value)


@triton.jit
def gate(both, out, inner, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < inner
    gate = tl.load(both + row * 2 * inner + at, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(both + row * 2 * inner + inner + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * inner + at, (gate * tl.sigmoid(gate) * up).to(tl.bfloat16), mask=inside)


@triton.jit
def attend_part(query, keys, values, sums, maxima, totals, context, part, scale,
                 KV_HEADS: tl.constexpr, SHARE: tl.constexpr, ROWS: tl.constexpr,
                 WIDTH: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """One sequence and head of the cache, `part` tokens of its context: sums of values, maximum and total."""
    sequence, kv_head = tl.program_id(0) // KV_HEADS, tl.program_id(0) % KV_HEADS
    split, splits = tl.program_id(1), tl.num_programs(1)
    row, at = tl.arange(0, ROWS), tl.arange(0, WIDTH)
    head = sequence * (KV_HEADS * SHARE) + kv_head * SHARE + row
    mine = row < SHARE
    q = tl.load(query + head[:, None] * WIDTH + at[None, :], mask=mine[:, None], other=0.0)
    base = (sequence.to(tl.int64) * context * KV_HEADS + kv_head) * WIDTH
    most = tl.full([ROWS], -1e30, tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    summed = tl.zeros([ROWS, WIDTH], tl.float32)
    end = tl.minimum((split + 1) * part, context)
    for start in range(split * part, end, BLOCK):
        token = start + tl.arange(0, BLOCK)
        seen = token < end
        place = base + token[:, None] * (KV_HEADS * WIDTH) + at[None, :]
        k = tl.load(keys + place, mask=seen[:, None], other=0.0)
        v = tl.load(values + place, mask=seen[:, None], other=0.0)
        score = tl.where(seen[None, :], tl.dot(q, tl.trans(k)) * scale, -1e30)
        higher = tl.maximum(most, tl.max(score, 1))
        weight = tl.exp(score - higher[:, None])
        fade = tl.exp(most - higher)
        total = total * fade + tl.sum(weight, 1)
        summed = summed * fade[:, None] + tl.dot(weight.to(tl.bfloat16), v)
        most = higher
    kept = head * splits + split
    tl.store(sums + kept[:, None] * WIDTH + at[None, :], summed, mask=mine[:, None])
    tl.store(maxima + kept, most, mask=mine)
    tl.store(totals + kept, total, mask=mine)


@triton.jit
def attend_join(sums, maxima, totals, out, splits, SPLITS: tl.constexpr, WIDTH: tl.constexpr):
    """Every part of one head of one sequence together."""
    head = tl.program_id(0)
    split, at = tl.arange(0, SPLITS), tl.arange(0, WIDTH)
    there = split < splits
    most = tl.load(maxima + head * splits + split, mask=there, other=-1e30)
    factor = tl.where(there, tl.exp(most - tl.max(most, 0)), 0.0)
    total = tl.sum(tl.load(totals + head * splits + split, mask=there, other=0.0) * factor, 0)
    place = sums + (head * splits + split)[:, None] * WIDTH + at[None, :]
    summed = tl.sum(tl.load(place, mask=there[:, None], other=0.0) * factor[:, None], 0)
    tl.store(out + head * WIDTH + at, (summed / total).to(tl.bfloat16))
