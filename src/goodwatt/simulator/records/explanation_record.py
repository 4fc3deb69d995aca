"""A run as its folder tells of it: what `explain` reads of the files of `goodwatt replay --out`."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goodwatt.cluster.job import WHOLE_GPU_MILLI
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.simulator.jobs.lost_time import PARTS

FILES = ("jobs.csv", "summary.json", "manifest.json")
STAYS = "stays.csv"
"""Absent where nothing ever ran."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A job on some GPUs for a while; `pieces`: name of each node and the bit mask of its GPUs."""

    job_id: str
    start_s: float
    end_s: float
    pieces: tuple[tuple[str, int], ...]
    sharing: str
    clock_mhz: float | None
    cap_w: float | None
    why: str
    ended: str

    def beside(self, other: Stay) -> bool:
        """Whether the two had a GPU in common at some time."""
        if self.job_id == other.job_id or self.start_s >= other.end_s or other.start_s >= self.end_s:
            return False
        masks = dict(self.pieces)
        return any(masks.get(node, 0) & mask for node, mask in other.pieces)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A row of jobs.csv; `lost_s`: seconds by part of `lost_time.PARTS`. None where something never happened."""

    job_id: str
    submit_s: float
    start_s: float | None
    end_s: float | None
    num_gpus: int
    gpu_milli: int
    preemptions: int
    failures: int
    work_gpu_s: float
    lost_work_gpu_s: float
    energy_j: float | None
    state: str
    workload: str | None
    reference_gpu: str | None
    waited_for: str
    lost_s: Mapping[str, float]

    @property
    def gpus(self) -> float:
        """GPUs in use while it runs, a fraction counted as such."""
        return self.num_gpus * self.gpu_milli / WHOLE_GPU_MILLI


@dataclass(frozen=True, slots=True)
class RunRecord:
    """All that a folder tells of a run; stays by their start."""

    folder: Path
    summary: Mapping[str, Any]
    manifest: Mapping[str, Any]
    jobs: Mapping[str, JobRecord]
    stays: tuple[Stay, ...]

    def job(self, job_id: str) -> JobRecord:
        """The job of that name. Raises UnknownNameError."""
        if job_id not in self.jobs:
            raise UnknownNameError(f"job in {self.folder}", job_id, self.jobs)
        return self.jobs[job_id]

    def at(self, time_s: float) -> list[Stay]:
        """Stays at a time; one that begins just then counts, one that ends does not."""
        return [stay for stay in self.stays if stay.start_s <= time_s < stay.end_s]


def read_record(folder: Path) -> RunRecord:
    """The record of a run. Raises InputError if the folder is not what a replay leaves."""
    for name in FILES:
        _need(folder, name)
    try:
        summary, manifest = (json.loads((folder / f"{name}.json").read_bytes()) for name in ("summary", "manifest"))
        jobs = {row["job_id"]: _job(row) for row in _rows(folder / "jobs.csv")}
        if any(job.start_s is not None for job in jobs.values()):
            _need(folder, STAYS)
        stays = _stays(_rows(folder / STAYS)) if (folder / STAYS).is_file() else []
        return RunRecord(folder, summary, manifest, jobs, tuple(stays))
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: expected the files of a replay, got damaged content ({error!r})") from None


def _need(folder: Path, name: str) -> None:
    if not (folder / name).is_file():
        expected = ", ".join((*FILES, STAYS))
        raise InputError(f"{folder}: expected the folder of a replay, with {expected}; {name} is missing")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _job(row: Mapping[str, str]) -> JobRecord:
    return JobRecord(
        job_id=row["job_id"],
        submit_s=float(row["submit_s"]),
        start_s=_number(row["start_s"]),
        end_s=_number(row["end_s"]),
        num_gpus=int(row["num_gpus"]),
        gpu_milli=int(row["gpu_milli"]),
        preemptions=int(row["preemptions"]),
        failures=int(row["failures"]),
        work_gpu_s=float(row["work_gpu_s"]),
        lost_work_gpu_s=float(row["lost_work_gpu_s"]),
        energy_j=_number(row["energy_j"]),
        state=row["state"],
        workload=row["workload"] or None,
        reference_gpu=row["reference_gpu"] or None,
        waited_for=row["waited_for"],
        lost_s={part: float(row[f"{part}_s"]) for part in PARTS},
    )


def _stays(rows: Iterable[Mapping[str, str]]) -> list[Stay]:
    """Rows of one job and start are one stay on several nodes."""
    found: dict[tuple[str, str, str], list[Mapping[str, str]]] = {}
    for row in rows:
        found.setdefault((row["job_id"], row["start_s"], row["end_s"]), []).append(row)
    return [_stay(group) for group in found.values()]


def _stay(rows: list[Mapping[str, str]]) -> Stay:
    first = rows[0]
    return Stay(
        job_id=first["job_id"],
        start_s=float(first["start_s"]),
        end_s=float(first["end_s"]),
        pieces=tuple((row["node"], _mask(row["gpus"])) for row in rows),
        sharing=first["sharing"],
        clock_mhz=_number(first["clock_mhz"]),
        cap_w=_number(first["cap_w"]),
        why=first["why"],
        ended=first["ended"],
    )


def _mask(gpus: str) -> int:
    return sum(1 << int(gpu) for gpu in gpus.split("+") if gpu)


def _number(text: str) -> float | None:
    return float(text) if text else None
