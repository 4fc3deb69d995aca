"""Fits the catalogue of workload classes and writes it: src/goodwatt/power/workloads/classes/*.yaml.

    cd benchmarks && python -m calibration.workloads [--write]

Prints, for each class and kind: watts as measured and as the package draws them at the default setting; for sweeps the
error on caps that were not fitted; and how well speeds and watts on a kind follow from the class on its reference kind
with that (class, kind) left out of the fit of the rule. Needs the public data in ../shared.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from calibration import workload_gavel, workload_h200, workload_llm, workload_zeus
from calibration.workload_entry import Entry
from calibration.workload_fit import model_of
from measured import SHARED, need

from goodwatt.power.gpu.point import alone_point
from goodwatt.power.workloads import catalogue as workload_catalogue
from goodwatt.power.workloads.catalogue import FOLDER, class_from
from goodwatt.power.workloads.kind_rates import FITTED, RATES
from goodwatt.power.workloads.workload import WorkloadClass

Table = np.ndarray[Any, np.dtype[np.float64]]
LOG_GAINS = np.linspace(-1.5, 1.5, 151)
"""Logarithms of gains. Before anything is seen they are taken to be as far from 0 as a case is from the rule."""


RULE_SOURCE = (
    "fitted by benchmarks/calibration/workloads.py to speeds of zeus_power, gavel_throughputs, sia_pollux_profiles, "
    "llm_perf_models and ml_energy_leaderboard"
)


@dataclass(frozen=True)
class Case:
    """A speed that was measured, and what the rule has to tell it from."""

    workload: WorkloadClass
    kind: str
    speed: float


def all_entries() -> list[Entry]:
    """Every entry, those with power first: the others take their demand from them."""
    need(SHARED / "data")
    measured = [*workload_zeus.entries(), *workload_h200.entries()]
    by_name = {entry.name: entry for entry in measured}
    return [*measured, *workload_gavel.entries(by_name), *workload_llm.entries(by_name)]


def speed_cases(classes: Sequence[WorkloadClass]) -> list[Case]:
    return [Case(entry, kind, speed) for entry in classes for kind, speed in entry.speeds.items() if kind in RATES]


# the rule ------------------------------------------------------------------------------------------------------------


Gains = dict[tuple[str, str], float]
"""By (precision, kind): how much more a kind gives than its data sheet says, relative to the reference kind."""


class GainFit:
    """Errors of the logarithm of speed for every case and gain, tabled once."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.cases = cases
        self.keys = [(case.workload.math, case.kind) for case in cases]
        self.table = np.stack([_errors(case) for case in cases])

    def gains(self) -> Gains:
        """Fitted to all cases."""
        return {key: math.exp(float(LOG_GAINS[self._best(key)])) for key in sorted(set(self.keys))}

    def _best(self, key: tuple[str, str], without: int | None = None) -> int:
        group = [i for i in range(len(self.cases)) if self.keys[i] == key and i != without]
        return int(((self.table[group] ** 2).sum(axis=0) + LOG_GAINS**2).argmin())

    def left_out(self) -> list[tuple[Case, float]]:
        """Each case with its speed by the rule whose gain was fitted to other classes only."""
        return [
            (case, case.speed * math.exp(float(self.table[i][self._best(self.keys[i], without=i)])))
            for i, case in enumerate(self.cases)
        ]


def _errors(case: Case) -> Table:
    """Logarithm of the rule's speed over the measured one, by gain."""
    here, there = RATES[case.workload.reference_gpu], RATES[case.kind]
    compute = there.tflops(case.workload.math) / here.tflops(case.workload.math)
    memory = there.memory_gbps / here.memory_gbps
    wall = np.zeros(len(LOG_GAINS))
    for phase in case.workload.phases[case.workload.reference_gpu]:
        d = phase.demand
        busy = d.duty * (d.kappa / compute + (1.0 - d.kappa) / memory)
        wall += phase.share * (busy * np.exp(-LOG_GAINS) + 1.0 - d.duty)
    errors: Table = -np.log(wall * case.speed)
    return errors


def watts_cases(entries: Sequence[Entry]) -> Iterator[tuple[Entry, str, float, float]]:
    """(entry, kind, measured watts, watts by carrying the demand over from the reference kind) for other kinds."""
    for entry in entries:
        for kind, watts in entry.watts.items():
            if kind != entry.reference_gpu and kind in entry.phases:
                yield entry, kind, watts, _carried_watts(entry, kind)


def _carried_watts(entry: Entry, kind: str) -> float:
    content = entry.content()
    content["phases"] = {entry.reference_gpu: content["phases"][entry.reference_gpu]}
    return alone_point(model_of(kind), workload_catalogue.phases_on(class_from(content), kind)).watts


def spread(left_out: Sequence[tuple[Case, float]]) -> float:
    """Standard deviation of the logarithm of speeds against those measured."""
    return math.sqrt(statistics.fmean(math.log(speed / case.speed) ** 2 for case, speed in left_out))


def watts_spread(entries: Sequence[Entry]) -> float:
    """Root mean square of the relative error of watts that were carried over."""
    return math.sqrt(statistics.fmean((carried / watts - 1.0) ** 2 for _, _, watts, carried in watts_cases(entries)))


def rule_content(fit: GainFit, watts_error: float) -> dict[str, Any]:
    """What speed_rule.yaml says: gains of the single precisions, gains after the A100, the errors."""
    gains = fit.gains()
    single = {math: {kind: round(g, 3) for (m, kind), g in gains.items() if m == math} for math in ("fp32", "tf32")}
    hopper = gains["half", "H100-SXM"]
    after = {"H100-SXM": round(hopper, 3), "B200-SXM": round(hopper * gains["half", "B200-SXM"], 3)}
    error = round(spread(fit.left_out()), 3)
    return {
        "source": RULE_SOURCE,
        "gains": single,
        "after_a100": after,
        "speed_error": error,
        "watts_error": round(watts_error, 3),
    }


# printing ------------------------------------------------------------------------------------------------------------


def reproduced(entries: Sequence[Entry]) -> Iterator[tuple[Entry, str, float, float]]:
    """(entry, kind, measured watts, watts of the class at the default setting) for every reading."""
    for entry in entries:
        for place, watts in entry.watts.items():
            kind, _, phase = place.partition(" ")
            phases = tuple(p for p in entry.phases[kind] if not phase or p.name == phase)
            yield entry, kind, watts, alone_point(model_of(kind), phases).watts


def _print(entries: Sequence[Entry]) -> None:
    print("watts at the default setting: measured, drawn")
    errors = []
    for entry, kind, watts, drawn in reproduced(entries):
        errors.append(abs(drawn / watts - 1.0))
        print(f"  {entry.name:26}{kind:18}{watts:8.1f}{drawn:8.1f}{100 * (drawn / watts - 1):7.1f}%")
    print(f"  mean {100 * statistics.fmean(errors):.1f}%, worst {100 * max(errors):.1f}%, n {len(errors)}")
    print("sweeps over caps, fitted to every second one, error on the others: time, power")
    for entry in entries:
        for kind, fit in entry.sweeps.items():
            d = fit.demand
            print(f"  {entry.name:26}{kind:12}u {d.u:.2f} kappa {d.kappa:.2f} m {d.m:.2f}"
                  f"{100 * fit.time_error:7.1f}%{100 * fit.power_error:7.1f}%  n {fit.held_out}")  # fmt: skip
    _print_rule(entries)


def _print_rule(entries: Sequence[Entry]) -> None:
    cases = speed_cases([class_from(entry.content()) for entry in entries])
    fit = GainFit(cases)
    print("gains of kinds over their data sheets")
    for (precision, kind), gain in fit.gains().items():
        print(f"  {precision:6}{kind:18}{gain:6.2f}")
    print("speeds measured, and by the rule with the gain of other classes only")
    left_out = fit.left_out()
    for case, speed in left_out:
        error = f"{100 * (speed / case.speed - 1):7.0f}%"
        print(f"  {case.workload.name:26}{case.kind:18}{case.speed:7.3f}{speed:7.3f}{error}")
    middle = 100 * statistics.median(abs(speed / case.speed - 1) for case, speed in left_out)
    print(
        f"  standard deviation of the logarithm {spread(left_out):.3f}, median error {middle:.0f}%, n {len(left_out)}"
    )
    _print_carried(entries)


def _print_carried(entries: Sequence[Entry]) -> None:
    print("watts on other kinds: measured, carried over from the reference kind")
    errors = []
    for entry, kind, watts, carried in watts_cases(entries):
        errors.append(abs(carried / watts - 1.0))
        print(f"  {entry.name:26}{kind:18}{watts:8.1f}{carried:8.1f}{100 * (carried / watts - 1):7.1f}%")
    print(f"  mean {100 * statistics.fmean(errors):.1f}%, n {len(errors)}")


# writing -------------------------------------------------------------------------------------------------------------


def _write(entries: Sequence[Entry]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for entry in entries:
        content = entry.content()
        sources = {"sources": content.pop("sources")}
        text = yaml.safe_dump(content, sort_keys=False, width=118, default_flow_style=None)
        text += yaml.safe_dump(sources, width=10_000)
        (FOLDER / f"{entry.name}.yaml").write_text(text, encoding="utf-8")
    fit = GainFit(speed_cases([class_from(entry.content()) for entry in entries]))
    FITTED.write_text(
        yaml.safe_dump(rule_content(fit, watts_spread(entries)), sort_keys=False, width=118), encoding="utf-8"
    )
    print(f"wrote {len(entries)} classes to {FOLDER} and {FITTED.name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the catalogue")
    entries = all_entries()
    options: Any = parser.parse_args()
    _print(entries)
    if options.write:
        _write(entries)


if __name__ == "__main__":
    main()
