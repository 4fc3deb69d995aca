"""Fits lengths and bursts of requests to an hour of three public services, and tests the fits on the other half hour.

    PYTHONPATH=benchmarks python -m calibration.request_lengths [--write]

Reads llm_request_traces (Azure 2023: `code` and `conversation`; Mooncake: `conversation`) and, for the rhythm of image
generation, alibaba_genai_2026. Writes what ships in src/goodwatt/traces/requests/service_classes.yaml.

Lengths: quantiles of prompts, and of outputs in eight bins of prompts (`token_lengths`). Bursts: the index of
dispersion of counts in intervals of 1 s to 300 s is fitted by factors on the rate that hold for 1, 10, 60 and 600 s
(`bursts`). With relative variances v_k, rate r and correlation c_k(t) = max(0, 1 - t / w_k), its expectation over a
trace of T seconds is

    I(W) - I(T) W / T,   I(W) = 1 + (2 r / W) * integral from 0 to W of (W - t) (prod_k (1 + v_k c_k(t)) - 1) dt

(the second term: the mean is that of the same trace), and the excess that ships is v_k r w_k. Mooncake's times are
multiples of 3 s, so nothing below 30 s is fitted there. An hour holds six windows of 600 s: that scale is a guess.

Held out: lengths and bursts fitted to the first half of the requests, compared with the second half. `halves` is what
the measured halves differ by, which no model could beat on purpose.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from measured import SHARED, print_table
from scipy.optimize import least_squares

from goodwatt.traces.requests.formats.alibaba_genai import STEP_S
from goodwatt.traces.requests.reading import read_rate_profile, read_request_trace
from goodwatt.traces.requests.request_trace import Floats, RequestTrace, Tokens
from goodwatt.traces.requests.service_classes import CLASSES
from goodwatt.traces.requests.token_lengths import GRID, TokenLengths, fitted

FOLDER = SHARED / "data" / "llm_request_traces"
GENAI = SHARED / "data" / "alibaba_genai_2026" / "qps.csv.gz"
SCRIPT = "benchmarks/calibration/request_lengths.py"
BINS = 8
SHOWN = (0.5, 0.9, 0.99)
ASSUMED_RHYTHM = "assumed: the public trace is an hour long"
IMAGE_HOURS = 16
"""After which fewer than half of the containers still report."""


@dataclass(frozen=True)
class Service:
    """One class and the trace that it is fitted to."""

    name: str
    about: str
    file: str
    source: str
    intervals_s: tuple[float, ...] = (1, 2, 5, 10, 30, 60, 120, 300)
    windows_s: tuple[float, ...] = (1, 10, 60, 600)
    peak_to_trough: float = 3.0
    weekend: float = 0.7


SERVICES = (
    Service(
        "chat",
        "conversation with a language model: prompts of a thousand tokens, answers of some hundred",
        "AzureLLMInferenceTrace_conv.csv.gz",
        "Azure LLM inference 2023, conversation (CC BY 4.0)",
    ),
    Service(
        "code",
        "completion of code: long prompts, answers of a line, requests in bursts",
        "AzureLLMInferenceTrace_code.csv.gz",
        "Azure LLM inference 2023, code (CC BY 4.0)",
        peak_to_trough=5.0,
        weekend=0.4,
    ),
    Service(
        "long-chat",
        "conversation with long contexts: prompts of ten thousand tokens",
        "mooncake_conversation_trace.csv.gz",
        "Mooncake, conversation (FAST'25, Apache-2.0)",
        intervals_s=(30, 60, 120, 300),
        windows_s=(60, 600),
    ),
)


def trace_of(service: Service) -> RequestTrace:
    return read_request_trace(FOLDER / service.file)


# Bursts --------------------------------------------------------------------------------------------------------------


def dispersion(arrival_s: Floats, interval_s: float) -> float:
    """Variance over mean of counts in the whole intervals between the first and the last request."""
    since_s = arrival_s - arrival_s[0]
    whole = int(since_s[-1] / interval_s)
    counts = np.histogram(since_s, np.arange(whole + 1) * interval_s)[0]
    return float(counts.var(ddof=1) / counts.mean())


def index(variances: Floats, windows_s: Sequence[float], rate: float, interval_s: float) -> float:
    """I(W) of the module's docstring, the integral by 2,000 midpoints."""
    lag = (np.arange(2000) + 0.5) / 2000 * interval_s
    joint = np.ones_like(lag)
    for variance, window_s in zip(variances, windows_s, strict=True):
        joint *= 1.0 + variance * np.maximum(0.0, 1.0 - lag / window_s)
    return float(1.0 + 2.0 * rate / interval_s * np.mean((interval_s - lag) * (joint - 1.0)) * interval_s)


def expected(variances: Floats, service: Service, rate: float, span_s: float) -> Floats:
    """Index of dispersion that a trace of this length shows, for each interval of the service."""
    whole = index(variances, service.windows_s, rate, span_s)
    found = [index(variances, service.windows_s, rate, w) - whole * w / span_s for w in service.intervals_s]
    return np.array(found)


def fitted_variances(service: Service, arrival_s: Floats) -> Floats:
    """Relative variances of the factors, least squares of the logarithm of the dispersion."""
    span_s = float(arrival_s[-1] - arrival_s[0])
    rate = len(arrival_s) / span_s
    measured = np.array([dispersion(arrival_s, w) for w in service.intervals_s])

    def errors(roots: Floats) -> Floats:
        off: Floats = np.log(np.maximum(expected(roots**2, service, rate, span_s), 1e-3)) - np.log(measured)
        return off

    found: Floats = np.square(least_squares(errors, np.full(len(service.windows_s), 0.3)).x)
    return found


def scales(service: Service, arrival_s: Floats) -> list[tuple[float, float]]:
    """(window, excess) that ship."""
    rate = len(arrival_s) / float(arrival_s[-1] - arrival_s[0])
    variances = fitted_variances(service, arrival_s)
    found = [(w, round(float(v * rate * w), 2)) for w, v in zip(service.windows_s, variances, strict=True)]
    return [(w, excess) for w, excess in found if excess >= 0.05]


def burst_rows(service: Service, arrival_s: Floats) -> list[dict[str, Any]]:
    """Measured and fitted dispersion, and that of the second half by the fit to the first."""
    half = len(arrival_s) // 2
    whole, first = (fitted_variances(service, part) for part in (arrival_s, arrival_s[:half]))
    rows = []
    for place, interval_s in enumerate(service.intervals_s):
        row: dict[str, Any] = {"class": service.name, "interval s": interval_s}
        for name, fit, part in (("all", whole, arrival_s), ("second half", first, arrival_s[half:])):
            span_s = float(part[-1] - part[0])
            row[name] = dispersion(part, interval_s)
            row[f"{name}, fit"] = float(expected(fit, service, len(part) / span_s, span_s)[place])
        rows.append(row)
    return rows


# Lengths -------------------------------------------------------------------------------------------------------------


def distance(one: Tokens, other: Tokens) -> float:
    """Kolmogorov-Smirnov: the greatest difference between two distribution functions."""
    values = np.union1d(one, other)
    shares = [np.searchsorted(np.sort(part), values, "right") / len(part) for part in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def length_rows(service: Service, trace: RequestTrace) -> list[dict[str, Any]]:
    """Quantiles of the second half, by measurement and by the fit to the first, and distances between distributions."""
    half = len(trace) // 2
    fit = fitted(service.name, trace.prompt_tokens[:half], trace.output_tokens[:half], BINS)
    drawn = fit.draw(200_000, np.random.default_rng(0))
    rows = []
    for place, name in enumerate(("prompt", "output")):
        column: Tokens = (trace.prompt_tokens, trace.output_tokens)[place]
        second = column[half:]
        row: dict[str, Any] = {"class": service.name, "tokens": name}
        for q in SHOWN:
            row[f"p{100 * q:g}"] = int(np.quantile(second, q))
            row[f"p{100 * q:g}, fit"] = int(np.quantile(drawn[place], q))
        row["distance"] = distance(drawn[place], second)
        row["halves"] = distance(column[:half], second)
        row["own half"] = distance(drawn[place], column[:half])
        rows.append(row)
    return rows


def rank_correlation(prompts: Tokens, outputs: Tokens) -> float:
    ranks = [np.argsort(np.argsort(part, kind="stable")) for part in (prompts, outputs)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


# What ships ----------------------------------------------------------------------------------------------------------


def entry(service: Service, trace: RequestTrace) -> str:
    """A class as it stands in the file."""
    fit = fitted(service.name, trace.prompt_tokens, trace.output_tokens, BINS)
    rate = round(len(trace) / float(trace.arrival_s[-1] - trace.arrival_s[0]), 3)
    fitted_by = f"{service.source}, fitted by {SCRIPT}"
    return f"""{service.name}:
  about: "{service.about}"
  rate_per_s: {rate}
  rhythm: {{peak_to_trough: {service.peak_to_trough:g}, peak_hour: 14, weekend: {service.weekend:g}}}
  scales: [{", ".join(f"[{w:g}, {excess:g}]" for w, excess in scales(service, trace.arrival_s))}]
  sources:
    rate_per_s: "{service.source}: mean of the whole trace"
    rhythm: "{ASSUMED_RHYTHM}"
    scales: "{fitted_by}"
    lengths: "{fitted_by}"
{_lengths(fit)}"""


def _lengths(fit: TokenLengths) -> str:
    rows = [", ".join(f"{value:g}" for value in row) for row in (fit.prompt, *fit.output)]
    outputs = "\n".join(f"      - [{row}]" for row in rows[1:])
    return f"  lengths:\n    prompt: [{rows[0]}]\n    output:\n{outputs}\n"


def image_entry() -> str:
    """Image generation: no tokens; the ratio of its busiest to its quietest hour."""
    profile = read_rate_profile(GENAI)
    edges = np.arange(0.0, IMAGE_HOURS + 1) * 3600.0
    hourly = np.diff(profile.expected_before(edges))
    ratio = round(float(hourly.max() / hourly.min()), 1)
    hours = f"the busiest of the first {IMAGE_HOURS} hours over the quietest (rows of {STEP_S:g} s)"
    return f"""image:
  about: "generation of images: requests without tokens"
  rate_per_s: 1.0
  rhythm: {{peak_to_trough: {ratio:g}, peak_hour: 14, weekend: 1}}
  sources:
    rate_per_s: "assumed: the source is scaled"
    rhythm: "peak_to_trough: Alibaba image generation 2026, {hours}, by {SCRIPT}; the rest assumed"
    scales: "assumed: none"
"""


def content() -> str:
    head = (
        f"# Classes of services for made-up requests. Written by {SCRIPT} --write; see service_classes.py and\n"
        f"# token_lengths.py, whose quantiles are {', '.join(f'{q:g}' for q in GRID)}.\n"
    )
    return head + "".join(entry(s, trace_of(s)) for s in SERVICES) + image_entry()


def main() -> int:
    traces = {service: trace_of(service) for service in SERVICES}
    print_table(
        "Lengths: second half, by the fit to the first", [r for s, t in traces.items() for r in length_rows(s, t)]
    )
    print_table("Index of dispersion", [r for s, t in traces.items() for r in burst_rows(s, t.arrival_s)])
    pairs = [
        {"class": s.name, "rank correlation of prompt and output": rank_correlation(t.prompt_tokens, t.output_tokens)}
        for s, t in traces.items()
    ]
    print_table("Prompt and output", pairs)
    if "--write" in sys.argv:
        CLASSES.write_text(content(), encoding="utf-8")
        print(f"wrote {CLASSES}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
