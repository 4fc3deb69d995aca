"""The day of `serving_day.py` again for a few policies: how far its saving can be driven, and minute by minute.

Rows beyond those of `serving_day.py`: instances filled more, a smaller margin, without the guardrail of promises.
Minutes of all runs are kept for the picture of a day (`serving_charts.py`).

    python benchmarks/serving_classics_day.py [--out NAME] [--only PLACE]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from measured import RESULTS, print_table, write_results
from serving_day import CASES

from goodwatt.policies.power_registry import with_power
from goodwatt.policies.registry import make_policy
from goodwatt.policies.service_registry import with_services
from goodwatt.simulator.run import finish, result
from goodwatt.simulator.settings.guardrails import Guardrails
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.simulation import Simulation

HOURS, HOUR_S, SLOT_S = 24, 3600.0, 300.0


@dataclass(frozen=True)
class Setup:
    """A run: a load of `serving_day`, service policy, power policy, whether the guardrail of promises acts."""

    load: str
    services: str
    power: str = "default"
    guarded: bool = True


SETUPS = (
    Setup("70b/chat", "fixed"),
    Setup("70b/chat", "predictive+follow", "sleep"),
    Setup("70b/chat", "predictive:target=0.8+follow", "sleep"),
    Setup("70b/chat", "predictive+follow:margin=0.1", "sleep"),
    Setup("70b/chat", "predictive+follow:margin=0.1", "sleep", guarded=False),
)


def row_of(setup: Setup) -> dict[str, Any]:
    """The day under it; `slots`: means over five minutes, of p99 the greatest minute."""
    case = next(case for case in CASES if case.name == setup.load)
    began_s = time.process_time()
    options = RunOptions(
        seed=1,
        physics="full",
        start_s=0.0,
        horizon_s=HOURS * HOUR_S,
        services=(case.service(HOURS),),
        guardrails=Guardrails(promises=setup.guarded),
    )
    policy = with_power(with_services(make_policy("fifo+best-fit"), setup.services), setup.power)
    sim = Simulation([], case.cluster(), policy, None, options)
    finish(sim)
    found = result(sim)
    facts = found.services[0].facts
    return {
        "load": setup.load,
        "services": setup.services,
        "power": setup.power,
        "guarded": str(setup.guarded),
        "on time %": 100.0 * facts["attainment"],
        "minutes %": 100.0 * facts["minutes_kept"],
        "GPU MJ": found.summary["gpu_energy_j"] / 1e6,
        "IT MJ": found.summary["it_energy_j"] / 1e6,
        "instances": facts["mean_replicas"],
        "MHz": facts["mean_clock_mhz"],
        "CPU s": time.process_time() - began_s,
        "slots": _slots(found.services[0].timeline, found.timeline),
    }


def _slots(service: Any, cluster: Any) -> dict[str, list[float]]:
    """Columns over the day: hours, requests/s, instances, MHz, kW of all GPUs and of IT, p99 in seconds."""
    minutes = np.array(service["t_s"], dtype=float)
    which = (minutes // SLOT_S).astype(int)
    watch = np.arange(0.0, HOURS * HOUR_S, 60.0)
    place = np.searchsorted(np.array(cluster.t_s), watch, side="right") - 1
    kw = {name: np.array(column)[place] / 1e3 for name, column in (("gpu", cluster.gpu_w), ("it", cluster.power_w))}
    columns = {
        "hour": np.arange(HOURS * HOUR_S / SLOT_S) * SLOT_S / HOUR_S,
        "per_s": _means(which, np.array(service["rate_per_s"], dtype=float)),
        "instances": _means(
            which, np.array(service["serving"], dtype=float) + np.array(service["starting"], dtype=float)
        ),
        "mhz": _means(which, np.array(service["clock_mhz"], dtype=float)),
        "gpu_kw": _means((watch // SLOT_S).astype(int), kw["gpu"]),
        "it_kw": _means((watch // SLOT_S).astype(int), kw["it"]),
    }
    for name in ("ttft_p99_s", "tpot_p99_s"):
        worst = np.zeros(which.max() + 1)
        np.maximum.at(worst, which, np.nan_to_num(np.array(service[name], dtype=float)))
        columns[name] = worst
    return {name: np.round(column, 4).tolist() for name, column in columns.items()}


def _means(which: Any, values: Any) -> Any:
    return np.bincount(which, values) / np.bincount(which)


def main() -> None:
    """Run what is asked for, keep what other runs have found, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", default="serving_classics_day", help="name of the file in benchmarks/results")
    parser.add_argument("--only", type=int, action="append", help="place of a setup; several times for several")
    args = parser.parse_args()
    for place in args.only or range(len(SETUPS)):
        _keep(args.out, row_of(SETUPS[place]))


def _keep(name: str, row: dict[str, Any]) -> None:
    """The file with this row in place of one of the same setup."""
    path, keys = RESULTS / f"{name}.json", ("load", "services", "power", "guarded")
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    rows = [*(old for old in rows if any(old[key] != row[key] for key in keys)), row]
    write_results(name, rows=rows)
    print_table(row["load"], [{key: value for key, value in row.items() if key != "slots"}])


if __name__ == "__main__":
    main()
