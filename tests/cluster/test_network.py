"""The network section of cluster files."""

from __future__ import annotations

import pytest

from goodwatt.cluster.cluster_file import cluster_from_text
from goodwatt.cluster.fingerprint import fingerprint
from goodwatt.cluster.network import Network
from goodwatt.errors import InputError

NODES = "nodes: [{gpu: H100-SXM, gpus: 8}]\n"


def test_absent_figures_follow_from_the_kind() -> None:
    assert cluster_from_text(NODES, "c.yaml").network == Network()


def test_all_figures_are_read_as_numbers() -> None:
    figures = "node_gbps: 25, nics: 2, latency_us: 10, oversubscription: 4, pcie_gbps: 20, host_gbps: 30, nvls: true"
    network = cluster_from_text(f"{NODES}network: {{{figures}}}\n", "c.yaml").network
    assert network == Network(25.0, 2, 10.0, 4.0, 20.0, 30.0, True)
    assert isinstance(network.node_gbps, float)


def test_clusters_with_other_networks_have_other_fingerprints() -> None:
    plain, slow = (cluster_from_text(NODES + more, "c.yaml") for more in ("", "network: {node_gbps: 5}\n"))
    assert fingerprint(plain) != fingerprint(slow)


WRONG = [
    ("{node_gbps: 0}", "line 2, key 'node_gbps': expected a number above 0, got 0"),
    ("{oversubscription: 0.5}", "line 2, key 'oversubscription': expected a number of at least 1, got 0.5"),
    ("{nics: 1.5}", "line 2, key 'nics': expected a whole number, got 1.5"),
    ("{node_gbs: 5}", "line 2, key 'node_gbs': unknown key: did you mean 'node_gbps'?"),
]


@pytest.mark.parametrize(("section", "message"), WRONG)
def test_mistakes_are_named(section: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        cluster_from_text(f"{NODES}network: {section}\n", "c.yaml")
    assert message in str(caught.value)
