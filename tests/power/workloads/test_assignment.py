"""Which class a job is taken for: stable for a user and name, whatever else is in the trace."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.cluster import Cluster, Node
from goodwatt.cluster.job import Job
from goodwatt.errors import InputError
from goodwatt.power.workloads.assignment import Lottery, ReferenceGpu, assign
from goodwatt.power.workloads.catalogue import all_classes, workload_class
from tests.scenario import job


def cluster_of(*groups: tuple[str, int], partition: str | None = None) -> Cluster:
    """Nodes of eight GPUs: (kind, count)."""
    names = [kind for kind, count in groups for _ in range(count)]
    nodes = tuple(Node(name=f"n{i}", gpu_kind=kind, gpus=8, partition=partition) for i, kind in enumerate(names))
    return Cluster(name="test", nodes=nodes, kinds={kind: gpu_kind(kind) for kind in names})


H200 = cluster_of(("H200-SXM", 4))
P100 = cluster_of(("P100-PCIE", 4))
JOBS = [
    job(f"j{i}", gpus=1 << i % 5, duration_s=float(i), user=f"u{i % 7}", name=f"n{i % 11}" if i % 3 else None)
    for i in range(200)
]


def classes(jobs: list[Job], seed: int = 0, cluster: Cluster = H200) -> dict[str, str | None]:
    return {job.job_id: job.workload for job in assign(jobs, seed, cluster)}


def test_same_user_name_and_size_same_class() -> None:
    found: dict[Any, set[Any]] = {}
    for one in assign(JOBS, 3, H200):
        found.setdefault((one.user, one.name, one.num_gpus), set()).add(one.workload)
    assert all(len(names) == 1 for names in found.values())


@given(st.integers(0, 5), st.randoms(use_true_random=False), st.integers(1, 200))
def test_order_choice_and_durations_do_not_matter(seed: int, chance: random.Random, count: int) -> None:
    whole = classes(JOBS, seed)
    some = [replace(one, duration_s=one.duration_s * 7 + 1) for one in chance.sample(JOBS, count)]
    assert all(whole[job_id] == name for job_id, name in classes(some, seed).items())


def test_other_seeds_other_classes() -> None:
    one, two = classes(JOBS, 0), classes(JOBS, 1)
    assert sum(one[key] != two[key] for key in one) > 100


def test_the_draw_is_the_same_on_every_machine() -> None:
    lottery = Lottery(7, tuple(all_classes().values())[:1])
    assert lottery.draw("anything", 1, 0) == next(iter(all_classes()))
    drawn = classes([job("x", user="ann", name="train")], 7)
    assert drawn == classes([job("x", user="ann", name="train")], 7)


@given(st.integers(1, 10_000), st.text(max_size=8), st.sampled_from([H200, P100]))
def test_gangs_get_classes_of_their_size_where_there_are_some(gpus: int, name: str, cluster: Cluster) -> None:
    (one,) = assign([job(gpus=gpus, user="u", name=name)], 0, cluster)
    entry = workload_class(one.workload or "")
    largest = max(other.gpus[1] for other in all_classes().values())
    assert entry.gpus[0] <= gpus <= entry.gpus[1] or (gpus > largest and entry.gpus[1] == largest)


def test_classes_fit_the_memory_of_the_reference_gpu() -> None:
    names = {one.workload for one in assign([job(f"{i}") for i in range(2000)], 0, P100)}
    assert max(workload_class(name or "").memory_mib for name in names) <= 16_384
    shared = {one.workload for one in assign([job(f"{i}", gpu_milli=100) for i in range(2000)], 0, H200)}
    assert max(workload_class(name or "").memory_mib for name in shared) <= 14_400


def test_weights_are_kept() -> None:
    one_gpu = [entry for entry in all_classes().values() if entry.gpus[0] == 1]
    total = sum(entry.weight for entry in one_gpu)
    count = Counter(classes([job(f"{i}") for i in range(20_000)]).values())
    for entry in one_gpu:
        assert count[entry.name] / 20_000 == pytest.approx(entry.weight / total, abs=0.01)


def test_at_other_sizes_mostly_the_same() -> None:
    pairs = [(job("a", gpus=1, user="u", name=f"n{i}"), job("b", gpus=2, user="u", name=f"n{i}")) for i in range(500)]
    same = sum(len(set(classes(list(pair)).values())) == 1 for pair in pairs)
    assert same > 350


def test_who_has_no_name_is_known_by_user_and_size() -> None:
    found = classes([job("a", user="u"), job("b", user="u"), *(job(f"c{i}") for i in range(50))])
    assert found["a"] == found["b"]
    assert len({found[f"c{i}"] for i in range(50)}) > 5


def test_a_job_without_gpus_has_no_class() -> None:
    (one,) = assign([job(gpus=0)], 0, H200)
    assert one.workload is None


# what a job or the user says -----------------------------------------------------------------------------------------


def test_the_own_column_goes_before_the_draw_and_a_wish_before_both() -> None:
    own = job("a", gpus=64, workload="rl_small")
    assert classes([own]) == {"a": "rl_small"}
    (one,) = assign([own], 0, H200, lambda _: "dlrm")
    assert one.workload == "dlrm"
    (one,) = assign([own], 0, H200, lambda _: None)
    assert one.workload == "rl_small"


def test_a_class_that_is_not_there() -> None:
    with pytest.raises(InputError, match="job a: unknown workload class 'dlrn': did you mean 'dlrm'"):
        classes([job("a", workload="dlrn")])


MIXED = cluster_of(("V100-SXM2", 1), ("A100-SXM4-80GB", 2), ("H100-SXM", 2))


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({}, "A100-SXM4-80GB"),  # as many H100, later in the alphabet
        ({"gpu_kind": ("V100",)}, "V100-SXM2"),
        ({"gpu_kind": ("V100", "H100-SXM")}, "H100-SXM"),
        ({"gpu_memory_mib": 81_000}, "A100-SXM4-80GB"),
        ({"gpu_kind": ("T4",)}, "T4"),  # no such node: it waits for ever, but knows what it was measured on
        ({"reference_gpu": "NVIDIA-A40"}, "A40"),
        ({"reference_gpu": "V100-SXM2", "gpu_kind": ("H100-SXM",)}, "V100-SXM2"),
    ],
)
def test_the_reference_gpu(facts: dict[str, Any], kind: str) -> None:
    assert ReferenceGpu(MIXED)(job(**facts)) == kind
    (one,) = assign([job(**facts)], 0, MIXED)
    assert one.reference_gpu == kind


def test_a_reference_gpu_that_is_not_there() -> None:
    with pytest.raises(InputError, match="job a: unknown GPU kind 'Z80'"):
        assign([job("a", reference_gpu="Z80")], 0, MIXED)
