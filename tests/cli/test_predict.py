"""`goodwatt predict`."""

from __future__ import annotations

import pytest

from tests.cli.command import Command

PAIR = ("bert_train", "resnet50_imagenet", "--gpu", "H200-SXM")


def test_json_has_the_promised_keys(goodwatt: Command) -> None:
    found = goodwatt("predict", *PAIR, "--mode", "mps", "--threads", "50,50", "--json").json()
    assert [job["job"] for job in found["jobs"]] == ["bert_train", "resnet50_imagenet"]
    assert all(0.0 < job["speed"] <= 1.0 for job in found["jobs"])
    assert {"jobs", "power_w", "clock_mhz", "bound_by"} <= set(found)
    assert found["power_error_w"] > 0.0
    assert all(job["speed_error"] > 0.0 for job in found["jobs"])
    assert sum(found["power_parts_w"].values()) == pytest.approx(found["power_w"])


def test_the_table_tells_speed_watts_clock_and_limit(goodwatt: Command) -> None:
    outcome = goodwatt("predict", *PAIR, "--mode", "mig", "--slices", "3g,4g", "--cap", "300")
    assert outcome.status == 0
    assert all(
        word in outcome.out
        for word in (
            "bert_train",
            "H200-SXM, mig: ",
            " W at ",
            "bound by the power cap",
            "±",
            "Sharing was measured on",
        )
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bert_trai", "--gpu", "H200-SXM"), "unknown workload class 'bert_trai': did you mean"),
        (("bert_train", "--gpu", "H2000"), "unknown GPU kind 'H2000'"),
        (("gpt2_pretrain",) * 3 + ("--gpu", "A100-SXM4-80GB", "--json"), "do not fit into the memory of one GPU"),
        ((*PAIR, "--mode", "mps", "--threads", "half"), "--threads: expected percentages such as 50,50, got 'half'"),
    ],
)
def test_mistakes_give_one_message(goodwatt: Command, arguments: tuple[str, ...], message: str) -> None:
    assert message in goodwatt("predict", *arguments).message
