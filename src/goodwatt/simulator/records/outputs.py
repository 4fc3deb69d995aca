"""The files that a run leaves in its folder: jobs.csv, timeline.csv, summary.json and the others.

Numbers are written as Python prints them, the shortest text that reads back the same, and columns of whole numbers
without a fraction.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from goodwatt.cluster.bitset import members
from goodwatt.simulator.decisions import Refusal
from goodwatt.simulator.jobs.lost_time import PARTS
from goodwatt.simulator.records.result import RunResult, ServiceResult

_FACTS = (
    "job_id", "submit_s", "start_s", "end_s", "queueing_s", "preemptions", "num_gpus", "nodes", "work_gpu_s",
    "lost_work_gpu_s", "energy_j", "state", "workload", "reference_gpu", "sharing", "clock_mhz", "failures",
    "lost_energy_j", "gpu_milli", "waited_for",
)  # fmt: skip
JOB_COLUMNS = (*_FACTS, *(f"{part}_s" for part in PARTS))
"""The last columns say where each job's time went."""
TIMELINE_COLUMNS = ("t_s", "queued", "running", "busy_gpus", "power_w", "budget_w", "gpu_w", "host_w", "loss_w",
                    "asleep_nodes")  # fmt: skip
STAY_COLUMNS = ("job_id", "start_s", "end_s", "node", "gpus", "sharing", "clock_mhz", "cap_w", "why", "ended")
SERVICES, SERVICES_TIMELINE = "services.csv", "services_timeline.csv"
RUN_FILES = ("jobs.csv", "timeline.csv", "stays.csv", "summary.json", "refusals.csv", SERVICES, SERVICES_TIMELINE)
COMPARISON_FILES = ("comparison.csv", "comparison.json")
SHARED_FILES = ("manifest.json", "report.html")


def write_run(folder: Path, result: RunResult, manifest: Mapping[str, Any]) -> None:
    """Write all files of one run; the folder is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "manifest.json", manifest)  # first: it says whose files the others are
    jobs = [*(getattr(result.jobs, name) for name in _FACTS), *(result.jobs.lost_s[part] for part in PARTS)]
    write_table(folder / "jobs.csv", JOB_COLUMNS, jobs)
    timeline = {name: getattr(result.timeline, name) for name in TIMELINE_COLUMNS}
    timeline["budget_w"] = result.timeline.budgets_w()
    write_table(folder / "timeline.csv", TIMELINE_COLUMNS, list(timeline.values()))
    if result.occupancy:
        write_table(folder / "stays.csv", STAY_COLUMNS, _stay_columns(result))
    if result.services:
        write_services(folder, result.services)
    write_json(folder / "summary.json", result.summary)


def write_services(folder: Path, services: Sequence[ServiceResult]) -> None:
    """A row for each service, and a row for each of its minutes."""
    names = list(services[0].facts)
    write_table(folder / SERVICES, names, [[service.facts[name] for service in services] for name in names])
    columns = list(services[0].timeline)
    told = [[value for service in services for value in service.timeline[name]] for name in columns]
    whose = [service.name for service in services for _ in service.timeline[columns[0]]]
    write_table(folder / SERVICES_TIMELINE, ["service", *columns], [whose, *told])


def clear(folder: Path) -> None:
    """Take away what an earlier command of either kind left in a folder, so that its files all tell of one run."""
    for name in (*RUN_FILES, *COMPARISON_FILES, *SHARED_FILES):
        (folder / name).unlink(missing_ok=True)


def write_refusals(path: Path, refusals: Iterable[Refusal]) -> None:
    """Decisions that the executor did not apply, with the reasons."""
    rows = [(r.time_s, str(r.decision), r.reason) for r in refusals]
    write_table(path, ("t_s", "decision", "reason"), list(zip(*rows, strict=True)) or [[], [], []])


def _stay_columns(result: RunResult) -> list[Sequence[Any]]:
    """One row per job or instance and node; GPUs as `0+1+2`, the earliest first."""
    stays = sorted(result.occupancy, key=lambda stay: (stay.start_s, stay.job, stay.node))
    masks = {mask: "+".join(map(str, members(mask))) for mask in {stay.gpus for stay in stays}}
    names = [*result.jobs.job_id, *(instance.job_id for instance in result.instances)]
    return [
        [names[stay.job] for stay in stays],
        [stay.start_s for stay in stays],
        [stay.end_s for stay in stays],
        [result.node_names[stay.node] for stay in stays],
        [masks[stay.gpus] for stay in stays],
        *([getattr(stay, name) for stay in stays] for name in STAY_COLUMNS[5:]),
    ]


def write_table(path: Path, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
    """A CSV file of columns."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(zip(*map(_plain, columns), strict=True))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """A JSON file for people and programs."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(column: Sequence[Any]) -> Sequence[Any]:
    """A column of numbers that are all whole, as whole numbers."""
    kinds = set(map(type, column))
    if kinds == {float}:
        return list(map(int, column)) if all(map(float.is_integer, column)) else column
    if kinds == {float, type(None)} and all(value is None or value.is_integer() for value in column):
        return [None if value is None else int(value) for value in column]
    return column
