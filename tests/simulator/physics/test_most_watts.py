"""What the power book counts for a GPU is never exceeded, whoever on it is held up, waits for others or goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from goodwatt.cluster.cluster_builder import build_cluster
from goodwatt.simulator.decisions import Decision, Place, Preempt
from goodwatt.simulator.physics.full import FullPhysics
from goodwatt.simulator.physics.instance_facts import InstanceFacts
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.physics.settled_gpus import common_cap_w
from goodwatt.simulator.physics.shared_gpu import Tenant, parts_by_tenant
from goodwatt.simulator.power.power_book import ROUNDING_UW
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation
from tests.scenario import Scripted, engine, job, simulate, step

CLASSES = ("bert_squad", "dlrm", "llm_decode", "llm_prefill", "ncf_movielens", "rl_small", "vit_train", "wan_video")
KINDS = ("A100-SXM4-80GB", "B200-SXM", "H200-SXM", "V100-PCIE")
FULL = RunOptions(physics="full", truth="model")
RESTART = engine(restart_overhead_s=60.0)
NODE = build_cluster({"nodes": [{"gpu": "H200-SXM", "gpus": 8}]})
ROUNDING_W = 1e-5


@dataclass(frozen=True)
class Kept(Scripted):
    """Nothing may start or rise for which the budget has no room."""

    enforces_budget: bool = True


def sharing(kind: str, jobs: Sequence[tuple[str, float | None, str]], gpus: int = 2) -> Simulation:
    """Gangs of these (class, cap above the lowest, way of sharing), all on the same GPUs."""
    on = build_cluster({"nodes": [{"gpu": kind, "gpus": gpus}]})
    least_w = on.kinds[on.nodes[0].gpu_kind].min_cap_w or 0.0
    names = [f"j{i}" for i in range(len(jobs))]
    caps = [None if more_w is None else least_w + more_w for _, more_w, _ in jobs]
    first, *others = (
        Place(name, ((0, gpus),) if not i else (), cap_w=cap_w, **({} if not i else {"beside": "j0", "sharing": how}))  # type: ignore[arg-type]
        for i, (name, cap_w, (_, _, how)) in enumerate(zip(names, caps, jobs, strict=True))
    )
    submitted = [job(name, gpus, workload=workload) for name, (workload, _, _) in zip(names, jobs, strict=True)]
    sim = simulate(submitted, on, Scripted({0.0: [first, *others]}), options=FULL)
    while sim.now_s <= 0.0 and len(sim.state.placements) < len(jobs):
        step(sim)
    return sim


def watts(sim: Simulation, gpu: int = 0) -> tuple[float, float]:
    """(what a GPU draws, the most that the book counts for it)."""
    physics = sim.physics
    assert isinstance(physics, FullPhysics)
    on = [(physics.run_of(job_id), physics.run_of(job_id).cap_w) for job_id in physics.tenants(0)[gpu]]
    return physics.gpu_w(0, gpu), physics.most_w(0, gpu, on)


tenants = st.lists(
    st.tuples(
        st.sampled_from(CLASSES),
        st.one_of(st.none(), st.just(0.0), st.floats(0.0, 100.0)),
        st.sampled_from(["mps", "timeslice"]),
    ),
    min_size=1,
    max_size=4,
)


@given(st.sampled_from(KINDS), tenants, st.integers(0, 15))
@example("B200-SXM", [("llm_prefill", 0.0, "mps"), ("llm_decode", 0.0, "mps")], 0b01)
@example(
    "H200-SXM", [("wan_video", 0.0, "mps"), ("llm_decode", 0.0, "timeslice"), ("rl_small", 0.0, "timeslice")], 0b101
)
def test_whoever_is_held_up_is_counted_and_leaves_others_no_more_than_is_counted(
    kind: str, jobs: list[tuple[str, float | None, str]], held_up: int
) -> None:
    sim = sharing(kind, jobs)
    _, most_w = watts(sim)
    for i in range(len(jobs)):
        if held_up >> i & 1:
            sim.physics.pause(sim.live[f"j{i}"], True)
    sim.physics.changes()
    while_w, counted_w = watts(sim)
    assert counted_w == most_w, "the book does not look at who is held up now"
    assert while_w <= most_w + ROUNDING_W
    for run in sim.live.values():
        sim.physics.pause(run, False)
    sim.physics.changes()
    assert watts(sim)[0] <= most_w + ROUNDING_W


@given(st.sampled_from(KINDS), tenants, st.integers(0, 3))
def test_what_is_counted_falls_when_one_of_them_leaves(
    kind: str, jobs: list[tuple[str, float | None, str]], who: int
) -> None:
    """Else a limit could be exceeded by somebody's end, of which nobody is asked."""
    sim = sharing(kind, jobs)
    _, most_w = watts(sim)
    sim.stop(sim.live[f"j{who % len(jobs)}"])
    drawn_w, counted_w = watts(sim)
    assert drawn_w <= counted_w + ROUNDING_W
    assert counted_w <= most_w


@given(st.sampled_from(KINDS), tenants.filter(lambda jobs: len(jobs) > 1), st.lists(st.floats(0, 1), min_size=4))
@example("H200-SXM", [("ncf_movielens", 0.0, "mps"), ("dlrm", 0.0, "timeslice")], [0.0, 1.0, 1.0, 1.0])
def test_waiting_for_a_gang_never_carries_a_shared_gpu_above_its_cap(
    kind: str, jobs: list[tuple[str, float | None, str]], busy: list[float]
) -> None:
    """Each computes for a part of its time and waits for the rest."""
    sim = sharing(kind, jobs)
    physics, (_, most_w) = sim.physics, watts(sim)
    assert isinstance(physics, FullPhysics)
    model, point = physics._models[0], physics._gpus.points[0][0]
    assert model is not None
    assert point is not None
    runs = [sim.live[f"j{i}"] for i in range(len(jobs))]
    times = zip(runs, busy, strict=False)
    here = [Tenant(run, physics._tenants.on(run, model), part, 1.0 - part) for run, part in times]
    parts = parts_by_tenant(model, point, here, common_cap_w(model, runs))
    assert sum(map(sum, parts)) / MICRO <= most_w + ROUNDING_W


LEAST_W = {"H100-SXM": (63.7, 180.9), "H200-SXM": (51.8, 235.1), "B200-SXM": (23.6, 152.6)}
"""SM and DRAM watts of an instance of a language model at the lowest clock, at most."""


@settings(max_examples=15)
@given(
    st.sampled_from([*LEAST_W]),
    tenants.filter(lambda jobs: len(jobs) > 1),
    st.lists(st.tuples(*[st.floats(0.0, 1.0)] * 4), min_size=1, max_size=4),
)
@example(
    "H200-SXM", [("bert_squad", 0.0, "mps"), ("llm_decode", 0.0, "mps")], [(0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 0.0)]
)
def test_beside_an_instance_as_much_is_counted_whatever_it_does_when_somebody_asks(
    kind: str, jobs: list[tuple[str, float | None, str]], done: list[tuple[float, float, float, float]]
) -> None:
    """It may do more as soon as more requests come, and nobody is asked then."""
    sim = sharing(kind, jobs, gpus=1)
    physics, (sm_w, dram_w) = sim.physics, LEAST_W[kind]
    assert isinstance(physics, FullPhysics)
    model = physics._models[0]
    assert model is not None
    idle = InstanceFacts(model.top_mhz, 1_000, least_sm_w=sm_w, least_dram_w=dram_w)
    counted = set()
    for sm, dram, duty, kappa in done:
        u, m = sm * sm_w / model.core_w[0], dram * dram_w / model.memory_w
        physics.serve("j0", idle._replace(u=u, m=m, duty=duty, kappa=kappa))
        physics.changes()
        drawn_w, most_w = watts(sim)
        counted.add(most_w)
        assert drawn_w <= most_w + ROUNDING_W
    assert len(counted) == 1


def test_a_restart_beside_somebody_keeps_the_budget() -> None:
    """While one of two starts again the other has the GPUs for itself, and the lowest clock exceeds its cap."""
    script: Mapping[float, Sequence[Decision]] = {
        0.0: [
            Place("heavy", ((0, 8),), cap_w=200.0),
            Place("light", (), beside="heavy", sharing="timeslice", cap_w=200.0),
        ],
        50.0: [Preempt("light"), Place("light", (), beside="heavy", sharing="timeslice", cap_w=200.0)],
    }
    jobs = [job("heavy", 8, workload="bert_sentiment140"), job("light", 8, workload="dlrm")]
    sim = simulate(jobs, NODE, Kept(script), RESTART, RunOptions(physics="full", truth="model", budget_w=9_000.0))
    assert sim.book is not None
    assert isinstance(sim.physics, FullPhysics)
    held_up = 0
    while not sim.stopped and (sim.deciding or sim.clock.peek() < float("inf")):
        step(sim)
        held_up += sim.physics.paused("light")
        assert sim.physics.meter.wall_uw[0] <= sim.book.granted_uw[0] <= 9_000 * MICRO + ROUNDING_UW
    assert held_up
    assert not sim.executor.refusals
