"""Fits the figures of serving: what arrives of a chip in an iteration of a language model, what software adds.

Each fit begins where other data or an assumption says, and is pulled there (`STARTS`). Hopper: iterations of one
serving instance on our H200 as CUDA graphs, decode and prefill; the mixed ones are not seen. `torch`: launches in
the phases of plain PyTorch on the same GPU. Ampere: Splitwise's A100. `vllm` and Blackwell: some models of the
ML.ENERGY leaderboard on H100, then on B200 with that software. What is held out of each is told by
benchmarks/fidelity/serving.py; docs/design/serving-model.md has the formulas.

    PYTHONPATH=benchmarks python -m calibration.serving [--write | --check]
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from typing import Any

import yaml
from calibration.serving_fit import Figures, Free, fit
from calibration.serving_leaderboard import FITTED, WORK, Served, is_host_bound, served, tell_served
from calibration.serving_rows import Measured, h200_instance, h200_phases, splitwise

from goodwatt.power.serving.serving_figures import FIGURES, ChipFigures, Software

CHIP = ChipFigures(
    gemm=0.85, attention=0.55, weights=0.80, context=0.88, rows=30.0, gap_us=14.0,
    gemm_sm=1.1, attention_sm=1.1, reading_sm=0.1, exchange_sm=0.135,
)  # fmt: skip
"""Where fits of chips begin: kernels by themselves on an H200 (colocation.json of h200_measured). A product of 8192^3
reaches 0.90 of the peak relative to its clock and draws for 1.05, attention 0.60 and 1.1, reading matrices for a batch
of 8 0.68 of the bandwidth and a copy 0.88; in a model the first two are less. rows, gap_us, reading_sm are assumed;
exchange_sm is node8.json's 260 W while communicating, over a context's 126 W."""
CHIP_SPREADS = {
    "gemm": 0.08, "attention": 0.2, "weights": 0.06, "context": 0.06, "rows": 0.7, "gap_us": 0.5,
    "gemm_sm": 0.1, "attention_sm": 0.2, "reading_sm": 0.4,
}  # fmt: skip
BARE = Software(
    launch_layer_us=0.0, launch_more_us=0.0, launch_prompt_us=0.0, between_us=0.0, between_sequence_us=0.0,
    sample_mb=0.0, sample_sm=0.0, decode_rows=16.0, exchange=1.0, exchange_start=1.0,
    slow_mib=1e6, slow_exchange=1.0, experts=1.0, experts_layer_us=0.0, eight_bit=1.0,
)  # fmt: skip
"""Nothing but the chip: CUDA graphs, a host that is ahead. A tensor core's tile has 16 rows."""
TORCH = replace(BARE, launch_layer_us=178.0, launch_more_us=60.0)
"""178 us: llm_decode of apps_alone_timeslice.json (h200_measured), 175 iterations/s of 32 layers; more: assumed."""
TORCH_FREE: Free = {"software.launch_layer_us": 0.3, "software.launch_more_us": 1.0, "software.decode_rows": 0.7}
OLD = replace(
    BARE, launch_layer_us=400.0, launch_prompt_us=200.0, between_sequence_us=200.0, slow_mib=64.0, slow_exchange=2.0
)
"""Splitwise's engine of 2023, which launches every kernel and chooses tokens on the host: assumed. 64 MiB lies between
the messages of 2,048 and of 4,096 tokens, where the time of a token jumps for both models."""
OLD_FREE: Free = {
    "software.exchange": 0.5, "software.exchange_start": 0.3, "software.slow_exchange": 0.5,
    "software.between_sequence_us": 1.0,
    **{f"{model}.{name}": spread for model in ("llama2-70b", "bloom-176b")
       for name, spread in (("launch_layer_us", 0.5), ("launch_prompt_us", 0.7))},
}  # fmt: skip
OLD_CHIP = {**CHIP_SPREADS, "gemm": 0.3, "weights": 0.1, "context": 0.1, "reading_sm": 0.5}
"""Kernels of 2023, and power in shares of other kinds: wider."""
VLLM = replace(
    BARE, launch_layer_us=20.0, between_us=500.0, between_sequence_us=5.0, sample_mb=60.0, sample_sm=0.3,
    decode_rows=32.0, exchange_start=0.5, experts=0.8, experts_layer_us=20.0, eight_bit=0.7,
)  # fmt: skip
"""Assumed, but launch_layer_us: a layer's share in the launch of a CUDA graph in parts."""
VLLM_FREE: Free = {
    "software.between_us": 0.5, "software.between_sequence_us": 1.0, "software.sample_mb": 1.0,
    "software.sample_sm": 0.5, "software.decode_rows": 0.7, "software.exchange": 0.5, "software.exchange_start": 0.5,
    "software.experts": 0.4, "software.experts_layer_us": 1.0, "software.eight_bit": 0.4,
    "work.lm-arena-chat": 0.7, "work.gpqa": 0.7, "work.older": 0.1,
}  # fmt: skip
BLACKWELL = "B200-SXM"
BLACKWELL_SPREADS = {
    "gemm": 0.15, "weights": 0.1, "context": 0.1, "rows": 0.5, "gap_us": 0.5, "gemm_sm": 0.2, "reading_sm": 0.5,
}  # fmt: skip


def chip_free(spreads: Mapping[str, float] = CHIP_SPREADS) -> Free:
    """A chip's figures as a fit names them."""
    return {f"chip.{name}": spread for name, spread in spreads.items()}


def fit_hopper(rows: Sequence[Measured] | None = None) -> Figures:
    """Of decode and prefill on our H200; `rows`: of these only."""
    seen = rows if rows is not None else [row for row in h200_instance() if row.group != "mixed"]
    return fit(seen, Figures(CHIP, {"": BARE}), {**chip_free(), "software.decode_rows": 0.7})


def fit_torch(hopper: ChipFigures, rows: Sequence[Measured] | None = None) -> Figures:
    """Of plain PyTorch on our H200; the chip's figures move too, its kernels being others, from those of the graphs."""
    seen = rows if rows is not None else h200_phases()
    return fit(seen, Figures(hopper, {"": TORCH}), {**chip_free(), **TORCH_FREE})


def fit_splitwise(rows: Sequence[Measured]) -> Figures:
    """Of Splitwise's rows of one kind."""
    return fit(rows, Figures(CHIP, {"llama2-70b": OLD, "bloom-176b": OLD}), {**chip_free(OLD_CHIP), **OLD_FREE})


@cache
def fit_vllm(hopper: ChipFigures) -> Figures:
    """Software, prompts and answers of the leaderboard, on H100 with Hopper's figures as they are, and B200's chip."""
    start = Figures(hopper, {"": VLLM}, WORK, {BLACKWELL: hopper})
    free = {**VLLM_FREE, **{f"{BLACKWELL}.{name}": spread for name, spread in BLACKWELL_SPREADS.items()}}
    return fit([*leaderboard("H100"), *leaderboard("B200")], start, free, tell_served)


def leaderboard(hardware: str) -> list[Served]:
    """What the fits see of it."""
    return [row for row in served(hardware) if row.model in FITTED and not is_host_bound(row)]


def content() -> dict[str, Any]:
    """The file of figures."""
    hopper = fit_hopper()
    torch, ampere = fit_torch(hopper.chip), fit_splitwise([row for row in splitwise() if "A100" in row.kind])
    vllm = fit_vllm(hopper.chip)
    chips = {"Ampere": ampere.chip, "Hopper": hopper.chip, "Blackwell": vllm.others[BLACKWELL]}
    software = {"torch": torch.of(""), "vllm": vllm.of("")}
    return {
        "architectures": {name: _rounded(figures) for name, figures in chips.items()},
        "software": {name: _rounded(figures) for name, figures in software.items()},
        "sources": {"architectures": _chip_sources(), "software": _software_sources(vllm.work)},
    }


def _rounded(figures: ChipFigures | Software) -> dict[str, float]:
    """Three digits; a million stands for never."""
    return {name: float(f"{value:.3g}") for name, value in asdict(figures).items()}


def _chip_sources() -> dict[str, dict[str, str]]:
    seen: dict[str, tuple[Collection[str], str]] = {
        "Ampere": (OLD_CHIP, "fitted to prompts, tokens and mean power on A100-SXM4-80GB (llm_perf_models, Splitwise)"),
        "Hopper": (CHIP_SPREADS, "fitted to decode and prefill on H200-SXM (h200_serving.json)"),
        "Blackwell": (
            BLACKWELL_SPREADS,
            "fitted to six models on B200-SXM (ml_energy_leaderboard)",
        ),
    }
    other = {"exchange_sm": "h200_measured, node8.json: 260 W while communicating, over a context's 126 W, at 1980 MHz"}
    return {
        chip: {name: source if name in free else other.get(name, "assumed: as Hopper") for name in asdict(CHIP)}
        for chip, (free, source) in seen.items()
    }


def _software_sources(work: Mapping[str, float]) -> dict[str, dict[str, str]]:
    told = ", ".join(f"{name} {value:.3g}" for name, value in work.items())
    torch = {name.rpartition(".")[2]: "fitted to phases.json (h200_measured), plain PyTorch" for name in TORCH_FREE}
    vllm = {
        name.rpartition(".")[2]: f"fitted to six models on H100-SXM (ml_energy_leaderboard), with {told}"
        for name in VLLM_FREE
        if name.startswith("software.")
    }
    return {
        "torch": {name: torch.get(name, "assumed: nothing beside the kernels and NCCL") for name in asdict(TORCH)},
        "vllm": {name: vllm.get(name, "assumed") for name in asdict(VLLM)},
    }


def text(found: Mapping[str, Any]) -> str:
    """As it stands in the file."""
    lines = [
        "# What arrives of a GPU's peaks in an iteration of a language model, and what software adds: see",
        "# serving_figures.py. Fitted and written by benchmarks/calibration/serving.py.",
    ]
    for section in ("architectures", "software"):
        lines.append(f"{section}:")
        for name, figures in found[section].items():
            lines += [f"  {name}:", *(f"    {figure}: {value}" for figure, value in figures.items())]
    lines.append("sources:")
    for section, parts in found["sources"].items():
        lines.append(f"  {section}:")
        for name, sources in parts.items():
            lines += [f"    {name}:", *(f'      {figure}: "{source}"' for figure, source in sources.items())]
    return "\n".join(lines) + "\n"


def differences(found: Mapping[str, Any]) -> list[str]:
    """Figures that are not those of the file, by name."""
    shipped = yaml.safe_load(FIGURES.read_text(encoding="utf-8"))
    return [
        f"{name}.{figure}: {value:g}, in the file {shipped[section].get(name, {}).get(figure)}"
        for section in ("architectures", "software")
        for name, figures in found[section].items()
        for figure, value in figures.items()
        if shipped[section].get(name, {}).get(figure) != value
    ]


def main() -> int:
    found = content()
    if "--write" in sys.argv:
        FIGURES.write_text(text(found), encoding="utf-8")
        print(f"wrote {FIGURES.name}")
        return 0
    print(text(found).partition("sources:")[0])
    other = differences(found)
    print("\n".join(["figures that differ from the file:", *other]) if other else "the file has these figures")
    return 1 if other and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
