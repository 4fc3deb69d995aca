"""Cluster files: what they describe, and messages that name file, line and key."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster import host_names
from goodwatt.cluster.cluster import Cluster, HostPower, Rack
from goodwatt.cluster.cluster_builder import build_cluster, domain_masks
from goodwatt.cluster.cluster_file import cluster_from_text, read_cluster
from goodwatt.errors import InputError


def load(text: str) -> Cluster:
    return cluster_from_text(dedent(text), "c.yaml")


def error(text: str) -> str:
    with pytest.raises(InputError) as caught:
        load(text)
    return str(caught.value)


CONTRACT = """
    name: example
    nodes:
      - {count: 6, gpu: H200-SXM, gpus: 8, partition: research, rack: r1, cpu_milli: 192000, memory_mib: 2000000}
    racks:
      - {name: r1, power_limit_w: 60000, feeds: 2}
    power: {pue: 1.2, host_idle_w: 1000, host_max_w: 2200}
    """


def test_the_documented_file() -> None:
    cluster = load(CONTRACT)
    assert (cluster.name, len(cluster.nodes), cluster.num_gpus) == ("example", 6, 48)
    node = cluster.nodes[5]
    assert (node.name, node.gpu_kind, node.partition, node.rack) == ("node-00005", "H200-SXM", "research", "r1")
    assert (node.cpu_milli, node.memory_mib, node.domains, node.clique) == (192000, 2000000, (255,), None)
    assert cluster.racks == {"r1": Rack("r1", 60000.0, 2)}
    assert cluster.power == HostPower(1.2, 1000.0, 2200.0)
    assert cluster.partitions == ("research",)


def test_a_file_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text("nodes: [{gpu: NVIDIA-A40, gpus: 4}]\n", encoding="utf-8")
    cluster = read_cluster(path)
    assert (cluster.name, cluster.nodes[0].gpu_kind) == ("lab", "A40")


DOMAINS = [
    ("gpu: H100-SXM, gpus: 8", [(0b11111111,)]),
    ("gpu: H100-SXM, gpus: 4", [(0b1111,)]),
    ("gpu: V100-SXM2, gpus: 8", [(0b1111, 0b11110000)]),
    ("gpu: T4, gpus: 3", [(1, 2, 4)]),
    ("gpu: H100-SXM, gpus: 8, nvlink_domain: 2", [(0b11, 0b1100, 0b110000, 0b11000000)]),
    ("gpu: A40, gpus: 3", [(0b11, 0b100)]),
]


@pytest.mark.parametrize(("node", "masks"), DOMAINS)
def test_domains_follow_from_the_kind_or_from_the_file(node: str, masks: list[tuple[int, ...]]) -> None:
    cluster = load(f"nodes: [{{{node}}}]")
    assert [n.domains for n in cluster.nodes] == masks
    assert {n.clique for n in cluster.nodes} == {None}


def test_a_domain_wider_than_a_node_is_a_clique() -> None:
    cluster = load("nodes: [{count: 40, gpu: GB200, gpus: 4, nodes_per_rack: 18}]")
    cliques = [n.clique for n in cluster.nodes]
    assert [cliques.count(c) for c in dict.fromkeys(cliques)] == [18, 18, 4]
    assert len({(n.clique, n.rack) for n in cluster.nodes}) == 3
    assert {n.domains for n in cluster.nodes} == {(0b1111,)}


def test_an_asked_domain_may_span_nodes() -> None:
    cluster = load("nodes: [{count: 4, gpu: H100-SXM, gpus: 8, nvlink_domain: 16}]")
    assert [n.clique for n in cluster.nodes] == ["nvlink-001", "nvlink-001", "nvlink-002", "nvlink-002"]


def test_racks_are_numbered_through_the_groups() -> None:
    cluster = load(
        """
        nodes:
          - {count: 3, gpu: T4, gpus: 2, nodes_per_rack: 2}
          - {count: 2, gpu: T4, gpus: 2, nodes_per_rack: 2}
          - {count: 1, gpu: T4, gpus: 2, rack: special}
        racks: [{name: rack-*, power_limit_w: 6e3}, {name: special, feeds: 2}]
        """
    )
    assert [n.rack for n in cluster.nodes] == ["rack-001", "rack-001", "rack-002", "rack-003", "rack-003", "special"]
    assert cluster.racks["rack-003"] == Rack("rack-003", 6000.0, 1)
    assert cluster.racks["special"] == Rack("special", None, 2)


def test_names_and_quotas() -> None:
    cluster = load(
        """
        nodes:
          - {gpu: T4, gpus: 1, names: "gpu[08-10],spare", partition: "007"}
          - {gpu: T4, gpus: 1, names: [a, "b[1-2]"], partition: p}
        quotas: {users: {"*": 64, eve: 1.5}, partitions: {"007": 3}}
        """
    )
    assert [n.name for n in cluster.nodes] == ["gpu08", "gpu09", "gpu10", "spare", "a", "b1", "b2"]
    assert cluster.quotas.users == {"*": 64.0, "eve": 1.5}
    assert cluster.quotas.partitions == {"007": 3.0}


def test_undisclosed_kinds_must_be_named() -> None:
    cluster = load("unknown_gpus: [G2]\nnodes: [{gpu: G2, gpus: 8}]")
    assert not cluster.kinds["G2"].has_energy
    assert "unknown GPU kind 'G2'" in error("nodes: [{gpu: G2, gpus: 8}]")
    assert "outside the catalogue" in error("unknown_gpus: [T4]\nnodes: [{gpu: T4, gpus: 8}]")


MESSAGES = [
    ("nodes:\n  - gpu: H200\n    gpuss: 8\n", "c.yaml, line 2, key 'gpus': this key is missing"),
    ("nodes:\n  - gpu: H200\n    gpuss: 8\n", "c.yaml, line 3, key 'gpuss': unknown key: did you mean 'gpus'?"),
    ("node: 3", "c.yaml, line 1, key 'node': unknown key: did you mean 'nodes'?"),
    ("zzz: 3\nnodes: []", "c.yaml, line 1, key 'zzz': unknown key; known: name, network, nodes, note"),
    ("nodes: []", "line 1, key 'nodes': expected at least one entry, got []"),
    ("nodes:\n  - {gpu: H200-SMX, gpus: 8}", "line 2, key 'gpu': unknown GPU kind 'H200-SMX': did you mean 'H200-SXM'"),
    ("nodes:\n  - {gpu: A100, gpus: 8}", "line 2, key 'gpu': GPU kind 'A100' could be any of A100-PCIE-80GB"),
    ("nodes: [{gpu: T4, gpus: 0}]", "key 'gpus': expected a number above 0, got 0"),
    ("nodes: [{gpu: T4, gpus: 1.5}]", "key 'gpus': expected a whole number, got 1.5"),
    ("nodes: [{gpu: T4, gpus: eight}]", "key 'gpus': expected a whole number, got 'eight'"),
    ("nodes: [{gpu: T4, gpus: true}]", "key 'gpus': expected a whole number, got True"),
    ("nodes: [{gpu: T4, gpus: 1, partition: 103959}]", 'expected text, got 103959: write it in quotes, "..."'),
    ("nodes: [{gpu: T4, gpus: 1, names: 3}]", "key 'names': expected text, got 3"),
    ("nodes: [{gpu: T4, gpus: 1, names: 'a[1-'}]", "key 'names': expected machine names such as"),
    ("nodes: [{gpu: T4, gpus: 1, names: 'a[1-3]', count: 2}]", "expected 2 names, as count says, got 3"),
    ("nodes: [{gpu: T4, gpus: 1, names: 'a,a'}]", "expected every node to have its own name, got 'a' twice"),
    ("nodes: [{gpu: T4, gpus: 8, nvlink_domain: 12}]", "expected a divisor or a multiple of the 8 GPUs"),
    ("nodes: [{gpu: T4, gpus: 1, rack: r1}]\nracks:\n  - name: r2", "line 3, key 'name': unknown rack of a node 'r2'"),
    ("nodes: [{gpu: T4, gpus: 1}]\npower: {pue: 0.9}", "line 2, key 'pue': expected a number of at least 1, got 0.9"),
    ("nodes: [{gpu: T4, gpus: 1}]\npower: {pue: .nan}", "line 2, key 'pue': expected"),
    (
        "nodes: [{gpu: T4, gpus: 1}]\npower: {host_idle_w: 9, host_max_w: 3}",
        "key 'host_max_w': expected at least host_idle_w, 9, got 3",
    ),
    (
        "nodes: [{gpu: T4, gpus: 1, partition: big}]\nquotas: {partitions: {bigg: 1}}",
        "line 2, key 'bigg': unknown partition 'bigg': did you mean 'big'?",
    ),
    ("nodes: [{gpu: T4, gpus: 1, gpu: A10}]", "c.yaml, line 1, key 'gpu': it stands on line 1 already"),
    ("nodes:\n - {a: 1\n b: [", "c.yaml, line 3: expected YAML, got"),
    ("- 1", "c.yaml, line 1: expected keys with values, got [1]"),
    ("", "c.yaml: expected a cluster, got an empty file"),
    ("nodes: *nothing", "expected YAML, got"),
]


@pytest.mark.parametrize(("text", "message"), MESSAGES)
def test_messages_name_line_key_and_remedy(text: str, message: str) -> None:
    assert message in error(text)


def test_many_problems_are_told_at_once_but_not_all() -> None:
    told = error("nodes:\n" + "  - {gpu: T4, gpus: 0}\n" * 12)
    assert told.count("expected a number above 0") == 10
    assert told.endswith("and 2 more")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such cluster file"):
        read_cluster(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="cannot be read"):
        read_cluster(tmp_path)


@given(gpus=st.integers(1, 16), width=st.integers(1, 16))
def test_domains_split_a_node_without_rest_or_overlap(gpus: int, width: int) -> None:
    masks = domain_masks(gpus, width)
    assert sum(masks) == (1 << gpus) - 1
    assert sum(mask.bit_count() for mask in masks) == gpus
    assert max(mask.bit_count() for mask in masks) <= width


@given(count=st.integers(1, 60), gpus=st.integers(1, 8), per_rack=st.integers(1, 7))
def test_generated_groups_hold_what_they_say(count: int, gpus: int, per_rack: int) -> None:
    group = {"count": count, "gpu": "H100-SXM", "gpus": gpus, "nodes_per_rack": per_rack}
    cluster = build_cluster({"nodes": [group]})
    assert cluster.num_gpus == count * gpus
    assert len(cluster.racks) == -(-count // per_rack)
    assert len({node.name for node in cluster.nodes}) == count


@pytest.mark.parametrize("pattern", ["", "a[", "a]", "a[]", "a[3-1]", "a[x]", "a[1-99999999]", "a,,b"])
def test_unreadable_machine_names(pattern: str) -> None:
    with pytest.raises(InputError, match="expected machine names"):
        host_names.expand(pattern)


def test_machine_names_keep_their_width() -> None:
    assert host_names.expand("n[9-11],m[009-010]-x") == ["n9", "n10", "n11", "m009-x", "m010-x"]
