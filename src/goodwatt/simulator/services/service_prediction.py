"""How a service would do at a load, which clock would be best for it, and how much it could take: trials and searches.

A trial is `load_trial`'s. That more clock and less load never make requests later is assumed, so both are found by
bisection. The clock of least energy is nearly always the lowest that keeps the promise, since the GPUs are held
anyway; a few above it are tried all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from goodwatt.errors import InputError
from goodwatt.power.workloads.demand import DEFAULT_SETTING, Setting
from goodwatt.simulator.services.batch_work import TYPICAL, BatchWork, batch_trials_at_most, batch_work
from goodwatt.simulator.services.load_trial import ServedLoad, Trial, checked_setting, sampled
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.service import Role, Service
from goodwatt.simulator.services.serving import Serving

MARGIN = 0.1
"""By how much latencies of the best clock stay below the promise, for what a trial does not see: bursts, errors."""
SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of the greatest load, those of the table."""
LOAD_STEPS = 7
"""Bisections of the greatest load: to 1% of it."""

Tell = Callable[[str], None]
"""Told before every trial what it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRow:
    """A load as a share of the greatest: as asked, and at the best clock; None where no clock has the margin."""

    share: float
    asked: ServedLoad
    best: ServedLoad | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePrediction:
    """`instances` by role. `asked`: at the load and the setting asked for; `best`: at the clock of least energy that
    keeps the promise with MARGIN, None if none does. `greatest_per_s`: the greatest load that keeps the promise under
    the setting asked for, 0 if none does; `rows`: loads up to it. `batch`: work that fits beside at the load asked for;
    None for separate pools.
    """

    service: Service
    instances: dict[Role, int]
    setting: Setting
    asked: ServedLoad
    best: ServedLoad | None
    greatest_per_s: float
    rows: tuple[LoadRow, ...]
    batch: BatchWork | None = None


def predict_service(
    serving: Serving,
    rate_per_s: float,
    replicas: int | None = None,
    setting: Setting = DEFAULT_SETTING,
    *,
    seed: int = 0,
    beside: Sequence[str] = TYPICAL,
    tell: Tell = lambda _: None,
) -> ServicePrediction:
    """The service at `rate_per_s` requests a second in all, on `replicas` instances (its fewest by default).

    `beside`: workload classes of which is told how well they run beside it. Raises InputError.
    """
    checked_setting(serving, setting)
    service = serving.service
    trial = Trial(serving=serving, instances=_instances(service, replicas), sample=sampled(service.requests), seed=seed)
    search = _Search(trial, setting, tell)
    asked = search.at(rate_per_s)
    best = search.best(rate_per_s)
    greatest_per_s = search.greatest(asked)
    rows = search.rows(greatest_per_s) if greatest_per_s else ()
    whole = not service.separate and service.mig_profile is None
    return ServicePrediction(
        service=service,
        instances=trial.instances,
        setting=setting,
        asked=asked,
        best=best,
        greatest_per_s=greatest_per_s,
        rows=rows,
        batch=batch_work(trial, rate_per_s, setting, beside, MARGIN, tell) if whole else None,
    )


def trials_at_most(serving: Serving, classes: int = len(TYPICAL)) -> int:
    """How many trials a prediction takes, about."""
    clocks = _bisections(len(serving.model.clocks_mhz)) + 3
    return 2 + clocks + LOAD_STEPS + 4 + len(SHARES) * (1 + clocks) + batch_trials_at_most(classes)


class _Search:
    def __init__(self, trial: Trial, setting: Setting, tell: Tell) -> None:
        self._trial, self._setting, self._tell = trial, setting, tell
        self._tight = _tightened(trial.serving.service.promise)

    def at(self, rate_per_s: float) -> ServedLoad:
        """Under the setting asked for."""
        self._tell(f"{rate_per_s:,.4g}/s")
        return self._trial.at(rate_per_s, self._setting)

    def best(self, rate_per_s: float) -> ServedLoad | None:
        """At the clock of least energy that keeps the promise with a margin."""
        clocks = self._trial.serving.model.clocks_mhz
        tried: dict[int, ServedLoad] = {}
        top = len(clocks) - 1

        def keeps(place: int) -> bool:
            if place not in tried:
                self._tell(f"{rate_per_s:.3g}/s at {clocks[place]:.0f} MHz")
                setting = replace(self._setting, clock_mhz=clocks[place])
                tried[place] = self._trial.at(rate_per_s, setting, self._tight)
            return tried[place].kept

        if not keeps(top):
            return None
        low, high = -1, top  # high keeps it, low does not
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if keeps(middle) else (middle, high)
        for place in (high + (top - high) // 4, high + (top - high) // 2):
            keeps(place)
        least = min((place for place in tried if tried[place].kept), key=lambda place: tried[place].gpu_w)
        return self._trial.at(rate_per_s, replace(self._setting, clock_mhz=clocks[least]))

    def greatest(self, asked: ServedLoad) -> float:
        """The greatest load that keeps the promise; 0 if even a thousandth of a request a second does not."""
        low, high = self._bracket(asked)
        for _ in range(LOAD_STEPS if low else 0):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if self.at(middle).kept else (low, middle)
        return low

    def rows(self, greatest_per_s: float) -> tuple[LoadRow, ...]:
        """Loads up to the greatest."""
        rates = [(share, share * greatest_per_s) for share in SHARES]
        return tuple(LoadRow(share=share, asked=self.at(rate), best=self.best(rate)) for share, rate in rates)

    def _bracket(self, asked: ServedLoad) -> tuple[float, float]:
        """A load that keeps the promise and twice of it that does not, near the load asked for."""
        rate = asked.rate_per_s
        if asked.kept:
            while 2.0 * rate <= self._trial.most_per_s and self.at(2.0 * rate).kept:
                rate *= 2.0
            return rate, 2.0 * rate
        while rate > LEAST_PER_S:
            rate /= 2.0
            if self.at(rate).kept:
                return rate, 2.0 * rate
        return 0.0, rate


LEAST_PER_S = 1e-3
"""A load below that is none."""


def _instances(service: Service, replicas: int | None) -> dict[Role, int]:
    if replicas is None:
        return {role: least for role, (least, _) in service.pools.items()}
    if service.separate:
        raise InputError(
            f"service {service.name}: expected no number of replicas, because it has pools; got {replicas}"
        )
    if replicas < 1:
        raise InputError(f"expected at least 1 replica, got {replicas}")
    return {"both": replicas}


def _tightened(promise: Promise) -> Promise:
    limits = (promise.ttft_s, promise.tpot_s, promise.latency_s)
    ttft_s, tpot_s, latency_s = (None if limit is None else limit * (1.0 - MARGIN) for limit in limits)
    return Promise(ttft_s=ttft_s, tpot_s=tpot_s, latency_s=latency_s)


def _bisections(places: int) -> int:
    return places.bit_length()
