"""Packing: a job that finds no free GPUs runs beside another that leaves it enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.cluster.job import JobRequest
from goodwatt.cluster.state import ClusterState
from goodwatt.policies.best_fit import BestFit
from goodwatt.policies.pair_choice import Mode, Rules, best_pair
from goodwatt.policies.pair_memory import PairMemory
from goodwatt.policies.power_memory import OBSERVE_S
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.view import View


@dataclass(frozen=True, slots=True)
class Pack:
    """Best fit; where that finds nothing, beside a running job with as many GPUs, two to a GPU at most.

    Both must be known from telemetry (of this job, or of its user's and name's earlier ones; `guess=true` takes the
    mean of all jobs for the unknown), fit the memory together, keep `least_speed` of their speed alone, and do `gain`
    times the work of one. Under MPS the newcomer's thread limit is chosen too, and GPUs need counters of their SMs.
    `eager=true` packs even where GPUs are free. At most `depth` hosts are looked at. Source: pair packing by measured
    interference as in Gandiva (Xiao et al., OSDI 2018) and Lucid (Hu et al., ASPLOS 2023).
    """

    name: ClassVar[str] = "pack"
    shares: ClassVar[bool] = True
    observe_s: ClassVar[float | None] = OBSERVE_S

    mode: Mode = "mps"
    least_speed: float = 0.6
    gain: float = 1.1
    depth: int = 64
    eager: bool = False
    guess: bool = False

    def __post_init__(self) -> None:
        if not (0 < self.least_speed <= 1 and self.gain > 0 and self.depth > 0):
            raise ValueError("expected least_speed above 0 and up to 1, gain and depth above 0")

    def new_memory(self) -> PairMemory:
        """What telemetry has shown."""
        return PairMemory()

    def place(self, job: JobRequest, state: ClusterState, view: View) -> Place | None:
        """The fullest node that fits, or the best neighbour; with `eager` the neighbour first."""
        if self.eager:
            return self._beside(job, state, view) or BestFit().place(job, state, view)
        return BestFit().place(job, state, view) or self._beside(job, state, view)

    def _beside(self, job: JobRequest, state: ClusterState, view: View) -> Place | None:
        pair = best_pair(job, state, view, Rules(self.mode, self.least_speed, self.gain, self.depth, self.guess))
        if pair is None:
            return None
        nodes, host = tuple((node, mask.bit_count()) for node, mask in pair.host.placement), pair.host.spec.job_id
        return Place(job.job_id, nodes, beside=host, sharing=self.mode, thread_percent=pair.thread_percent)
