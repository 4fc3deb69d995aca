"""Replay a bundled trace under one policy and print what came out."""

from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.best_fit import BestFit
from goodwatt.policies.composite import Composite
from goodwatt.policies.fifo import Fifo
from goodwatt.simulator.simulation import Simulation
from goodwatt.traces import bundled
from goodwatt.traces.reading import read_trace


def main() -> None:
    trace = read_trace(bundled.path("venus-like"))
    simulation = Simulation(trace.jobs, load_cluster("example"), Composite("fifo+best-fit", Fifo(), BestFit()))
    simulation.run()
    summary = simulation.result().summary
    wait_h = {name: seconds / 3600 for name, seconds in summary["queueing_s"].items()}
    print(f"{summary['finished']} of {summary['jobs']} jobs finished")
    print(f"mean wait {wait_h['mean']:.2f} h; one job in a hundred waited longer than {wait_h['p99']:.1f} h")
    print(f"{summary['goodput_per_watt_it']:.2f} GPU-seconds of work per kJ of IT energy")


if __name__ == "__main__":
    main()
