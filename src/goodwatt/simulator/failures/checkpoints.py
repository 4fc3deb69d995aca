"""What the jobs of a run do about checkpoints: the rules of `checkpointing` applied to a job and a cluster."""

from __future__ import annotations

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import JobRequest
from goodwatt.simulator.settings.checkpointing import (
    CheckpointPlan,
    checkpoint_plan,
    interruptions_per_h,
    mtbf_s,
    write_s,
)
from goodwatt.simulator.settings.engine import EngineSettings
from goodwatt.simulator.settings.failure_rates import FailureSettings

NO_FAILURES = FailureSettings()


def plan_of(
    job: JobRequest, counts: tuple[tuple[int, int], ...], size_mib: float, cluster: Cluster, engine: EngineSettings
) -> CheckpointPlan:
    """How often a job writes a checkpoint of `size_mib`, and how long that takes, on (node, GPUs) as placed."""
    if not size_mib and engine.checkpoint_rule == "none":
        own = job.checkpoint_interval_s
        return CheckpointPlan(engine.checkpoint_interval_s if own is None else own)
    nodes = len(counts)
    facts = [cluster.nodes[node] for node, _ in counts]
    failing = interruptions_per_h(
        engine.failures or NO_FAILURES,
        job.num_gpus,
        nodes,
        racks=len({node.rack for node in facts if node.rack is not None}),
        domains=len({node.clique for node in facts if node.clique is not None}),
        node_gpus=max((node.gpus for node in facts), default=1),
    )
    cost_s = write_s(size_mib, nodes, engine.checkpoint_store)
    return checkpoint_plan(
        job.checkpoint_interval_s, engine.checkpoint_interval_s, engine.checkpoint_rule, cost_s, mtbf_s(failing)
    )
