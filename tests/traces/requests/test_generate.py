"""Made-up requests: as many as asked for, with lengths and bursts of the traces that the classes were fitted to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from goodwatt.errors import InputError
from goodwatt.traces.requests.generate import class_source, generate
from goodwatt.traces.requests.reading import read_request_trace
from goodwatt.traces.requests.service_classes import read_classes, service_class, service_classes

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared" / "data" / "llm_request_traces"
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the public traces (../shared) are not at hand")
FILES = {
    "chat": "AzureLLMInferenceTrace_conv",
    "code": "AzureLLMInferenceTrace_code",
    "long-chat": "mooncake_conversation_trace",
}


@pytest.mark.parametrize("name", service_classes())
def test_every_class(name: str) -> None:
    trace = generate(name, mean_per_s=20.0, days=0.5, seed=3)
    assert len(trace) == pytest.approx(20 * 43200, rel=0.1)
    assert trace.synthetic == (f"all: requests generate {name} seed 3",)
    assert trace.day_s == 0.0
    known = service_class(name).token_lengths(name)
    assert trace.prompt_tokens.mean() == pytest.approx(known.mean_prompt, rel=0.02)
    assert trace.output_tokens.mean() == pytest.approx(known.mean_output, rel=0.02)
    assert set(service_class(name).sources) >= {"rate_per_s", "rhythm", "scales"}


def test_the_same_seed_gives_the_same_requests() -> None:
    one, same, other = (generate("code", days=0.1, seed=seed) for seed in (1, 1, 2))
    assert (one.arrival_s == same.arrival_s).all()
    assert (one.output_tokens == same.output_tokens).all()
    assert len(one) != len(other) or (one.arrival_s != other.arrival_s).any()


def test_rhythm_of_the_day() -> None:
    trace = generate("image", mean_per_s=10.0, days=1.0, peak_to_trough=4.0)
    hourly = np.bincount((trace.arrival_s // 3600).astype(int), minlength=24)
    assert hourly[13:15].mean() / hourly[[1, 2]].mean() == pytest.approx(4.0, rel=0.1)


def test_two_services_of_a_class_differ_by_name() -> None:
    one, other = (class_source("chat", days=0.1, name=name).between(0.0, 600.0) for name in ("a", "b"))
    assert one.arrival_s.tolist() != other.arrival_s.tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean_per_s": 0.0}, "a mean rate above 0"),
        ({"mean_per_s": float("inf")}, "a mean rate above 0"),
        ({"mean_per_s": 1e6}, "expected at most 200,000,000 requests"),
        ({"mean_per_s": 1e-9}, "no request came in 86400 s"),
        ({"days": 0.0}, "a number of days"),
        ({"peak_to_trough": 0.1}, "a peak of at least the trough"),
        ({"seed": -1}, "a seed of 0 or more"),
    ],
)
def test_what_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        generate("chat", **options)  # type: ignore[arg-type]


def test_unknown_class() -> None:
    with pytest.raises(InputError, match="unknown class of service 'chatt': did you mean 'chat'"):
        generate("chatt")


def test_a_file_that_holds_no_classes(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    for text in ("[]", "chat: {about: x}", ":"):
        path.write_text(text)
        with pytest.raises(InputError, match="expected service classes"):
            read_classes(path)


@needs_data
@pytest.mark.parametrize(("name", "file"), FILES.items())
def test_lengths_are_those_of_the_public_trace(name: str, file: str) -> None:
    real = read_request_trace(SHARED / f"{file}.csv.gz")
    got = generate(name, mean_per_s=20.0, days=0.1)
    assert got.prompt_tokens.mean() == pytest.approx(real.prompt_tokens.mean(), rel=0.05)
    assert got.output_tokens.mean() == pytest.approx(real.output_tokens.mean(), rel=0.05)
    for column in ("prompt_tokens", "output_tokens"):
        a, b = getattr(got, column), getattr(real, column)
        values = np.unique(b)
        shares = [np.searchsorted(np.sort(part), values, "right") / len(part) for part in (a, b)]
        assert np.abs(shares[0] - shares[1]).max() < 0.05


@needs_data
def test_the_script_makes_the_file_that_ships() -> None:
    code = "from calibration.request_lengths import content; print(content(), end='')"
    call = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "benchmarks")}
    done = subprocess.run(call, capture_output=True, text=True, check=True, env=environment)  # noqa: S603
    shipped = ROOT / "src/goodwatt/traces/requests/service_classes.yaml"
    assert done.stdout == shipped.read_text(encoding="utf-8")
