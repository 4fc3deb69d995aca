"""A distribution of somebody else, with policies of its own, as pip would have installed it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from goodwatt.policies import parts, registry

CODE = '''
"""Policies of somebody else."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from goodwatt.policies.order import QueueOrder
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.policy import NoMemory


@dataclass(frozen=True, slots=True)
class Lifo(QueueOrder):
    """Last in, first out. Source: plates."""

    name: ClassVar[str] = "lifo"

    after_s: float = 0.0

    def queue_key(self, run, view):
        return -run.spec.submit_s if run.spec.submit_s >= self.after_s else run.spec.submit_s


class LastNode:
    """The last node that fits. Source: none."""

    name = "last-node"

    def place(self, job, state, view):
        fits = [node for _, nodes in state.single_node(job) for node in range(len(state.capacity)) if nodes >> node & 1]
        return Place(job.job_id, ((max(fits), job.num_gpus),)) if fits else None


@dataclass(frozen=True)
class OneAtATime:
    """One job at a time. Source: none."""

    name: ClassVar[str] = "one-at-a-time"
    oracle: ClassVar[bool] = False
    preemptive: ClassVar[bool] = False
    head_only: ClassVar[bool] = False

    node: int = 0

    def new_memory(self):
        return NoMemory()

    def queue_key(self, run, view):
        return run.spec.submit_s

    def decide(self, view):
        for pool in view.pools:
            if pool.queue and not pool.running:
                job = pool.queue[0][2].spec
                return [Place(job.job_id, ((self.node, job.num_gpus),))]
        return []


class Stuck(OneAtATime):
    """Says that it is there, in the folder of STUCK, when it is first asked with a job running, and thinks for ever."""

    name = "stuck"

    def decide(self, view):
        if any(pool.running for pool in view.pools):
            Path(os.environ["STUCK"], str(os.getpid())).touch()
            while True:
                time.sleep(0.01)
        return super().decide(view)


class Nothing:
    """No policy."""


@dataclass(frozen=True, slots=True)
class Fifo(QueueOrder):
    """A rival of what ships."""

    name: ClassVar[str] = "fifo"
'''

POLICIES = {
    "lifo": "Lifo",
    "last-node": "LastNode",
    "one-at-a-time": "OneAtATime",
    "stuck": "Stuck",
    "nothing": "Nothing",
    "fifo": "Fifo",
}


def install(folder: Path, policies: Mapping[str, str] = POLICIES, module: str = "somebody_else") -> Path:
    """Lay a distribution into the folder, which then has to be on sys.path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(CODE, encoding="utf-8")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    points = "".join(f"{name} = {module}:{part}\n" for name, part in policies.items())
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{points}", encoding="utf-8")
    return folder


@contextmanager
def installed(folder: Path, policies: Mapping[str, str] = POLICIES) -> Iterator[None]:
    """The registry of this process sees the distribution inside the block."""
    before = set(sys.modules)
    sys.path.insert(0, str(install(folder, policies)))
    parts._registered.cache_clear()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        parts._registered.cache_clear()
        for name in set(sys.modules) - before:
            if name == "somebody_else":
                del sys.modules[name]
