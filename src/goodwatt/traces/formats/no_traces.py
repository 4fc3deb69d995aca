"""Tables that come with job traces but are none: recognised only to say what they are."""

from __future__ import annotations

from goodwatt.traces.trace_format import Head

NO_TRACES = (
    (("sn", "cpu_milli", "memory_mib", "gpu", "model"), "a node list of the openb trace: it describes a cluster"),
    (
        ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"),
        "an openb pod list without times (the multigpu lists have none): it says what was asked for, never when; "
        "the other openb_pod_list files have times",
    ),
    (("machineId", "number of GPUs"), "a machine list of the Philly trace: it describes a cluster"),
    (("vc", "node num"), "a list of nodes per virtual cluster: it describes a cluster"),
    (("", "num"), "a list of nodes per virtual cluster: it describes a cluster"),
    (("date", "total"), "a list of GPUs per virtual cluster and day: it describes a cluster"),
    (("time", "active", "total"), "a count of active nodes over time"),
    (("time", "submit_gpu_job", "start_gpu_job"), "a count of jobs over time"),
    (("app", "step_time", "sync_time"), "step times of Pollux and Sia: a profile of applications"),
    (("duration_s", "num_gpus"), "run times and GPU counts without times of submission: a distribution of jobs"),
)


def what_it_is(head: Head) -> str | None:
    """What the table is, if it is known and no trace; the one with most columns in common."""
    known = [(head.has(titles), what) for titles, what in NO_TRACES]
    matched, what = max(known)
    return what if matched else None
