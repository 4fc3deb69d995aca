"""What if the scheduler had decided otherwise, once? Fork a run at a decision and let both futures play out.

When a ends, FIFO starts b on all eight GPUs. Starting the short job c first costs b 300 s and saves c 1200 s.
"""

from goodwatt.cluster.job import Job
from goodwatt.cluster.presets import load_cluster
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.run import result
from goodwatt.simulator.simulation import Simulation

JOBS = [
    Job(job_id="a", submit_s=0, num_gpus=4, duration_s=600),
    Job(job_id="b", submit_s=60, num_gpus=8, duration_s=1200),
    Job(job_id="c", submit_s=90, num_gpus=2, duration_s=300),
]


def main() -> None:
    fifo = make_policy("fifo")
    run = Simulation(JOBS, load_cluster("generated:gpus=8,gpu=H100-SXM"), fifo)
    other = run
    while view := run.advance():
        if view.now_s == 600:
            other = run.fork()
            other.apply([Place("c", nodes=((0, 2),))])  # two GPUs of node 0
        run.apply(fifo.decide(view))
    other.run()
    for name, future in (("fifo", run), ("c first", other)):
        jobs = result(future).jobs
        ends = [f"{job} ends at {end:g} s" for job, end in zip(jobs.job_id, jobs.end_s, strict=True)]
        print(f"{name}:", ", ".join(ends))


if __name__ == "__main__":
    main()
