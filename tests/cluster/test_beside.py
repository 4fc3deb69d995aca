"""A job beside another: it gets exactly the other's GPUs, and they are free when both have left."""

from __future__ import annotations

from typing import Any

import pytest

from goodwatt.cluster.beside import allocate_beside, shortage_beside
from goodwatt.cluster.mig_state import sliced_request
from goodwatt.cluster.packed import MOST_TENANTS
from goodwatt.cluster.state import ClusterState, DoesNotFitError
from tests.scenario import Nodes, cluster, job
from tests.state_content import content

TWO = cluster(Nodes(2, gpus=4, cpu_milli=8_000, partition="east"), Nodes(1, gpus=4, kind="H200", partition="west"))


def test_both_hold_the_same_gpus_until_the_last_has_left() -> None:
    state = ClusterState(TWO)
    host, guest = job("host", gpus=6, partition="east"), job("guest", gpus=6, partition="east", cpu_milli=600)
    empty = content(state)
    state.allocate(host, ((0, 4), (1, 2)))
    placement = allocate_beside(state, guest, host)
    assert placement == state.placements["host"] == ((0, 0b1111), (1, 0b0011))
    assert (state.free_gpus, state.used_milli, state.free_cpu_milli[0]) == (6, [6_000, 0], 7_600)
    state.release(host)
    assert (state.free_gpus, state.used_milli) == (6, [6_000, 0])
    state.release(guest)
    assert content(state) == empty


def test_up_to_seven_stand_beside_one() -> None:
    state = ClusterState(TWO)
    host = job("host", partition="east")
    state.allocate(host, ((0, 1),))
    for i in range(MOST_TENANTS - 1):
        allocate_beside(state, job(f"guest {i}", partition="east"), host)
    with pytest.raises(DoesNotFitError, match="8 jobs share a GPU"):
        allocate_beside(state, job("one more", partition="east"), host)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"gpus": 1, "partition": "east"}, "1 GPUs wanted, host holds 2"),
    ({"gpus": 2, "partition": "west"}, "partition"),
    ({"gpus": 2, "partition": "east", "gpu_kind": ("H200",)}, "GPU kind"),
    ({"gpus": 2, "partition": "east", "cpu_milli": 8_001}, "CPU"),
    ({"gpus": 1, "gpu_milli": 500, "partition": "east"}, "shares"),
]


@pytest.mark.parametrize(("wishes", "reason"), REFUSED)
def test_what_does_not_stand_side_by_side_changes_nothing(wishes: dict[str, Any], reason: str) -> None:
    state = ClusterState(TWO)
    host = job("host", gpus=2, partition="east")
    state.allocate(host, ((0, 2),))
    before = content(state)
    with pytest.raises(DoesNotFitError, match=reason):
        allocate_beside(state, job("guest", **wishes), host)
    assert content(state) == before


def test_nobody_stands_beside_a_job_in_a_mig_instance_or_one_that_waits() -> None:
    state = ClusterState(TWO)
    host = sliced_request(job("host"), "7g.141gb")
    assert shortage_beside(state, job("guest"), host) == "host holds no GPUs"
    state.allocate(host, ((2, 1),))
    assert shortage_beside(state, job("guest"), host) == "shares of GPUs are not packed beside other jobs"


def test_a_what_if_is_undone() -> None:
    state = ClusterState(TWO)
    host = job("host", partition="east")
    state.allocate(host, ((0, 1),))
    before = content(state)
    with state.what_if():
        allocate_beside(state, job("guest", partition="east"), host)
        state.release(host)
    assert content(state) == before
