"""Alibaba's openb trace (cluster-trace-gpu-v2023, FGD, ATC'23): lists of pods that share GPUs.

The times are seconds since the start of the trace. The lists named multigpu have none and cannot be replayed;
the lists of nodes describe clusters, see `no_traces`.
"""

from __future__ import annotations

from goodwatt.cluster.job import JobStatus
from goodwatt.traces import cells
from goodwatt.traces.cells import Cell
from goodwatt.traces.intake import Intake, NotAJob, UnfitError
from goodwatt.traces.source import Source
from goodwatt.traces.table import Column, Values, read_table
from goodwatt.traces.trace_format import Head, TraceFormat
from goodwatt.traces.wall_clock import set_run

GPU_KINDS = {
    "P100": "P100",
    "T4": "T4",
    "A10": "A10",
    "V100M16": "V100M16",
    "V100M32": "V100M32",
    "G1": "G1",
    "G2": "G2",
    "G3": "G3",
}
"""GPU kinds by openb's model names; G1, G2 and G3 are undisclosed."""

PHASES = {
    "Succeeded": JobStatus.COMPLETED,
    "Failed": JobStatus.FAILED,
    "Running": JobStatus.UNKNOWN,
    "Pending": JobStatus.UNKNOWN,
}
NO_VALUE = frozenset({"", "nan"})


def _kinds(text: str) -> tuple[str, ...]:
    try:
        return tuple(GPU_KINDS[model] for model in text.split("|"))
    except KeyError:
        raise ValueError(text) from None


def _phase(text: str) -> str:
    if text not in PHASES:
        raise ValueError(text)
    return text


COLUMNS = (
    Column("job_id", "name", cells.TEXT),
    Column("cpu_milli", "cpu_milli", cells.COUNT),
    Column("memory_mib", "memory_mib", cells.COUNT),
    Column("num_gpus", "num_gpu", cells.COUNT),
    Column("gpu_milli", "gpu_milli", cells.COUNT),
    Column(
        "gpu_kind", "gpu_spec", Cell(f"GPU models ({', '.join(GPU_KINDS)}) separated by '|'", _kinds), required=False
    ),
    Column("phase", "pod_phase", Cell(f"a phase ({', '.join(PHASES)})", _phase)),
    Column("submit_s", "creation_time", cells.SECONDS),
    Column("observed_end_s", "deletion_time", cells.SECONDS, required=False),
    Column("observed_start_s", "scheduled_time", cells.SECONDS, required=False),
)
SIGNATURE = tuple(column.title for column in COLUMNS if column.title != "gpu_spec")


def _set_share(values: Values) -> None:
    """Pods without a GPU carry gpu_milli 0."""
    if values["num_gpus"] == 0:
        values["gpu_milli"] = 1000
    elif not 1 <= values["gpu_milli"] <= 1000:
        raise UnfitError("gpu_milli", cells.SHARE.expected, str(values["gpu_milli"]))


def _read(source: Source, intake: Intake) -> None:
    def to_job(values: Values) -> None:
        intake.need_gpu(values["num_gpus"])
        _set_share(values)
        phase = values.pop("phase")
        values["status"] = PHASES[phase]
        if "observed_start_s" not in values:
            raise NotAJob("pending: it was never scheduled")
        if "observed_end_s" not in values:
            raise NotAJob("no time of deletion: its run time is not known")
        set_run(values, intake, values["submit_s"], values["observed_start_s"], values["observed_end_s"])
        if phase == "Running":
            intake.count("have the phase Running: a long one may have been cut by the end of the trace")

    read_table(source, intake, COLUMNS, to_job, NO_VALUE)


def _recognise(head: Head) -> int:
    return head.has(SIGNATURE)


FORMAT = TraceFormat(
    "openb",
    "Alibaba GPU trace 2023 (openb pod lists)",
    _recognise,
    _read,
    SIGNATURE,
    drops="CPU-only pods, pods that were never scheduled",
)
