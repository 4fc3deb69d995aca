"""Run a policy on a trace to the end and gather the result."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from typing import Any

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.job import WHOLE_GPU_MILLI, Job
from goodwatt.simulator.jobs.lost_time import LOST, LostTime
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.records.recorder import LOST_WIDTH, Recorder
from goodwatt.simulator.records.result import InstanceName, JobColumns, RunResult, ServiceResult, Timeline
from goodwatt.simulator.settings.engine import Engine
from goodwatt.simulator.settings.run_options import DEFAULTS, RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.summary import summarise

Progress = Callable[[int], None]
"""Told how much is done so far, now and then, of what `extent` says."""


def run(
    jobs: Sequence[Job],
    cluster: Cluster,
    policy: Policy,
    engine: Engine | None = None,
    options: RunOptions = DEFAULTS,
    window: str = "1/1",
    progress: Progress | None = None,
) -> RunResult:
    """Simulate to the end. KeyboardInterrupt ends the run early; the result then says `partial`."""
    sim = Simulation(jobs, cluster, policy, engine, options)
    partial = not finish(sim, progress)
    return result(sim, window, partial)


def finish(sim: Simulation, progress: Progress | None = None) -> bool:
    """Advance and apply until the run is over; False if it was interrupted."""
    decide, report_at = sim.policy.decide, 0
    step = max(extent(sim)[0] // 100, 1)
    try:
        while (view := sim.advance()) is not None:
            sim.apply(decide(view))
            if progress is not None and (done := _done(sim)) >= report_at:
                progress(done)
                report_at = done + step
    except KeyboardInterrupt:
        return False
    return True


def extent(sim: Simulation) -> tuple[int, str]:
    """How much there is to be done, and of what: jobs that end, or beside services seconds that pass."""
    if sim.services is None:
        return len(sim.jobs), "jobs ended"
    last_s = sim.options.horizon_s if sim.options.horizon_s is not None else sim.services.ends_s
    return max(0, int(min(last_s, sim.start_s + 1e9) - sim.start_s)), "seconds simulated"


def _done(sim: Simulation) -> int:
    if sim.services is None:
        return sim.recorder.totals.ended
    return min(int(sim.now_s - sim.start_s), extent(sim)[0])


def result(sim: Simulation, window: str = "1/1", partial: bool = False) -> RunResult:
    """What the run has left behind; jobs still alive are written down as they are."""
    sim.close()
    summary = summarise(sim)
    services = _services(sim, summary)
    if partial:
        summary["partial"] = True
    nodes = sim.cluster.nodes
    return RunResult(
        policy=sim.policy.name,
        oracle=summary["oracle"],
        cluster=sim.cluster.name,
        window=window,
        seed=sim.options.seed,
        summary=summary,
        jobs=_columns(sim),
        timeline=_timeline(sim),
        node_names=[node.name for node in nodes],
        gpus_per_node=[node.gpus for node in nodes],
        occupancy=sim.recorder.stays(sim.now_s, list(sim.live.values())),
        power=summary["power"],
        service_policy=summary.get("service_policy", ""),
        instances=_instances(sim),
        services=services,
    )


def _services(sim: Simulation, summary: dict[str, Any]) -> Sequence[ServiceResult]:
    """The services of a run, of which the summary tells from now on."""
    if sim.services is None:
        return ()
    from goodwatt.simulator.service_summary import service_results, totals

    services = service_results(sim, summary)
    policy, resolution = sim.policy, sim.options.serving.resolution
    scheduling = getattr(policy, "scheduling", policy)  # of a policy under a power policy, the one that has services
    spec = getattr(policy, "service_spec", None) or getattr(scheduling, "service_spec", "")
    summary.update(service_policy=spec, resolution=resolution, **totals(services, summary))
    return services


def _instances(sim: Simulation) -> list[InstanceName]:
    if sim.services is None:
        return []
    specs = [instance.run.spec for instance in sim.services.instances.values()]
    return [InstanceName(s.job_id, s.job_id.rpartition("/")[0], s.num_gpus, s.user, s.partition) for s in specs]


def _columns(sim: Simulation) -> JobColumns:
    recorder, jobs, rows = sim.recorder, sim.jobs, len(sim.jobs)  # beyond them stand instances of services
    starts = _optional(recorder.start_s[:rows])
    names = [node.name for node in sim.cluster.nodes]
    return JobColumns(
        job_id=[job.job_id for job in jobs],
        user=[job.user for job in jobs],
        partition=[job.partition for job in jobs],
        num_gpus=[job.num_gpus for job in jobs],
        submit_s=[job.submit_s for job in jobs],
        start_s=starts,
        end_s=_optional(recorder.end_s[:rows]),
        queueing_s=[None if s is None else s - job.submit_s for s, job in zip(starts, jobs, strict=True)],
        preemptions=recorder.preemptions[:rows].tolist(),
        nodes=["+".join([names[node] for node, _ in placement]) for placement in recorder.nodes[:rows]],
        work_gpu_s=recorder.work_gpu_s[:rows].tolist(),
        lost_work_gpu_s=recorder.lost_gpu_s[:rows].tolist(),
        energy_j=_optional(recorder.energy_j[:rows]),
        state=_states(sim),
        workload=[job.workload for job in jobs],
        reference_gpu=[job.reference_gpu for job in jobs],
        sharing=recorder.sharing[:rows],
        clock_mhz=_optional(recorder.clock_mhz[:rows]),
        failures=recorder.job_failures[:rows],
        lost_energy_j=recorder.lost_j[:rows],
        gpu_milli=[job.gpu_milli for job in jobs],
        waited_for=recorder.waited_for[:rows],
        lost_s=_lost(recorder, rows),
    )


def _lost(recorder: Recorder, rows: int) -> dict[str, array[float]]:
    """Where each job's time went, a column for each part."""
    plain = recorder.lost_s[: rows * LOST_WIDTH]
    columns = {part: plain[slot::LOST_WIDTH] for slot, part in enumerate(LOST, 1)}
    jobs = (LostTime.from_plain(plain[at : at + LOST_WIDTH]) for at in range(0, len(plain), LOST_WIDTH))
    return {**columns, "productive": array("d", [job.productive_s for job in jobs])}


def _optional(column: array[float]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in column]


def _states(sim: Simulation) -> list[str]:
    states = ["waiting" if math.isnan(end) else "finished" for end in sim.recorder.end_s[: len(sim.jobs)]]
    states[sim.next_arrival :] = ["unsubmitted"] * (len(states) - sim.next_arrival)
    for index in sim.refused:
        states[index] = "refused"
    for run in sim.live.values():
        if run.index >= len(states):
            continue
        states[run.index] = "running" if run.placement else "waiting"
    return states


def _timeline(sim: Simulation) -> Timeline:
    """Each row holds until the next; the last says how the run ended."""
    recorder, power = sim.recorder, sim.physics.power()
    running, queued = sim.running_and_queued()
    return Timeline(
        t_s=[*recorder.times, recorder.last_s],
        queued=[*recorder.queued, queued],
        running=[*recorder.running, running],
        busy_gpus=[*recorder.busy, sum(sim.state.used_milli) / WHOLE_GPU_MILLI],
        power_w=[*recorder.power, sum(power)],
        budget_w=sim.options.budget_w,
        gpu_w=recorder.gpu + array("d", [power.gpu_w]),
        host_w=recorder.host + array("d", [power.host_w]),
        loss_w=recorder.loss + array("d", [power.loss_w]),
        asleep_nodes=recorder.asleep + array("l", [len(sim.asleep)]),
        budget_steps=sim.options.budget_steps,
    )
