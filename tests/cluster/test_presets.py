"""Presets and generated clusters: that they pass the check of files, hold what they claim, and load fast."""

from __future__ import annotations

import csv
import gzip
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from goodwatt.cluster import presets
from goodwatt.cluster.cluster_file import cluster_from_text
from goodwatt.cluster.cluster_schema import ClusterFile
from goodwatt.cluster.fingerprint import fingerprint
from goodwatt.cluster.overview import overview
from goodwatt.cluster.presets import cluster_yaml, load_cluster, preset_names
from goodwatt.errors import InputError, UnknownNameError

DATA = Path(__file__).parents[3] / "shared" / "data"

SIZES = [
    ("dgx-h100", 32, 256),
    ("dgx-h200", 32, 256),
    ("example", 80, 640),
    ("nvl72-4", 72, 288),
    ("openb", 1213, 6212),
    ("philly-100", 100, 800),
    ("philly-480", 60, 480),
    ("philly-552", 539, 3205),
    ("philly-80", 80, 640),
    ("venus", 133, 1064),
    ("venus-100", 100, 800),
    ("venus-80", 80, 640),
    ("venus-90", 90, 720),
]


def test_the_table_below_is_complete() -> None:
    assert tuple(name for name, _, _ in SIZES) == preset_names()


@pytest.mark.parametrize(("name", "nodes", "gpus"), SIZES)
def test_size_of_a_preset(name: str, nodes: int, gpus: int) -> None:
    cluster = load_cluster(name)
    assert (cluster.name, len(cluster.nodes), cluster.num_gpus) == (name, nodes, gpus)
    assert cluster.note


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_passes_the_check_of_files(name: str) -> None:
    ClusterFile.model_validate(presets.preset_content(name))
    text = (presets.FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    assert cluster_from_text(text, name) == load_cluster(name)


def test_philly_480_is_what_other_simulators_take() -> None:
    cluster = load_cluster("philly-480")
    assert {node.gpus for node in cluster.nodes} == {8}
    assert cluster.partitions == ()
    assert "Assumed" in cluster.note


def test_openb_leaves_undisclosed_kinds_without_energy() -> None:
    cluster = load_cluster("openb")
    gpus = Counter[str]()
    for node in cluster.nodes:
        gpus[node.gpu_kind] += node.gpus
    assert gpus == {
        "G2": 4392,
        "T4": 842,
        "G3": 312,
        "P100-PCIE": 265,
        "V100-SXM2-32GB": 204,
        "V100-SXM2": 195,
        "A10": 2,
    }
    assert overview(cluster).unmeasured_gpus == 4392 + 312
    assert all(node.cpu_milli and node.memory_mib for node in cluster.nodes)


def test_nvl72_racks_are_cliques_within_their_power() -> None:
    cluster = load_cluster("nvl72-4")
    assert Counter(node.clique for node in cluster.nodes) == {f"nvlink-00{i}": 18 for i in range(1, 5)}
    assert len({(node.clique, node.rack) for node in cluster.nodes}) == 4
    most = overview(cluster).it_power.max_w / 4
    assert all(rack.power_limit_w is not None and most <= rack.power_limit_w for rack in cluster.racks.values())


def test_philly_552_matches_the_published_list() -> None:
    path = DATA / "philly_2017" / "philly_revised_machine_list.csv.gz"
    if not path.exists():
        pytest.skip("the published machine list is not part of the repository")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [(row["machineId"], int(row["number of GPUs"])) for row in csv.DictReader(file)]
    cluster = load_cluster("philly-552")
    assert {node.name: node.gpus for node in cluster.nodes} == {name: gpus for name, gpus in rows if gpus}


def test_openb_matches_the_published_list() -> None:
    path = DATA / "alibaba_openb_2023" / "openb_node_list_gpu_node.csv.gz"
    if not path.exists():
        pytest.skip("the published node list is not part of the repository")
    names = {"P100": "P100-PCIE", "V100M16": "V100-SXM2", "V100M32": "V100-SXM2-32GB"}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        shapes = Counter(
            (names.get(row["model"], row["model"]), int(row["gpu"]), int(row["cpu_milli"]), int(row["memory_mib"]))
            for row in csv.DictReader(file)
        )
    cluster = load_cluster("openb")
    assert Counter((n.gpu_kind, n.gpus, n.cpu_milli, n.memory_mib) for n in cluster.nodes) == shapes


def test_a_preset_with_other_gpus() -> None:
    cluster = load_cluster("philly-80:gpu=H200")
    assert cluster.name == "philly-80:gpu=H200-SXM"
    assert set(cluster.kinds) == {"H200-SXM"}
    assert cluster.nodes[0].domains == (255,)
    assert "exchanged" in cluster.note


def test_generated_clusters() -> None:
    cluster = load_cluster("generated:gpus=100,gpu=H100-SXM,per_node=8,nodes_per_rack=2,rack_power_limit_w=2e4,pue=1.3")
    assert (len(cluster.nodes), cluster.num_gpus, cluster.nodes[-1].gpus) == (13, 100, 4)
    assert len({node.name for node in cluster.nodes}) == 13
    assert cluster.power.pue == 1.3
    assert {rack.power_limit_w for rack in cluster.racks.values()} == {20000.0}


def test_a_generated_cluster_of_nvl72_racks() -> None:
    cluster = load_cluster("generated:gpus=720,gpu=GB200")
    assert Counter(node.clique for node in cluster.nodes) == Counter(
        {f"nvlink-{rack:03d}": 18 for rack in range(1, 11)}
    )
    assert len(cluster.racks) == 10


WRONG = [
    ("filly-480", "unknown cluster 'filly-480': did you mean 'philly-480'"),
    ("generated:", "expected gpus=N"),
    ("generated:gpus=0", "expected a whole number above 0, got '0'"),
    ("generated:gpus=9999999", "with N from 1 to 1000000"),
    ("generated:gpus=8,pue=inf", "pue: expected a number, 0 or more, got 'inf'"),
    ("generated:gpus=8,gpu=H99", "unknown GPU kind 'H99'"),
    ("generated:gpus=8,per_nod=8", "unknown setting of cluster generated 'per_nod': did you mean 'per_node'"),
    ("generated:gpus", "expected key=value, got 'gpus'"),
    ("philly-80:gpus=3", "unknown setting of cluster philly-80 'gpus': did you mean 'gpu'"),
    ("./none.yaml", "no such cluster file"),
    ("none.yaml", "no such cluster file"),
]


@pytest.mark.parametrize(("name", "message"), WRONG)
def test_wrong_names(name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_cluster(name)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", [*preset_names(), "philly-80:gpu=T4", "generated:gpus=99,rack_power_limit_w=3e4"])
def test_any_cluster_can_be_written_as_a_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "copy.yaml"
    path.write_text(cluster_yaml(name), encoding="utf-8")
    assert load_cluster(path) == load_cluster(name)
    assert cluster_yaml(path) == path.read_text(encoding="utf-8")


def test_a_file_stands_where_a_name_does(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text("nodes: [{gpu: T4, gpus: 2}]", encoding="utf-8")
    assert load_cluster(path).num_gpus == 2
    with pytest.raises(UnknownNameError):
        load_cluster("mine-that-is-not-there")


def test_fingerprints_tell_facts_apart_but_not_prose() -> None:
    nodes = "nodes: [{gpu: H100-SXM, gpus: 8, names: n1}]"
    base = fingerprint(cluster_from_text(nodes, "a"))
    assert fingerprint(cluster_from_text(f"name: b\nnote: other words\n{nodes}", "b")) == base
    changed = [
        nodes.replace("gpus: 8", "gpus: 4"),
        nodes.replace("H100-SXM", "H200-SXM"),
        nodes.replace("n1", "n2"),
        f"{nodes}\npower: {{pue: 1.1}}",
        f"{nodes}\nquotas: {{users: {{eve: 3}}}}",
    ]
    assert len({base, *(fingerprint(cluster_from_text(text, "c")) for text in changed)}) == len(changed) + 1


def test_the_fingerprint_is_the_same_in_every_process() -> None:
    code = (
        "from goodwatt.cluster.presets import load_cluster as l;"
        "from goodwatt.cluster.fingerprint import fingerprint as f;print(f(l('nvl72-4')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert run.stdout.strip() == fingerprint(load_cluster("nvl72-4"))


def test_presets_load_without_the_heavy_libraries() -> None:
    code = (
        "import sys; from goodwatt.cluster.presets import load_cluster as l; l('philly-480'); l('generated:gpus=64');"
        "print([m for m in ('pydantic', 'numpy', 'polars', 'rich', 'typer') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert run.stdout.strip() == "[]"
