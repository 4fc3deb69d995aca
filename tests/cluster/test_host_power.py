"""Power sections of cluster files: node types, sleep, cooling, racks with feeds and rows; what is refused."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

import pytest

from goodwatt.cluster.cluster import Cluster, Rack, Row
from goodwatt.cluster.cluster_file import cluster_from_text
from goodwatt.cluster.host_power import NODE_TYPES, SLEEPS, Cooling, NodePower, NodeSleep
from goodwatt.errors import InputError


def load(power: str = "{}", racks: str = "[]", rows: str = "[]") -> Cluster:
    nodes = "[{gpu: H100-SXM, gpus: 8, rack: r1}, {gpu: H100-SXM, gpus: 8, rack: r2}]"
    return cluster_from_text(dedent(f"nodes: {nodes}\nracks: {racks}\nrows: {rows}\npower: {power}\n"), "c.yaml")


def test_node_types_by_name_changed_and_from_nothing() -> None:
    assert load("{node: dgx-h100}").power.node == NODE_TYPES["dgx-h100"]
    changed = load("{node: {type: dgx-h100, fan_max_w: 900, psu: platinum}}").power.node
    assert changed == replace(NODE_TYPES["dgx-h100"], fan_max_w=900.0, psu="platinum")
    made = load("{node: {host_idle_w: 100, host_max_w: 300}}").power.node
    assert made == NodePower(host_idle_w=100.0, host_max_w=300.0)
    assert load().power.node is None


def test_sleep_cooling_and_the_site() -> None:
    power = load(
        '{sleep: "off", cooling: {design_it_w: 1e6, fixed: 0.03}, site_limit_w: 5e5, ramp_w_per_s: 1000}'
    ).power
    assert power.sleep == SLEEPS["off"]
    assert power.cooling == Cooling(design_it_w=1e6, fixed=0.03)
    assert (power.site_limit_w, power.ramp_w_per_s) == (5e5, 1000.0)
    made = load("{sleep: {type: suspend, wake_s: 5}}").power.sleep
    assert made == replace(SLEEPS["suspend"], wake_s=5.0)
    assert load("{sleep: {asleep_w: 9}}").power.sleep == NodeSleep(
        asleep_w=9.0, suspend_s=0.0, suspend_w=0.0, wake_s=0.0, wake_w=0.0
    )


def test_racks_with_feeds_in_rows() -> None:
    cluster = load(
        racks="[{name: r*, power_limit_w: 2e4, feeds: 2, feed_limit_w: 1e4, breaker: ul489, ramp_w_per_s: 50, row: a}]",
        rows="[{name: a, power_limit_w: 3e4}]",
    )
    assert cluster.racks["r2"] == Rack("r2", 2e4, 2, 1e4, "ul489", 50.0, "a")
    assert cluster.rows == {"a": Row("a", 3e4)}


BAD = [
    ("{node: dgx-h10}", "[]", "[]", "key 'node': unknown node type 'dgx-h10': did you mean 'dgx-h100'"),
    ("{node: {type: dgx}}", "[]", "[]", "key 'type': unknown node type 'dgx'"),
    (
        "{node: {host_idle_w: 9, host_max_w: 2}}",
        "[]",
        "[]",
        "key 'host_max_w': expected at least host_idle_w, 9, got 2",
    ),
    ("{node: {fan_idle_w: 9}}", "[]", "[]", "expected at least fan_idle_w, 9, got 0"),
    ("{node: {psu: gold}}", "[]", "[]", "key 'psu': unknown class of power supply 'gold'; known: platinum, titanium"),
    (
        "{node: {distribution_efficiency: 1.5}}",
        "[]",
        "[]",
        "key 'distribution_efficiency': expected a number of at most 1",
    ),
    ("{sleep: of}", "[]", "[]", "key 'sleep': unknown way to sleep 'of': did you mean 'off'"),
    ("{cooling: {fixed: 1}}", "[]", "[]", "key 'design_it_w': this key is missing"),
    ("{cooling: {design_it_w: 0}}", "[]", "[]", "key 'design_it_w': expected a number above 0"),
    ("{ramp_w_per_s: 0}", "[]", "[]", "key 'ramp_w_per_s': expected a number above 0"),
    ("{}", "[{name: r1, breaker: ul498}]", "[]", "key 'breaker': unknown trip curve 'ul498': did you mean 'ul489'"),
    ("{}", "[]", "[{name: b}]", "line 3, key 'name': unknown row of a rack 'b'"),
    ("{}", "[{name: r1, row: aa}]", "[{name: a}]", "unknown row of a rack 'a'"),
]


@pytest.mark.parametrize(("power", "racks", "rows", "message"), BAD)
def test_what_is_refused(power: str, racks: str, rows: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(power, racks, rows)
