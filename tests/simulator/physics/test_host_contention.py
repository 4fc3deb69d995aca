"""CPU cores and PCIe of a node as jobs share them in a run."""

from __future__ import annotations

import pytest

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.cluster import Node
from goodwatt.power.colocation.host_capacity import CORES_PER_GPU, node_cores, node_pcie_gbps
from goodwatt.power.workloads.demand import Demand
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.physics.host_share import Asker, HostShare
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import Nodes, Scripted, cluster, job, simulate

MODEL = RunOptions(physics="full", truth="model")
HUNGRY = "resnet50_imagenet"
"""Keeps eight cores busy for each GPU."""


def hungry(count: int, cores: int, gpus: int = 1, nodes: int = 1) -> Simulation:
    """So many jobs on one node of each `cores`, started."""
    on = cluster(Nodes(nodes, gpus=4, kind="V100", cpu_milli=1000 * cores))
    jobs = [job(f"j{i}", gpus=gpus, workload=HUNGRY, reference_gpu="V100-PCIE", duration_s=1e5) for i in range(count)]
    places = [Place(spec.job_id, ((0, gpus),)) for spec in jobs]
    sim = simulate(jobs, on, Scripted({0: places}), options=MODEL)
    view = sim.advance()
    assert view is not None
    sim.apply(sim.policy.decide(view))
    return sim


def rates(sim: Simulation) -> list[float]:
    return [run._truth.rate for run in sim.live.values()]


def test_enough_cores_slow_nobody() -> None:
    sim = hungry(4, cores=32)
    assert rates(sim) == [1.0] * 4
    assert all(run._truth.slow.interference == 1.0 for run in sim.live.values())


def test_too_few_cores_slow_everybody_alike_and_save_watts() -> None:
    plenty, short = hungry(4, cores=64), hungry(4, cores=16)
    slowed = rates(short)
    assert slowed == [slowed[0]] * 4
    assert 0.4 < slowed[0] < 0.5  # half of the cores, and what changing between jobs costs
    assert all(run._truth.slow.interference == pytest.approx(1 / run._truth.rate) for run in short.live.values())
    assert short.physics.power().gpu_w < plenty.physics.power().gpu_w
    assert short.physics.power().held_w == plenty.physics.power().held_w


def test_a_job_alone_is_at_its_traced_speed_however_small_the_node() -> None:
    assert rates(hungry(1, cores=2)) == [1.0]
    assert rates(hungry(1, cores=2, gpus=4)) == [1.0]


def test_others_go_on_when_a_job_leaves() -> None:
    sim = hungry(2, cores=8)
    before = rates(sim)[0]
    sim.stop(sim.live["j1"])
    assert before < 0.6
    assert sim.live["j0"]._truth.rate == 1.0


def test_a_fork_knows_who_is_slowed() -> None:
    sim = hungry(3, cores=12)
    twin = sim.fork()
    twin.stop(twin.live["j2"])
    assert rates(sim) == rates(hungry(3, cores=12))
    assert twin.live["j0"]._truth.rate > sim.live["j0"]._truth.rate


def test_what_is_slowed_by_its_gpu_asks_for_less() -> None:
    share = HostShare(cluster(Nodes(1, gpus=4, kind="V100", cpu_milli=12_000)))
    demand = Demand(u=0.5, m=0.5, kappa=0.5, host_cores=8.0)
    for _ in range(2):
        share.add(0, demand, 1, 1)
    assert share.crowded(0)
    assert set(share.settle(0, [Asker("a", demand, 1, 1.0), Asker("b", demand, 1, 0.5)])) == {"a", "b"} - {"a", "b"}
    assert set(share.settle(0, [Asker("a", demand, 1, 1.0), Asker("b", demand, 1, 1.0)])) == {"a", "b"}
    assert share.factor(0, "a") < 1.0
    assert set(share.settle(0, [Asker("a", demand, 1, 1.0)])) == {"a"}
    assert share.factor(0, "a") == 1.0
    for _ in range(2):
        share.add(0, demand, 1, -1)
    assert not share.crowded(0)


@pytest.mark.parametrize(
    ("kind", "cpu_milli", "cores"),
    [
        ("H200-SXM", None, 112.0),
        ("V100-SXM2", None, 40.0),
        ("GB200", None, 288.0),
        ("T4", None, 0.0),
        ("T4", 96_000, 96.0),
        ("H200-SXM", 64_000, 64.0),
    ],
)
def test_cores_of_a_node(kind: str, cpu_milli: int | None, cores: float) -> None:
    assert node_cores(Node("n", kind, 8, cpu_milli=cpu_milli), gpu_kind(kind)) == cores


def test_every_kind_with_cores_is_in_the_catalogue_and_pcie_is_known() -> None:
    for name in CORES_PER_GPU:
        assert node_pcie_gbps(Node("n", name, 8), gpu_kind(name)) in {252.0, 504.0, 1008.0}
