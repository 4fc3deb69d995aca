"""What the commands under `goodwatt traces` read: traces, clusters, models, times."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from goodwatt.cluster.cluster import Cluster
from goodwatt.errors import InputError
from goodwatt.traces import bundled
from goodwatt.traces.trace import Trace

if TYPE_CHECKING:
    from goodwatt.traces.generate_model import TraceModel


def read(
    text: str,
    trace_format: str | None = None,
    time_zone: str = "UTC",
    select: str | None = None,
    cpu_only: bool = False,
    skip_bad_rows: bool = False,
) -> Trace:
    """The trace that a person means by `text`. Raises InputError."""
    from goodwatt.traces.reading import read_trace

    return read_trace(
        bundled.resolve(text),
        format=trace_format,
        skip_bad_rows=skip_bad_rows,
        cpu_only=cpu_only,
        time_zone=time_zone,
        select=select,
    )


def read_cluster(text: str | None) -> Cluster | None:
    """A cluster by file or name; a bare number means that many GPUs in nodes of 8. Raises InputError."""
    from goodwatt.cluster.presets import load_cluster

    if text is None:
        return None
    return load_cluster(f"generated:gpus={text},gpu=V100-SXM2,per_node=8" if text.isdecimal() else text)


def read_origin(text: str | None) -> datetime | None:
    """The local time of submit_s 0, where it is given. Raises InputError."""
    from goodwatt.traces.statistics import parse_origin

    return None if text is None else parse_origin(text)


def read_model(text: str, origin: str | None) -> TraceModel:
    """A saved model, the model of a bundled trace, or one fitted to a trace. Raises InputError."""
    from goodwatt.traces.generate_model import TraceModel
    from goodwatt.traces.statistics import noted_origin, origin_s

    if text.endswith(".json") and Path(text).is_file():
        return TraceModel.load(Path(text))
    if text in bundled.names() and not Path(text).exists():
        if origin is not None:
            raise InputError(f"--origin belongs to a trace of your own; {text} starts on a Monday at 00:00")
        return TraceModel.load(bundled.describe(text).model_path)
    trace = read(text)
    return TraceModel.fit(trace, origin_s=origin_s(read_origin(origin) or noted_origin(trace)))
