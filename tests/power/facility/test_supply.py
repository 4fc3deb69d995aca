"""From GPU watts to the watts of a node, a site, and of sleep; node types against what was measured of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.cluster import HostPower
from goodwatt.cluster.host_power import (
    NODE_SOURCES,
    NODE_TYPES,
    PSU_CURVES,
    SLEEP_SOURCES,
    SLEEPS,
    Cooling,
    NodePower,
    node_power,
)
from goodwatt.cluster.presets import load_cluster
from goodwatt.errors import UnknownNameError
from goodwatt.power.facility.cooling import facility_w, pue
from goodwatt.power.facility.node_sleep import break_even_s, cycle_j, cycle_s
from goodwatt.power.facility.supply import fan_w, node_facts, node_wall_w, node_watts, psu_loss_w, wall_line

PLAIN = NodePower(host_idle_w=300, host_max_w=700)
FULL = NodePower(
    host_idle_w=300, host_max_w=700, fan_idle_w=50, fan_max_w=450, fan_full_w=4000, psu_rated_w=10000,
    distribution_efficiency=0.98,
)  # fmt: skip

PSU = [(0, 111.1), (1000, 111.1), (2000, 127.7), (3500, 168.0), (5000, 208.3), (10000, 989.0)]


@pytest.mark.parametrize(("out_w", "loss_w"), PSU)
def test_losses_of_titanium_supplies(out_w: float, loss_w: float) -> None:
    """90, 94, 96 and 91% at 10, 20, 50 and 100% of the rating."""
    assert psu_loss_w(out_w, FULL) == pytest.approx(loss_w, abs=0.1)


@pytest.mark.parametrize(("heat_w", "watts"), [(0, 50), (2000, 100), (4000, 450), (9000, 450)])
def test_fans_follow_the_cube_of_the_flow(heat_w: float, watts: float) -> None:
    assert fan_w(heat_w, FULL) == pytest.approx(watts)


def test_the_parts_of_a_node_by_hand() -> None:
    parts = node_watts(1500.0, 0.5, FULL)
    assert (parts.host_w, parts.fans_w) == (500.0, 100.0)
    assert parts.psu_loss_w == pytest.approx(127.66 + 100 * 80.67 / 3000, abs=0.1)
    assert parts.wall_w == pytest.approx((2100 + parts.psu_loss_w) / 0.98)


def test_a_host_of_which_only_idle_and_max_are_known() -> None:
    facts = node_facts(HostPower(1.2, 300.0, 700.0))
    assert facts == PLAIN
    assert node_wall_w(1000.0, 0.25, facts) == 1000 + 400


@given(st.sampled_from(sorted(NODE_TYPES)), st.floats(0, 12000), st.floats(0, 1))
def test_parts_sum_to_the_wall(name: str, gpu_w: float, load: float) -> None:
    facts = node_power(name)
    wall_w = node_wall_w(gpu_w, load, facts)
    assert node_watts(gpu_w, load, facts).wall_w == pytest.approx(wall_w)
    assert wall_w < node_wall_w(gpu_w + 1.0, load, facts)


SOME_NODE = st.builds(
    lambda idle, more, fans, full, psu, rated, rest: NodePower(
        host_idle_w=idle, host_max_w=idle + more, fan_max_w=fans, fan_full_w=full, psu=psu, psu_rated_w=rated,
        distribution_efficiency=rest,
    ),
    st.floats(0, 2000), st.floats(0, 2000), st.floats(0, 1500), st.floats(1, 9000), st.sampled_from(sorted(PSU_CURVES)),
    st.floats(0, 20000), st.floats(0.8, 1),
)  # fmt: skip


@given(
    st.one_of(SOME_NODE, st.sampled_from(list(NODE_TYPES.values()))),
    st.floats(0, 3000), st.floats(1, 12000), st.floats(0, 1), st.floats(0, 1),
)  # fmt: skip
def test_the_line_lies_above_the_curve(of: NodePower, idle_w: float, most_w: float, share: float, load: float) -> None:
    line, gpu_w = wall_line(of, idle_w, load, most_w), share * most_w
    assert node_wall_w(idle_w + gpu_w, load, of) <= (line.fixed_w + line.slope * gpu_w) * (1 + 1e-9)


@pytest.mark.parametrize("name", sorted(NODE_TYPES))
def test_the_line_gives_little_away(name: str) -> None:
    """Half way up it lies within 8% of the curve."""
    node = node_power(name)
    line = wall_line(node, 0.0, 1.0, 5600.0)
    assert line.fixed_w + line.slope * 2800.0 < 1.08 * node_wall_w(2800.0, 1.0, node)


KNOWN = [  # node type, GPU kind, GPUs, idle beside the GPUs, loaded beside them, whole node at the GPUs' limits
    ("dgx-h100", "H100-SXM", 8, (800, 1200), (1500, 2500), (7500, 7760)),
    ("dgx-h200", "H200-SXM", 8, (800, 1200), (1500, 2500), (7500, 7760)),
    ("dgx-a100", "A100-SXM4-80GB", 8, (800, 1200), (1500, 2500), (4900, 6550)),
    ("gb200-tray", "GB200", 4, (400, 800), (1000, 2000), (6300, 6667)),
    ("v100-8", "V100-SXM2", 8, (350, 600), (900, 1400), (3200, 3800)),
]


@pytest.mark.parametrize(("name", "kind", "gpus", "idle", "loaded", "whole"), KNOWN)
def test_node_types_lie_where_such_nodes_were_seen(
    name: str, kind: str, gpus: int, idle: tuple[int, int], loaded: tuple[int, int], whole: tuple[int, int]
) -> None:
    """Eight-GPU Hopper nodes: 0.8-1.2 kW idle and 1.5-2.5 kW loaded beside the GPUs, at most 76% of 10.2 kW."""
    gpu, facts = gpu_kind(kind), node_power(name)
    idle_w, most_w = gpus * (gpu.idle_w or 0.0), gpus * (gpu.max_w or 0.0)
    assert idle[0] <= node_wall_w(idle_w, 0.0, facts) - idle_w <= idle[1]
    assert loaded[0] <= node_wall_w(most_w, 1.0, facts) - most_w <= loaded[1]
    assert whole[0] <= node_wall_w(most_w, 1.0, facts) <= whole[1]


@pytest.mark.parametrize("preset", ["dgx-h100", "dgx-h200", "nvl72-4", "example"])
def test_presets_say_about_the_same_by_parts_and_as_a_whole(preset: str) -> None:
    cluster = load_cluster(preset)
    gpu, gpus = cluster.kinds[cluster.nodes[0].gpu_kind], cluster.nodes[0].gpus
    idle_w, most_w = gpus * (gpu.idle_w or 0.0), gpus * (gpu.max_w or 0.0)
    facts = node_facts(cluster.power)
    assert node_wall_w(idle_w, 0.0, facts) - idle_w == pytest.approx(cluster.power.host_idle_w, rel=0.12)
    assert node_wall_w(most_w, 1.0, facts) - most_w == pytest.approx(cluster.power.host_max_w, rel=0.12)


def test_every_figure_has_a_source() -> None:
    assert set(NODE_SOURCES) == set(NODE_TYPES)
    assert set(SLEEP_SOURCES) == set(SLEEPS)
    with pytest.raises(UnknownNameError, match="unknown node type 'dgx-h10': did you mean 'dgx-h100'"):
        node_power("dgx-h10")


# the site ------------------------------------------------------------------------------------------------------------

SITE = HostPower(cooling=Cooling(design_it_w=1e6))
FACILITY = [  # IT kW, outside, PUE
    (1000, 10, 1.07),
    (1000, 18, 1.07),
    (500, 10, 1.09),
    (1000, 28, 1.19),
    (1000, 60, 1.37),
    (0, 10, 3.05),
]


@pytest.mark.parametrize(("it_kw", "outside_c", "expected"), FACILITY)
def test_pue_follows_load_and_temperature(it_kw: float, outside_c: float, expected: float) -> None:
    assert pue(it_kw * 1e3, SITE, outside_c) == pytest.approx(expected)
    if it_kw:
        assert facility_w(it_kw * 1e3, SITE, outside_c) == pytest.approx(expected * it_kw * 1e3)


def test_pue_as_a_number() -> None:
    assert (pue(5.0, HostPower(1.3)), facility_w(100.0, HostPower(1.3), 40.0)) == (1.3, 130.0)


def test_an_idle_site_draws_its_fixed_part() -> None:
    assert facility_w(0.0, SITE) == 20_000


# sleep ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "idle_w", "minutes"), [("off", 1600, (7, 9)), ("suspend", 1600, (0.9, 1.1))])
def test_sleep_pays_after(name: str, idle_w: float, minutes: tuple[float, float]) -> None:
    assert minutes[0] <= break_even_s(SLEEPS[name], idle_w) / 60 <= minutes[1]


def test_sleep_that_never_pays() -> None:
    assert break_even_s(SLEEPS["off"], 50.0) == math.inf


@given(st.sampled_from(sorted(SLEEPS)), st.floats(200, 5000), st.floats(0, 1e5))
def test_sleep_takes_less_exactly_from_the_break_even_on(name: str, idle_w: float, more_s: float) -> None:
    sleep = SLEEPS[name]
    even_s = break_even_s(sleep, idle_w)

    def asleep_j(seconds: float) -> float:
        return cycle_j(sleep) + sleep.asleep_w * max(seconds - cycle_s(sleep), 0.0)

    assert asleep_j(even_s + more_s) <= idle_w * (even_s + more_s) * (1 + 1e-9)
    before_s = even_s * 0.99
    assert before_s < cycle_s(sleep) or asleep_j(before_s) > idle_w * before_s
