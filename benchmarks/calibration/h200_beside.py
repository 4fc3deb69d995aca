"""A serving instance beside a batch job under MPS on an H200, the batch job under a limit of threads or not.

The law of speeds has no constant of its own for limits on one side: it follows from those that `h200_pairs` fits where
nobody is limited and where all are at 50%. So nothing about speeds is fitted here; the form was made with all runs in
view and chosen among variants by decode beside resnet50 and a matmul (`chosen_by`). The tail of iteration times is
fitted: on those runs for the held-out error, on all for what ships.

Both are known by telemetry of their runs alone, but for the length of kernels where command traffic does not tell it:
an instance is CUDA graphs of kernels that were counted in the code (`benchmarks/h200/serving_model.py`), an iteration
of the matmul one kernel. The instance's speed is asked while its kernels run, with a duty of 1; where it has gaps
(bursts of 0.15 s, 0.35 s apart) the batch job's speed and the watts are asked with its mean duty.

    PYTHONPATH=benchmarks python -m calibration.h200_beside [--write]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from calibration.constants_file import LAWS_FILE, set_fields, set_tuple
from calibration.h200_pairs import demand_of
from calibration.held_out import HeldOut, mean_absolute, root_mean_square
from calibration.least_squares import Vector, least_squares
from calibration.serving_rows import instance_rows

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.power.colocation.interference_constants import LAWS, TAIL_ERROR, Laws
from goodwatt.power.colocation.interference_tail import TailLaw
from goodwatt.power.colocation.sharing import Resident, iteration_tail, shared_point, stretches_of
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.workloads.demand import Demand

LAYERS, OUTSIDE = 32, 5
KERNELS = {"decode": 10 * LAYERS + OUTSIDE, "prefill": 9 * LAYERS + OUTSIDE}
"""Of an iteration: four products, two norms, the rotation, the gate, and attention, which decodes in two; outside of
the layers embedding, norm, the choice of rows, the product with all words and its greatest."""
LATER = "later"
"""Runs at 90 and 75% of the threads, measured when the law had been made; speeds alone are those of `beside`."""
ONE_KERNEL = "gemm"
FREE = 100


@dataclass(frozen=True)
class Beside:
    """One run. `instance` with a duty of 1, `duty` what it had; `batch` under its limit; speeds relative to alone
    without limits, the instance's as mean times of an iteration; `alone_s`: mean iteration alone; `tail`: p99 over
    mean."""

    kind: str
    job: str
    instance: Resident
    duty: float
    batch: Resident
    speeds: tuple[float, float]
    watts: float
    alone_s: float
    tail: float

    @property
    def gaps(self) -> bool:
        """Whether the instance worked in bursts."""
        return self.duty < 1.0

    @property
    def limited(self) -> bool:
        """Whether the batch job had fewer threads."""
        return self.batch.threads < 1.0

    @property
    def chosen_by(self) -> bool:
        """Whether variants were chosen among by it, and the tail is fitted on it for the held-out error."""
        return self.kind == "decode" and self.job != "bert_train" and not self.gaps

    @property
    def residents(self) -> tuple[Resident, Resident]:
        """While kernels of the instance run."""
        return self.instance, self.batch


@dataclass(frozen=True)
class Said:
    """What the model says of a run."""

    speeds: tuple[float, float]
    watts: float
    tail: float


def measured(part: str = "beside") -> list[Beside]:
    """Every run of an instance beside a batch job, in the file's order; `LATER`: those that came after the law."""
    rows = instance_rows("beside")
    model = h200()
    alone = {row["name"]: row for row in rows if not row["beside"]}
    steady = {name: _instance(model, row) for name, row in alone.items() if not row["cycle"]["off_s"]}
    jobs = {row["beside"]: row for row in rows if not row["name"] and row["threads"] == FREE}
    pairs = (row for row in instance_rows(part) if row["name"] and row["beside"])
    return [_beside(row, alone[row["name"]], steady, jobs[row["beside"]], model) for row in pairs]


def h200() -> GpuModel:
    """The kind that was measured."""
    return gpu_model(gpu_kind("H200-SXM"))


def predicted(run: Beside, laws: Laws = LAWS) -> Said:
    """What the model says, each from telemetry alone."""
    model = h200()
    running = shared_point(model, run.residents, "mps", laws=laws)
    demand = replace(run.instance.demand, duty=run.duty)
    point = shared_point(model, (replace(run.instance, demand=demand), run.batch), "mps", laws=laws)
    mean_s = run.alone_s * stretches_of(model, run.residents, "mps", laws)[0]
    tail = iteration_tail(model, run.residents, "mps", 0, mean_s, laws)
    return Said((running.speeds[0], point.speeds[1]), point.watts, tail)


TAIL_FIELDS = ("apart", "common", "lengths", "kernel")
TAIL_START = (0.4, 0.4, 5.0, 1.0)


def fit_tail(runs: Sequence[Beside]) -> TailLaw:
    """The tail's law fitted on these runs, with the law of speeds that ships."""

    def law(values: Iterable[float]) -> TailLaw:
        apart, common, lengths, kernel = (float(abs(value)) for value in values)
        return TailLaw(apart=apart, common=common, lengths=lengths, kernel=kernel, source=LAWS.tail.source)

    def residuals(values: Vector) -> Vector:
        laws = replace(LAWS, tail=law(values))
        return np.array([predicted(run, laws).tail - run.tail for run in runs])

    return law(least_squares(residuals, TAIL_START))


def held_out_tails(runs: Sequence[Beside]) -> list[HeldOut]:
    """p99 over mean of the runs that nothing was chosen by, fitted on the others."""
    laws = replace(LAWS, tail=fit_tail([run for run in runs if run.chosen_by]))
    return [HeldOut(_group(run), run.tail, predicted(run, laws).tail) for run in runs if not run.chosen_by]


def speeds(runs: Iterable[Beside], which: int) -> list[HeldOut]:
    """Speeds of the instances (0) or of the batch jobs (1)."""
    return [HeldOut(_group(run), run.speeds[which], predicted(run).speeds[which]) for run in runs]


PARTS: Mapping[str, Callable[[Beside], bool]] = {
    "limited, prefill or bert": lambda run: run.limited and not run.chosen_by and not run.gaps,
    "limited, decode beside resnet50 or gemm": lambda run: run.limited and run.chosen_by,
    "limited, with gaps": lambda run: run.limited and run.gaps,
    "not limited": lambda run: not run.limited and not run.gaps,
    "not limited, with gaps": lambda run: not run.limited and run.gaps,
}
"""Of the runs; with gaps decode only, beside all three jobs."""
LATER_PARTS: Mapping[str, Callable[[Beside], bool]] = {
    "90%": lambda run: run.batch.threads == 0.9 and not run.gaps,
    "75%": lambda run: run.batch.threads == 0.75 and not run.gaps,
    "90%, with gaps": lambda run: run.batch.threads == 0.9 and run.gaps,
    "75%, with gaps": lambda run: run.batch.threads == 0.75 and run.gaps,
}
"""Of the later runs: decode in two batches and prefill beside all three jobs; with gaps decode."""


def _instance(model: GpuModel, row: Mapping[str, Any]) -> Resident:
    ((kind, times),) = row["times"].items()
    return Resident(replace(_demand(model, row), kernel_us=1e3 * times["mean_ms"] / KERNELS[kind]))


def _demand(model: GpuModel, row: Mapping[str, Any]) -> Demand:
    counters = row["counters"]
    gpm = {name: 100.0 * counters[key] for name, key in COUNTERS.items()}
    run = {"util": 100.0, "sm_mhz": row["clock_mhz"], "watts": row["watts"]}
    return demand_of(model, run, {**gpm, "pcie_rx": 1e3 * counters["pcie_gbps"], "pcie_tx": 0.0})


COUNTERS = {"dram_bw": "dram", "sm_util": "sm", "sm_occupancy": "occupancy", "tensor": "tensor"}


def _beside(
    row: Mapping[str, Any], alone: Mapping[str, Any], steady: Mapping[str, Resident], job: Mapping[str, Any],
    model: GpuModel,
) -> Beside:  # fmt: skip
    ((kind, times),) = row["times"].items()
    alone_ms, gaps = alone["times"][kind]["mean_ms"], alone["cycle"]["off_s"] > 0.0
    length_us = 1e6 / job["batch_rate"] if job["beside"] == ONE_KERNEL else 0.0
    return Beside(
        kind=kind,
        job=job["beside"],
        instance=steady[row["name"].split(",")[0]],
        duty=alone["rate"] * alone_ms / 1e3 if gaps else 1.0,
        batch=Resident(_demand(model, job), row["threads"] / 100.0, kernel_us=length_us),
        speeds=(alone_ms / times["mean_ms"], row["batch_rate"] / job["batch_rate"]),
        watts=row["watts"],
        alone_s=alone_ms / 1e3,
        tail=times["p99_ms"] / times["mean_ms"],
    )


def _group(run: Beside) -> str:
    return f"{run.kind} beside {run.job}"


def main() -> None:
    runs = measured()
    for name, wanted in PARTS.items():
        own = [run for run in runs if wanted(run)]
        said = [predicted(run) for run in own]
        watts = np.mean([abs(one.watts / run.watts - 1.0) for run, one in zip(own, said, strict=True)])
        both = [mean_absolute(speeds(own, which)) for which in (0, 1)]
        print(f"{name:40s} n={len(own):2d} MAE instance {both[0]:.4f} batch job {both[1]:.4f} watts {watts:.3f}")
    fitted, tails = fit_tail(runs), held_out_tails(runs)
    nothing = np.mean([one.measured - 1.0 for one in tails])
    print(f"tail\n  fitted  {fitted}\n  shipped {LAWS.tail}")
    print(f"p99 over mean held out n={len(tails)} MAE {mean_absolute(tails):.4f}, told 1: {nothing:.4f}")
    error = round(root_mean_square(tails), 3)
    print(f"root mean square {error}, shipped {TAIL_ERROR}")
    if "--write" in sys.argv:
        set_fields(LAWS_FILE, "TAIL", {name: round(getattr(fitted, name), 3) for name in TAIL_FIELDS})
        set_tuple(LAWS_FILE, "TAIL_ERROR", (error,))


if __name__ == "__main__":
    main()
