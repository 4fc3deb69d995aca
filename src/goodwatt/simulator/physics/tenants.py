"""Who is on which GPU under full physics, and the truth about them."""

from __future__ import annotations

from goodwatt.cluster.bitset import members
from goodwatt.cluster.cluster import Cluster
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.physics.instance_facts import InstanceFacts
from goodwatt.simulator.physics.job_facts import JobFacts, OnKind
from goodwatt.simulator.physics.truth import Truth


class Tenants:
    """`of_gpus[node][gpu]` names the jobs on a GPU, who came first stands first; `runs` are the running jobs by id.

    `paused` are those that hold GPUs and compute nothing now. `served`: instances of services, of whom no facts are
    known but what they did last. `models[node]` is the model of a node's GPUs, None where
    nothing but the name of their kind is known.
    """

    def __init__(self, cluster: Cluster, truth: Truth) -> None:
        self._cluster, self._truth = cluster, truth
        models = {n: None if k.power_model is None else gpu_model(k) for n, k in cluster.kinds.items()}
        self.models: list[GpuModel | None] = [models[node.gpu_kind] for node in cluster.nodes]
        self.of_gpus: list[tuple[tuple[str, ...], ...]] = [((),) * node.gpus for node in cluster.nodes]
        self.runs: dict[str, JobRun] = {}
        self.paused: set[str] = set()
        self.served: dict[str, InstanceFacts] = {}
        self._facts: dict[str, JobFacts] = {}

    def enter(self, run: JobRun) -> None:
        """A job has got its GPUs."""
        job_id = run.spec.job_id
        self.runs[job_id] = run
        for node, mask in run.placement:
            here = list(self.of_gpus[node])
            for gpu in members(mask):
                here[gpu] = (*here[gpu], job_id)
            self.of_gpus[node] = tuple(here)

    def leave(self, run: JobRun) -> None:
        """A job gives them back."""
        job_id = run.spec.job_id
        del self.runs[job_id]
        self.paused.discard(job_id)
        for node, mask in run.placement:
            here = list(self.of_gpus[node])
            for gpu in members(mask):
                here[gpu] = tuple([other for other in here[gpu] if other != job_id])
            self.of_gpus[node] = tuple(here)

    def forget(self, run: JobRun) -> None:
        """A job has ended: what was found out about it is not needed again."""
        self._facts.pop(run.spec.job_id, None)

    def runs_on(self, node: int, gpu: int) -> list[JobRun]:
        """The jobs on a GPU."""
        return [self.runs[job_id] for job_id in self.of_gpus[node][gpu]]

    def facts_of(self, run: JobRun) -> JobFacts:
        """The truth about a job, found out once."""
        facts = self._facts.get(run.spec.job_id)
        if facts is None:
            facts = self._facts[run.spec.job_id] = JobFacts(run._truth.job, self._cluster, self._truth)
        return facts

    def on(self, run: JobRun, model: GpuModel) -> OnKind | InstanceFacts:
        """The truth about a job on a kind of GPU."""
        if self.served and (instance := self.served.get(run.spec.job_id)) is not None:
            return instance
        facts = self._facts.get(run.spec.job_id) or self.facts_of(run)
        return facts.kinds.get(model.kind.name) or facts.on(model, run._truth.job.reference_gpu)

    def copy(self, live: dict[str, JobRun]) -> Tenants:
        """The same over copies of the jobs; facts are shared."""
        twin = object.__new__(Tenants)
        twin.__dict__.update(self.__dict__)
        twin.runs = {job_id: live[job_id] for job_id in self.runs}
        twin.of_gpus, twin.paused, twin.served = self.of_gpus[:], set(self.paused), dict(self.served)
        return twin
