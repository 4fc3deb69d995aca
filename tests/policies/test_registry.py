"""Policies by name, the grammar of specifications, and policies of others."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import goodwatt.policies
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.policies import parts
from goodwatt.policies.composite import Composite
from goodwatt.policies.easy_backfill import EasyBackfill
from goodwatt.policies.fifo import Fifo
from goodwatt.policies.parts import parameters
from goodwatt.policies.qssf import Qssf
from goodwatt.policies.registry import find, make_policy, names, role_of
from tests.scenario import Nodes, cluster, fates, finished, job, simulate
from tests.third_party import installed

ORDERS = {
    "conservative-backfill", "easy-backfill", "fifo", "las", "qssf", "sjf", "srtf", "tiresias",
}  # fmt: skip
SHIPPED = {name: part for name, part in names().items() if part.__module__.startswith("goodwatt.")}


def made(spec: str) -> Composite:
    policy = make_policy(spec)
    assert isinstance(policy, Composite)
    return policy


# what ships ----------------------------------------------------------------------------------------------------------


def test_names_lists_what_lies_in_the_folder() -> None:
    roles = {name: role_of(part) for name, part in SHIPPED.items()}
    assert {name for name, role in roles.items() if role == "order"} == ORDERS
    assert {name for name, role in roles.items() if role == "placement"} >= {"best-fit"}
    assert list(SHIPPED) == sorted(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_policy_is_one_short_file_that_names_its_source(name: str) -> None:
    part = find(name)
    path = Path(goodwatt.policies.__path__[0]) / f"{name.replace('-', '_')}.py"
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60
    text = inspect.getdoc(part)
    assert text is not None
    assert "Source: " in " ".join(text.split())
    assert vars(part)["name"] == name


@pytest.mark.parametrize("name", SHIPPED)
def test_every_parameter_has_a_default_and_a_type_that_a_specification_can_give(name: str) -> None:
    for key, (kind, default) in parameters(find(name)).items():
        assert default is not None
        assert parts._converted(name, key, str(default).lower() if kind is bool else str(default), kind) == default


# specifications ------------------------------------------------------------------------------------------------------


def test_an_order_alone_goes_with_best_fit() -> None:
    policy = made("qssf")
    assert isinstance(policy.order, Qssf)
    assert policy.placement.name == "best-fit"
    assert policy.name == "qssf"


def test_a_placement_alone_goes_with_fifo() -> None:
    policy = made("best-fit")
    assert isinstance(policy.order, Fifo)
    assert policy.name == "best-fit"


@pytest.mark.parametrize("spec", ["sjf+best-fit", "best-fit+sjf"])
def test_both_in_either_order(spec: str) -> None:
    policy = made(spec)
    assert (policy.order.name, policy.placement.name, policy.name) == ("sjf", "best-fit", spec)


def test_parameters_reach_their_part() -> None:
    policy = made("easy-backfill: depth = 7 , estimate=predicted +best-fit")
    assert policy.order == EasyBackfill(estimate="predicted", depth=7)
    assert made("qssf:history_days=1e-1").order == Qssf(0.1)
    assert made("qssf:").order == Qssf()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("fifio", "unknown policy 'fifio': did you mean 'fifo'?"),
        ("easy-backfil", "unknown policy 'easy-backfil': did you mean 'easy-backfill'"),
        ("easy_backfill", "unknown policy 'easy_backfill': did you mean 'easy-backfill'"),
        ("FIFO", "unknown policy 'FIFO'"),
        ("", "unknown policy ''; known: best-fit, conservative-backfill, "),
        (" ", "unknown policy ''"),
        ("sjf+", "unknown policy ''"),
        ("+best-fit", "unknown policy ''"),
        ("registry", "unknown policy 'registry'"),
        ("composite", "unknown policy 'composite'"),
        ("../fifo", "unknown policy '../fifo'"),
        ("fifo.py", "unknown policy 'fifo.py'"),
        ("os", "unknown policy 'os'"),
        ("fifo+sjf", "policy 'fifo+sjf': expected order, placement or order+placement, got order+order"),
        ("best-fit+best-fit", "expected order, placement or order+placement, got placement+placement"),
        ("fifo+best-fit+sjf", "expected order, placement or order+placement, got order+placement+order"),
        ("qssf:history_day=3", "unknown parameter of qssf 'history_day': did you mean 'history_days'?"),
        ("fifo:depth=3", "policy fifo has no parameters, got 'depth=3'"),
        ("qssf:history_days", "policy 'qssf:history_days': expected history_days=value, got 'history_days'"),
        ("qssf:history_days=", "policy qssf, parameter history_days: expected a number, got ''"),
        ("qssf:history_days=soon", "policy qssf, parameter history_days: expected a number, got 'soon'"),
        ("qssf:history_days=nan", "policy qssf, parameter history_days: expected a number, got 'nan'"),
        ("qssf:history_days=1=2", "policy qssf, parameter history_days: expected a number, got '1=2'"),
        ("qssf:history_days=0", "policy 'qssf:history_days=0': expected history_days above 0, got 0"),
        ("las:period_s=-1", "expected period_s above 0, got -1"),
        ("tiresias:threshold_gpu_s=-1", "expected threshold_gpu_s of at least 0, got -1"),
        ("easy-backfill:depth=1.5", "parameter depth: expected a whole number, got '1.5'"),
        ("easy-backfill:depth=inf", "parameter depth: expected a whole number, got 'inf'"),
        ("conservative-backfill:depth=0", "expected depth of at least 1, got 0"),
        ("easy-backfill:estimate=guess", "expected one of requested, predicted, true, got 'guess'"),
        ("easy-backfill:depth=1,depth=2", "policy 'easy-backfill:depth=1,depth=2': parameter depth is given twice"),
        ("qssf:=3", "unknown parameter of qssf ''"),
    ],
)
def test_what_is_wrong_is_said(spec: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        make_policy(spec)
    assert message in str(error.value)


def test_a_huge_whole_number_is_one() -> None:
    policy = made(f"easy-backfill:depth={'9' * 400}")
    assert isinstance(policy.order, EasyBackfill)
    assert policy.order.depth > 10**399


# policies of others --------------------------------------------------------------------------------------------------


@pytest.fixture
def others(tmp_path: Path) -> Iterator[None]:
    with installed(tmp_path / "site", {"lifo": "Lifo", "last-node": "LastNode", "one-at-a-time": "OneAtATime"}):
        yield


@pytest.mark.usefixtures("others")
def test_others_are_listed_behind_what_ships() -> None:
    assert list(names())[-3:] == ["lifo", "last-node", "one-at-a-time"]
    assert [role_of(names()[name]) for name in list(names())[-3:]] == ["order", "placement", "policy"]
    with pytest.raises(UnknownNameError, match="did you mean 'lifo'"):
        make_policy("lifoo")


@pytest.mark.usefixtures("others")
def test_an_order_of_others_runs_with_any_placement() -> None:
    jobs = [job(name, gpus=8, submit_s=i, duration_s=10) for i, name in enumerate("abc")]
    for spec in ("lifo", "lifo+best-fit", "lifo:after_s=0+last-node"):
        fate = fates(finished(simulate(jobs, cluster(Nodes(1)), spec)))
        assert [fate[name]["start"] for name in "abc"] == [0, 20, 10]
    fate = fates(finished(simulate(jobs, cluster(Nodes(1)), "lifo:after_s=99")))
    assert [fate[name]["start"] for name in "abc"] == [0, 10, 20]


@pytest.mark.usefixtures("others")
def test_a_placement_of_others_runs_with_any_order() -> None:
    for spec in ("last-node", "sjf+last-node", "tiresias+last-node"):
        fate = fates(finished(simulate([job("a"), job("b", gpus=8)], cluster(Nodes(3)), spec)))
        assert {name: fate[name]["nodes"] for name in "ab"} == {"a": "n2", "b": "n1"}


@pytest.mark.usefixtures("others")
def test_a_whole_policy_of_others_runs_alone() -> None:
    jobs = [job("a", duration_s=10), job("b", duration_s=10)]
    fate = fates(finished(simulate(jobs, cluster(Nodes(2)), "one-at-a-time:node=1")))
    assert [(fate[name]["start"], fate[name]["nodes"]) for name in "ab"] == [(0, "n1"), (10, "n1")]
    for spec in ("one-at-a-time+best-fit", "fifo+one-at-a-time"):
        with pytest.raises(InputError, match=r"expected order, placement or order\+placement, got"):
            make_policy(spec)


def test_what_ships_cannot_be_replaced(tmp_path: Path) -> None:
    with installed(tmp_path / "site", {"fifo": "Fifo"}):
        assert names()["fifo"] is find("fifo") is Fifo


def test_a_class_that_is_no_policy_is_refused(tmp_path: Path) -> None:
    with installed(tmp_path / "site", {"nothing": "Nothing"}), pytest.raises(InputError, match="Nothing is no policy"):
        make_policy("nothing")


@pytest.mark.parametrize("broken", ["Gone", "somewhere.Else"])
def test_what_cannot_be_loaded_is_said_and_what_ships_still_works(tmp_path: Path, broken: str) -> None:
    with installed(tmp_path / "site", {"broken": broken}):
        assert made("fifo").order == Fifo()
        with pytest.raises(InputError, match=f"policy 'broken': somebody_else:{broken} cannot be loaded"):
            make_policy("broken")


def test_find_and_names_agree() -> None:
    assert {name: find(name) for name in names()} == names()


def test_parts_are_immutable_facts() -> None:
    for part in SHIPPED.values():
        made_part = part()
        assert made_part == part()
        for entry in fields(part):
            with pytest.raises(AttributeError):
                setattr(made_part, entry.name, 1)
