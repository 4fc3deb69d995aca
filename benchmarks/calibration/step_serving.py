"""Fits models that are no language models: what an iteration takes against its batch, and what it draws.

One pass: throughput of CNNs and BERT against the batch on an A100 cut into one instance of 7 GPCs, which has 98 of 108
SMs and is taken for the whole (parvagpu_mig_mps, one process). Diffusion: seconds and watts of a batch of images of
1024 x 1024 on one H100 and one B200 (ml_energy_leaderboard); an H100 holds its cap of 700 W for most of them, so its
activity is drawn to what B200, which does not, says of it. Every other batch is held out and told; what ships is fitted
to all.

    PYTHONPATH=benchmarks python -m calibration.step_serving [--write | --check]
"""

from __future__ import annotations

import csv
import gzip
import math
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from calibration.least_squares import Vector, least_squares
from measured import SHARED, need

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.gpu.model import CAP_KEPT, GpuModel, gpu_model
from goodwatt.power.serving.step_models import MODELS
from goodwatt.power.serving.step_shape import StepFigures, law_of, main_demand
from goodwatt.power.workloads.catalogue import workload_class

PARVAGPU = SHARED / "data" / "parvagpu_mig_mps" / "a100_80gb_mig_mps_inference.csv.gz"
LEADERBOARD = SHARED / "data" / "ml_energy_leaderboard" / "inference_power_configs.csv.gz"
A100, H100, B200 = "A100-SXM4-80GB", "H100-SXM", "B200-SXM"
LIKE = {"bert": "bert_train"}
CNN = "resnet50_train"
IMAGES = "sd35_image"
NAMES = {
    "FLUX.1 Dev": "flux.1-dev",
    "Hunyuan-DiT 1.2": "hunyuan-dit-1.2",
    "PixArt-Σ": "pixart-sigma",
    "SANA 1.5 1.6B": "sana-1.5-1.6b",
    "SANA 1.5 4.8B": "sana-1.5-4.8b",
    "Stable Diffusion 3.5 Large": "sd-3.5-large",
    "Stable Diffusion 3.5 Medium": "sd-3.5-medium",
}
SECONDS_ERROR, WATTS_ERROR = 0.02, 0.03
"""What a row may be off before it weighs."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A batch on one GPU: seconds of an iteration, watts (NaN: not measured)."""

    model: str
    kind: str
    steps: int
    batch: int
    seconds: float
    watts: float = math.nan


def one_pass() -> list[Row]:
    """CNNs and BERT; those that did not run are left out."""
    with gzip.open(need(PARVAGPU), "rt", newline="", encoding="utf-8") as text:
        rows = [row for row in csv.DictReader(text) if row["mig_gpcs"] == "7" and row["n_mps_procs"] == "1"]
    return [
        Row(
            model=row["model"],
            kind=A100,
            steps=1,
            batch=int(row["batch_size"]),
            seconds=int(row["batch_size"]) / float(row["throughput_total_rps"]),
        )
        for row in rows
        if float(row["throughput_total_rps"]) > 0.0
    ]


def images() -> list[Row]:
    """Diffusion on one GPU."""
    with gzip.open(need(LEADERBOARD), "rt", newline="", encoding="utf-8") as text:
        rows = [row for row in csv.DictReader(text) if row["task"] == "text-to-image" and row["num_gpus"] == "1"]
    return [
        Row(
            model=NAMES[row["nickname"]],
            kind={"H100": H100, "B200": B200}[row["gpu_model"]],
            steps=round(float(row["inference_steps"])),
            batch=round(float(row["batch_size"])),
            seconds=float(row["batch_latency_s"]) / float(row["inference_steps"]),
            watts=float(row["avg_power_watts"]),
        )
        for row in rows
    ]


def groups(rows: Sequence[Row]) -> Iterator[tuple[str, str, list[Row]]]:
    """Model, kind, and its rows by batch; B200 first, because H100 leans on it."""
    for model, kind in sorted({(row.model, row.kind) for row in rows}):
        found = [row for row in rows if (row.model, row.kind) == (model, kind)]
        yield model, kind, sorted(found, key=lambda row: row.batch)


def told(figures: StepFigures, row: Row) -> tuple[float, float]:
    """Seconds and watts that the law gives for a row, at the greatest clock that the cap allows."""
    model = gpu_model(gpu_kind(row.kind))
    law = law_of(figures, main_demand(workload_class(like(row.model)), row.kind))

    def at(x: float) -> tuple[float, float]:
        cost = law.cost(row.batch, 0.0, row.batch, 0.0, x)
        return cost.wall_s, _watts(model, x, cost.sm_s, cost.dram_s, cost.wall_s)

    low, high = model.clocks_mhz[0] / model.top_mhz, 1.0
    if at(high)[1] <= model.default_cap_w * CAP_KEPT:
        return at(high)
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if at(middle)[1] <= model.default_cap_w * CAP_KEPT else (low, middle)
    return at(low)


def _watts(model: GpuModel, x: float, sm_s: float, dram_s: float, wall_s: float) -> float:
    return model.context_w + (model.core_at(x * model.top_mhz) / x * sm_s + model.memory_w * dram_s) / wall_s


def like(model: str) -> str:
    """The class that a model resembles."""
    return IMAGES if model in NAMES.values() else LIKE.get(model, CNN)


def fit(rows: Sequence[Row], activity: float | None = None) -> StepFigures:
    """Of one model on one kind; `activity`: what is expected of it, from another kind."""
    watts = not math.isnan(rows[0].watts)
    demand = main_demand(workload_class(like(rows[0].model)), rows[0].kind)
    item_s = min(row.seconds / row.batch for row in rows)
    first_s = max(1e-6, rows[0].seconds - item_s * rows[0].batch)
    start = [
        math.log(item_s),
        math.log(0.5),
        *([math.log(activity or demand.u), 0.0] if watts else [math.log(first_s)]),
    ]
    spreads = [10.0, 3.0, *([0.3 if activity else 1.0, 1.5] if watts else [2.0])]

    def residuals(point: Vector) -> Vector:
        figures = _figures(point, rows[0].kind, watts=watts)
        off = [(tried - begun) / spread for tried, begun, spread in zip(point, start, spreads, strict=True)]
        for row in rows:
            seconds, drawn = told(figures, row)
            off.append(math.log(seconds / row.seconds) / SECONDS_ERROR)
            if watts:
                off.append(math.log(drawn / row.watts) / WATTS_ERROR)
        return np.array(off)

    return _figures(least_squares(residuals, start), rows[0].kind, watts=watts)


def _figures(point: Sequence[float] | Vector, kind: str, *, watts: bool) -> StepFigures:
    item_s, rows = math.exp(point[0]), math.exp(point[1])
    if not watts:
        return StepFigures(gpu=kind, item_s=item_s, rows=rows, floor_s=math.exp(point[2]))
    fill = 1.0 / (1.0 + math.exp(-point[3]))
    return StepFigures(gpu=kind, item_s=item_s, rows=rows, activity=math.exp(point[2]), fill=fill)


def fit_all(rows: Sequence[Row]) -> dict[tuple[str, str], StepFigures]:
    """Every model on every kind, by both."""
    found: dict[tuple[str, str], StepFigures] = {}
    ratio = main_demand(workload_class(IMAGES), H100).u / main_demand(workload_class(IMAGES), B200).u
    for model, kind, mine in groups(rows):
        other = found.get((model, B200))
        expected = other.activity * ratio if other and other.activity else None
        found[model, kind] = fit(mine, expected)
    return found


def held_out(rows: Sequence[Row], parity: int = 0) -> list[tuple[Row, float, float]]:
    """Every other batch, by what the fit to the rest says: the row, relative errors of seconds and watts.

    `parity`: 0 fits the smallest batch and every other one from there, 1 those between.
    """
    figures = fit_all([row for _, _, mine in groups(rows) for row in mine[parity::2]])
    unseen = [row for _, _, mine in groups(rows) for row in mine[1 - parity :: 2]]
    off = [(row, *told(figures[row.model, row.kind], row)) for row in unseen]
    return [(row, seconds / row.seconds - 1.0, watts / row.watts - 1.0) for row, seconds, watts in off]


def content(rows: Sequence[Row]) -> dict[str, Any]:
    """The file of models."""
    figures, models = fit_all(rows), dict[str, Any]()
    for model, kind, mine in groups(rows):
        entry = models.setdefault(model, {"like": like(model), "steps": mine[0].steps, "most": 0, "figures": {}})
        entry["most"] = max(entry["most"], *[row.batch for row in mine])
        entry["figures"][kind] = _rounded(figures[model, kind])
    return {"models": models, "sources": SOURCES}


def _rounded(figures: StepFigures) -> dict[str, float]:
    names = ("item_s", "rows", "floor_s", "activity", "fill")
    values = {name: getattr(figures, name) for name in names}
    if figures.activity is None:
        del values["fill"]
    return {name: float(f"{value:.4g}") for name, value in values.items() if value}


SOURCES = {
    "one_pass": "parvagpu_mig_mps (ParvaGPU, SC'24, MIT): throughput against batch, one process on 7 GPCs of an A100",
    "diffusion": "ml_energy_leaderboard (ML.ENERGY, NeurIPS D&B 2025): batch latency and watts, 1024 x 1024, one GPU",
    "like": "assumed: the class whose answer to the clock, DRAM traffic and speeds on other kinds a model has",
    "most": "the largest batch that was run",
    "activity and fill": "of one pass: assumed, as the class draws; watts were not measured",
}


def text(whole: Mapping[str, Any]) -> str:
    """As written."""
    lines = [
        "# Models that are no language models, as measured: see step_models.py and step_shape.py. Fitted and",
        "# written by benchmarks/calibration/step_serving.py.",
        "models:",
    ]
    for name, entry in whole["models"].items():
        lines += [f"  {name}:", *(f"    {key}: {entry[key]}" for key in ("like", "steps", "most")), "    figures:"]
        lines += [f"      {kind}: {_flow(figures)}" for kind, figures in entry["figures"].items()]
    return "\n".join([*lines, "sources:", *(f'  {key}: "{source}"' for key, source in whole["sources"].items())]) + "\n"


def _flow(figures: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in figures.items()) + "}"


def tell(title: str, off: Sequence[tuple[Row, float, float]]) -> None:
    """Print the errors of held-out rows."""
    by_kind = sorted({row.kind for row, _, _ in off})
    for kind in by_kind:
        seconds = [abs(s) for row, s, _ in off if row.kind == kind]
        watts = [abs(w) for row, _, w in off if row.kind == kind and not math.isnan(w)]
        drawn = f", watts {statistics.mean(watts):.1%} (worst {max(watts):.1%})" if watts else ""
        print(f"{title}, {kind}: {len(seconds)} held-out batches, seconds off by {statistics.mean(seconds):.1%} "
              f"(worst {max(seconds):.1%}){drawn}")  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    rows = [*one_pass(), *images()]
    whole = text(content(rows))
    if "--check" in arguments:
        same = MODELS.read_text(encoding="utf-8") == whole
        print("as fitted" if same else f"{MODELS} is not what the fit gives")
        return 0 if same else 1
    tell("one pass", held_out(one_pass()))
    tell("diffusion", held_out(images()))
    if "--write" in arguments:
        MODELS.write_text(whole, encoding="utf-8")
    else:
        print(whole)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
