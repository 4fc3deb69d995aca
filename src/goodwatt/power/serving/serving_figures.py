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
    exchange_sm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """What the serving software makes of the chip, and what it adds to an iteration.

    `launch_layer_us`: CPU time to launch the kernels of a layer, beside which the GPU computes; `launch_more_us`: what
    that is more for many sequences, `launch_prompt_us`: with prompts in the batch. `between_us`,
    `between_sequence_us`: from one iteration to the next, while the GPU waits (scheduling), and for each sequence.
    `sample_mb`: moved in the GPU's memory to choose the next token of a sequence among all words (logits, sorting),
    at SM activity `sample_sm`. `decode_rows`: rows of
    the tiles in which a decoding sequence's attention multiplies, for each KV head.
    `exchange`: seconds per byte of all-reduces relative to NCCL's by themselves, `exchange_start`: what each takes
    however small; messages of `slow_mib` and more take `slow_exchange` times as long where more than two GPUs join.
    `experts`, `eight_bit`: how much of the bandwidth and arithmetic with dense 16-bit weights arrives with those of
    experts, and with 8-bit weights. `experts_layer_us`: on the GPU, to choose a layer's experts and to sort by them.
    """

    launch_layer_us: float
    launch_more_us: float
    launch_prompt_us: float
    between_us: float
    between_sequence_us: float
    sample_mb: float
    sample_sm: float
    decode_rows: float
    exchange: float
    exchange_start: float
    slow_mib: float
    slow_exchange: float
    experts: float
    experts_layer_us: float
    eight_bit: float


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


_NEAREST = {"Ada": "Ampere"}
"""Assumed; all others that nobody measured are as Ampere too."""
