"""What requests meet at an instance of a service under a steady load: who is on time, and the watts, by formulas.

Requests of p prompt and d output tokens come lambda a second. With n sequences that decode, at a clock:

    t(n)    an iteration that decodes only                                  (the service's IterationLaw)
    e(p, n) by how much a prompt makes iterations longer, in chunks of what the token budget leaves
    T(n)    = t / (1 - lambda E[e]), an output token's mean time
    pi(n)   ~ product over i <= n of lambda E[d - 1] T(i) / i               (generalised processor sharing)
    TPOT    > u  with the probability that the prompts of u d seconds, and of those in which its own prompt was
            computed, take more than (u - t) d: a Poisson number of them, their sum as a gamma of the same moments
    wait    > w  with probability rho exp(-w / theta), rho = lambda E[s], theta = E[s^2] / (2 E[s] (1 - rho))
    TTFT    = wait + t + the prompt's own iterations

s is what a prompt takes in full iterations while others wait. Sources: Cohen, "The multiple phase service network with
generalized processor sharing", Acta Informatica 1979, for pi, which needs only the means of d; Pollaczek and Khinchine
with an exponential tail for the wait; Wilson and Hilferty's cube root for the gamma. Where decoding has instances of
its own, no prompt makes an iteration longer; where prompts have, nobody decodes. Requests of a model without tokens
join and leave between any two steps.

With m instances requests go to the one with the least to do. So batches vary by 1 / m as much, who comes while a prompt
is computed mostly goes elsewhere, and prompts come to an instance more evenly: of the variance of their number 1 / m is
left, and of all of it m^-1/2, which was fitted to fleets of two and four request by request.

Beside a batch job all kernels take `stretch` times as long, and slow iterations `tail` times as long as the mean: a
first token meets the whole of it, the mean of d iterations less (`power.colocation.tail_of_means`).

Arrays have the axes (clock, batch, length of request).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from goodwatt.power.colocation.tail_of_means import tail_of_mean
from goodwatt.power.gpu.point import REGULATION_S
from goodwatt.power.serving.iteration_law import Cost
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.request_instance import WATERMARK
from goodwatt.simulator.services.service import Role
from goodwatt.simulator.services.serving import TRANSFER_S, Serving

Floats = NDArray[np.float64]
BATCHES = 20
"""Sizes of batches that are looked at; what lies between is interpolated."""
LONG_SHARE = 0.95
"""Share of the prompts that are no longer than those for which a board holds its clock: assumed."""
LEAST_ROOM = 0.02
"""Share of the time that prompts leave for decoding at least; with less nobody would ever be done."""


class Beside(NamedTuple):
    """What a co-runner does to an instance: mean time of its kernels and p99 of its iterations, both relative, >= 1."""

    stretch: float
    tail: float


ALONE = Beside(1.0, 1.0)


class Lengths(NamedTuple):
    """Prompt and output tokens of requests that stand for all, each as often as any other."""

    prompt: Floats
    output: Floats

    @classmethod
    def typical(cls, prompt: Floats, output: Floats, count: int = 96) -> Self:
        """So many that stand for more: both distributions in equal parts, together as in every so manieth request."""
        count = min(count, len(prompt))
        by_output = np.argsort(output, kind="stable")
        rows = [part[len(part) // 2] for part in np.array_split(by_output, count)]
        ranks = np.argsort(np.argsort(prompt[rows], kind="stable"), kind="stable")
        return cls(_means(prompt, count)[ranks], _means(output, count))

    @property
    def steps(self) -> Floats:
        """Output tokens after the first."""
        return self.output - 1.0

    @property
    def context(self) -> float:
        """Tokens of a sequence that decodes, at any moment."""
        steps = self.steps
        return float((steps * (self.prompt + 0.5 * self.output)).sum() / max(1e-9, steps.sum()))


@dataclass(frozen=True, slots=True)
class Outcome:
    """By clock: `on_time`, share of the requests; `batch`, sequences that decode; `watts` of each GPU."""

    on_time: Floats
    batch: Floats
    watts: Floats


class Queueing:
    """One of `instances` instances, at the clocks at `places` of its kind's supported ones. Tables are made once."""

    def __init__(
        self,
        serving: Serving,
        lengths: Lengths,
        role: Role,
        places: NDArray[np.int64],
        instances: int = 1,
        beside: Beside = ALONE,
    ) -> None:
        self._serving, self._lengths, self._role, self._beside = serving, lengths, role, beside
        self._places, self._instances = places, instances
        self._x = (np.array(serving.model.clocks_mhz)[places] / serving.model.top_mhz)[:, None, None]
        self._steps = float(lengths.steps.mean()) + (0.0 if serving.has_cache else 1.0)
        self._most = self._greatest_batch()
        self._sizes = np.unique(np.round(np.geomspace(1.0, self._most, BATCHES)))
        self._held = np.zeros(1) if role == "prefill" else self._sizes
        self._tabulate()

    @property
    def cap_w(self) -> float:
        """Of each GPU, unless somebody sets another."""
        return self._serving.model.default_cap_w

    @property
    def most_per_s(self) -> Floats:
        """A load by clock that is too much in any case."""
        prompts: Floats = 1.0 / np.maximum(1e-12, self._served.mean(axis=2)[:, 0])
        if self._role == "prefill":
            return prompts
        decoding: Floats = 1.5 * self._most / (self._steps * self._decode.wall_s[:, -1, 0])
        return np.minimum(prompts, decoding) if self._queues else decoding

    def at(self, rate_per_s: Floats, limits: Promise) -> Outcome:
        """Under a load by clock, held to these limits."""
        rate = rate_per_s[:, None, None]
        shares, batch, blocked = self._batches(rate_per_s)
        kept = self._kept(rate, limits).mean(axis=2)
        on_time = (shares * kept).sum(axis=1) * (1.0 - blocked)
        return Outcome(on_time, batch, self._watts(rate, shares, batch))

    def held_w(self, batch: Floats) -> Floats:
        """The highest that the mean watts of a GPU get over the time in which boards regulate, with so many sequences.

        That is while a long prompt is computed; by clock, like `batch`.
        """
        core_w = (np.array(self._serving.model.core_w) * np.array(self._serving.model.stretch))[self._places][:, None]
        rows, size = np.arange(len(batch)), np.minimum(self._held.searchsorted(batch), len(self._held) - 1)
        base_w = np.full(len(batch), self._serving.model.context_w)
        if self._role != "prefill":
            alone = [column[rows, size, 0] for column in self._columns(self._decode, core_w)]
            base_w = base_w + alone[1] / alone[0]
        if self._role == "decode":
            return base_w
        wall_s, joules = (column[rows, size] for column in self._columns(self._mixed, core_w))
        lasts = -np.expm1(-self._chunks[0, size] * wall_s / REGULATION_S)
        above_w = self._serving.model.context_w + joules / wall_s - base_w[:, None]
        highest: Floats = base_w + np.quantile(np.maximum(0.0, above_w) * lasts, LONG_SHARE, axis=1)
        return highest

    # tables ------------------------------------------------------------------------------------------------------

    def _greatest_batch(self) -> float:
        batching = self._serving.batching
        whole = batching.kv_tokens * (1.0 - WATERMARK) / max(1.0, self._lengths.context)
        return max(2.0, min(float(batching.most), whole, batching.budget - 1.0))

    def _tabulate(self) -> None:
        held, prompt = self._held[None, :, None], self._lengths.prompt
        context = self._lengths.context
        room = self._serving.batching.budget - held
        self._chunks = np.ceil(prompt / room)
        self._decode = self._cost(np.maximum(held, 1.0), context)
        self._mixed = self._with_prompt(held, prompt / self._chunks)
        more_s = np.maximum(0.0, self._chunks * (self._mixed.wall_s - self._decode.wall_s))
        self._longer = more_s if self._disturbs else np.zeros_like(more_s)
        full_s = self._with_prompt(held, room).wall_s * prompt / room
        self._served = full_s if self._queues else np.zeros_like(full_s)
        own_s = self._chunks * self._mixed.wall_s if self._role != "decode" else 0.0
        self._first = self._beside.tail * (own_s + self._decode.wall_s * (self._role != "prefill"))
        self._after_s = (
            TRANSFER_S + prompt * self._serving.transfer_token_s if self._role == "decode" else np.zeros(len(prompt))
        )

    @property
    def _disturbs(self) -> bool:
        return self._role == "both" and self._serving.has_cache

    @property
    def _queues(self) -> bool:
        return self._role != "decode" and self._serving.has_cache

    def _cost(self, sequences: Any, context: float) -> Cost:
        held = sequences * context
        return self._serving.law.cost(sequences, held, sequences, held, self._x, self._beside.stretch)

    def _with_prompt(self, sequences: Any, tokens: Any) -> Cost:
        held, half = sequences * self._lengths.context, 0.5 * self._lengths.prompt
        pairs = held + tokens * half
        return self._serving.law.cost(
            sequences + tokens, pairs, sequences + 1.0, held + half, self._x, self._beside.stretch
        )

    # loads -------------------------------------------------------------------------------------------------------

    def _batches(self, rate_per_s: Floats) -> tuple[Floats, Floats, Floats]:
        """(shares of the sizes that were tabulated, mean, share of those for whom there is no room), by clock."""
        if self._role == "prefill":
            return np.ones((len(rate_per_s), 1)), np.zeros(len(rate_per_s)), np.zeros(len(rate_per_s))
        left = np.maximum(LEAST_ROOM, 1.0 - rate_per_s[:, None] * self._longer.mean(axis=2))
        token_s = self._decode.wall_s[:, :, 0] / left
        numbers = self._numbers[1:]
        each_s = np.stack([np.interp(numbers, self._sizes, row) for row in token_s])
        growth = np.log(rate_per_s[:, None] * self._steps * each_s / numbers)
        weights = np.concatenate([np.zeros((len(rate_per_s), 1)), np.cumsum(growth, axis=1)], axis=1)
        chance = np.exp(weights - weights.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        batch = chance[:, 1:] @ numbers
        return chance @ self._nearness(), batch, chance[:, -1]

    @property
    def _numbers(self) -> Floats:
        """Sequences of an instance, as they are when those of all instances are shared out evenly."""
        return np.arange(0.0, self._most * self._instances + 1.0) / self._instances

    def _nearness(self) -> Floats:
        """How much of each number of sequences goes to each size of the table; whoever comes is one more."""
        numbers = np.minimum(self._numbers + 1.0, self._most)
        upper = np.clip(self._sizes.searchsorted(numbers), 1, len(self._sizes) - 1)
        low, high = self._sizes[upper - 1], self._sizes[upper]
        part = np.clip((numbers - low) / (high - low), 0.0, 1.0)
        near = np.zeros((len(numbers), len(self._sizes)))
        rows = np.arange(len(numbers))
        near[rows, upper], near[rows, upper - 1] = part, 1.0 - part
        return near

    def _kept(self, rate: Floats, limits: Promise) -> Floats:
        """Probability that a request of each length that meets each batch keeps all limits."""
        mean_s = np.maximum(1e-12, self._served.mean(axis=2, keepdims=True))
        rho = rate * mean_s if self._queues else np.zeros_like(mean_s)
        theta = (self._served**2).mean(axis=2, keepdims=True) / (2.0 * mean_s * np.maximum(1e-6, 1.0 - rho))
        wait = np.minimum(1.0, rho), np.maximum(theta, 1e-9)
        kept: Floats = (rho < 1.0) * np.ones(np.broadcast_shapes(rate.shape, self._first.shape))
        before_s = self._first + wait[0] * wait[1]
        steps = np.maximum(self._lengths.steps, 1.0)
        if limits.ttft_s is not None:
            kept = kept * _waits_less(*wait, limits.ttft_s - self._first)
        if limits.tpot_s is not None and self._role != "prefill":
            kept = kept * self._decodes_within(rate, limits.tpot_s - self._after_s / steps, before_s)
        if limits.latency_s is not None:
            left_s = limits.latency_s - before_s - self._after_s
            kept = kept * self._decodes_within(rate, left_s / steps, before_s)
        return kept

    def _decodes_within(self, rate: Floats, each_s: Floats, before_s: Floats) -> Floats:
        """Probability that output tokens take no longer than `each_s` on average; always where there is but one."""
        if self._role == "prefill":
            return np.asarray(each_s > 0.0, dtype=float)
        steps = self._lengths.steps
        prompts = rate * (np.maximum(each_s, 0.0) * steps + before_s / self._instances)
        slow = tail_of_mean(self._beside.tail, np.maximum(1.0, steps))
        room_s = (each_s - self._decode.wall_s * slow) * steps
        mean_s = np.maximum(1e-9, prompts * self._longer.mean(axis=2, keepdims=True))
        ninth = prompts * self._second() / (9.0 * mean_s * mean_s)
        ninth = np.maximum(ninth, 1e-6)
        z = (np.cbrt(np.maximum(room_s, 0.0) / mean_s) - 1.0 + ninth) / np.sqrt(ninth)
        return np.where((room_s >= 0.0) | (steps == 0.0), np.where(steps == 0.0, 1.0, _normal(z)), 0.0)

    def _second(self) -> Floats:
        """Seconds squared that each prompt adds to the variance of what an instance does beside decoding."""
        mean_s, count = self._longer.mean(axis=2, keepdims=True), self._instances
        second: Floats = (self._longer**2).mean(axis=2, keepdims=True) - mean_s * mean_s * (1.0 - 1.0 / count)
        second /= count**0.5
        return second

    def _watts(self, rate: Floats, shares: Floats, batch: Floats) -> Floats:
        """Of each GPU: prompts with those who decode meanwhile, and decoding in the time that they leave."""
        model = self._serving.model
        core_w = (np.array(model.core_w) * np.array(model.stretch))[self._places][:, None]
        prompts = 0.0 if not self._queues else rate[:, :, 0]
        mixed = [(self._chunks * column).mean(axis=2) for column in self._columns(self._mixed, core_w)]
        alone = [column[:, :, 0] for column in self._columns(self._decode, core_w)]
        busy = (-np.expm1(-batch))[:, None]
        free = np.maximum(0.0, busy - prompts * mixed[0])
        above_w = prompts * mixed[1] + free * alone[1] / alone[0]
        watts: Floats = model.context_w + (shares * above_w).sum(axis=1)
        return watts

    def _columns(self, cost: Cost, core_w: Floats) -> tuple[Floats, Floats]:
        """Seconds and joules of iterations."""
        joules = core_w[:, :, None] * cost.sm_s + self._serving.model.memory_w * cost.dram_s
        return cost.wall_s, joules


def _means(column: Floats, count: int) -> Floats:
    """Of equal parts, ascending."""
    return np.array([part.mean() for part in np.array_split(np.sort(column), count)])


def _waits_less(queue: Floats, tail_s: Floats, time_s: Floats) -> Floats:
    return np.where(time_s > 0.0, 1.0 - queue * np.exp(-np.maximum(time_s, 0.0) / tail_s), 0.0)


def _normal(z: Floats) -> Floats:
    """The normal distribution function, to 0.0002 (Bowling et al., Journal of Industrial Engineering 2009)."""
    z = np.clip(z, -8.0, 8.0)
    return 1.0 / (1.0 + np.exp(-z * (1.5976 + 0.07056 * z * z)))
