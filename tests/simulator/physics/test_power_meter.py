"""The meter: watts of nodes, racks and the cluster, exact in whatever order things change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster, HostPower, Node, Rack
from goodwatt.cluster.host_power import NodeSleep, node_power
from goodwatt.power.facility.supply import node_facts, node_watts
from goodwatt.simulator.physics.contract import ASLEEP, FALLING, WAKING, ClusterPower
from goodwatt.simulator.physics.power_meter import MICRO, NO_PARTS, PowerMeter

SLEEP = NodeSleep(asleep_w=40.0, suspend_s=10.0, suspend_w=500.0, wake_s=30.0, wake_w=900.0)
NODES = (
    Node("n0", "V100", 2, rack="r0"),
    Node("n1", "V100", 2, rack="r0"),
    Node("n2", "V100", 2, rack="r1"),
    Node("n3", "V100", 0),
)
RACKS = {name: Rack(name) for name in ("r0", "r1", "spare")}
ON = Cluster("test", NODES, {}, RACKS, power=HostPower(node=node_power("dgx-h100"), sleep=SLEEP))
BUSY, IDLE = (0, 70 * MICRO, 100 * MICRO, 30 * MICRO), (25 * MICRO, 0, 0, 0)


def test_a_node_by_its_parts() -> None:
    meter = PowerMeter(ON)
    meter.on(0, (BUSY, IDLE), 1)
    node = node_watts(225.0, 0.5, node_facts(ON.power))
    power = meter.power()
    assert (power.idle_w, power.held_w, power.sm_w, power.dram_w, power.asleep_w) == (25.0, 70.0, 100.0, 30.0, 0.0)
    assert abs(power.host_w - node.host_w - node.fans_w) < 1e-6
    assert abs(power.loss_w - node.psu_loss_w - node.distribution_loss_w) < 1e-6
    assert power.gpu_w == 225.0
    assert meter.wall_uw == [round(sum(power) * MICRO), 0, 0, 0]


def test_a_node_without_gpus_has_a_host_still() -> None:
    meter = PowerMeter(ON)
    meter.on(3, (), 0)
    assert meter.power().gpu_w == 0.0
    assert meter.power().host_w > 0.0


def test_stages_of_sleep() -> None:
    meter = PowerMeter(ON)
    for stage, parts in (
        (FALLING, ClusterPower(host_w=500.0)),
        (ASLEEP, ClusterPower(asleep_w=40.0)),
        (WAKING, ClusterPower(host_w=900.0)),
    ):
        meter.sleeping(0, stage)
        assert meter.power() == parts
    meter.off(0)
    assert meter.power() == ClusterPower()


def test_racks_and_which_of_them_have_moved() -> None:
    meter = PowerMeter(ON)
    assert set(meter.rack_names) == {"r0", "r1", "spare", ""}
    meter.on(0, (BUSY, IDLE), 1)
    meter.on(3, (), 0)
    assert {meter.rack_names[rack] for rack in meter.moved} == {"r0", ""}
    meter.moved = {}
    meter.on(0, (BUSY, IDLE), 1)
    assert meter.moved == {}, "nothing else is drawn"
    meter.on(1, (IDLE, IDLE), 0)
    assert meter.rack_uw[meter.racks["r0"]] == meter.wall_uw[0] + meter.wall_uw[1]
    assert meter.rack_uw[meter.racks["spare"]] == 0


changes = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["on", "off", FALLING, ASLEEP, WAKING]),
        st.lists(st.tuples(*[st.integers(0, 10**9)] * 4), min_size=2, max_size=2),
        st.integers(0, 2),
    ),
    max_size=30,
)


def carried_out(meter: PowerMeter, steps: list[tuple]) -> PowerMeter:  # type: ignore[type-arg]
    for node, mode, parts, held in steps:
        if mode == "on":
            meter.on(node, parts if NODES[node].gpus else (), held)
        elif mode == "off":
            meter.off(node)
        else:
            meter.sleeping(node, mode)
    return meter


@given(changes, st.integers(0, 30))
def test_sums_depend_on_where_everything_stands_and_not_on_the_way_there(steps: list[tuple], at: int) -> None:  # type: ignore[type-arg]
    meter = carried_out(PowerMeter(ON), steps)
    last = {step[0]: step for step in steps}
    straight = carried_out(PowerMeter(ON), list(last.values()))
    assert (meter.totals, meter.wall_uw, meter.rack_uw) == (straight.totals, straight.wall_uw, straight.rack_uw)
    assert sum(meter.totals) == sum(meter.wall_uw) == sum(meter.rack_uw)
    half = carried_out(PowerMeter(ON), steps[:at])
    twin = carried_out(half.copy(), steps[at:])
    assert twin.totals == meter.totals
    assert half.totals == carried_out(PowerMeter(ON), steps[:at]).totals, "the copy has left its mark"


def test_nobody_draws_nothing() -> None:
    assert PowerMeter(ON).power() == ClusterPower()
    assert sum(NO_PARTS) == 0
