"""The ML.ENERGY leaderboard in the terms of the law: mean iteration and watts of vLLM on H100 and B200.

A row tells the mean batch, tokens per second, watts and mean output; the mean iteration is batch over throughput. It
does not tell prompts: their mean length is a parameter of each task, as is how much longer than half of the mean
output a running sequence's output so far is (long answers are met more often). An iteration meets batch / output new
prompts on average; those with any and those with none are told by themselves and averaged.

Left out: models with other than plain attention (DeepSeek: latent; gpt-oss: windows and 4 bits; Nemotron: mostly
state), and from fits the thinking runs of small Qwen3 on B200, see `HOST_BOUND`.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from calibration.serving_fit import Figures, Told, tell
from calibration.serving_rows import Measured, dense
from measured import SHARED, need

from goodwatt.power.serving.llm_shape import LlmShape

FILE = SHARED / "data" / "ml_energy_leaderboard" / "inference_power_configs.csv.gz"
KINDS = {"H100": "H100-SXM", "B200": "B200-SXM"}
TASKS = ("lm-arena-chat", "gpqa")
HOST_BOUND = (
    "B200",
    "gpqa",
    ("Qwen/Qwen3-8B", "Qwen/Qwen3-14B", "Qwen/Qwen3-32B", "Qwen/Qwen3-30B-A3B-Thinking-2507"),
)
"""30 to 45 ms an iteration whatever the batch, 290 W and more: the host was busy with something else (the same batch
takes 5 to 14 ms in the other task)."""


def mixture(parameters: float, active: float, routed: float, layers: int, hidden: int, kv_heads: int, width: int,
            weight_bytes: float = 2.0) -> LlmShape:  # fmt: skip
    """A mixture of experts."""
    return LlmShape(
        parameters=parameters, active_parameters=active, layers=layers, hidden=hidden, kv_heads=kv_heads,
        weight_bytes=weight_bytes, routed=routed, query_width=width,
    )  # fmt: skip


_QWEN_235B = mixture(234.5e9, 21.6e9, 8 / 128, 94, 4096, 4, 8192)
_QWEN_30B = mixture(30.2e9, 3.0e9, 8 / 128, 48, 2048, 4, 4096)
_LLAMA_70B = dense(69.5e9, 80, 8192, 8)
_LLAMA_405B = dense(403.7e9, 126, 16384, 8)
SHAPES: Mapping[str, LlmShape] = {
    "meta-llama/Llama-3.1-8B-Instruct": dense(7.505e9, 32, 4096, 8),
    "meta-llama/Llama-3.1-70B-Instruct": _LLAMA_70B,
    "meta-llama/Llama-3.3-70B-Instruct": _LLAMA_70B,
    "meta-llama/Llama-3.1-405B-Instruct": _LLAMA_405B,
    "meta-llama/Llama-3.1-405B-Instruct-FP8": replace(_LLAMA_405B, weight_bytes=1.0),
    "Qwen/Qwen3-8B": dense(7.57e9, 36, 4096, 8),
    "Qwen/Qwen3-14B": dense(13.99e9, 40, 5120, 8),
    "Qwen/Qwen3-32B": dense(31.98e9, 64, 5120, 8, query_width=8192),
    "google/gemma-3-12b-it": dense(11.77e9, 48, 3840, 8, head_dim=256, query_width=4096),
    "google/gemma-3-27b-it": dense(27.0e9, 62, 5376, 16, query_width=4096),
    "Qwen/Qwen3-30B-A3B-Instruct-2507": _QWEN_30B,
    "Qwen/Qwen3-30B-A3B-Thinking-2507": _QWEN_30B,
    "Qwen/Qwen3-235B-A22B-Instruct-2507": _QWEN_235B,
    "Qwen/Qwen3-235B-A22B-Thinking-2507": _QWEN_235B,
    "Qwen/Qwen3-235B-A22B-Instruct-2507-FP8": replace(_QWEN_235B, weight_bytes=1.0),
    "Qwen/Qwen3-235B-A22B-Thinking-2507-FP8": replace(_QWEN_235B, weight_bytes=1.0),
    "meta-llama/Llama-4-Scout-17B-16E-Instruct": mixture(107.0e9, 16.0e9, 1 / 16, 48, 5120, 8, 5120),
    "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8": mixture(399.0e9, 16.0e9, 1 / 128, 48, 5120, 8, 5120, 1.0),
}
"""From the models' published configurations; parameters without the table of words in, which no iteration reads."""
FITTED = (
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-32B",
    "meta-llama/Llama-3.1-70B-Instruct",
    "meta-llama/Llama-3.1-405B-Instruct-FP8",
    "Qwen/Qwen3-30B-A3B-Instruct-2507",
    "Qwen/Qwen3-235B-A22B-Instruct-2507-FP8",
)
"""The models that the fit sees, dense and mixed, 16 and 8 bits; all others are held out."""
WORK = {"lm-arena-chat": 300.0, "gpqa": 300.0, "older": 1.3}
"""Where the fit begins: mean prompt tokens of a task; mean output so far over half of the mean output."""


@dataclass(frozen=True, kw_only=True)
class Served(Measured):
    """A row of the leaderboard, with what its iterations follow from."""

    task: str
    output: float


def served(hardware: str) -> list[Served]:
    """All usable rows of a hardware, in the order of the file."""
    with gzip.open(need(FILE), "rt", newline="", encoding="utf-8") as text:
        rows = [row for row in csv.DictReader(text) if row["gpu_model"] == hardware and row["task"] in TASKS]
    return [_served(row) for row in rows if row["model_id"] in SHAPES]


def is_host_bound(row: Served) -> bool:
    hardware, task, models = HOST_BOUND
    return row.kind == KINDS[hardware] and row.task == task and row.model in models


def _served(row: Mapping[str, str]) -> Served:
    batch, gpus = float(row["avg_batch_size"]), int(row["num_gpus"])
    shape = SHAPES[row["model_id"]]
    kind = "mixture" if shape.experts else "dense"
    return Served(
        group=f"{row['gpu_model']} {kind}",
        model=row["model_id"],
        shape=shape,
        kind=KINDS[row["gpu_model"]],
        tensor_parallel=gpus,
        tokens=batch,
        pairs=0.0,
        sequences=batch,
        context=0.0,
        seconds=batch / float(row["output_throughput_tokens_per_sec"]),
        watts=float(row["avg_power_watts"]) / gpus,
        batch=round(batch),
        task=row["task"],
        output=float(row["avg_output_len"]),
    )


def tell_served(rows: Sequence[Served], figures: Figures) -> Told:
    """Mean iteration and mean watts of each row."""
    calm = tell([_iteration(row, figures.work, 0.0) for row in rows], figures)
    prompts = np.array([row.batch / row.output for row in rows])
    share = 1.0 - np.exp(-prompts)
    full = [_iteration(row, figures.work, float(n)) for row, n in zip(rows, prompts / share, strict=True)]
    busy = tell(full, figures)
    calm_s, busy_s = (1.0 - share) * calm.seconds, share * busy.seconds
    seconds = calm_s + busy_s
    weigh = [
        (calm_s * a + busy_s * b) / seconds for a, b in ((calm.watts, busy.watts), (calm.clock_mhz, busy.clock_mhz))
    ]
    return Told(seconds, weigh[0], weigh[1])


def _iteration(row: Served, work: Mapping[str, float], prompts: float) -> Measured:
    """One with so many prompts beside the batch."""
    prompt = work[row.task]
    context = row.tokens * (prompt + work["older"] * row.output / 2)
    return replace(
        row,
        tokens=row.tokens + prompts * prompt,
        pairs=context + prompts * prompt**2 / 2,
        context=context + prompts * prompt,
    )
