"""Iterations of language models that others and we measured, in the terms of the law of an iteration.

H200: phases of plain PyTorch decoders (h200_measured). Splitwise: prompts and tokens of Llama-2-70B and BLOOM-176B on
A100 and H100 (llm_perf_models). The leaderboard's rows stand in `serving_leaderboard`.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from measured import RESULTS, SHARED, need

from goodwatt.power.serving.llm_shape import LlmShape

PHASES = SHARED / "data" / "h200_measured" / "phases.json"
SPLITWISE = SHARED / "data" / "llm_perf_models" / "splitwise_perf_model.csv.gz"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One kind of iteration on one instance: what it did, and its mean seconds, watts of a GPU, SM clock.

    `group`: what the tables report it under; `model`: the key of its shape. Watts are NaN where nobody measured them.
    """

    group: str
    model: str
    shape: LlmShape
    kind: str
    tensor_parallel: int
    tokens: float
    pairs: float
    sequences: float
    context: float
    seconds: float
    watts: float = float("nan")
    clock_mhz: float = float("nan")
    batch: int = 0

    @property
    def instance(self) -> tuple[str, str, int]:
        """What one law serves."""
        return self.model, self.kind, self.tensor_parallel


def dense(parameters: float, layers: int, hidden: int, kv_heads: int, **more: Any) -> LlmShape:
    """A decoder without experts."""
    return LlmShape(
        parameters=parameters, active_parameters=parameters, layers=layers, hidden=hidden, kv_heads=kv_heads, **more
    )


# H200 ----------------------------------------------------------------------------------------------------------------

PHASE_SHAPES: Mapping[str, LlmShape] = {
    "7b": dense(5.03e9, 32, 4096, 32),
    "30b": dense(24.9e9, 60, 6656, 52),
}
"""Two matrices in the feed-forward part, a KV head for each head, no words: both follow from measured DRAM bytes."""


def h200_phases() -> list[Measured]:
    """Decode and prefill, in the order of the file."""
    rows = json.loads(need(PHASES).read_text(encoding="utf-8"))
    return [_phase(row) for row in rows if row["name"] in {"decode", "prefill"}]


def _phase(row: Mapping[str, Any]) -> Measured:
    batch, prefill = row["batch"], row["name"] == "prefill"
    length = row["tokens"] if prefill else row["context"]
    return Measured(
        group=row["name"],
        model=row["model"],
        shape=PHASE_SHAPES[row["model"]],
        kind="H200-SXM",
        tensor_parallel=1,
        tokens=batch * (length if prefill else 1),
        pairs=batch * (length**2 / 2 if prefill else length),
        sequences=batch,
        context=batch * length,
        seconds=1.0 / row["iterations_per_s"],
        watts=row["watts"],
        clock_mhz=row["sm_mhz"],
        batch=batch,
    )


# Splitwise -----------------------------------------------------------------------------------------------------------

SPLITWISE_SHAPES: Mapping[str, LlmShape] = {
    "llama2-70b": dense(69e9, 80, 8192, 8),
    "bloom-176b": dense(176e9, 70, 14336, 112),
}
SPLITWISE_KINDS: Mapping[str, str] = {"a100-80gb": "A100-SXM4-80GB", "h100-80gb": "H100-SXM"}
"""The third hardware of the table, h100-80gb-pcap, is 1.3 times the second's prompts and no measurement."""
RATED_W = 400.0
"""Of the A100, whose mean power over a run the table tells as a share; that of the H100 it does not have."""
SHORT = 0.03
"""The mean power is that of tokens where the prompt took no more than this share of their time."""
OUTPUT = 128
"""Tokens that were generated in the runs taken, those with every batch and prompt."""


def splitwise() -> list[Measured]:
    """Prompts (group `prompt`) and tokens (group `token`): medians of what was repeated.

    Left out: llama2-70b on two GPUs with a batch of 64, whose 32,768 tokens of prompt cannot pass in 0.4 or 0.8 s.
    """
    found: dict[tuple[Any, ...], list[tuple[float, float, float]]] = {}
    with gzip.open(need(SPLITWISE), "rt", newline="", encoding="utf-8") as text:
        for row in csv.DictReader(text):
            key = (
                row["model"],
                row["hardware"],
                *(int(row[k]) for k in ("tensor_parallel", "batch_size", "prompt_size")),
            )
            if row["hardware"] in SPLITWISE_KINDS and int(row["token_size"]) == OUTPUT and not _impossible(key):
                times = float(row["prompt_time"]) / 1e3, float(row["token_time"]) / 1e3
                found.setdefault(key, []).append((*times, float(row["average_power"])))
    return [row for key, times in sorted(found.items()) for row in _prompt_and_token(key, times)]


def _impossible(key: Sequence[Any]) -> bool:
    return bool(key[0] == "llama2-70b" and key[2] == 2 and key[3] == 64)


def _prompt_and_token(key: tuple[Any, ...], repeats: Iterable[tuple[float, ...]]) -> tuple[Measured, Measured]:
    model, hardware, gpus, batch, length = key
    prompt_s, token_s, share = (statistics.median(column) for column in zip(*repeats, strict=True))
    prompt = Measured(
        group="prompt",
        model=model,
        shape=SPLITWISE_SHAPES[model],
        kind=SPLITWISE_KINDS[hardware],
        tensor_parallel=gpus,
        tokens=batch * length,
        pairs=batch * length**2 / 2,
        sequences=batch,
        context=batch * length,
        seconds=prompt_s,
        batch=batch,
    )
    context, is_token_power = batch * (length + OUTPUT / 2), prompt_s < SHORT * OUTPUT * token_s
    watts = share * RATED_W if share and is_token_power else math.nan
    token = replace(prompt, group="token", tokens=batch, pairs=context, context=context, seconds=token_s, watts=watts)
    return prompt, token


# One serving instance on our H200 ------------------------------------------------------------------------------------

INSTANCE = RESULTS / "h200_serving.json"
INSTANCE_SHAPES: Mapping[str, LlmShape] = {
    "8b": dense(7.505e9, 32, 4096, 8),
    "30b": dense(32.3e9, 60, 6656, 52),
}
"""Those of benchmarks/h200/serving_model.py; the parameters are what an iteration reads: no table of words in."""


def instance_rows(*parts: str) -> list[dict[str, Any]]:
    """Rows of these parts of the file, in its order."""
    rows = json.loads(need(INSTANCE).read_text(encoding="utf-8"))["rows"]
    return [row for row in rows if row["part"] in parts and "watts" in row]


def h200_instance() -> list[Measured]:
    """Iterations as CUDA graphs with nothing beside them: groups `decode`, `prefill`, `mixed`, in the file's order."""
    return [_iteration(row, 1) for row in instance_rows("decode", "prefill", "mixed")]


def h200_ranks() -> list[Measured]:
    """The same over two GPUs, tensor parallel; without rows of all-reduces alone."""
    rows = instance_rows("ranks")
    return [_iteration(row, 2) for row in rows if "tokens" in row["cycle"]["cycle"][0]]


def _iteration(row: Mapping[str, Any], gpus: int) -> Measured:
    (entry,) = row["cycle"]["cycle"]
    tokens = entry["tokens"]
    return Measured(
        group=entry["kind"],
        model=row["model"],
        shape=INSTANCE_SHAPES[row["model"]],
        kind="H200-SXM",
        tensor_parallel=gpus,
        seconds=1.0 / row["rate"],
        watts=row["watts"],
        clock_mhz=row["clock_mhz"],
        batch=tokens["batch"],
        **work_of(**tokens),
    )


def work_of(chunk: int, earlier: int, batch: int, context: int) -> dict[str, float]:
    """What the law asks of an iteration over a prompt's chunk after earlier tokens and a batch that decodes."""
    return {
        "tokens": batch + chunk,
        "pairs": chunk * (earlier + chunk / 2) + batch * context,
        "sequences": batch + (1 if chunk else 0),
        "context": batch * context + (earlier + chunk if chunk else 0),
    }
