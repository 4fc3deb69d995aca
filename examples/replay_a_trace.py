"""Replay a bundled trace under one policy and print what came out."""

from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.run import run
from goodwatt.traces import bundled
from goodwatt.traces.reading import read_trace


def main() -> None:
    trace = read_trace(bundled.path("venus"))
    summary = run(trace.jobs, load_cluster("example"), make_policy("fifo")).summary
    mean_h, p99_h = summary["mean_queueing_s"] / 3600, summary["p99_queueing_s"] / 3600
    print(f"{summary['finished']} of {summary['jobs']} jobs finished")
    print(f"mean wait {mean_h:.2f} h; one job in a hundred waited longer than {p99_h:.1f} h")
    print(f"{summary['goodput_per_watt_it']:.2f} GPU-seconds of work per kJ of IT energy")


if __name__ == "__main__":
    main()
