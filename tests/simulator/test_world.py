"""Which physics a run gets, and its jobs for it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from goodwatt.cluster.state import ClusterState
from goodwatt.errors import InputError
from goodwatt.simulator.physics.contract import IdealPhysics
from goodwatt.simulator.physics.full import FullPhysics
from goodwatt.simulator.physics.truth import NO_RESIDUAL
from goodwatt.simulator.settings.engine import EngineSettings
from goodwatt.simulator.settings.failure_rates import ComponentRates, FailureSettings, StragglerRates
from goodwatt.simulator.settings.run_options import RunOptions
from goodwatt.simulator.world import failures_of, jobs_of, make_physics, meter_of
from tests.scenario import Nodes, cluster, job

ON = cluster(Nodes(1, 2, "V100"), Nodes(2, 2, "H200"))
IDEAL, FULL = RunOptions(), RunOptions(physics="full")


def test_under_ideal_physics_jobs_stay_as_they_are() -> None:
    jobs = [job("a"), job("b", workload="bert_train")]
    assert jobs_of(jobs, ON, IDEAL) is jobs


def test_under_full_physics_every_job_with_gpus_has_a_class_and_a_reference() -> None:
    jobs = [job("a"), job("b", workload="bert_train"), job("c", gpu_kind=("V100-PCIE",)), job("d", 0)]
    a, b, c, d = jobs_of(jobs, ON, FULL)
    assert a.workload is not None
    assert (b.workload, b.reference_gpu) == ("bert_train", "H200-SXM")
    assert c.reference_gpu == "V100-PCIE"
    assert d is jobs[3]


def test_the_same_user_and_name_keep_the_same_class_and_the_seed_decides_which() -> None:
    jobs = [job(f"j{i}", user="ann", name=f"net-{i % 7}") for i in range(28)]
    classes = [one.workload for one in jobs_of(jobs, ON, FULL)]
    assert classes == classes[:7] * 4
    assert classes != [one.workload for one in jobs_of(jobs, ON, replace(FULL, seed=1))]


def test_a_class_that_does_not_exist_is_wrong_input() -> None:
    with pytest.raises(InputError, match=r"job a: .*bert"):
        jobs_of([job("a", workload="bert_trian")], ON, FULL)


@pytest.mark.parametrize(("options", "kind"), [(IDEAL, IdealPhysics), (FULL, FullPhysics)])
def test_which_physics(options: RunOptions, kind: type) -> None:
    physics = make_physics(ClusterState(ON), EngineSettings(), options)
    assert type(physics) is kind
    assert (meter_of(physics) is None) == (options is IDEAL)


def test_which_truth() -> None:
    def truth(options: RunOptions) -> object:
        physics = make_physics(ClusterState(ON), EngineSettings(), options)
        assert isinstance(physics, FullPhysics)
        return physics._tenants._truth

    assert truth(replace(FULL, truth="model")) is NO_RESIDUAL
    assert truth(FULL) is not NO_RESIDUAL


def test_what_fails() -> None:
    failing = FailureSettings(gpu=ComponentRates(per_hour=1.0))
    assert failures_of(ON, EngineSettings(), 0, 0.0) == (None, None)
    schedule, stragglers = failures_of(ON, EngineSettings(failures=failing), 0, 500.0)
    assert schedule is not None
    assert schedule.next_s > 500.0
    assert stragglers is not None
    assert not stragglers.nodes
    only_slow = FailureSettings(stragglers=StragglerRates(share=1.0))
    schedule, stragglers = failures_of(ON, EngineSettings(failures=only_slow), 0, 0.0)
    assert schedule is None
    assert stragglers is not None
    assert len(stragglers.nodes) == 3


def test_who_asks_for_ideal_physics_does_not_pay_for_the_full_ones() -> None:
    code = (
        "import sys; from goodwatt.simulator import simulation; "
        "heavy = ('goodwatt.simulator.physics.full', 'goodwatt.power.colocation.sharing', 'numpy'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert "full_physics" not in found.stdout
    assert "numpy" not in found.stdout
