"""The traces that ship with the package: what they are, and where they lie.

They are weeks of two public traces, the sources' own jobs (NOTICE: authors, licence, what was changed), cut by
benchmarks/make_sample.py; nothing in them is made up. With each lies a model fitted to the source, from which
`generate` draws. For the whole sources see `fetch`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from goodwatt.errors import InputError, UnknownNameError

SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True, slots=True)
class BundledTrace:
    """What a person should know before using a bundled trace; submit_s 0 is a Monday's midnight.

    `mean_demand_gpus` is the work submitted in the `days`, per time: GPUs busy on average if nothing ever waited. The
    queue that `note` tells of was measured with `fifo` on the cluster philly-80.
    """

    name: str
    jobs: int
    days: float
    mean_demand_gpus: float
    source: str
    licence: str
    paper: str
    note: str

    @property
    def path(self) -> Path:
        """The job table."""
        return SAMPLES / f"{self.name}.csv.gz"

    @property
    def model_path(self) -> Path:
        """The model fitted to the source; see generate_model.TraceModel.load."""
        return SAMPLES / f"{self.name}.json"


_BUNDLED = {
    trace.name: trace
    for trace in (
        BundledTrace(
            name="philly",
            jobs=21933,
            days=14,
            mean_demand_gpus=687,
            source="Microsoft Philly, jobs submitted 16-29 October 2017",
            licence="CC BY 4.0",
            paper="Jeon et al., Analysis of Large-Scale Multi-Tenant GPU Clusters for DNN Training Workloads, ATC 2019",
            note="95% one-GPU jobs, 11 virtual clusters; strict FIFO on 80 nodes of 8 GPUs waits 3.6 h on average",
        ),
        BundledTrace(
            name="venus",
            jobs=10127,
            days=14,
            mean_demand_gpus=612,
            source="SenseTime Helios, cluster Venus, jobs submitted 29 June - 12 July 2020",
            licence="CC BY 4.0",
            paper="Hu et al., Characterization and Prediction of Deep Learning Workloads in Large-Scale GPU "
            "Datacenters, SC 2021",
            note="Gangs up to 160 GPUs; durations over 48 h (163 jobs) stand as 48 h in the copy taken; strict FIFO on "
            "80 nodes of 8 GPUs waits 9 h on average",
        ),
    )
}


def names() -> tuple[str, ...]:
    """Names of the bundled traces."""
    return tuple(_BUNDLED)


def describe(name: str) -> BundledTrace:
    """The facts of one; raises UnknownNameError."""
    if name not in _BUNDLED:
        raise UnknownNameError("bundled trace", name, _BUNDLED)
    return _BUNDLED[name]


def path(name: str) -> Path:
    """Where the job table of a bundled trace lies; raises UnknownNameError."""
    return describe(name).path


def resolve(text: str) -> Path:
    """The path that a person means by `text`: a file or folder if there is one, else a bundled trace.

    Raises InputError where it is neither, with the nearest name.
    """
    there = Path(text)
    if there.exists():
        return there
    if there.suffix or len(there.parts) > 1:
        raise InputError(f"{text}: no such file; bundled traces are {', '.join(_BUNDLED)}")
    if text not in _BUNDLED:
        raise UnknownNameError("trace file or bundled trace", text, _BUNDLED)
    return path(text)
