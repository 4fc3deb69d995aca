"""Fits the MIG law to MISO's training steps on slices of an A100-40GB (250 W), each model known by its telemetry alone.

Telemetry on the whole GPU: watts and memory utilisation. Their shares enter `interference_scaling.slice_stretch` as
they are; SM utilisation does not help (a GPU counts as used when one SM is). Split by model. deepspeech2 has steps of
very different length and was run for equal time, not equal steps, so its ratios of means compare different mixes
(the 90th percentile is 2.4 times the 10th on the whole GPU, 6.3 times on a seventh, batch 8): it is shown apart too,
and by its shortest steps, the 10th percentile, which was decided after the means had been seen. Fits use means.

    PYTHONPATH=benchmarks python -m calibration.miso_mig [--write]
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from dataclasses import dataclass

import numpy as np
from calibration.constants_file import LAWS_FILE, set_fields
from calibration.held_out import HeldOut, by_group, mean_absolute, root_mean_square
from calibration.least_squares import Vector, least_squares
from measured import SHARED, need

from goodwatt.cluster import mig
from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.colocation.interference_constants import MIG
from goodwatt.power.colocation.interference_scaling import SliceLaw, slice_stretch

FOLDER = SHARED / "data" / "miso_mig_a100"
CONTEXT_W, RATED_W = 36.0, 250.0
"""What its dummy job draws (36.1 W); the card's rating as its README reads it off the draws."""


@dataclass(frozen=True)
class Slice:
    """One model and batch size on one slice: telemetry on the whole GPU, the slice's shares, its speed."""

    model: str
    watts_share: float
    dram_share: float
    sms: float
    memory: float
    speed: float
    speed_shortest: float


def read_slices() -> list[Slice]:
    """All slices smaller than the GPU; means of step times, as the README advises."""
    facts = json.loads(gzip.decompress(need(FOLDER / "profile_configs_and_util.json.gz").read_bytes()))
    with gzip.open(need(FOLDER / "mig_step_times.csv.gz"), "rt", newline="") as text:
        rows = list(csv.DictReader(text))
    whole = {_key(r): r for r in rows if r["mig_profile"] == "7g.40gb"}
    kind = gpu_kind("A100-SXM4-40GB")
    found = []
    for row in (r for r in rows if r["mig_profile"] != "7g.40gb"):
        model, batch = _key(row)
        profile = mig.profile(kind, row["mig_profile"])
        watts = facts[f"util_collection/power_{model}.json"][batch]
        dram = facts[f"util_collection/util_mem_{model}.json"][batch] / 100.0
        speed, shortest = (
            float(whole[model, batch][f"step_s_{which}"]) / float(row[f"step_s_{which}"]) for which in ("mean", "p10")
        )
        share = (watts - CONTEXT_W) / (RATED_W - CONTEXT_W)
        found.append(Slice(model, share, dram, profile.sm_share, profile.memory_share, speed, shortest))
    return found


def predicted(one: Slice, law: SliceLaw) -> float:
    return 1.0 / slice_stretch(one.watts_share, one.dram_share, one.sms, one.memory, law)


def fit(slices: list[Slice]) -> SliceLaw:
    measured: Vector = np.array([one.speed for one in slices])

    def residuals(values: Vector) -> Vector:
        said: Vector = np.array([predicted(one, _law(values)) for one in slices])
        return said - measured

    return _law(least_squares(residuals, (0.9, 0.5, 2.0)))


def held_out(shortest: tuple[str, ...] = ()) -> list[HeldOut]:
    """Every slice, predicted without any run of its model; these models are judged by their shortest steps."""
    slices = read_slices()
    found = []
    for model in sorted({one.model for one in slices}):
        law = fit([one for one in slices if one.model != model])
        for one in (one for one in slices if one.model == model):
            real = one.speed_shortest if model in shortest else one.speed
            found.append(HeldOut(model, real, predicted(one, law)))
    return found


def _law(values: Vector) -> SliceLaw:
    sm, dram, power = (float(abs(value)) for value in values)
    return SliceLaw(sm=sm, dram=dram, power=max(1.0, power), source=MIG.source)


def _key(row: dict[str, str]) -> tuple[str, str]:
    return row["model"], row["batch_size"]


def main() -> None:
    law = fit(read_slices())
    print(f"fitted  {law}\nshipped {MIG}")
    found = held_out()
    print(f"held out n={len(found)} MAE {mean_absolute(found):.4f} rms {root_mean_square(found):.4f}")
    for model, own in by_group(found).items():
        print(f"  {model:12s} n={len(own):3d} MAE {mean_absolute(own):.4f}")
    others = [one for one in found if one.group != "deepspeech2"]
    print(f"without deepspeech2: n={len(others)} MAE {mean_absolute(others):.4f}")
    by_shortest = held_out(shortest=("deepspeech2",))
    print(f"deepspeech2 by its shortest steps: all MAE {mean_absolute(by_shortest):.4f}")
    own = by_group(by_shortest)["deepspeech2"]
    print(f"  deepspeech2  n={len(own):3d} MAE {mean_absolute(own):.4f}")
    if "--write" in sys.argv:
        set_fields(LAWS_FILE, "MIG", {name: round(getattr(law, name), 3) for name in ("sm", "dram", "power")})
        set_fields(LAWS_FILE, "PAIR_ERRORS", {"mig": round(root_mean_square(found), 3)})


if __name__ == "__main__":
    main()
