"""Jobs and the quotas that they could never keep."""

from __future__ import annotations

import pytest

from goodwatt.cluster.cluster import Quotas
from goodwatt.cluster.job import Job
from goodwatt.simulator.run import result
from tests.scenario import Nodes, cluster, job, simulate


@pytest.mark.parametrize(
    ("one", "refused"),
    [
        (job("a", 4, user="ann"), False),
        (job("a", 5, user="ann"), True),
        (job("a", 8, user="ann", min_gpus=4, max_gpus=8), False),  # it may run on four
        (job("a", 8, user="bob"), False),
        (job("a", 8), False),
        (job("a", 1, user="cy", gpu_milli=500), False),
        (job("a", 1, user="cy"), True),
    ],
)
def test_who_wants_more_than_the_quota_is_refused(one: Job, refused: bool) -> None:
    quotas = Quotas(users={"ann": 4, "cy": 0.5})
    sim = simulate([one], cluster(Nodes(1), quotas=quotas), "fifo")
    sim.run()
    assert (result(sim).jobs.state == ["refused"]) is refused
    assert all("the quota of user" in reason for reason in sim.refused.values())
