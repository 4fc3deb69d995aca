"""Which jobs are like a job: same size, same partition, same user, same user and name.

Whoever learns from earlier jobs (durations, demands) keeps what it learnt under these keys. Names are compared with
their digits blanked, because people number their runs.
"""

from __future__ import annotations

import re
from functools import lru_cache

from goodwatt.cluster.job import JobRequest

Key = tuple[str | int, ...]


def levels(job: JobRequest) -> tuple[Key, ...]:
    """Keys from the most general to the most specific that the trace gives; the first word says which level it is."""
    return levels_of(job.num_gpus, job.partition, job.user, job.name)


@lru_cache(maxsize=4096)
def levels_of(num_gpus: int, partition: str | None, user: str | None, name: str | None) -> tuple[Key, ...]:
    """The keys of any job with these."""
    found: list[Key] = [(), ("gpus", num_gpus)]
    if partition is not None:
        found.append(("partition", partition, num_gpus))
    if user is not None:
        found += [("user", user), ("user", user, num_gpus)]
    if name is not None:
        found.append(("name", user or "", re.sub(r"\d+", "#", name), num_gpus))
    return tuple(found)
