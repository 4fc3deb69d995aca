"""The work of a service: what its tokens cost in reference GPU-seconds, each by its price.

A token's price is what it costs on the kind of GPU of its service where that is most efficient: at the greatest clock,
alone, with the batch of least GPU-seconds per token that the promise, the KV cache and the service's settings allow.
With T(b) the seconds of an iteration that decodes b sequences of mean context, P those of an iteration full of prompt
tokens (`iteration_law`), g GPUs an instance and n tokens of the iteration:

    output token = g min over b of T(b) / b       b <= most_sequences, b x context <= room of the KV cache,
                                                  T(b) <= TPOT promised, P + outputs T(b) <= latency promised
    prompt token = g P / n                        n = iteration_tokens, fewer where P would break TTFT

Mean lengths are those of the service's requests (`load_trial.sampled`), with each output token's own context. Models
without tokens make an output token each step and pay nothing for a prompt. Prices are facts of a service, whatever a
policy does; work is that of requests on time, a late one is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from goodwatt.errors import InputError
from goodwatt.simulator.services.load_trial import sampled
from goodwatt.simulator.services.serving import Serving
from goodwatt.traces.requests.request_source import RequestSource

HALVINGS = 12
"""How often an iteration of prompts is halved until it keeps the promise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrices:
    """Reference GPU-seconds of a token of each kind; `batch`: sequences that decode at the price."""

    prompt_gpu_s: float
    output_gpu_s: float
    batch: int

    def work_gpu_s(self, prompt_tokens: float, output_tokens: float) -> float:
        """Of requests with so many tokens."""
        return prompt_tokens * self.prompt_gpu_s + output_tokens * self.output_gpu_s


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanLengths:
    """Of requests; `pairs`: tokens before a prompt token, `context`: before an output token, means over tokens."""

    prompt: float
    output: float
    pairs: float
    context: float


def token_prices(serving: Serving) -> TokenPrices:
    """The prices of a service."""
    lengths = mean_lengths(serving.service.requests)
    prompt_s, prompt_tokens = _prompt(serving, lengths)
    batch, output_s = _decoding(serving, lengths, prompt_s)
    gpus = serving.service.tensor_parallel
    return TokenPrices(
        prompt_gpu_s=gpus * prompt_s / prompt_tokens if serving.has_cache else 0.0,
        output_gpu_s=gpus * output_s / batch,
        batch=batch,
    )


def mean_lengths(source: RequestSource) -> MeanLengths:
    """Of the first requests of a source; a token each where it has none."""
    try:
        requests = sampled(source)
    except InputError:
        return MeanLengths(prompt=1.0, output=1.0, pairs=0.5, context=1.5)
    prompt, output = (column.astype(np.float64) for column in (requests.prompt_tokens, requests.output_tokens))
    return MeanLengths(
        prompt=float(prompt.mean()),
        output=float(output.mean()),
        pairs=float(0.5 * (prompt * prompt).sum() / max(1.0, prompt.sum())),
        context=float((output * (prompt + 0.5 * output)).sum() / max(1.0, output.sum())),
    )


def _prompt(serving: Serving, lengths: MeanLengths) -> tuple[float, float]:
    """Seconds and tokens of an iteration full of prompts that keeps the promise; the least one if none does."""
    promise, tokens = serving.service.promise, float(serving.batching.budget)
    limit_s = promise.first_s
    for _ in range(HALVINGS):
        seconds = _prompt_s(serving, lengths, tokens)
        if seconds <= limit_s or tokens < 2.0:
            break
        tokens /= 2.0
    return seconds, tokens


def _prompt_s(serving: Serving, lengths: MeanLengths, tokens: float) -> float:
    prompts = max(1.0, tokens / max(1.0, lengths.prompt))
    read = prompts * max(0.0, 0.5 * (lengths.prompt - tokens))
    return float(serving.law.cost(tokens, tokens * lengths.pairs, prompts, read).wall_s)


def _decoding(serving: Serving, lengths: MeanLengths, prompt_s: float) -> tuple[int, float]:
    """The batch with the least seconds per token, and the seconds of its iteration."""
    room = int(serving.batching.kv_tokens / lengths.context) if serving.has_cache else serving.batching.most
    batches = np.arange(1.0, max(1, min(serving.batching.most, room)) + 1.0)
    context = batches * lengths.context
    seconds: Any = serving.law.cost(batches, context, batches, context).wall_s
    before_s = prompt_s if serving.has_cache else 0.0
    kept = serving.service.promise.kept(0.0, seconds, before_s + lengths.output * seconds)
    per_token = np.where(kept, seconds / batches, np.inf)
    place = int(per_token.argmin()) if kept.any() else 0
    return int(batches[place]), float(seconds[place])
