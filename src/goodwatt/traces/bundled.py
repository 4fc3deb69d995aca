"""The traces that ship with the package: what they are, and where they lie.

They are drawn from models fitted to public traces (benchmarks/make_sample.py), so the package carries fitted
parameters and no job of the sources. For the sources themselves see `fetch`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from goodwatt.errors import InputError, UnknownNameError

SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True, slots=True)
class BundledTrace:
    """What a person should know before using a bundled trace; submit_s 0 is a Monday's midnight.

    `load` is its mean demand as a factor of the source's.
    """

    name: str
    jobs: int
    days: float
    mean_demand_gpus: float
    load: float
    source: str
    licence: str
    note: str

    @property
    def path(self) -> Path:
        """The job table."""
        return SAMPLES / f"{self.name}.csv.gz"

    @property
    def model_path(self) -> Path:
        """The fitted model that the table was drawn from; see generate_model.TraceModel.load."""
        return SAMPLES / f"{self.name}.json"


_BUNDLED = {
    trace.name: trace
    for trace in (
        BundledTrace(
            name="philly-like",
            jobs=23193,
            days=14,
            mean_demand_gpus=607,
            load=1.0,
            source="drawn from a model of Microsoft Philly, 9-29 October 2017 (Jeon et al., ATC'19)",
            licence="CC BY 4.0",
            note="96% one-GPU jobs, 11 partitions; FIFO on 80 nodes of 8 GPUs waits 2.3 h on average",
        ),
        BundledTrace(
            name="venus-like",
            jobs=8102,
            days=14,
            mean_demand_gpus=479,
            load=0.8,
            source="drawn from a model of SenseTime Helios Venus, 29 June - 12 July 2020 (Hu et al., SC'21)",
            licence="CC BY 4.0",
            note="Gangs up to 160 GPUs, 0.8 of the source's load; FIFO on 80 nodes of 8 GPUs waits 7.2 h on average",
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
