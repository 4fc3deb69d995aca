"""How much batch work fits beside a service at a load: jobs under MPS beside its instances, and GPUs that it can spare.

Beside a job an instance's kernels take longer (`power.colocation`), on average in the trial and at worst on top of its
latencies: a time to the first token is taken to meet the slowest iterations, a time per token the mean of as many as a
mean request has. The job runs at the speed that is left to it, and draws so much of what it draws alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from goodwatt.power.colocation.sharing import CONTEXT_MIB, Resident, iteration_tail, shared_point, stretches_of
from goodwatt.power.colocation.tail_of_means import tail_of_mean
from goodwatt.power.workloads.catalogue import phases_on, workload_class
from goodwatt.power.workloads.demand import Demand, Setting
from goodwatt.power.workloads.workload import mean_demand
from goodwatt.simulator.services.load_trial import ServedLoad, Trial
from goodwatt.simulator.services.promise import Promise

TYPICAL = ("bert_train", "resnet50_imagenet", "gnn_train")
"""Training that fills a GPU all the time, with gaps, and a third of the time."""
PERCENTS = (10.0, 25.0, 50.0)
"""Of the SMs, that a job may use."""
STEP = 0.02
"""To which stretches are rounded up, so that jobs alike need one trial."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideRow:
    """A job of a class beside every instance, with `percent` of the SMs at most.

    `speed`: relative to alone on the GPU. `stretch`: time of the instance's kernels relative to alone. `p99_s` by
    measure, worst phases of the job included; None: nobody finished. `kept`: the promise, with the margin of the best
    clock; `gpu_w`: watts of a GPU with both; `fits`: there is device memory for both, as far as known; `best`: the
    greatest speed of those that keep the promise and fit.
    """

    workload: str
    percent: float
    speed: float
    stretch: float
    p99_s: dict[str, float | None]
    kept: bool
    gpu_w: float
    fits: bool
    best: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWork:
    """`fewest`: instances that keep the promise with the margin, `freed_gpus` what the others hold; None: not even all.

    A freed GPU does the work of one; the best row of a class that of `speed` of one on each GPU of an instance.
    """

    rows: tuple[BesideRow, ...]
    fewest: int | None
    freed_gpus: int


def batch_work(
    trial: Trial, rate_per_s: float, setting: Setting, classes: Sequence[str], margin: float, tell: Tell
) -> BatchWork:
    """For classes of the catalogue at a load; instances do all of a request. Raises UnknownNameError."""
    demands = {name: _demand(trial, name) for name in classes}
    tell("what instances ask")
    beside = _Beside(trial, rate_per_s, setting, margin, tell)
    rows: list[BesideRow] = []
    for name, demand in demands.items():
        found = [beside.row(name, demand, percent) for percent in PERCENTS]
        good = [row for row in found if row.kept and row.fits]
        best = max(good, key=lambda row: row.speed, default=None)
        rows += [replace(row, best=row is best) for row in found]
    fewest = _fewest(trial, rate_per_s, setting, margin, tell)
    spare = 0 if fewest is None else trial.instances["both"] - fewest
    return BatchWork(rows=tuple(rows), fewest=fewest, freed_gpus=spare * trial.serving.service.tensor_parallel)


def batch_trials_at_most(classes: int) -> int:
    """How many trials it takes, about."""
    return 1 + len(PERCENTS) * classes + 3


class _Beside:
    def __init__(self, trial: Trial, rate_per_s: float, setting: Setting, margin: float, tell: Tell) -> None:
        self._trial, self._rate_per_s, self._setting, self._margin, self._tell = (
            trial, rate_per_s, setting, margin, tell,
        )  # fmt: skip
        self._asked = trial.asked(rate_per_s, setting)
        self._steps = max(1.0, float(trial.sample.output_tokens.mean()) - 1.0)
        self._served: dict[tuple[float, float], ServedLoad] = {}

    def row(self, name: str, demand: Demand, percent: float) -> BesideRow:
        """One job under one limit."""
        service, model = self._trial.serving.service, self._trial.serving.model
        guest = Resident(demand, percent / 100.0)
        busy = Resident(replace(self._asked, duty=1.0)), guest
        stretch = _up(stretches_of(model, busy, "mps")[0])
        tail = _up(iteration_tail(model, busy, "mps", 0, self._iteration_s * stretch))
        served = self._at(stretch, tail)
        speed = shared_point(model, (Resident(self._asked), guest), "mps", self._setting).speeds[1]
        alone_w = shared_point(model, (Resident(demand),), "mps", self._setting).watts - model.context_w
        left_mib = (1.0 - service.memory_share) * model.kind.memory_mib - 2 * CONTEXT_MIB
        return BesideRow(
            workload=name,
            percent=percent,
            speed=speed,
            stretch=stretch,
            p99_s=self._worst(served.p99_s, tail),
            kept=served.kept,
            gpu_w=served.gpu_w + speed * alone_w,
            fits=demand.memory_mib <= left_mib,
        )

    @property
    def _iteration_s(self) -> float:
        context = float(self._trial.sample.prompt_tokens.mean())
        return float(self._trial.serving.law.cost(8.0, 8.0 * context, 8.0, 8.0 * context).wall_s)

    def _at(self, stretch: float, tail: float) -> ServedLoad:
        """Held to limits from which the worst phases and the margin have been taken off."""
        if (stretch, tail) not in self._served:
            self._tell(f"{self._rate_per_s:.3g}/s beside a job, {stretch:.2f}")
            promise = self._trial.serving.service.promise
            wider = self._worst({"ttft_s": 1.0, "tpot_s": 1.0, "latency_s": 1.0}, tail)
            limits = {
                name: None if limit is None else limit * (1.0 - self._margin) / (wider[name] or 1.0)
                for name in wider
                for limit in (getattr(promise, name),)
            }
            self._served[stretch, tail] = self._trial.at(self._rate_per_s, self._setting, Promise(**limits), stretch)
        return self._served[stretch, tail]

    def _worst(self, times_s: dict[str, float | None], tail: float) -> dict[str, float | None]:
        """Latencies as the slowest phases of the job make them."""
        mean = tail_of_mean(tail, self._steps)
        wider = {"ttft_s": tail, "tpot_s": mean, "latency_s": mean}
        return {name: None if time_s is None else time_s * wider[name] for name, time_s in times_s.items()}


def _demand(trial: Trial, name: str) -> Demand:
    return mean_demand(phases_on(workload_class(name), trial.serving.model.kind.name))


def _fewest(trial: Trial, rate_per_s: float, setting: Setting, margin: float, tell: Tell) -> int | None:
    """The fewest instances that keep the promise with a margin; None if not even all do."""
    asked = trial.serving.service.promise
    limits = (asked.ttft_s, asked.tpot_s, asked.latency_s)
    ttft_s, tpot_s, latency_s = (None if limit is None else limit * (1.0 - margin) for limit in limits)
    promise = Promise(ttft_s=ttft_s, tpot_s=tpot_s, latency_s=latency_s)

    def keeps(count: int) -> bool:
        tell(f"{rate_per_s:.3g}/s on {count}")
        return replace(trial, instances={"both": count}).at(rate_per_s, setting, promise).kept

    low, high = 0, trial.instances["both"]
    if not keeps(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if keeps(middle) else (middle, high)
    return high


def _up(factor: float) -> float:
    return max(1.0, round(STEP * math.ceil(factor / STEP - 1e-9), 6))
