"""`goodwatt predict --service`."""

from __future__ import annotations

import pytest

from goodwatt.simulator.services import load_trial
from tests.cli.command import Command

FILE = """\
services:
  - {name: chat, model: llama-3.1-8b, gpu: H100-SXM, replicas: {min: 2, max: 4}, promise: {ttft_p99_s: 1, \
tpot_p99_s: .03}, requests: requests.csv}
  - {name: images, model: sd-3.5-medium, gpu: B200-SXM, promise: {latency_p99_s: 8}, requests: requests.csv}
"""
REQUESTS = "arrival_s,prompt_tokens,output_tokens\n0,900,150\n1,1500,300\n2,200,60\n"


@pytest.fixture(autouse=True)
def _short_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_trial, "FEWEST", 100)
    monkeypatch.setattr(load_trial, "MOST", 100)


@pytest.fixture
def predict(goodwatt: Command) -> Command:
    goodwatt.write("services.yaml", FILE)
    goodwatt.write("requests.csv", REQUESTS)
    return goodwatt


def test_json_has_what_was_asked_the_best_clock_and_loads(predict: Command) -> None:
    found = predict("predict", "--service", "services.yaml:chat", "--rate", "6", "--json").json()
    assert (found["service"], found["gpu"], found["instances"]) == ("chat", "H100-SXM", {"both": 2})
    assert found["promise"] == {"ttft_s": 1.0, "tpot_s": 0.03, "latency_s": None}
    assert found["asked"]["rate_per_s"] == 6.0
    assert found["asked"]["kept"]
    assert set(found["asked"]["p99_s"]) == {"ttft_s", "tpot_s", "latency_s"}
    assert found["best"]["gpu_w"] < found["asked"]["gpu_w"]
    assert [row["share"] for row in found["loads"]] == [0.25, 0.5, 0.75, 1.0]
    assert found["loads"][-1]["asked"]["rate_per_s"] == pytest.approx(found["greatest_per_s"])


def test_the_table_tells_latencies_watts_and_loads(predict: Command) -> None:
    asked = ("--service", "services.yaml:chat", "--rate", "6", "--replicas", "3", "--clock", "1500", "--cap", "500")
    outcome = predict("predict", *asked)
    assert outcome.status == 0, outcome.err
    for words in (
        "chat: 6 requests/s on 3 instances of 1 x H100-SXM, at most 1,500 MHz, 500 W a GPU",
        "time to first token",
        "promised p99",
        "output tokens per joule",
        "KV cache taken",
        "Keeps its promise up to",
        "bursts and the rhythm of the day are not in it",
    ):
        assert words in outcome.out


def test_batch_work_beside_it_is_told(predict: Command) -> None:
    asked = ("--service", "services.yaml:chat", "--rate", "6", "--replicas", "3", "--beside", "gnn_train,rl_small")
    found = predict("predict", *asked, "--json").json()["beside"]
    assert {(row["workload"], row["percent"]) for row in found["rows"]} == {
        (name, percent) for name in ("gnn_train", "rl_small") for percent in (10.0, 25.0, 50.0)
    }
    assert sum(row["best"] for row in found["rows"]) == 2
    assert found["fewest"] + found["freed_gpus"] == 3
    outcome = predict("predict", *asked)
    assert "Batch jobs beside every instance under MPS at 6 requests/s" in outcome.out
    assert "would do:" in outcome.out


def test_jobs_beside_instances_in_slices_are_not_told_and_that_is_said(predict: Command) -> None:
    predict.write("one.yaml", "\n".join(FILE.splitlines()[:2]).replace("gpu:", "mig_profile: 3g.40gb, gpu:") + "\n")
    asked = ("predict", "--service", "one.yaml", "--rate", "1", "--json")
    outcome = predict(*asked, "--beside", "gnn_train")
    assert outcome.json()["beside"] is None
    assert "--beside left out" in outcome.err
    assert "--beside" not in predict(*asked).err


def test_a_service_without_tokens_has_latency_and_joules_per_request(predict: Command) -> None:
    outcome = predict("predict", "--service", "services.yaml:images", "--rate", "0.1")
    assert outcome.status == 0, outcome.err
    assert "J/request" in outcome.out
    assert "token" not in outcome.out


def test_too_much_load_says_so(predict: Command) -> None:
    outcome = predict("predict", "--service", "services.yaml:images", "--rate", "5")
    assert outcome.status == 0, outcome.err
    assert "The promise is not kept at this load" in outcome.out
    assert "(99% promised)" in outcome.out


def test_the_only_service_of_a_file_needs_no_name(predict: Command) -> None:
    predict.write("one.yaml", "\n".join(FILE.splitlines()[:2]) + "\n")
    found = predict("predict", "--service", "one.yaml", "--rate", "1", "--json").json()
    assert found["service"] == "chat"


def test_what_is_odd_about_the_requests_is_said(predict: Command) -> None:
    predict.write("requests.csv", "arrival_s,prompt_tokens,output_tokens\n2,200,60\n0,900,150\n")
    outcome = predict("predict", "--service", "services.yaml:chat", "--rate", "1")
    assert outcome.status == 0
    assert "put in order of arrival" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--service", "services.yaml", "--rate", "1"),
            "has several services: say which, services.yaml:NAME with chat",
        ),
        (
            ("--service", "services.yaml:chatt", "--rate", "1"),
            "unknown service in services.yaml: 'chatt': did you mean",
        ),
        (("--service", "none.yaml:chat", "--rate", "1"), "none.yaml: no such services file"),
        (
            ("--service", "services.yaml:chat", "--rate", "1", "--beside", "gnn_trian"),
            "'gnn_trian': did you mean 'gnn_train'",
        ),
        (("dlrm", "--gpu", "A40", "--beside", "gnn_train"), "--beside: not with JOBs"),
        (("--service", "services.yaml:chat"), "--service: expected --rate R beside it"),
        (("--service", "services.yaml:chat", "--rate", "-1"), "expected a rate above 0"),
        (("--service", "services.yaml:chat", "--rate", "1", "--gpu", "A40"), "--gpu: not with --service"),
        (("dlrm", "--service", "services.yaml:chat", "--rate", "1"), "JOB: not with --service"),
        (("dlrm", "--gpu", "A40", "--rate", "1"), "--rate: not with JOBs"),
        (("dlrm",), "or --service FILE[:NAME] with --rate R; --gpu KIND is missing"),
        ((), "or --service FILE[:NAME] with --rate R; a JOB is missing"),
    ],
)
def test_mistakes_give_one_message(predict: Command, arguments: tuple[str, ...], message: str) -> None:
    assert message in predict("predict", *arguments).message
