"""The fitted figures of serving: what arrives of a GPU's peaks, and what the software around the kernels adds.

They stand in `serving_figures.yaml`, which benchmarks/calibration/serving.py fits and writes; how they make a time is
`iteration_law`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from goodwatt.bundled_yaml import read_bundled
from goodwatt.errors import UnknownNameError

FIGURES = Path(__file__).with_name("serving_figures.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipFigures:
    """Shares of peaks that arrive on an architecture.

    `gemm`, `attention`: of the 16-bit arithmetic, at the greatest clock; `weights`, `context`: of the DRAM bandwidth,
    reading weights and KV cache. `rows`: a multiplication takes as long as if so many tokens more went through it.
    `gap_us`: between kernels, for each layer. `gemm_sm`, `attention_sm`: SM activity (the u of `Demand`) at the peak
    arithmetic; `reading_sm`: of all time with a kernel, the part that follows the clock. `exchange_sm`: during
    all-reduces.
    """

    gemm: float
    attention: float
    weights: float
    context: float
    rows: float
    gap_us: float
    gemm_sm: float
    attention_sm: float
    reading_sm: float
    exchange_sm: float = 0.135
    """node8.json of h200_measured: 260 W while communicating, over a context's 126 W, at 1980 MHz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """What the serving software adds to an iteration.

    `launch_layer_us`: CPU time to launch the kernels of a layer, beside which the GPU computes; `launch_more_us`: what
    that is more for many sequences. `between_us`, `between_sequence_us`: from one iteration to the next, while the GPU
    waits (scheduling, sampling), and for each sequence. `exchange`: time of all-reduces relative to NCCL's by
    themselves, `slow_exchange` from `slow_tokens` tokens.
    """

    launch_layer_us: float
    launch_more_us: float
    between_us: float
    between_sequence_us: float
    exchange: float
    slow_tokens: float
    slow_exchange: float


@cache
def _content() -> Mapping[str, Any]:
    return read_bundled(FIGURES)


@cache
def chip_figures(architecture: str) -> ChipFigures:
    """Of an architecture; one that nobody measured has those of the nearest that was."""
    known = _content()["architectures"]
    return ChipFigures(**known[architecture if architecture in known else _NEAREST.get(architecture, "Ampere")])


@cache
def software(name: str) -> Software:
    """Raises UnknownNameError."""
    known = _content()["software"]
    if name not in known:
        raise UnknownNameError("serving software", name, known)
    return Software(**known[name])


_NEAREST = {"Blackwell": "Hopper"}
"""Assumed."""
