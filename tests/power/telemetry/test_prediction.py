"""Predictions for one GPU: the same numbers as the physics, and a clear no to what cannot be."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.errors import InputError
from goodwatt.power.colocation.interference_constants import PAIR_ERRORS
from goodwatt.power.colocation.sharing import Resident, shared_point
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.gpu.point import alone_point
from goodwatt.power.telemetry.prediction import Prediction, predict, subject
from goodwatt.power.telemetry.prediction_error import BLIND_MPS_ERROR
from goodwatt.power.workloads.catalogue import class_names, phases_on, speed_on, workload_class
from goodwatt.power.workloads.demand import Setting
from goodwatt.power.workloads.kind_rates import speed_error

H200 = gpu_kind("H200-SXM")
TELEMETRY = "sm_util=.84,occupancy=.47,tensor=.13,dram_bw=.41,power_w=576,clock_mhz=1980,duty=.98"


def ask(*jobs: str, gpu: str = "H200-SXM", **others: Any) -> Prediction:
    kind = gpu_kind(gpu)
    return predict(kind, [subject(job, kind) for job in jobs], **others)


@pytest.mark.parametrize("gpu", ["V100-SXM2", "A100-SXM4-80GB", "H200-SXM"])
@pytest.mark.parametrize("name", ["bert_train", "resnet50_imagenet", "rl_small"])
def test_alone_at_the_default_clock_every_class_has_speed_1(gpu: str, name: str) -> None:
    found = ask(name, gpu=gpu)
    point = alone_point(gpu_model(gpu_kind(gpu)), phases_on(workload_class(name), gpu))
    assert found.jobs[0].speed == pytest.approx(1.0)
    assert found.jobs[0].work == pytest.approx(speed_on(workload_class(name), gpu))
    assert found.point == point
    assert found.energy_ratio == pytest.approx(1.0)


def test_a_pair_is_the_shared_point_of_its_mean_demands() -> None:
    found = ask("bert_train", "resnet50_imagenet", mode="mps", threads=[50.0])
    residents = tuple(Resident(subject(name, H200).demand, threads=0.5) for name in ("bert_train", "resnet50_imagenet"))
    point = shared_point(gpu_model(H200), residents, "mps")
    assert found.point == point
    assert [job.speed for job in found.jobs] == list(point.speeds)
    assert found.together == math.fsum(point.speeds)


def test_several_jobs_share_by_time_slices_unless_somebody_says_otherwise() -> None:
    assert ask("bert_train", "bert_train") == ask("bert_train", "bert_train", mode="timeslice")
    assert ask("bert_train").mode == "exclusive"


def test_telemetry_predicts_the_watts_that_were_measured() -> None:
    found = ask(TELEMETRY)
    assert found.point.watts == pytest.approx(576, rel=0.01)
    assert found.jobs[0].work is None


def test_traffic_on_pcie_tells_how_long_kernels_are_and_so_who_starves() -> None:
    short, long = (f"{TELEMETRY},kernel_us={us}" for us in (20, 2000))
    speeds = [job.speed for job in ask(short, long, mode="mps").jobs]
    assert speeds[0] < 0.5 * speeds[1]


def test_slices_go_by_beginning_and_the_smaller_memory_is_meant() -> None:
    short = ask("bert_train", "resnet50_imagenet", mode="mig", slices=["1g", "4g"])
    whole = ask("bert_train", "resnet50_imagenet", mode="mig", slices=["1g.18gb", "4g.71gb"])
    assert short == whole


@pytest.mark.parametrize(
    ("jobs", "how", "message"),
    [
        (
            ["llama2_70b_chat"],
            {"gpu": "V100-SXM2"},
            r"llama2_70b_chat needs 6\d,\d{3} MiB \(500 of them for its context\), V100-SXM2 has 16,\d{3}",
        ),
        (
            ["llama7b_train", "llama7b_train"],
            {"gpu": "A100-SXM4-80GB", "mode": "mps"},
            r"(llama7b_train needs 60,500 MiB,? ){2}.*that is 121,000, A100-SXM4-80GB has 81,920",
        ),
        (
            ["bert_train", "llama7b_train"],
            {"mode": "mig", "slices": ["1g", "1g"]},
            r"into their MIG instances: llama7b_train needs 60,500 MiB .*, its 1g\.\w+ has \d+,\d{3}$",
        ),
        (["power_w=300,memory_mib=150000"], {}, "needs 150,500 MiB"),
    ],
)
def test_jobs_without_room_for_their_memory_get_no_prediction(
    jobs: list[str], how: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ask(*jobs, **how)


def test_jobs_whose_memory_just_fits_get_one() -> None:
    room = gpu_kind("H200-SXM").memory_mib
    half = (room - 2 * 500) // 2
    assert len(ask(*[f"power_w=300,memory_mib={half}"] * 2).jobs) == 2
    with pytest.raises(InputError, match="do not fit"):
        ask(*[f"power_w=300,memory_mib={half + 1}"] * 2)


@given(
    st.lists(st.sampled_from(class_names()), min_size=1, max_size=4),
    st.sampled_from(["timeslice", "mps"]),
    st.floats(345.0, 1980.0),
    st.floats(200.0, 700.0),
)
def test_watts_keep_the_cap_and_clocks_the_lock(jobs: list[str], mode: str, clock: float, cap: float) -> None:
    needs = [subject(job, gpu_kind("H200-SXM")).demand.memory_mib + 500 for job in jobs]
    assume(sum(needs) <= gpu_kind("H200-SXM").memory_mib)
    found = ask(*jobs, mode=mode, setting=Setting(clock, cap))
    assert found.point.clock_mhz <= clock + 1.0
    assert found.point.watts <= cap or found.point.bound_by == "violated"
    assert found.energy_ratio > 0.0
    assert found.together == pytest.approx(sum(job.speed for job in found.jobs))


@pytest.mark.parametrize(
    ("jobs", "options", "message"),
    [
        (["bert_trai"], {}, "did you mean 'bert_train'"),
        (["sm_utl=0.5"], {}, "unknown counter 'sm_utl': did you mean 'sm_util'"),
        (["sm_util=84"], {}, "sm_util: expected a share from 0 to 1, got 84"),
        (["sm_util=much"], {}, "sm_util: expected a number, 0 or more, got 'much'"),
        (["sm_util=.5,sm_util=.6"], {}, "sm_util is given twice"),
        (["duty=.5"], {}, "expected at least one of sm_util"),
        (["bert_train"] * 2, {"mode": "exclusive"}, "at most 1 jobs on a GPU, got 2; share by timeslice, mps or mig"),
        (["bert_train"] * 9, {}, "at most 8 jobs on a GPU, got 9"),
        (["bert_train"], {"mode": "mpss"}, "unknown mode 'mpss': did you mean 'mps'"),
        (["bert_train"], {"threads": [50.0]}, "only MPS limits threads, got --mode exclusive"),
        (["bert_train"] * 3, {"mode": "mps", "threads": [50.0, 50.0]}, "one or one for each job, got 50,50"),
        (["bert_train"] * 2, {"mode": "mps", "threads": [0.0]}, "above 0 up to 100"),
        (["bert_train"] * 2, {"slices": ["3g", "4g"]}, "only MIG has slices, got --mode timeslice"),
        (["bert_train"] * 2, {"mode": "mig", "slices": ["3g"]}, "a MIG profile for each of 2 jobs, got 1"),
        (["bert_train"], {"mode": "mig", "slices": ["5g"]}, "unknown MIG profile of H200-SXM '5g'"),
        (["bert_train"] * 2, {"mode": "mig", "slices": ["7g", "4g"]}, "no place for them beside each other"),
        (["bert_train"], {"gpu": "T4", "mode": "mig", "slices": ["1g"]}, "no MIG geometry of T4 is known"),
        (["bert_train"], {"setting": Setting(3000.0)}, "--clock: expected 345 to 1980 MHz of H200-SXM, got 3000"),
        (["bert_train"], {"setting": Setting(None, 50.0)}, "--cap: expected 200 to 700 W of H200-SXM, got 50"),
    ],
)
def test_what_cannot_be_is_said(jobs: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        ask(*jobs, **options)
    assert message in str(error.value)


def test_alone_at_the_default_clock_only_what_nobody_measured_is_uncertain() -> None:
    here, derived = ask("bert_train").jobs[0], ask("bert_train", gpu="V100-SXM2").jobs[0]
    assert (here.speed_error, here.work_error) == (0.0, 0.0)
    assert derived.work_error == pytest.approx(speed_error() * (derived.work or 0.0))


def test_the_band_of_a_pair_is_the_error_of_pairs_left_out() -> None:
    for mode in ("timeslice", "mps"):
        assert {job.speed_error for job in ask("bert_train", "dlrm", mode=mode).jobs} == {PAIR_ERRORS[mode]}


def test_without_counters_a_pair_under_mps_is_a_guess_and_derived_watts_are_wider() -> None:
    blind = ask("sm_util=.5,power_w=140", "sm_util=.3,power_w=100", gpu="P100-PCIE", mode="mps")
    assert all(job.speed_error == BLIND_MPS_ERROR and job.work_error is None for job in blind.jobs)
    measured, carried = ask("bert_train"), ask("bert_train", gpu="V100-SXM2")
    assert carried.watts_error / carried.point.watts > 2.0 * measured.watts_error / measured.point.watts


def test_thread_limits_and_counters_without_power_make_watts_less_certain() -> None:
    pair = "bert_train", "dlrm"
    free, limited = ask(*pair, mode="mps"), ask(*pair, mode="mps", threads=[50.0])
    assert limited.watts_error / limited.point.watts > free.watts_error / free.point.watts
    counted = ask("sm_util=.84,occupancy=.47,tensor=.13,dram_bw=.41,duty=.98")
    assert counted.watts_error > ask(TELEMETRY).watts_error
