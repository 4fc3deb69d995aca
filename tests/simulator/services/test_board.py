"""A board as iterations meet it: the moving mean of its power, its cap, and measured rows of an H200."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.gpu.model import CAP_KEPT, gpu_model
from goodwatt.power.gpu.point import REGULATION_S
from goodwatt.power.serving.iteration_law import Cost, IterationLaw
from goodwatt.power.serving.llm_on_gpu import law_with
from goodwatt.power.serving.llm_shape import LlmShape
from goodwatt.power.serving.serving_figures import chip_figures, software
from goodwatt.simulator.services.board import Board, CostAt, Ran, Spent

MODEL = gpu_model(gpu_kind("H200-SXM"))
TOP = len(MODEL.clocks_mhz) - 1
CAP_W = MODEL.default_cap_w
KEPT_W = CAP_KEPT * CAP_W


def work(seconds: float, activity: float = 1.0) -> CostAt:
    """All of it multiplications: at the greatest clock so long, with so much SM activity."""
    return lambda x: Cost(seconds / x, seconds / x, seconds / x, activity * seconds, 0.0)


def run(board: Board, cost_at: CostAt) -> Ran:
    ran = board.find(cost_at)
    board.spend(ran.watts, ran.cost.wall_s)
    return ran


def board_of(cap_w: float = CAP_W, mean_w: float | None = None) -> Board:
    board = Board(MODEL)
    board.cap_w = cap_w
    board.mean_w = MODEL.context_w if mean_w is None else mean_w
    return board


HUNGRY = 1.2 * CAP_W / (MODEL.core_w[-1])
"""Activity that draws more than the cap at the greatest clock."""
STEP_W = 15.0
"""More than what one step of the clock makes of the power of the tests' work."""


# the moving mean ------------------------------------------------------------------------------------------------------


def test_the_mean_moves_with_the_time_constant_of_the_regulation() -> None:
    board = board_of()
    board.spend(600.0, REGULATION_S)
    assert board.mean_w == pytest.approx(600.0 + (MODEL.context_w - 600.0) / math.e)
    board.rest(1e6)
    assert board.mean_w == pytest.approx(MODEL.context_w)


@given(st.lists(st.floats(0.0, 0.5), max_size=6))
def test_the_mean_does_not_depend_on_the_pieces(spans_s: list[float]) -> None:
    pieces, whole = board_of(), board_of()
    for span_s in spans_s:
        pieces.spend(650.0, span_s)
    whole.spend(650.0, sum(spans_s))
    assert pieces.mean_w == pytest.approx(whole.mean_w)


# the cap --------------------------------------------------------------------------------------------------------------


def test_what_draws_little_runs_at_the_greatest_clock_allowed() -> None:
    board = board_of()
    assert board.find(work(5.0, 0.3)).clock == TOP
    board.top = 17
    assert board.find(work(5.0, 0.3)).clock == 17


def test_a_long_prefill_keeps_the_cap() -> None:
    ran = board_of().find(work(5.0, HUNGRY))
    assert ran.clock < TOP
    assert KEPT_W - STEP_W < ran.watts <= KEPT_W * (1 + 1e-6)


def test_a_short_burst_after_little_power_may_exceed_it_and_not_once_the_mean_has_risen() -> None:
    board = board_of()
    first = run(board, work(0.03, HUNGRY))
    assert first.clock == TOP
    assert first.watts > CAP_W
    for _ in range(100):
        last = run(board, work(0.03, HUNGRY))
    assert last.clock < TOP
    assert KEPT_W - STEP_W < board.mean_w <= KEPT_W
    assert abs(last.watts - KEPT_W) < STEP_W


@given(
    st.lists(st.tuples(st.floats(0.001, 0.3), st.floats(0.0, 2.0), st.floats(0.0, 0.2)), max_size=30),
    st.floats(200.0, 700.0),
)
def test_the_mean_never_exceeds_what_the_board_keeps(items: list[tuple[float, float, float]], cap_w: float) -> None:
    """Unless even the lowest clock draws more; once above it falls."""
    board = board_of(cap_w)
    for seconds, activity, rest_s in items:
        before_w = board.mean_w
        ran = run(board, work(seconds, activity))
        assert board.mean_w <= max(before_w, cap_w * CAP_KEPT) + 1e-6 or ran.clock == 0
        board.rest(rest_s)


@given(st.floats(0.001, 1.0), st.floats(0.1, 3.0), st.floats(150.0, 750.0), st.floats(80.0, 700.0), st.integers(0, TOP))
def test_it_is_the_greatest_clock_that_keeps_it(
    seconds: float, activity: float, cap_w: float, mean_w: float, top: int
) -> None:
    """Against trying each clock in turn."""
    cost_at = work(seconds, activity)

    def after_w(clock: int) -> float:
        board = board_of(cap_w, mean_w)
        cost = cost_at(board.x_of(clock))
        board.spend(board.watts(cost, clock), cost.wall_s)
        return board.mean_w

    board = board_of(cap_w, mean_w)
    board.top = top
    kept_w = cap_w * CAP_KEPT
    # who is above already may draw what the board keeps, no more
    limits = {clock: max(kept_w, kept_w + (mean_w - kept_w) * left(cost_at, clock)) for clock in range(top + 1)}
    keeping = [clock for clock in range(top + 1) if after_w(clock) <= limits[clock] + 1e-9]
    found = board.find(cost_at).clock
    assert found == max(keeping, default=0) or abs(after_w(found + 1) - limits[found + 1]) < 1e-6


def left(cost_at: CostAt, clock: int) -> float:
    return math.exp(-cost_at(MODEL.clocks_mhz[clock] / MODEL.top_mhz).wall_s / REGULATION_S)


def test_a_cap_that_the_lowest_clock_exceeds_is_violated() -> None:
    board = board_of(cap_w=MODEL.context_w + 1.0)
    ran = board.find(work(5.0, 2.0))
    assert ran.clock == 0
    assert ran.watts > board.cap_w


def test_many_iterations_are_capped_as_one_of_their_length() -> None:
    board = board_of()
    assert board.find(work(0.01, HUNGRY), times=1).clock == TOP
    assert board.find(work(0.01, HUNGRY), times=500).clock == board.find(work(5.0, HUNGRY)).clock


def test_a_hungrier_chip_is_slowed_more() -> None:
    hungry = Board(MODEL, chip=1.1)
    assert hungry.find(work(5.0, HUNGRY)).clock < board_of().find(work(5.0, HUNGRY)).clock


def test_sharing_stretches_iterations_and_thins_their_power() -> None:
    law = h200_law("8b")
    board = board_of()
    alone, shared = (board.watts(law.cost(2048, 2048 * 1024, 1, 2048, 1.0, s), TOP) for s in (1.0, 2.0))
    assert law.cost(2048, 2048 * 1024, 1, 2048, 1.0, 2.0).wall_s == pytest.approx(
        2.0 * law.cost(2048, 2048 * 1024, 1, 2048, 1.0, 1.0).wall_s, rel=0.01
    )
    assert shared - MODEL.context_w == pytest.approx((alone - MODEL.context_w) / 2.0, rel=0.01)


def test_a_copy_is_independent() -> None:
    board = board_of()
    board.top, board.sharing, board.mean_w = 3, 1.5, 333.0
    twin = board.copy()
    assert (twin.setting, twin.mean_w, twin.chip, twin.model) == (board.setting, 333.0, board.chip, MODEL)
    twin.rest(1.0)
    assert board.mean_w == 333.0


def test_spent_adds_up() -> None:
    spent = Spent()
    spent.add(Cost(0.5, 0.4, 0.3, 0.2, 0.1), 100.0, 4)
    spent.add(Cost(1.0, 1.0, 1.0, 1.0, 1.0), 10.0, 1)
    assert (spent.joules, spent.wall_s, spent.gpu_s) == pytest.approx((210.0, 3.0, 2.6))
    assert (spent.scaled_s, spent.sm_s, spent.dram_s, spent.iterations) == pytest.approx((2.2, 1.8, 1.4, 5))


# rows measured on an H200 ---------------------------------------------------------------------------------------------

ROWS = json.loads((Path(__file__).parents[3] / "benchmarks" / "results" / "h200_serving.json").read_text())["rows"]
SHAPES = {"8b": LlmShape(parameters=7.505e9, active_parameters=7.505e9, layers=32, hidden=4096, kv_heads=8)}
"""That of benchmarks/h200/serving_model.py; parameters without the table of words, which no iteration reads."""


def h200_law(model: str) -> IterationLaw:
    """Iterations as CUDA graphs: nothing but what the chip takes; a tensor core's tile has 16 rows."""
    around = replace(software("torch"), launch_layer_us=0.0, launch_more_us=0.0, decode_rows=16.0)
    return law_with(SHAPES[model], gpu_kind("H200-SXM"), 1, chip_figures("Hopper"), around)


def measured(part: str) -> list[Any]:
    return [pytest.param(row, id=row["name"]) for row in ROWS if row["part"] == part]


def iteration(law: IterationLaw, chunk: int, earlier: int, batch: int, context: int) -> CostAt:
    sequences, read = batch + (chunk > 0), batch * context + (earlier + chunk if chunk else 0)
    pairs = chunk * (earlier + chunk / 2) + batch * context
    return lambda x: law.cost(batch + chunk, pairs, sequences, read, x)


@dataclass
class Told:
    """Of repeated cycles: mean watts, those of each kind of iteration and its milliseconds, seconds of a cycle."""

    watts: float
    kind_w: dict[str, float]
    ms: dict[str, float]
    cycle_s: float


def told(row: Mapping[str, Any], cycles: int = 40) -> Told:
    """Cycles one after the other, with their pauses, from a quiet board; the first half of them does not count."""
    law, board, cycle = h200_law(row["model"]), board_of(), row["cycle"]
    ran = [one_cycle(law, board, cycle) for _ in range(cycles)][cycles // 2 :]
    kinds = {entry["kind"] for entry in cycle["cycle"]}
    spans_s = {kind: sum(r.cost.wall_s * n for c, _ in ran for k, n, r in c if k == kind) for kind in kinds}
    joules = {kind: sum(r.cost.wall_s * n * r.watts for c, _ in ran for k, n, r in c if k == kind) for kind in kinds}
    counts = {kind: sum(n for c, _ in ran for k, n, _ in c if k == kind) for kind in kinds}
    rest_s = sum(rest_s for _, rest_s in ran)
    total_s = sum(spans_s.values()) + rest_s
    return Told(
        (sum(joules.values()) + MODEL.context_w * rest_s) / total_s,
        {kind: joules[kind] / spans_s[kind] for kind in kinds},
        {kind: 1e3 * spans_s[kind] / counts[kind] for kind in kinds},
        total_s / len(ran),
    )


def one_cycle(law: IterationLaw, board: Board, cycle: Mapping[str, Any]) -> tuple[list[tuple[str, int, Ran]], float]:
    """Iterations (kind, how often, at what) until `on_s` is over, and the pause after them."""
    ran: list[tuple[str, int, Ran]] = []
    spent_s = 0.0
    while not ran or spent_s < cycle["on_s"]:
        for entry in cycle["cycle"]:
            found = board.find(iteration(law, **entry["tokens"]), entry["repeat"])
            ran.append((entry["kind"], entry["repeat"], found))
            board.spend(found.watts, found.cost.wall_s * entry["repeat"])
            spent_s += found.cost.wall_s * entry["repeat"]
    rest_s = max(0.0, cycle["on_s"] + cycle["off_s"] - spent_s) if cycle["off_s"] else 0.0
    board.rest(rest_s)
    return ran, rest_s


@pytest.mark.parametrize("row", measured("alternation"))
def test_cycles_of_prefill_and_decode(row: Mapping[str, Any]) -> None:
    """A prompt of 2048 tokens, then so many iterations of decoding, on and on: 170 to 620 ms.

    The cycle takes what it takes on the board. The board keeps one clock for both kinds (prefill 46 to 49 ms); ours
    slows the prompt alone where its time is long, so it takes up to 14% longer and decoding up to 6% less. Energy
    counters say less of short bursts of much power than the law: up to 17% less of these means.
    """
    found = told(row)
    iterations = sum(entry["repeat"] for entry in row["cycle"]["cycle"])
    assert found.cycle_s == pytest.approx(iterations / row["rate"], rel=0.08)
    assert found.ms["prefill"] == pytest.approx(row["times"]["prefill"]["mean_ms"], rel=0.15)
    assert found.ms["decode"] == pytest.approx(row["times"]["decode"]["mean_ms"], rel=0.06)
    assert 0.98 < found.watts / row["watts"] < 1.18


@pytest.mark.parametrize("row", measured("bursts"))
def test_short_bursts_exceed_the_cap(row: Mapping[str, Any]) -> None:
    """0.03 s in every 0.3 s: nearly the greatest clock, whatever it draws; the mean stays far below the cap."""
    found = told(row)
    ((kind, times),) = row["times"].items()
    assert row["clocks"][kind] > 1940.0
    assert found.kind_w[kind] > CAP_W
    assert found.ms[kind] == pytest.approx(times["mean_ms"], rel=0.12)
    assert 0.98 < found.watts / row["watts"] < 1.37


@pytest.mark.parametrize("row", measured("gaps"))
def test_longer_bursts_with_gaps(row: Mapping[str, Any]) -> None:
    """50 ms to 3 s of decoding, then nothing."""
    found = told(row)
    assert found.ms["decode"] == pytest.approx(row["times"]["decode"]["mean_ms"], rel=0.04)
    assert found.watts == pytest.approx(row["watts"], rel=0.06)
