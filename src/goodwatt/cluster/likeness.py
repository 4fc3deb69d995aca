"""Which jobs are like a job: same size, same partition, same user, same user and name.

Whoever learns from earlier jobs (durations, demands) keeps what it learnt under these keys. Names are compared with
their digits blanked, because people number their runs.
"""

from __future__ import annotations

import re

from goodwatt.cluster.job import JobRequest

Key = tuple[str | int, ...]


def levels(job: JobRequest) -> list[Key]:
    """Keys from the most general to the most specific that the trace gives; the first word says which level it is."""
    found: list[Key] = [(), ("gpus", job.num_gpus)]
    if job.partition is not None:
        found.append(("partition", job.partition, job.num_gpus))
    if job.user is not None:
        found += [("user", job.user), ("user", job.user, job.num_gpus)]
    if job.name is not None:
        found.append(("name", job.user or "", re.sub(r"\d+", "#", job.name), job.num_gpus))
    return found
