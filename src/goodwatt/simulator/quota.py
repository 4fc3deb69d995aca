"""Quotas: the most GPUs that a user or a partition may hold at once. The executor enforces them."""

from __future__ import annotations

from collections.abc import Mapping

from goodwatt.cluster.cluster import Quotas
from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.simulator.jobs.elastic import elastic_range

_Rule = tuple[str, Mapping[str, float], dict[str, int], str]


class QuotaUse:
    """GPU thousandths in use per user and per partition, counted only where the cluster has quotas.

    Whole numbers, so that shares add up to what they are whatever the order.
    """

    __slots__ = ("_partitions", "_quotas", "_users")

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._users: dict[str, int] = {}
        self._partitions: dict[str, int] = {}

    @classmethod
    def of(cls, quotas: Quotas) -> QuotaUse | None:
        """The use of these quotas; None if there are none to use up."""
        return cls(quotas) if quotas.users or quotas.partitions else None

    def copy(self) -> QuotaUse:
        """An independent copy."""
        twin = QuotaUse(self._quotas)
        twin._users, twin._partitions = dict(self._users), dict(self._partitions)
        return twin

    def excess(self, job: JobRequest) -> str | None:
        """Why one more job like this would go over a quota; None if it would not."""
        for what, limits, used, name in self._rules(job):
            limit = limits.get(name, limits.get("*"))
            if limit is not None and used.get(name, 0) + _milli(job) > limit * WHOLE_GPU_MILLI + 0.5:
                in_use = used.get(name, 0) / WHOLE_GPU_MILLI
                return f"quota of {what} {name}: {in_use:g} of {limit:g} GPUs in use, {job.gpus:g} wanted"
        return None

    def never(self, job: JobRequest) -> str | None:
        """Why a job like this would go over a quota whatever else runs; None if it would not."""
        for what, limits, _, name in self._rules(job):
            limit = limits.get(name, limits.get("*"))
            least = elastic_range(job).least * job.gpu_milli
            if limit is not None and least > limit * WHOLE_GPU_MILLI + 0.5:
                return f"the quota of {what} {name} is {limit:g} GPUs, {least / WHOLE_GPU_MILLI:g} wanted"
        return None

    def add(self, job: JobRequest, sign: int) -> None:
        """A job started (sign 1) or stopped (-1)."""
        for _, _, used, name in self._rules(job):
            used[name] = used.get(name, 0) + sign * _milli(job)

    def _rules(self, job: JobRequest) -> list[_Rule]:
        rules: list[_Rule] = []
        if self._quotas.users and job.user is not None:
            rules.append(("user", self._quotas.users, self._users, job.user))
        if self._quotas.partitions and job.partition is not None:
            rules.append(("partition", self._quotas.partitions, self._partitions, job.partition))
        return rules


def _milli(job: JobRequest) -> int:
    return job.num_gpus * job.gpu_milli
