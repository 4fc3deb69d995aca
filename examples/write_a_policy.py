"""A policy of one's own, compared with strict FIFO: the job with the fewest GPUs goes first."""

from dataclasses import dataclass
from typing import ClassVar

from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.best_fit import BestFit
from goodwatt.policies.composite import Composite
from goodwatt.policies.order import QueueOrder
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.run import run
from goodwatt.simulator.view import View
from goodwatt.traces import bundled
from goodwatt.traces.reading import read_trace


@dataclass(frozen=True, slots=True)
class SmallestFirst(QueueOrder):
    """The fewest GPUs first, by submission among equals."""

    name: ClassVar[str] = "smallest"

    def queue_key(self, run: JobRun, view: View) -> float:  # noqa: ARG002 - the contract of orders
        """The number of GPUs."""
        return run.spec.gpus


def main() -> None:
    trace, cluster = read_trace(bundled.path("venus")), load_cluster("example")
    for policy in (make_policy("fifo+best-fit"), Composite("smallest+best-fit", SmallestFirst(), BestFit())):
        summary = run(trace.jobs, cluster, policy).summary
        print(f"{policy.name:20} mean wait {summary['mean_queueing_s'] / 3600:6.2f} h")


if __name__ == "__main__":
    main()
