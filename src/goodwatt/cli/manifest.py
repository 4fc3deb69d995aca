"""What made a result: enough to repeat it bit for bit, and to know what it cost."""

from __future__ import annotations

import hashlib
import platform
import resource
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from goodwatt import __version__
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.fingerprint import fingerprint
from goodwatt.simulator.settings.engine import Engine
from goodwatt.traces.trace import Trace

_STARTED_S = time.monotonic()
NO_FILES: Mapping[str, Path] = {}


def command_line() -> str:
    """The command as somebody would type it."""
    return shlex.join(["goodwatt", *sys.argv[1:]])


def cost() -> dict[str, float]:
    """CPU seconds of this process and its workers so far, and seconds since it started."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu_s = sum(u.ru_utime + u.ru_stime for u in used)
    return {"cpu_s": round(cpu_s, 3), "wall_s": round(time.monotonic() - _STARTED_S, 3)}


def manifest(
    trace: Trace, cluster: Cluster, engine: Engine, files: Mapping[str, Path] = NO_FILES, **more: Any
) -> dict[str, Any]:
    """The manifest of a run; `files` are further inputs by name, `more` its policies, seeds and options."""
    return {
        "command": command_line(),
        "version": __version__,
        **more,
        "trace": trace.name,
        "cluster": cluster.name,
        "engine": engine.name,
        "inputs": {
            "trace_format": trace.format,
            "trace_jobs": len(trace.jobs),
            "trace_sha256": trace.sha256,
            "trace_synthetic": "; ".join(trace.synthetic),
            "cluster_sha256": fingerprint(cluster),
            "engine_sha256": _hash(engine),
            **{f"{name}_sha256": hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()},
        },
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {_processor()}",
        **cost(),
    }


def _hash(engine: Engine) -> str:
    """Of what the engine does, whatever its name."""
    settings = [replace(settings, name="") for settings in (engine.plain, engine.preemptive)]
    return hashlib.sha256(repr(settings).encode()).hexdigest()


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - a device of the kernel
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"
