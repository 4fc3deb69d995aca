"""The parts that bounds stand on: each lies below what the physics does."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster, HostPower
from goodwatt.cluster.host_power import NODE_TYPES, node_power
from goodwatt.cluster.presets import load_cluster, preset_names
from goodwatt.policies.bounds.floor import floor_lines, support_at
from goodwatt.policies.bounds.groups import Needy, group_jobs
from goodwatt.policies.bounds.operating import FullNeeds, least_exchange_s, links_of
from goodwatt.policies.bounds.pools import full_pools, ideal_pools
from goodwatt.policies.bounds.program import Program, Site, vertices
from goodwatt.policies.bounds.share import best_goodput, least_j, share_of_bound
from goodwatt.power.facility.supply import node_facts, node_wall_w
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.gpu.point import alone_point
from goodwatt.power.network.gang_step import exchange_s
from goodwatt.power.network.layout import layout_of
from goodwatt.power.workloads.catalogue import class_names, phases_on, speed_on, workload_class
from goodwatt.power.workloads.demand import Setting
from goodwatt.simulator.physics.truth import NO_RESIDUAL, Truth
from tests.scenario import Nodes, cluster, job

PRICES = (0.0, 60.0, 150.0, 450.0, 1500.0)


@pytest.mark.parametrize("node", NODE_TYPES)
@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_lines_lie_below_what_a_node_draws(node: str, load: float, held: float) -> None:
    on = cluster(Nodes(2, kind="H200"), power=HostPower(node=node_power(node)))
    (pool,) = full_pools(on, NO_RESIDUAL, 1)
    gpu_w = 8 * (pool.idle_w + load * 620.0)
    heat_w = gpu_w + pool.host_idle_w + pool.host_swing_w * held
    wall_w = node_wall_w(gpu_w, held, node_facts(on.power))
    best = max(line.base_w + line.slope * heat_w for line in pool.lines)
    assert best <= wall_w
    assert best >= 0.9 * wall_w


def test_pools_tell_kinds_sizes_and_partitions_apart() -> None:
    on = cluster(Nodes(3, kind="H200"), Nodes(1, gpus=4, kind="H200"), Nodes(2, kind="V100", partition="east"))
    pools = full_pools(on, Truth(1), 3)
    assert [(pool.nodes, pool.gpus) for pool in pools] == [(3, 8), (1, 4), (2, 8)]
    assert [pool.partition for pool in pools] == [None, None, "east"]
    assert all(sum(chips.gpus for chips in pool.chips) == pool.nodes * pool.gpus for pool in pools)
    assert [pool.asleep_w for pool in ideal_pools(on)] == [0.0] * 3


@given(st.sampled_from(class_names()), st.sampled_from(["V100", "H200"]), st.floats(0.2, 1.0), st.floats(0.4, 1.0))
def test_no_setting_of_one_gpu_needs_less(name: str, kind: str, clock: float, cap: float) -> None:
    on = cluster(Nodes(1, kind=kind))
    model = gpu_model(next(iter(on.kinds.values())))
    spec = job(workload=name, reference_gpu=model.kind.name)
    describe = FullNeeds(on, NO_RESIDUAL, 1, 1000)
    needs = describe.needs(spec, describe.facts(spec), model, 1.0, np.array(PRICES))
    point = alone_point(
        model,
        phases_on(workload_class(name), model.kind.name),
        Setting(clock * model.top_mhz, cap * model.default_cap_w),
    )
    rate = point.speeds[0]
    seconds, joules = 1.0 / rate, (point.sm_w + point.dram_w) / rate
    assert needs.held_s <= seconds * (1 + 1e-9)
    for price, support in zip(PRICES, needs.joules, strict=True):
        assert support <= (joules + price * seconds) * (1 + 1e-9)


def test_other_kinds_count_by_their_speed() -> None:
    on = cluster(Nodes(1, kind="H200"))
    model = gpu_model(on.kinds["H200-SXM"])
    spec = job(workload="bert_train", reference_gpu="V100-SXM2")
    describe = FullNeeds(on, NO_RESIDUAL, 1, 1000)
    needs = describe.needs(spec, describe.facts(spec), model, 1.0, np.array(PRICES))
    bert = workload_class("bert_train")
    assert 1.0 / needs.held_s == pytest.approx(speed_on(bert, "H200-SXM") / speed_on(bert, "V100-SXM2"), rel=0.05)


@pytest.mark.parametrize("name", ["dgx-h100", "nvl72-4", "philly-80", "openb", "venus"])
@pytest.mark.parametrize("gpus", [2, 3, 4, 8, 12, 16, 30])
def test_no_placement_exchanges_faster(name: str, gpus: int) -> None:
    on = load_cluster(name)
    links = links_of(on)
    steps = [workload_class(n).step for n in class_names() if workload_class(n).step.exchange_bytes > 0.0]
    for placement in _placements(on, gpus):
        layout = layout_of(on, placement)
        for step in steps:
            assert least_exchange_s(step, gpus, links) <= exchange_s(step, layout, on.network)


def _placements(on: Cluster, gpus: int) -> list[tuple[tuple[int, int], ...]]:
    """Ways to place a gang: packed, spread one by one, in twos, over the last nodes."""
    found = []
    for each, order in itertools.product((1, 2, 4, 8), (1, -1)):
        pieces: list[tuple[int, int]] = []
        left = gpus
        for node in range(len(on.nodes))[::order]:
            here = min(each, left, on.nodes[node].gpus)
            if here:
                pieces.append((node, (1 << here) - 1))
            left -= here
        if not left:
            found.append(tuple(sorted(pieces)))
    return found


def test_every_preset_has_pools_and_links() -> None:
    for name in preset_names():
        on = load_cluster(name)
        assert sum(pool.nodes for pool in full_pools(on, NO_RESIDUAL, 1)) == len(on.nodes)
        assert links_of(on)


@given(
    st.lists(st.tuples(st.floats(0.5, 4.0), st.floats(0.0, 500.0)), min_size=1, max_size=12),
    st.floats(0.0, 2000.0),
)
def test_corners_and_supports_lie_below_every_point(points: list[tuple[float, float]], price: float) -> None:
    supports = np.array([min(e + p * s for s, e in points) for p in PRICES])
    held_s = min(s for s, _ in points)
    corners = vertices(supports, PRICES, held_s)
    for s, e in points:
        below = min(c[1] + price * c[0] for c in corners)
        assert below <= e + price * s + 1e-6
        assert support_at(supports, PRICES, held_s, price) <= e + price * s + 1e-6
    assert all(a[0] < b[0] and a[1] > b[1] for a, b in itertools.pairwise(corners))


def needy(i: int) -> Needy:
    joules = np.array([100.0 + i + price * (1.0 + i / 10) for price in PRICES])
    return Needy(float(i), 50.0 + i, 2.0, (0,), (joules,), (1.0 + i / 10,))


JOBS = [needy(i % 7) for i in range(40)]


def test_groups_need_no_more_than_their_jobs_and_finer_ones_give_less_away() -> None:
    edges = np.array([10.0, 100.0])
    given_away = []
    for most in (1, 2, 4, 7, 40):
        found = group_jobs(JOBS, edges, most)
        given_away.append(found.given_away)
        assert len(found.groups) <= max(most, 1)
        assert sum(group.arrived[1] for group in found.groups) == pytest.approx(sum(one.work for one in JOBS))
    assert given_away == sorted(given_away, reverse=True)
    assert given_away[-1] == pytest.approx(0.0, abs=1e-12)
    (whole,) = group_jobs(JOBS, edges, 1).groups
    assert whole.arrived[0] == pytest.approx(sum(one.done_by(10.0) for one in JOBS))
    assert all(np.all(whole.joules[0] <= one.joules[0]) and whole.held_s[0] <= one.held_s[0] for one in JOBS)


def test_the_program_knows_what_one_job_on_one_node_takes() -> None:
    on = cluster(Nodes(1, gpus=1), power=HostPower(1.0, 100.0, 100.0))
    pools = ideal_pools(on)
    one = Needy(0.0, 100.0, 1.0, (0,), (200.0 + np.array(PRICES),), (1.0,))
    groups = group_jobs([one], np.array([50.0, 200.0]), 1).groups
    for sleep, idle_s in ((False, 100.0), (True, 0.0)):
        program = Program(pools, [Site(0, 1, PRICES)], groups, [50.0, 150.0], None)
        assert program.most_work(sleep) == pytest.approx(100.0)
        # 50 W idle and 200 W more when it works; the host draws 100 W when awake
        assert program.least_energy("gpu", 100.0, sleep).value == pytest.approx(250.0 * 100 + 50.0 * idle_s)
        assert program.least_energy("it", 100.0, sleep).value == pytest.approx(350.0 * 100 + 150.0 * idle_s)
        (line,) = {
            (round(slope, 6), round(base, 3))
            for slope, base in floor_lines([one], pools, [Site(0, 1, PRICES)], "it", sleep, 0.0, 200.0)
        }
        assert line == pytest.approx((350.0, 0.0) if sleep else (200.0, 30_000.0))


def test_columns_and_rows_that_say_nothing_are_left_out_without_changing_the_optimum() -> None:
    """Two jobs, each a slot of its own: their work counts from their slots on, however many slots there are."""
    on = cluster(Nodes(1, gpus=1), power=HostPower(1.0, 100.0, 100.0))
    early, late = (Needy(at, 60.0, 1.0, (0,), (200.0 + np.array(PRICES),), (1.0,)) for at in (0.0, 900.0))
    found = []
    for slots in (2, 10, 40):
        edges = np.linspace(0.0, 1000.0, slots + 1)
        for most in (1, 2):
            groups = group_jobs([early, late], edges[1:], most).groups
            program = Program(ideal_pools(on), [Site(0, 1, PRICES)], groups, np.diff(edges).tolist(), None)
            found.append((program.most_work(sleep=True), program.least_energy("it", 100.0, sleep=True).value))
    assert found == [pytest.approx((120.0, 350.0 * 100))] * 6


def test_a_budget_keeps_work_from_being_done() -> None:
    on = cluster(Nodes(2, gpus=1), power=HostPower(1.0, 0.0, 0.0))
    jobs = [Needy(0.0, 1000.0, 1.0, (0,), (200.0 + np.array(PRICES),), (1.0,)) for _ in range(2)]
    groups = group_jobs(jobs, np.array([100.0]), 1).groups
    program = Program(ideal_pools(on), [Site(0, 2, PRICES)], groups, [100.0], 300.0)
    assert program.most_work(sleep=False) == pytest.approx(100.0)  # 2 x 50 W idle leave 200 W for work


def test_lines_and_the_best_goodput() -> None:
    lines = [(1.0, 10.0), (3.0, -30.0)]
    assert least_j(lines, 10.0) == 20.0
    assert least_j(lines, 30.0) == 60.0
    assert least_j([(1.0, -5.0)], 1.0) == 0.0
    assert best_goodput(lines, 100.0) == pytest.approx(1000.0 * 20.0 / 30.0)  # where the lines cross
    assert best_goodput([(0.0, 0.0)], 1.0) is None


CURVE = {"lines": [[2.0, 10.0]], "energy_j": 0.0, "goodput_per_watt": 0.0}
BOTH = {"floor": {"it": CURVE, "gpu": CURVE}, "relaxation": {"it": CURVE, "gpu": CURVE}}
BOUNDS = {
    "gpus": 8, "physics": "full", "truth": "model", "seed": 0, "horizon_s": 100.0, "span_s": 100.0, "budget_w": None,
    "residents": 1, "most_work_gpu_s": 400.0, "gpus_without_energy": 0,
    "awake": BOTH, "sleeping": {name: {s: {"lines": [[1.0, 0.0]]} for s in ("it", "gpu")} for name in BOTH},
}  # fmt: skip
SUMMARY = {
    "gpus": 8, "physics": "full", "truth": "model", "seed": 0, "horizon_s": 100.0, "span_s": 100.0,
    "over_budget_s": 0.0, "component_failures": 0, "asleep_node_s": 0.0, "most_jobs_per_gpu": 1,
    "work_gpu_s": 100.0, "it_energy_j": 420.0, "gpu_energy_j": 210.0,
}  # fmt: skip


def test_a_run_is_held_against_the_least_energy_for_its_own_work() -> None:
    assert share_of_bound(SUMMARY, BOUNDS) == pytest.approx(
        {"work": 0.25, "floor_it": 0.5, "relaxation_it": 0.5, "floor_gpu": 1.0, "relaxation_gpu": 1.0}
    )
    rested = share_of_bound({**SUMMARY, "asleep_node_s": 1.0}, BOUNDS)
    assert rested is not None
    assert rested["floor_it"] == pytest.approx(100.0 / 420.0)
    unknown = share_of_bound(SUMMARY, {**BOUNDS, "gpus_without_energy": 1})
    assert unknown is not None
    assert unknown["floor_it"] is None
    assert unknown["work"] == 0.25


@pytest.mark.parametrize(
    ("run", "bounds"),
    [
        ({"gpus": 9}, {}),
        ({"truth": "residual"}, {}),
        ({"seed": 1}, {}),
        ({"horizon_s": 200.0}, {}),
        ({"over_budget_s": 1.0}, {"budget_w": 1000.0}),
        ({"component_failures": 1}, {}),
        ({"most_jobs_per_gpu": 2}, {}),
        ({"most_jobs_per_gpu": 3}, {"residents": 2}),
    ],
)
def test_what_does_not_belong_together_has_no_share(run: dict[str, object], bounds: dict[str, object]) -> None:
    assert share_of_bound({**SUMMARY, **run}, {**BOUNDS, **bounds}) is None


def test_who_shares_is_held_against_bounds_that_allow_it() -> None:
    assert share_of_bound({**SUMMARY, "most_jobs_per_gpu": 2}, {**BOUNDS, "residents": 2}) is not None
