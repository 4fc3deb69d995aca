"""The prompts of a tick: who waits, what is computed of whom, and what that takes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goodwatt.power.serving.iteration_law import Cost
from goodwatt.simulator.services.by_instance import counted, summed
from goodwatt.simulator.services.made_iterations import Stretches
from goodwatt.simulator.services.prompt_iterations import Lines, Plan, plan_alone, plan_in_turn
from goodwatt.simulator.services.request_instance import WATERMARK
from goodwatt.simulator.services.tick_instances import GUESSES, Pace, TickInstances
from goodwatt.simulator.services.tick_tables import Rows, tokens_by

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CLOSE = 0.99
"""Allowed over drawn watts from which on the clock is left as it is."""
GOLDEN = 0.6180339887498949
"""Multiples of it fill the unit interval evenly: how far an iteration is when a request comes."""


class Extra(NamedTuple):
    """What prompts add to iterations that would only decode, for each request: its cost and joules."""

    cost: Cost
    joules: Floats


class Computed(NamedTuple):
    """`waiting`: rows with tokens left, `done`: rows whose prompt is done in time or later (`due`), `iterations`:
    those with prompts; `positions`, `extra`: what was computed, by request."""

    waiting: Rows
    done: Rows
    iterations: Stretches
    positions: NDArray[np.int64]
    extra: Extra


class TickPrompts:
    """Puts prompts into iterations; `count`: how many it has seen."""

    def __init__(self, instances: TickInstances) -> None:
        self._instances = instances
        self.count = 0

    def copy(self, instances: TickInstances) -> TickPrompts:
        """The same over a copy of the instances."""
        twin = TickPrompts(instances)
        twin.count = self.count
        return twin

    def compute(self, rows: Rows, pace: Pace, now_s: float, until_s: float) -> Computed:
        """What iterations that begin in the tick compute of the prompts in `rows`."""
        rows = rows[rows["position"].argsort(kind="stable")]
        chunk = self._chunk(rows)
        extra = self._extra(rows, chunk, pace, until_s - now_s)
        plan = self._plan(rows, extra, chunk, pace, until_s)
        left, done_s = plan.left, plan.done_s
        share = (rows["left"] - left) / chunk
        fresh = (rows["computed"] == 0.0) & (left < rows["left"])
        self._reserve(rows[fresh])
        rows["computed"] += rows["left"] - left
        rows["left"], rows["due"] = left, done_s
        scaled = Extra(Cost(*[column * share for column in extra.cost]), extra.joules * share)
        done = done_s < np.inf
        return Computed(rows[~done], rows[done], plan.iterations, rows["position"], scaled)

    def _chunk(self, rows: Rows) -> Floats:
        """Tokens that an iteration computes with this prompt: of it alone, or as many as pile up."""
        instances, position = self._instances, rows["position"]
        room = np.maximum(instances.budget - instances.state.batch, 1.0)[position]
        alone = rows["left"] / np.ceil(rows["left"] / room)
        waited = rows["arrival_s"] < instances.state.end_s[position]
        piled = summed(position, rows["left"] * waited, len(instances))
        chunk: Floats = np.maximum(alone, np.minimum(piled[position], room))
        return chunk

    def _extra(self, rows: Rows, chunk: Floats, pace: Pace, span_s: float) -> Extra:
        """Of an iteration with so many tokens of the prompt's kind, at the clock that the cap allows."""
        state, boards, position = self._instances.state, self._instances.boards, rows["position"]
        x, times = boards.top[position], rows["left"] / chunk
        cost = self._cost(rows, chunk, np.minimum(times, self._in_tick(rows, chunk, pace, span_s)), x)
        joules = boards.joules(cost, x, position)
        backlog = rows["arrival_s"] < state.end_s[position]
        mean_w = np.where(backlog, boards.kept_w[position], state.mean_w[position])
        times = np.maximum(1.0, times)
        within = boards.within(joules, cost, boards.allowed_w(cost.wall_s * times, mean_w, position), position)
        if (within < CLOSE).any():
            cost, joules = self._slower(cost, x, within, times, mean_w, position)
        return Extra(
            Cost(*[column - base[position] for column, base in zip(cost, pace.cost, strict=True)]),
            joules - pace.joules[position],
        )

    def _in_tick(self, rows: Rows, chunk: Floats, pace: Pace, span_s: float) -> Floats:
        """About how many iterations with prompts a tick has: later ones read more, and belong to later ticks."""
        position = rows["position"]
        longer_s = self._instances.law_of(position).multiply_s * chunk
        count: Floats = np.maximum(1.0, span_s / (pace.cost.wall_s[position] + longer_s))
        return count

    def _cost(self, rows: Rows, chunk: Floats, iterations: Floats, x: Floats) -> Cost:
        """Mean of so many iterations, beside who decodes already."""
        instances, position = self._instances, rows["position"]
        batch, context = instances.state.batch[position], instances.context[position]
        reads = rows["computed"] + 0.5 * np.minimum(rows["left"], chunk * iterations)
        return instances.law_of(position).cost(
            chunk + batch,
            chunk * reads + context,
            batch + np.maximum(1.0, chunk / rows["left"]),
            context + reads + 0.5 * chunk,
            x,
            instances.boards.sharing[position],
        )

    def _slower(
        self, cost: Cost, x: Floats, within: Floats, times: Floats, mean_w: Floats, position: Ints
    ) -> tuple[Cost, Floats]:
        """At clocks that the caps allow: time follows them as far as it follows clocks at all, energy the voltage."""
        boards, top, at_top = self._instances.boards, x, cost
        for _ in range(GUESSES):
            x = boards.slower(x, within, position)
            cost = at_top._replace(wall_s=at_top.wall_s + at_top.scaled_s * (top / x - 1.0))
            joules = boards.joules(cost, x, position)
            allowed_w = boards.allowed_w(cost.wall_s * times, mean_w, position)
            within = boards.within(joules, cost, allowed_w, position)
        return cost, joules

    def _plan(self, rows: Rows, extra: Extra, chunk: Floats, pace: Pace, until_s: float) -> Plan:
        """Who has an instance for himself in this tick is put there all at once, the others one after the other."""
        position, each_s = rows["position"], pace.cost.wall_s
        self.count += len(rows)
        into = (np.arange(self.count - len(rows), self.count) * GOLDEN) % 1.0
        decodes = self._instances.state.batch[position] > 0.0
        ready_s = rows["arrival_s"] + np.where(decodes, into * each_s[position], 0.0)
        stays = rows["owed"] > 1.0  # who is done with his prompt leaves room for others within the tick
        need = np.where((rows["computed"] == 0.0) & stays, rows["left"], 0.0)
        token_s = np.maximum(extra.cost.wall_s, 1e-9) / chunk
        prompts = np.array([rows["left"], need, rows["arrival_s"], ready_s, token_s])
        lines = self._lines(each_s)
        plan = plan_alone(lines, position, prompts, until_s)
        rest = np.isnan(plan.left).nonzero()[0]
        if len(rest):
            plan = plan_in_turn(plan, lines, position, prompts, rest, until_s)
        return plan

    def _lines(self, each_s: Floats) -> Lines:
        """All instances; one that is empty takes the first prompt whatever its length."""
        instances, state = self._instances, self._instances.state
        inside = state.batch + state.opened
        taken = instances.context + state.reserved + state.batch
        return Lines(
            free_s=state.end_s,
            each_s=each_s,
            budget=np.maximum(1.0, instances.budget - state.batch),
            room=instances.kv_tokens * (1.0 - WATERMARK) - taken,
            seats=instances.most - inside,
            empty=inside == 0.0,
        )

    def _reserve(self, begun: Rows) -> None:
        state, instances = self._instances.state, len(self._instances)
        state.reserved += tokens_by(begun, "left", instances)
        state.opened += counted(begun["position"], instances)
