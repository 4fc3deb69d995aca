"""Seconds and joules of one iteration of a language model: what every reader of serving computes with.

An iteration passes n tokens through the weights: one of each of the b sequences that decode, and prompt tokens of those
that do not yet. With x the SM clock relative to the greatest:

    touched   = 1 - E dormant^n
    products  = soft(C (n + rows touched) / x, W touched)
    attention = A pairs / x + R context
    gpu       = (products + attention + I n + S b + gap) sharing + exchange(n)
    wall      = soft(gpu, launch) + between + host b

soft(a, b) = (a^4 + b^4)^(1/4): two resources that work side by side, the slower decides. C: seconds of multiplications
for a token, W: to read all weights, E: the share of the weights in experts, `dormant`: of these the share that one
token does not touch; E = 0 without experts. `pairs`: over all tokens the tokens of their context, at A
seconds; `context`: tokens of the KV cache that are read, at R seconds; I: activations of a token; S: choosing a
sequence's next token; all in kernels of their own, one after the other. sharing: how much longer co-runners make it.

    SM joules   = A_sm V(x)^2 (multiplications at their activity + x (reading_sm on the GPU + sample_sm S b
                               + exchange_sm exchange, a quarter of it while nothing moves))
    DRAM joules = P_mem (bytes over the greatest bandwidth)

A multiplication costs the same at any clock but for the voltage, waiting for DRAM costs by the cycle. Attention to the
cache multiplies too: tiles of several rows of which a decoding sequence fills one for each head that shares a KV head.
Numbers and numpy arrays are taken alike. Source of the form: the roofline of a decoder's layer, whose multiplications
and attention follow each other; of the figures: `serving_figures`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

Number = Any
"""A float or an array of them; all arrays of a call have one shape."""


class Cost(NamedTuple):
    """Of one iteration, on each GPU of the instance.

    `wall_s`: from its start to that of the next; `gpu_s`: with a kernel on the GPU; `scaled_s`: what `wall_s` would
    grow by if the clock halved its speed, as a derivative; `sm_s`: SM energy over the kind's `core_w` and the square of
    the voltage; `dram_s`: bytes over the greatest bandwidth.
    """

    wall_s: Number
    gpu_s: Number
    scaled_s: Number
    sm_s: Number
    dram_s: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationLaw:
    """The coefficients of the formulas above for one model on one kind of GPU; all times in seconds.

    `multiply_s`: C, `rows`, `weights_s`: W, `experts`: E, `dormant`, `token_s`: I, `pair_s`: A, `context_s`: R,
    `sample_s`: S, `gap_s`. `exchange_s`, `exchange_token_s`: all-reduces of an iteration and for each token, `slow`
    times that from `slow_tokens` tokens. `launch_s`, `launch_more_s` (towards many sequences), `launch_prompt_s` (with
    any prompt), `between_s`, `sequence_s` (for each sequence). Energies: `multiply_sm_s`, `pair_sm_s`, `context_sm_s`,
    `sample_sm_s` per token, pair, token of context, sequence; `reading_sm`, `exchange_sm`; `weights_dram_s`,
    `token_dram_s`, `context_dram_s`, `sample_dram_s`.
    """

    multiply_s: float
    rows: float
    weights_s: float
    experts: float
    dormant: float
    token_s: float
    pair_s: float
    context_s: float
    sample_s: float
    gap_s: float
    exchange_s: float
    exchange_token_s: float
    slow_tokens: float
    slow: float
    launch_s: float
    launch_more_s: float
    launch_prompt_s: float
    between_s: float
    sequence_s: float
    multiply_sm_s: float
    pair_sm_s: float
    context_sm_s: float
    sample_sm_s: float
    reading_sm: float
    exchange_sm: float
    weights_dram_s: float
    token_dram_s: float
    context_dram_s: float
    sample_dram_s: float

    def cost(
        self, tokens: Number, pairs: Number, sequences: Number, context: Number, x: Number = 1.0, sharing: Number = 1.0
    ) -> Cost:
        """Of an iteration with `tokens` > 0 tokens, `sequences` >= 1 of them of different requests.

        More tokens than sequences means that some are of a prompt. It is written without calls, so that it can be
        compiled as it stands (`simulator.services.compiled`).
        """
        touched = 1.0 - self.experts * self.dormant**tokens
        multiply = self.multiply_s * (tokens + self.rows * touched) / x
        reading = self.weights_s * touched
        multiply2, reading2 = multiply * multiply, reading * reading
        # numpy takes roots 20 times faster than other powers
        products2 = (multiply2 * multiply2 + reading2 * reading2) ** 0.5
        products = products2**0.5
        attend = self.pair_s * pairs / x
        moved = self.token_s * tokens + self.context_s * context + self.sample_s * sequences
        alone = products + attend + moved + self.gap_s
        slowly = tokens * (1.0 + (self.slow - 1.0) * (tokens >= self.slow_tokens))
        exchange = self.exchange_s + self.exchange_token_s * slowly
        gpu = alone * sharing + exchange
        launch = self.launch_s + self.launch_more_s * (1.0 - 1.0 / sequences)
        launch = launch + self.launch_prompt_s * (tokens > sequences)
        gpu2, launch2 = gpu * gpu, launch * launch
        busy = ((gpu2 * gpu2 + launch2 * launch2) ** 0.5) ** 0.5
        ratio = gpu / busy
        return Cost(
            wall_s=busy + self.between_s + self.sequence_s * sequences,
            gpu_s=gpu,
            scaled_s=sharing * (multiply2 * multiply2 / (products2 * products) + attend) * (ratio * ratio * ratio),
            sm_s=self.multiply_sm_s * tokens
            + self.pair_sm_s * pairs
            + self.context_sm_s * context
            + x * (self.reading_sm * alone + self.sample_sm_s * sequences)
            + x * self.exchange_sm * (exchange - WAITING * self.exchange_s),
            dram_s=self.weights_dram_s * touched
            + self.token_dram_s * tokens
            + self.context_dram_s * context
            + self.sample_dram_s * sequences,
        )


WAITING = 0.75
"""Of the watts of an all-reduce, what it draws less while nothing moves: 120 small ones in a row draw 34 W over a
context, large ones 140 W (h200_serving.json, two GPUs)."""
