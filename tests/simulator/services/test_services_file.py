"""Services files: what they may say, and how mistakes in them are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goodwatt.errors import InputError
from goodwatt.power.serving.llm_models import llm_models
from goodwatt.power.serving.llm_shape import LlmShape
from goodwatt.power.serving.step_models import step_models
from goodwatt.power.serving.step_shape import StepShape
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.services.services_file import read_services
from goodwatt.simulator.services.services_schema import SECTIONS
from goodwatt.traces.requests.request_source import ProfileSource, TraceSource

REQUESTS = "arrival_s,prompt_tokens,output_tokens\n0.5,100,10\n1.5,200,20\n2.5,300,30\n"
CONTRACT = """\
services:
  - {name: chat, model: {parameters_b: 70, layers: 80, hidden: 8192, kv_heads: 8}, gpu: H100-SXM, tensor_parallel: 4, \
replicas: {min: 2, max: 12, start_s: 60}, promise: {ttft_p99_s: 1.0, tpot_p99_s: 0.05}, requests: requests.csv}
"""


def read(folder: Path, text: str, seed: int = 0) -> list[Service]:
    (folder / "requests.csv").write_text(REQUESTS, encoding="utf-8")
    (folder / "rates.csv").write_text("t_s,rate_per_s\n0,2\n600,4\n1200,\n", encoding="utf-8")
    (folder / "services.yaml").write_text(text, encoding="utf-8")
    return read_services(folder / "services.yaml", seed)


def entry(**changes: str) -> str:
    """A file with one service, some of whose keys are others; an empty text leaves one out."""
    keys = {
        "name": "chat",
        "model": "llama-3.1-8b",
        "gpu": "H100-SXM",
        "promise": "{ttft_p99_s: 1}",
        "requests": "requests.csv",
        **changes,
    }
    lines = [f"    {key}: {value}" for key, value in keys.items() if value]
    return "services:\n  -\n" + "\n".join(lines) + "\n"


def one(folder: Path, seed: int = 0, **changes: Any) -> Service:
    (service,) = read(folder, entry(**changes), seed)
    return service


def test_the_example_of_the_contract(tmp_path: Path) -> None:
    (service,) = read(tmp_path, CONTRACT)
    assert (service.name, service.gpu, service.tensor_parallel) == ("chat", "H100-SXM", 4)
    assert service.promise == Promise(ttft_s=1.0, tpot_s=0.05)
    assert (service.min_replicas, service.max_replicas, service.start_s) == (2, 12, 60.0)
    assert service.pools == {"both": (2, 12)}
    assert service.model == LlmShape(parameters=70e9, active_parameters=70e9, layers=80, hidden=8192, kv_heads=8)
    come = service.requests.between(0.0, 10.0)
    assert come.arrival_s.tolist() == [0.5, 1.5, 2.5]
    assert come.prompt_tokens.tolist() == [100, 200, 300]
    assert service.requests.span_s == pytest.approx(3.5)


def test_everything_about_a_service(tmp_path: Path) -> None:
    service = one(
        tmp_path,
        gpu="h200",
        tensor_parallel="2",
        software="torch",
        routing="by_length",
        long_tokens="2000",
        long_share="0.3",
        iteration_tokens="4096",
        most_sequences="64",
        partition="serving",
        user="ann",
        priority="3",
    )
    assert (service.gpu, service.tensor_parallel, service.software) == ("H200-SXM", 2, "torch")
    assert (service.routing, service.long_tokens, service.long_share) == ("by_length", 2000, 0.3)
    assert (service.iteration_tokens, service.most_sequences) == (4096, 64)
    assert (service.partition, service.user, service.priority) == ("serving", "ann", 3)


def test_pools_separate_prompts_from_the_rest(tmp_path: Path) -> None:
    service = one(tmp_path, pools="{prefill: 2, decode: {min: 3, max: 8}}", replicas="{start_s: 5}")
    assert service.separate
    assert service.pools == {"prefill": (2, 2), "decode": (3, 8)}
    assert (service.min_replicas, service.max_replicas, service.start_s) == (5, 10, 5.0)


@pytest.mark.parametrize(
    ("text", "span"),
    [("3", (3, 3)), ("{max: 4}", (1, 4)), ("{min: 2}", (2, 2)), ("{start_s: 9}", (1, 1)), ("", (1, 1))],
)
def test_numbers_of_replicas(tmp_path: Path, text: str, span: tuple[int, int]) -> None:
    service = one(tmp_path, replicas=text)
    assert (service.min_replicas, service.max_replicas) == span


# models ---------------------------------------------------------------------------------------------------------------


def test_a_model_by_name_with_figures_of_its_own(tmp_path: Path) -> None:
    plain = one(tmp_path, model="Qwen3-30B-A3B").model
    assert plain == llm_models()["qwen3-30b-a3b"]
    changed = one(tmp_path, model="{name: qwen3-30b-a3b, precision: fp8, kv_bytes: 1}").model
    assert isinstance(changed, LlmShape)
    assert (changed.weight_bytes, changed.kv_bytes) == (1.0, 1.0)
    assert (changed.parameters, changed.query_width) == (30.221e9, 4096)


def test_a_mixture_of_experts_by_its_figures(tmp_path: Path) -> None:
    text = "{parameters_b: 20, active_b: 5, routed: .25, layers: 32, hidden: 4096, kv_heads: 8, head_dim: 64}"
    shape = one(tmp_path, model=text).model
    assert isinstance(shape, LlmShape)
    assert (shape.active_parameters, shape.routed, shape.head_dim) == (5e9, 0.25, 64)
    assert shape.experts == pytest.approx(1.0)


@pytest.mark.parametrize("name", llm_models())
def test_shapes_of_published_models_are_sound(name: str) -> None:
    shape = llm_models()[name]
    feed_forward_and_attention = 4.0 * shape.layers * shape.hidden * shape.hidden
    assert feed_forward_and_attention * 0.5 < shape.active_parameters <= shape.parameters
    assert 0.0 <= shape.experts <= 1.0
    assert (shape.experts > 0.0) == ("8x7b" in name or "-a" in name)


# models without tokens ------------------------------------------------------------------------------------------------

IMAGES: dict[str, Any] = {"promise": "{latency_p99_s: 8}", "requests": "{profile: rates.csv, mean_per_s: 0.2}"}


def test_a_measured_model_without_tokens(tmp_path: Path) -> None:
    service = one(tmp_path, model="{name: SD-3.5-medium, steps: 40}", **IMAGES)
    assert isinstance(service.model, StepShape)
    assert (service.model.steps, service.most_sequences) == (40, 16)
    come = service.requests.between(0.0, 600.0)
    assert set(come.prompt_tokens.tolist()) == {1}
    assert set(come.output_tokens.tolist()) == {40}


def test_a_model_of_a_workload_class(tmp_path: Path) -> None:
    service = one(tmp_path, model="{workload: dlrm, batch: 64, batch_gain: 10}", most_sequences="512", **IMAGES)
    assert service.model == StepShape.of_class("dlrm", batch=64, batch_gain=10.0)
    assert service.most_sequences == 512


def test_a_model_by_what_a_request_takes(tmp_path: Path) -> None:
    text = "{request_s: 1.5, steps: 30, batch_gain: 1.4, measured_on: A100-SXM4-80GB, like: sd35_image}"
    service = one(tmp_path, model=text, **IMAGES)
    wanted = StepShape.of_times("sd35_image", "A100-SXM4-80GB", request_s=1.5, steps=30, batch_gain=1.4)
    assert service.model == wanted


# requests -------------------------------------------------------------------------------------------------------------


def test_a_trace_thinned_repeated_and_later(tmp_path: Path) -> None:
    source = one(tmp_path, requests="{file: requests.csv, rate_factor: 2, repeat: true, start_s: 100}").requests
    assert isinstance(source, TraceSource)
    assert (source.rate_factor, source.repeat, source.start_s) == (2.0, True, 100.0)
    assert len(source.between(0.0, 103.5).arrival_s) == 6


def test_rates_over_time_with_lengths_of_a_class(tmp_path: Path) -> None:
    source = one(tmp_path, requests="{profile: rates.csv, lengths: code, repeat: true}").requests
    assert isinstance(source, ProfileSource)
    assert source.profile.mean_per_s == pytest.approx(3.0)
    assert source.lengths.name == "code"


@pytest.mark.parametrize(
    ("lengths", "prompts"),
    [("{prompt_tokens: 7, output_tokens: 3}", {7}), ("{file: many.csv}", {10, 20}), ("{class: chat}", None)],
)
def test_lengths_beside_rates(tmp_path: Path, lengths: str, prompts: set[int] | None) -> None:
    rows = "".join(f"{i},{10 if i < 8 else 20},5\n" for i in range(16))
    (tmp_path / "many.csv").write_text(f"arrival_s,prompt_tokens,output_tokens\n{rows}", encoding="utf-8")
    source = one(tmp_path, requests=f"{{profile: rates.csv, mean_per_s: 5, lengths: {lengths}}}").requests
    come = source.between(0.0, 1200.0)
    assert len(come.arrival_s) == pytest.approx(6000, rel=0.05)
    assert prompts is None or set(come.prompt_tokens.tolist()) <= set(range(min(prompts), max(prompts) + 1))


def test_a_class_of_services_goes_on_week_after_week(tmp_path: Path) -> None:
    source = one(tmp_path, requests="{class: chat, mean_per_s: 2, peak_to_trough: 1}").requests
    assert isinstance(source, ProfileSource)
    assert source.repeat
    assert source.profile.mean_per_s == pytest.approx(2.0)
    assert source.span_s == np.inf


def test_a_class_at_rates_of_its_own(tmp_path: Path) -> None:
    rates = "[[0, 2], [600, 2], [660, 8], [1260, 8]]"
    source = one(tmp_path, requests=f"{{class: code, rates: {rates}, repeat: false}}").requests
    assert isinstance(source, ProfileSource)
    assert source.lengths.name == "code"
    assert source.bursts.scales
    assert source.span_s == 1260.0
    expected = source.profile.expected_before(np.array([600.0, 630.0, 660.0, 1260.0]))
    assert expected.tolist() == pytest.approx([1200.0, 1305.0, 1500.0, 6300.0])
    assert one(tmp_path, requests="{class: chat, rates: [[0, 2], [600, 2]]}").requests.span_s == np.inf


def test_sources_draw_from_the_seed_of_the_run_and_the_name_of_the_service(tmp_path: Path) -> None:
    chat = "{class: chat, mean_per_s: 5}"

    def arrivals(seed: int, name: str = "chat", requests: str = chat) -> list[Any]:
        come = one(tmp_path, seed, name=name, requests=requests).requests.between(0.0, 600.0)
        return [*come.arrival_s]

    assert arrivals(1) == arrivals(1)
    assert arrivals(1) != arrivals(2)
    assert arrivals(1) != arrivals(1, name="other")
    own = "{class: chat, mean_per_s: 5, seed: 1}"
    assert arrivals(2, requests=own) == arrivals(1)


def test_bad_rows_are_gone_past_only_when_asked(tmp_path: Path) -> None:
    from goodwatt.simulator.services.service_requests import request_notes

    (tmp_path / "odd.csv").write_text(f"{REQUESTS}x,1,1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"key 'requests': .*odd.csv, line 5, column 'arrival_s': expected"):
        one(tmp_path, requests="odd.csv")
    (service,) = read_services(tmp_path / "services.yaml", skip_bad_rows=True)
    (note,) = request_notes(service.requests)
    assert "1 bad rows skipped, the first: " in note


# mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "llama-3-70b"}, "line 4, key 'model': unknown model 'llama-3-70b': did you mean 'llama-3.1-70b'"),
        ({"model": "{parameters_b: 7, layers: 32}"}, "workload, or request_s; missing: hidden, kv_heads"),
        ({"model": "{paramters_b: 7}"}, "key 'paramters_b': unknown key: did you mean 'parameters_b'?"),
        ({"model": "{name: llama-3.1-8b, active_b: 9}"}, "expected at most the 7.505 of parameters_b, got 9"),
        ({"model": "{name: llama-3.1-8b, routed: .5}"}, "without, there are no experts"),
        ({"model": "{name: llama-3.1-8b, precision: fp9}"}, "expected 'bf16', 'fp16', 'fp8', 'int8' or 'int4', got"),
        ({"model": "{name: llama-3.1-8b, precision: fp8, weight_bytes: 1}"}, "expected precision or weight_bytes"),
        ({"model": "llama-3.1-405b"}, "GB of weights do not fit 1 x H100-SXM"),
        ({"model": "resnet5"}, "unknown model 'resnet5': did you mean 'resnet50'"),
        ({"model": "resnet50"}, "key 'ttft_p99_s': expected latency_p99_s: requests of a model that is no language"),
        ({"model": "resnet50", "tensor_parallel": "2", **IMAGES}, "key 'tensor_parallel': expected 1 without tokens"),
        ({"model": "resnet50", "software": "vllm", **IMAGES}, "key 'software': expected with a language model only"),
        ({"model": "resnet50", "routing": "by_length", **IMAGES}, "expected by_length with a language model only"),
        (
            {"model": "resnet50", **IMAGES, "requests": "{profile: rates.csv, lengths: chat}"},
            "key 'lengths': expected with a language model: requests of others have no tokens",
        ),
        ({"model": "{name: resnet50, hidden: 3}", **IMAGES}, "key 'hidden': expected steps with resnet50"),
        ({"model": "{workload: dlrmm}", **IMAGES}, "unknown workload class 'dlrmm': did you mean 'dlrm'"),
        (
            {"model": "{workload: dlrm, request_s: 3}", **IMAGES},
            "key 'request_s': expected workload, batch, batch_gain",
        ),
        ({"model": "{request_s: 3}", **IMAGES}, "expected like: the workload class that it resembles"),
        ({"model": "{request_s: 3, like: dlrm, floor_s: 4}", **IMAGES}, "to take less than a step, 3 s, got 4 s"),
        ({"gpu": "H1000"}, "line 5, key 'gpu': unknown GPU kind 'H1000': did you mean"),
        ({"software": "vlm"}, "key 'software': unknown serving software 'vlm': did you mean 'vllm'?"),
        ({"promise": "{}"}, "line 6, key 'promise': expected at least one of ttft_p99_s, tpot_p99_s, latency_p99_s"),
        ({"promise": "{ttft_s: 1}"}, "key 'ttft_s': unknown key: did you mean 'ttft_p99_s'?"),
        ({"promise": "{ttft_p99_s: 0}"}, "expected a number above 0, got 0"),
        ({"promise": ""}, "key 'promise': this key is missing"),
        ({"replicas": "{min: 3, max: 2}"}, "key 'max': expected at least min, which is 3, got 2"),
        ({"replicas": "0"}, "expected a number above 0, got 0"),
        ({"replicas": "true"}, "key 'replicas': expected keys with values, got True"),
        ({"pools": "{prefill: 2}"}, "key 'decode': this key is missing"),
        ({"pools": "{prefill: 2, decode: 1}", "replicas": "4"}, "expected numbers of replicas under pools only"),
        ({"routing": "random"}, "expected 'round_robin', 'least_loaded' or 'by_length', got 'random'"),
        ({"long_tokens": "100"}, "key 'long_tokens': expected with routing: by_length only"),
        ({"requests": "absent.csv"}, "key 'requests': "),
        ({"requests": "rates.csv"}, "which tells how many requests come and not which"),
        ({"requests": "{file: requests.csv, class: chat}"}, "expected one of file, profile, class, got file and class"),
        ({"requests": "{repeat: true}"}, "expected one of file, profile, class, got none of them"),
        ({"requests": "{file: requests.csv, mean_per_s: 3}"}, "expected with profile or class, got it with file"),
        ({"requests": "{profile: rates.csv}"}, "expected lengths: how long prompts and outputs are"),
        ({"requests": "{profile: rates.csv, lengths: chatt}"}, "unknown class of service 'chatt': did you mean 'chat'"),
        ({"requests": "{profile: rates.csv, lengths: {prompt_tokens: 3}}"}, "or prompt_tokens and output_tokens, got"),
        ({"requests": "{clas: chat}"}, "key 'clas': unknown key: did you mean 'class'?"),
        ({"requests": "{class: chta}"}, "key 'class': unknown class of service 'chta': did you mean 'chat'"),
        ({"requests": "{class: chat, seed: -1}"}, "expected a number of at least 0, got -1"),
        ({"requests": "{class: chat, rates: [[0, 1], [60]]}"}, "key 'rates': expected pairs of seconds and requests"),
        ({"requests": "{class: chat, rates: [[0, 1], [60, -1]]}"}, "(here: [60, -1])"),
        ({"requests": "{class: chat, rates: [[1, 1], [60, 2]]}"}, "expected at least two points, the first at 0 s"),
        ({"requests": "{class: chat, rates: [[0, 1], [60, 1]], days: 2}"}, "key 'days': expected without rates"),
        ({"requests": "{file: requests.csv, rates: [[0, 1], [60, 1]]}"}, "expected with class, got it with file"),
        ({"colour": "red"}, "key 'colour': unknown key; known: gpu, iteration_tokens"),
    ],
)
def test_mistakes_say_where_what_was_expected_and_what_came(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as problem:
        one(tmp_path, **changes)
    assert str(problem.value).startswith(f"{tmp_path / 'services.yaml'}, line ")
    assert message in str(problem.value)


def test_two_services_of_one_name(tmp_path: Path) -> None:
    twice = entry() + entry().removeprefix("services:\n")
    with pytest.raises(InputError, match=r"line 9, key 'name': expected every service to have its own name"):
        read(tmp_path, twice)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "expected services, got an empty file"), ("services: []\n", "key 'services': expected at least one entry")],
)
def test_a_file_without_services(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such services file"):
        read_services(tmp_path / "none.yaml")


def test_the_example_that_ships_and_its_documentation() -> None:
    root = Path(__file__).parents[3]
    services = {service.name: service for service in read_services(root / "examples" / "services.yaml")}
    assert list(services) == ["chat", "code", "images", "ranking"]
    assert services["code"].pools == {"prefill": (1, 4), "decode": (2, 6)}
    assert services["ranking"].most_sequences == 512
    for service in services.values():
        assert len(service.requests.between(36_000.0, 37_000.0).arrival_s) > 50
    page = (root / "docs" / "reference" / "services-file.md").read_text(encoding="utf-8")
    for name in (*llm_models(), *step_models()):
        assert f"`{name}`" in page
    for section in SECTIONS.values():
        for key, field in section.model_fields.items():
            assert (field.alias or key) in page
