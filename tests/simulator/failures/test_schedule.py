"""The schedule of failures: in order, the same whatever is asked when, as frequent as its rates say."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goodwatt.cluster.cluster import Cluster, Node, Rack
from goodwatt.simulator.failures.schedule import HOUR_S, Failure, Failures, Taken, feed_of
from goodwatt.simulator.settings.failure_rates import (
    KINDS,
    LANL_HARDWARE_SIGMA,
    NEVER,
    PUBLISHED,
    ComponentRates,
    FailureSettings,
    Takes,
)

YEAR_S = 8_766 * HOUR_S
OFTEN = PUBLISHED.scaled(100.0)


def cluster_of(nodes: int, gpus: int = 8, rack_nodes: int = 4, clique_nodes: int = 8, feeds: int = 2) -> Cluster:
    facts = tuple(
        Node(f"n{i}", "H200-SXM", gpus, rack=f"r{i // rack_nodes}", clique=f"c{i // clique_nodes}")
        for i in range(nodes)
    )
    racks = {name: Rack(name, feeds=feeds) for name in dict.fromkeys(node.rack for node in facts) if name is not None}
    return Cluster("test", facts, {}, racks)


CLUSTER = cluster_of(16)


def until(failures: Failures, time_s: float) -> list[Failure]:
    found = []
    while failures.next_s < time_s:
        found.append(failures.pop())
    return found


def first_year(failure_settings: FailureSettings, seed: int = 1, cluster: Cluster = CLUSTER) -> list[Failure]:
    return until(Failures(cluster, failure_settings, seed), YEAR_S)


def only(kind: str, **rates: Any) -> FailureSettings:
    return FailureSettings(**{kind: ComponentRates(**rates)})  # type: ignore[arg-type]


# order and independence ----------------------------------------------------------------------------------------------


def test_failures_come_in_order_of_time_and_all_kinds_occur() -> None:
    found = first_year(replace(OFTEN, rack=OFTEN.switch))
    assert all(a.time_s <= b.time_s for a, b in pairwise(found))
    assert {failure.kind for failure in found} == set(KINDS)
    assert all(failure.repair_s > 0 and failure.back_s > failure.time_s for failure in found)


def test_next_is_when_the_next_one_comes() -> None:
    failures = Failures(CLUSTER, OFTEN, 3, origin_s=1e6)
    for _ in range(50):
        expected_s = failures.next_s
        assert failures.next_s == expected_s >= 1e6
        assert failures.pop().time_s == expected_s


def test_the_same_seed_gives_the_same_failures_and_another_seed_others() -> None:
    assert first_year(OFTEN, 5) == first_year(OFTEN, 5)
    assert first_year(OFTEN, 5) != first_year(OFTEN, 6)


def test_nothing_fails_where_all_rates_are_zero() -> None:
    failures = Failures(CLUSTER, FailureSettings(), 1)
    assert failures.next_s == math.inf
    with pytest.raises(IndexError):
        failures.pop()


def test_a_component_fails_when_it_does_whoever_stands_beside_it() -> None:
    """Other nodes, another order of nodes, other kinds switched off: n3's own failures stay."""

    def of_n3(found: list[Failure]) -> list[Failure]:
        return [f for f in found if f.target == "n3" or f.target.startswith("n3/")]

    here = of_n3(first_year(OFTEN))
    turned = Cluster("turned", CLUSTER.nodes[::-1], {}, CLUSTER.racks)
    assert here == of_n3(first_year(OFTEN, cluster=cluster_of(64))) == of_n3(first_year(OFTEN, cluster=turned))
    assert [f for f in here if f.kind == "gpu"] == of_n3(first_year(replace(OFTEN, node=NEVER)))
    assert len(here) > 5


def test_the_origin_moves_all_failures_by_as_much() -> None:
    here, there = Failures(CLUSTER, OFTEN, 1), Failures(CLUSTER, OFTEN, 1, origin_s=1e6)
    for _ in range(20):
        a, b = here.pop(), there.pop()
        assert b == replace(a, time_s=b.time_s)
        assert b.time_s - a.time_s == pytest.approx(1e6)


def test_a_component_that_is_being_repaired_does_not_fail() -> None:
    back: dict[tuple[str, str], float] = {}
    for failure in first_year(PUBLISHED.scaled(3_000.0)):
        name = failure.kind, failure.target
        assert failure.time_s >= back.get(name, 0.0)
        back[name] = failure.back_s


# copies and saves ----------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 120), st.integers(0, 40))
def test_copies_and_saved_schedules_go_on_alike(seed: int, before: int, after: int) -> None:
    small = cluster_of(4)
    failures = Failures(small, OFTEN, seed)
    for _ in range(before):
        failures.pop()
    twin, loaded = failures.copy(), Failures(small, OFTEN, seed)
    loaded.load_plain(json.loads(json.dumps(failures.to_plain())))
    expected = [failures.pop() for _ in range(after)]
    assert [twin.pop() for _ in range(after)] == expected
    assert [loaded.pop() for _ in range(after)] == expected


def test_a_copy_is_independent() -> None:
    failures = Failures(CLUSTER, OFTEN, 1)
    twin = failures.copy()
    until(twin, YEAR_S)
    assert until(failures, YEAR_S) == first_year(OFTEN)


@pytest.mark.parametrize(
    "damage",
    [
        {"passed": [0, 0]},
        {"passed": [10**6, 0, 0, 0, 0, 0]},
        {"heap": [[1.0, 0, 128, 0, 1.0]]},
        {"heap": [[1.0, 6, 0, 0, 1.0]]},
        {"heap": [[1.0, 0]]},
        {"heap": [["soon", 0, 0, 0, 1.0]]},
        {"heap": 5},
    ],
)
def test_a_damaged_state_is_refused(damage: dict[str, object]) -> None:
    failures = Failures(CLUSTER, OFTEN, 1)
    with pytest.raises((ValueError, TypeError)):
        failures.load_plain({**failures.to_plain(), **damage})
    with pytest.raises(KeyError):
        failures.load_plain({})


# frequency -----------------------------------------------------------------------------------------------------------


def test_every_kind_fails_as_often_as_its_rate_says() -> None:
    """Poisson counts of components that are all alike, within five standard deviations."""
    alike = {kind: replace(getattr(PUBLISHED, kind), spread=0.0, repair_median_s=0.0) for kind in KINDS}
    cluster = cluster_of(400)
    found = Counter(f.kind for f in first_year(replace(PUBLISHED, **alike, age_h=1e6).scaled(5.0), cluster=cluster))
    components = {"gpu": 3_200, "node": 400, "switch": 100, "nvlink": 50, "rack": 100, "feed": 200}
    for kind, number in components.items():
        expected = 5.0 * alike[kind].per_hour * number * 8_766
        assert abs(found[kind] - expected) <= 5 * math.sqrt(expected), kind


def test_factors_keep_the_mean_and_make_repeat_offenders() -> None:
    """Expected: the top 5% of lognormal factors of spread 1 hold Phi(1 - 1.645) = 26% of all failures."""
    rates = {"per_hour": 1e-2, "repair_median_s": 0.0}
    cluster = cluster_of(1_000, gpus=1)
    spread = Counter(f.target for f in first_year(only("node", spread=1.0, **rates), cluster=cluster))
    even = Counter(f.target for f in first_year(only("node", **rates), cluster=cluster))
    assert sum(even.values()) / (1e-2 * 8_766 * 1_000) == pytest.approx(1.0, abs=0.01)
    assert sum(spread.values()) / (1e-2 * 8_766 * 1_000) == pytest.approx(1.0, abs=0.15)

    def top(counts: Counter[str]) -> float:
        return sum(count for _, count in counts.most_common(50)) / sum(counts.values())

    assert top(even) < 0.07
    assert top(spread) == pytest.approx(0.26, abs=0.04)


def test_new_components_fail_more_often_at_first() -> None:
    """Burn-in 4 within 100 h: 100 h of a new part count like 100 + 3 x 100 (1 - 1/e) hours of an old one."""
    rates = ComponentRates(per_hour=1e-3, burn_in=4.0, burn_in_h=100.0, repair_median_s=0.0)
    cluster = cluster_of(4_000, gpus=1)

    def in_100_h(age_h: float) -> float:
        return len(until(Failures(cluster, FailureSettings(node=rates, age_h=age_h), 1), 100 * HOUR_S)) / 400

    assert in_100_h(0.0) == pytest.approx(1 + 3 * (1 - 1 / math.e), rel=0.12)
    assert in_100_h(100.0) == pytest.approx(1 + 3 / math.e * (1 - 1 / math.e), rel=0.12)
    assert in_100_h(1e5) == pytest.approx(1.0, rel=0.12)


def test_lemons_are_exchanged() -> None:
    """Exchanged at every second failure, the worst components are no longer the same ones."""
    lemons = only("node", per_hour=1e-2, spread=2.0, repair_median_s=0.0)
    cluster = cluster_of(500, gpus=1)
    stays = Counter(f.target for f in first_year(lemons, cluster=cluster))
    changes = Counter(f.target for f in first_year(replace(lemons, replace_after=2), cluster=cluster))
    assert changes.most_common(1)[0][1] < 0.25 * stays.most_common(1)[0][1]


def test_an_exchanged_component_burns_in_again() -> None:
    rates = ComponentRates(per_hour=1e-3, burn_in=10.0, burn_in_h=50.0, repair_median_s=0.0)
    cluster = cluster_of(2_000, gpus=1)
    old, fresh = FailureSettings(node=rates, age_h=1e5), FailureSettings(node=rates, age_h=1e5, replace_after=1)
    assert len(first_year(fresh, cluster=cluster)) > 1.2 * len(first_year(old, cluster=cluster))


def test_repair_times_are_lognormal() -> None:
    found = first_year(only("node", per_hour=1e-2, repair_median_s=60.0, repair_spread=LANL_HARDWARE_SIGMA))
    logs = sorted(math.log(f.repair_s / 60.0) for f in found)
    n = len(logs)
    assert logs[n // 2] == pytest.approx(0.0, abs=0.15)
    assert logs[n * 84 // 100] == pytest.approx(LANL_HARDWARE_SIGMA, abs=0.25)


def test_causes_come_in_their_shares() -> None:
    found = Counter(f.cause for f in first_year(only("gpu", per_hour=1e-2)) if f.kind == "gpu")
    assert set(found) == {"failure"}
    gpu = replace(PUBLISHED.gpu, per_hour=1e-2, spread=0.0)
    found = Counter(f.cause for f in first_year(FailureSettings(gpu=gpu)))
    total = found.total()
    for cause, weight in gpu.causes:
        assert found[cause] / total == pytest.approx(weight / 268, abs=0.03)


# what a failure takes ------------------------------------------------------------------------------------------------


def event(kind: str, target: str) -> Failure:
    return Failure(1_000.0, kind, target, 500.0, "test")


WHOLE = 0xFF


@pytest.mark.parametrize(
    ("takes", "kind", "target", "expected"),
    [
        ("gpu", "gpu", "n3/5", [(3, 1 << 5, 1_500.0, False)]),
        ("node", "gpu", "n3/5", [(3, WHOLE, 1_500.0, True)]),
        ("reset", "gpu", "n3/5", [(3, WHOLE, 1_060.0, True), (3, 1 << 5, 1_500.0, False)]),
        ("gpu", "node", "n3", [(3, WHOLE, 1_500.0, True)]),
        ("gpu", "switch", "r1", [(i, WHOLE, 1_500.0, True) for i in (4, 5, 6, 7)]),
        ("gpu", "rack", "r0", [(i, WHOLE, 1_500.0, True) for i in (0, 1, 2, 3)]),
        ("gpu", "nvlink", "c1", [(i, WHOLE, 1_500.0, True) for i in range(8, 16)]),
        ("gpu", "feed", "r0/1", []),
    ],
)
def test_what_a_failure_takes_down(
    takes: Takes, kind: str, target: str, expected: list[tuple[int, int, float, bool]]
) -> None:
    failures = Failures(CLUSTER, replace(PUBLISHED, gpu_takes=takes, reset_s=60.0), 1)
    assert failures.taken(event(kind, target)) == tuple(Taken(n, mask, t, host=host) for n, mask, t, host in expected)


def test_a_feed_is_named_by_its_rack_and_number() -> None:
    assert feed_of(event("feed", "row/7/1")) == ("row/7", 1)
    found = {f.target for f in first_year(only("feed", per_hour=1e-2))}
    assert found == {f"r{rack}/{feed}" for rack in range(4) for feed in range(2)}


def test_a_cluster_without_racks_has_no_switches_and_no_feeds() -> None:
    plain = Cluster("plain", (Node("a", "T4", 4), Node("b/c", "T4", 0)), {})
    kinds = Counter(f.kind for f in until(Failures(plain, PUBLISHED.scaled(1e4), 1), YEAR_S / 10))
    assert set(kinds) == {"gpu", "node"}
    racked = Cluster("racked", (Node("a", "T4", 4, rack="r"),), {})
    assert {f.target for f in first_year(only("feed", per_hour=1e-2), cluster=racked)} == {"r/0"}


def test_nodes_may_have_slashes_in_their_names() -> None:
    plain = Cluster("plain", (Node("a/1", "T4", 2),), {})
    failures = Failures(plain, replace(only("gpu", per_hour=1.0), gpu_takes="gpu"), 1)
    assert all(failures.taken(failures.pop())[0].node == 0 for _ in range(20))


def test_a_hundred_thousand_gpus_cost_their_first_failures_only_once() -> None:
    failures = Failures(cluster_of(12_500), PUBLISHED, 1)
    assert len(until(failures, 30 * 86_400.0)) > 1_000
    assert len(json.dumps(failures.to_plain())) < 300_000
