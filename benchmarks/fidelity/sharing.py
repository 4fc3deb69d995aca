"""Shared GPUs against what others measured and against our own pairs on an H200.

    PYTHONPATH=benchmarks python benchmarks/fidelity/sharing.py

Every figure is of runs that the fit behind it has not seen; the splits stand beside. Speeds are relative to alone, so
errors are in per cent of a job's speed alone; `bar` is what we want to reach. Prints one table and writes
benchmarks/results/fidelity_sharing.json.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace

from calibration import gavel_pairs, h200_beside, h200_pairs, lucid_history, lucid_pairs, miso_mig, parvagpu
from calibration.h200_beside import Beside
from calibration.h200_pairs import Pair
from calibration.held_out import HeldOut, by_group, mean_absolute
from fidelity.row import Row
from measured import report

from goodwatt.power.gpu.point import GpuPoint

MAE = "MAE of speeds"
APART = 0.1
"""Speeds that differ by more have an order worth getting right."""
WAYS = {"timeslice": ("time-slicing", 6.0), "mps": ("MPS", 10.0), "mps_limited": ("MPS, 50% threads", 8.0)}
LUCID = "keeps the bar only without pairs with a speed above 1.1, which the data's README calls noise; else 6.8"
LUCID_ALL = (
    "only the 7 outliers dropped that the data's README names. Partners differ by 10% on average: a law that gives "
    "both the same speed, as this one, would be off by 5.0 even if every pair's mean were exact"
)
LUCID_HISTORY = (
    "the split of Gavel's rows: when pairs of two models are predicted none of them was seen, but those with other "
    "partners were, as in a cluster's history; taken after the split by model had missed. What a workload's own "
    "figures are and how strongly they are pulled to 0 was chosen inside the fit's part; the package does not learn "
    "from pairs in a run, so this tells what its law can say, not what it knows"
)
LUCID_OWN = (
    "the .051 of Lucid's authors: means of pairs, nothing dropped, fitted to the very pairs; ours are held out. So "
    "judged by means of pairs the bar of 6 is kept with any filter"
)
GAVEL = "both boards together; V100 alone is above the bar"
FORM = "the form of the law was found on these pairs; its constants saw neither workload"
SERVING = "benchmarks/results/h200_serving.json"
BESIDE = (
    "no constant of speeds was fitted on these runs: limits on one side follow from no limits and from 50% for all. "
    "But the form of the law was made with all of them in view, and chosen among variants by decode beside resnet50 "
    "and a matmul. The law before was off by 47 for the instance, 6 for the batch job, all runs without gaps together"
)
BESIDE_FREE = (
    "an instance of CUDA graphs behaves as if its kernels had a mean of 35 us, 18 to 28 were counted: with 35 the "
    "speeds of decode beside training are off by 4.1, but that was found here"
)
TAIL = (
    "p99 over mean, in per cent of the mean; told 1, as if there were no tail, it would be off by 22. The form was "
    "made with all of these in view; 25 of them have fewer than 100 iterations"
)
LATER = (
    "measured when the law had been made, and nothing was changed since. 90 and 75% lie between limits that had been "
    "seen; instances and jobs are the same as before, their speeds alone too. Beside the matmul the instance is off by "
    "7.9, beside training by 3.4"
)
LATER_GAPS = (
    LATER + ". Watts at 75% beside training are told 23% too high, beside the matmul 1%: from 90 to 75% they fall by a "
    "quarter beside training, and are told to fall by a sixteenth; nobody knows why"
)
LATER_TAIL = "p99 over mean, in per cent of the mean; told 1 it would be off by 17; measured when the law had been made"
MEANS = (
    "deepspeech2's means compare different mixes of steps: equal time was run, not equal steps, of unlike length (on a "
    "seventh its median step takes 11 and 13 times as long, more than any part of the GPU shrinks). Tried: a host's "
    "share by SM utilisation, SM utilisation beside watts or times them; chosen among by nested cross-validation 7.6"
)
SHORTEST = "its 10th percentile of step times in place of means: decided after the means had been seen"


def rows() -> list[Row]:
    """Every line of the table."""
    return [*gavel_rows(), *lucid_rows(), *h200_rows(), *beside_rows(), *later_rows(), *miso_rows(), *parva_rows()]


def speeds_row(
    what: str, found: Iterable[HeldOut], split: str, source: str, most: float | None = None, after: str = "",
    detail: bool = False,
) -> Row:  # fmt: skip
    errors = list(found)
    return Row(
        what=what, figure=MAE, percent=100 * mean_absolute(errors), n=len(errors), split=split, source=source,
        most=most, after=after, detail=detail,
    )  # fmt: skip


def gavel_rows() -> list[Row]:
    """Demands fitted on pairs with other partners."""
    split, source = "pairs of two models", "gavel_throughputs (Gavel, OSDI 2020)"
    found = {gpu: gavel_pairs.held_out(gpu) for gpu in gavel_pairs.GPUS}
    every = [one for own in found.values() for one in own]
    each = [speeds_row(f"Gavel {gpu.upper()}", own, split, source) for gpu, own in found.items()]
    return [speeds_row("Gavel, both", every, split, source, 8.0, GAVEL), *each]


def lucid_rows() -> list[Row]:
    """With history and without; both readings of the rows to drop; each speed and each pair's mean."""
    source, split, every = "lucid_colocation (Lucid, ASPLOS 2023)", "by model", lucid_pairs.read_pairs()
    own = lucid_history.held_out()
    both = "pairs of two models"
    what = "Lucid, own figures from other partners, 7 outliers dropped"
    found = [
        speeds_row(what, [one for pair in own for one in pair], both, source, 6.0, LUCID_HISTORY),
        speeds_row(f"{what}: mean of a pair", lucid_pairs.of_means(own), both, source, after=LUCID_HISTORY),
    ]
    for fast, dropped, after in ((True, "outliers and speeds > 1.1", LUCID), (False, "7 outliers", LUCID_ALL)):
        pairs = lucid_pairs.held_out(lucid_pairs.without_outliers(every, fast))
        each, what = [one for pair in pairs for one in pair], f"Lucid, {dropped} dropped"
        found.append(speeds_row(what, each, split, source, 6.0, after))
        found.append(speeds_row(f"{what}: mean of a pair", lucid_pairs.of_means(pairs), split, source, after=after))
    means = lucid_pairs.of_means(lucid_pairs.held_out(every))
    what = "Lucid, nothing dropped: mean of a pair"
    theirs, own_formula = lucid_pairs.lucids_own(every), f"{what}, its authors' formula"
    found.append(speeds_row(what, means, split, source, after=LUCID_OWN))
    return [*found, speeds_row(own_formula, theirs, "in sample", source, after=LUCID_OWN)]


def h200_rows() -> list[Row]:
    """Speeds, watts and order of pairs; four small jobs."""
    residents, pairs = h200_pairs.measured()
    found = h200_pairs.held_out(residents, pairs)
    split, source, lines = "neither workload seen", "h200_measured", []
    for way, (name, most) in WAYS.items():
        own = [(pair, point) for pair, point in found if pair.way == way and len(pair.names) == 2]
        lines.append(speeds_row(f"H200 {name}", h200_pairs.speeds(own), split, source, most, FORM))
        for kind in ("apps", "micro"):
            part = [(pair, point) for pair, point in own if pair.source == kind]
            if part and len(part) < len(own):
                what = f"H200 {name}, {kind}"
                lines.append(speeds_row(what, h200_pairs.speeds(part), split, source, after=FORM, detail=True))
        lines += [_watts_row(name, own), _order_row(name, own)]
    both = [(pair, point) for pair, point in found if len(pair.names) == 2]
    four = [(pair, point) for pair, point in found if len(pair.names) > 2]
    lines.append(_watts_row("shared, all", both, most=8.0))
    return [*lines, speeds_row("H200 MPS, four small", h200_pairs.speeds(four), split, source, after=FORM)]


def beside_rows() -> list[Row]:
    """A serving instance without limit beside a batch job with one: speeds of both, watts, the tail of iterations."""
    runs, lines = h200_beside.measured(), list[Row]()
    for part, wanted in h200_beside.PARTS.items():
        own = [run for run in runs if wanted(run)]
        limited = part.startswith("limited")
        split = "nothing fitted on these"
        after, most = BESIDE if limited else BESIDE_FREE, 8.0 if part == "limited, prefill or bert" else None
        for which, name in enumerate(("instance", "batch job")):
            what = f"H200 instance beside a batch job under MPS, {part}: {name}"
            lines.append(speeds_row(what, h200_beside.speeds(own, which), split, SERVING, most, after))
        lines.append(_beside_watts(part, own, split))
    tails = h200_beside.held_out_tails(runs)
    row = speeds_row(
        "H200 instance beside a batch job under MPS", tails, "fitted on decode beside resnet50, gemm", SERVING
    )
    return [*lines, replace(row, figure="error of an iteration's p99 over mean", after=TAIL)]


def later_rows() -> list[Row]:
    """The same at limits between those of `beside_rows`, measured after the law: speeds, watts, tails."""
    runs, lines = h200_beside.measured(h200_beside.LATER), list[Row]()
    split = "measured after the law"
    for part, wanted in h200_beside.LATER_PARTS.items():
        own = [run for run in runs if wanted(run)]
        after = LATER_GAPS if "gaps" in part else LATER
        for which, name in enumerate(("instance", "batch job")):
            what = f"H200 instance beside a batch job under MPS, limited to {part}: {name}"
            lines.append(speeds_row(what, h200_beside.speeds(own, which), split, SERVING, after=after))
        lines.append(replace(_beside_watts(f"limited to {part}", own, split), after=after, detail=False))
    told = [HeldOut(run.kind, run.tail, h200_beside.predicted(run).tail) for run in runs]
    row = speeds_row("H200 instance beside a batch job under MPS, limited to 90 and 75%", told, split, SERVING)
    return [*lines, replace(row, figure="error of an iteration's p99 over mean", after=LATER_TAIL)]


def _beside_watts(part: str, runs: Sequence[Beside], split: str) -> Row:
    off = [abs(h200_beside.predicted(run).watts / run.watts - 1.0) for run in runs]
    return Row(
        what=f"H200 instance beside a batch job under MPS, {part}", figure="mean error of watts",
        percent=100 * statistics.fmean(off), n=len(off), split=split, source=SERVING, detail=True,
    )  # fmt: skip


def miso_rows() -> list[Row]:
    """All models; without the one whose means compare different mixes, and with that one by its shortest steps."""
    split, source, found = "by model", "miso_mig_a100 (MISO, SoCC 2022)", miso_mig.held_out()
    others = [one for one in found if one.group != "deepspeech2"]
    shortest = miso_mig.held_out(shortest=("deepspeech2",))
    each = [speeds_row(f"MISO {model}", own, split, source, detail=True) for model, own in by_group(found).items()]
    return [
        speeds_row("MISO MIG slices", found, split, source, 5.0, MEANS),
        speeds_row("MISO MIG slices without deepspeech2", others, split, source, after=MEANS),
        speeds_row("MISO MIG slices, deepspeech2 by shortest steps", shortest, split, source, after=SHORTEST),
        *each,
    ]


def parva_rows() -> list[Row]:
    """MIG x MPS, nothing fitted but each model's own demand from other rows."""
    runs, source = parvagpu.read_runs(), "parvagpu_mig_mps (ParvaGPU, SC 2024)"
    return [
        speeds_row("ParvaGPU slices 2g to 4g", parvagpu.slices(runs), "1g and 7g known", source),
        speeds_row("ParvaGPU 3 to 5 MPS in a slice", parvagpu.processes(runs), "1 and 2 known", source),
    ]


def _watts_row(name: str, found: Sequence[tuple[Pair, GpuPoint]], most: float | None = None) -> Row:
    off = [abs(point.watts / pair.watts - 1.0) for pair, point in found]
    return Row(
        what=f"H200 {name}", figure="mean error of watts", percent=100 * statistics.fmean(off), n=len(off),
        split="neither workload seen", source="h200_measured", most=most, after=FORM,
    )  # fmt: skip


def _order_row(name: str, found: Sequence[tuple[Pair, GpuPoint]]) -> Row:
    apart = [(pair, point) for pair, point in found if abs(pair.speeds[0] - pair.speeds[1]) > APART]
    right = [(a.speeds[0] > a.speeds[1]) == (b.speeds[0] > b.speeds[1]) for a, b in apart]
    return Row(
        what=f"H200 {name}", figure="who starves whom is right", percent=100 * statistics.fmean(right), n=len(right),
        split="neither workload seen", source="h200_measured", after=FORM,
    )  # fmt: skip


if __name__ == "__main__":
    report("fidelity_sharing", "Shared GPUs: predicted against measured, held out", [row.content() for row in rows()])
