"""One GPU with several residents: who starves whom, what it draws, who fits and who dies."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster import mig
from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.errors import InputError
from goodwatt.power.colocation.kernel_length import kernel_length_us
from goodwatt.power.colocation.sharing import (
    MODES,
    Mode,
    Resident,
    fault_victims,
    fits_memory,
    iteration_tail,
    pair_error,
    shared_point,
    stretches_of,
)
from goodwatt.power.gpu.model import gpu_model
from goodwatt.power.gpu.point import alone_point
from goodwatt.power.workloads.demand import Demand, Setting
from goodwatt.power.workloads.workload import Phase

H200 = gpu_kind("H200-SXM")
MODEL = gpu_model(H200)

PREFILL = Demand(u=1.2, m=0.2, kappa=1.0, sm=0.94, occupancy=0.18, tensor=0.83, pcie_gbps=0.028, memory_mib=10_378)
DECODE = Demand(u=0.2, m=0.69, kappa=0.4, sm=0.7, occupancy=0.09, tensor=0.07, pcie_gbps=0.187, memory_mib=18_174)
TRAIN = Demand(u=0.5, m=0.42, kappa=0.7, sm=0.86, occupancy=0.49, tensor=0.13, pcie_gbps=0.095, memory_mib=6_564)
LIGHT = Demand(
    u=0.15, m=0.0, kappa=0.5, duty=0.165, sm=0.16, occupancy=0.01, tensor=0.02, pcie_gbps=0.08, memory_mib=88
)


def speeds(mode: Mode, *demands: Demand, threads: float = 1.0) -> tuple[float, ...]:
    return shared_point(MODEL, tuple(Resident(d, threads) for d in demands), mode).speeds


def test_long_kernels_starve_short_ones_under_mps() -> None:
    prefill, decode = speeds("mps", PREFILL, DECODE)
    assert prefill > 0.8
    assert decode < 0.2
    train, decode = speeds("mps", TRAIN, DECODE)
    assert train > decode + 0.2


def test_a_thread_limit_repairs_fairness_and_costs_who_is_alone() -> None:
    prefill, decode = speeds("mps", PREFILL, DECODE, threads=0.5)
    assert abs(prefill - decode) < 0.3
    (alone,) = speeds("mps", TRAIN, threads=0.5)
    assert 0.5 < alone < 0.75
    (bandwidth_bound,) = speeds("mps", DECODE, threads=0.5)
    assert bandwidth_bound > alone


def test_two_busy_jobs_gain_nothing_from_time_slices() -> None:
    first, second = speeds("timeslice", TRAIN, DECODE)
    assert 0.85 < first + second < 1.0


def test_a_light_job_hardly_disturbs() -> None:
    busy, light = speeds("mps", TRAIN, LIGHT)
    assert busy + light > 1.75
    assert min(speeds("mps", LIGHT, LIGHT, LIGHT, LIGHT)) > 0.9


@pytest.mark.parametrize("mode", ["timeslice", "mps"])
def test_alone_is_alone(mode: Mode) -> None:
    shared = shared_point(MODEL, (Resident(PREFILL),), mode)
    alone = alone_point(MODEL, (Phase("", 1.0, 1.0, PREFILL),))
    assert shared.clock_mhz == alone.clock_mhz
    assert shared.speeds == pytest.approx(alone.speeds)
    assert shared.watts == pytest.approx(alone.watts)


def test_everybody_runs_at_one_clock_under_one_cap() -> None:
    pair = (Resident(TRAIN), Resident(DECODE))
    free, capped = (shared_point(MODEL, pair, "mps", Setting(cap_w=cap)) for cap in (None, 400.0))
    assert capped.bound_by == "cap"
    assert capped.watts <= 400.0 < free.watts
    assert all(a < b for a, b in zip(capped.speeds, free.speeds, strict=True))
    assert shared_point(MODEL, pair, "mps", Setting(cap_w=10.0)).bound_by == "violated"
    assert shared_point(MODEL, pair, "mps", Setting(clock_mhz=1200.0)).bound_by == "clock"
    assert shared_point(MODEL, (), "mps").watts == H200.idle_w


def test_mig_slices_leave_each_other_alone_but_for_the_clock() -> None:
    half = mig.profile(H200, "3g.71gb")
    decode, train = Resident(DECODE, profile=half), Resident(TRAIN, profile=half)
    alone, both = (shared_point(MODEL, r, "mig", Setting(cap_w=1e9)) for r in ((decode,), (decode, train)))
    assert both.speeds[0] == pytest.approx(alone.speeds[0])
    assert both.watts > alone.watts
    capped = shared_point(MODEL, (decode, train), "mig", Setting(cap_w=alone.watts))
    assert capped.speeds[0] < alone.speeds[0]
    (small,) = shared_point(MODEL, (Resident(DECODE, profile=mig.profile(H200, "1g.18gb")),), "mig").speeds
    assert small < 0.5 * alone.speeds[0]


def test_memory_that_must_fit() -> None:
    board = replace(H200, memory_mib=30_000)
    pair = (Resident(DECODE), Resident(PREFILL), Resident(TRAIN))
    assert fits_memory(board, pair, "mps") == (True, True, False)
    assert fits_memory(board, pair, "timeslice") == (True, True, False)
    instance = mig.profile(H200, "1g.18gb")
    assert fits_memory(H200, [replace(r, profile=instance) for r in pair], "mig") == (False, True, True)
    assert fits_memory(replace(H200, memory_mib=0), pair, "mps") == (True, True, True)


FAULTS = [("mps", True, (0, 1, 2)), ("mps", False, (1,)), ("mig", True, (1,)), ("timeslice", True, (1,))]


@pytest.mark.parametrize(("mode", "fatal", "victims"), FAULTS)
def test_who_dies_of_whose_fault(mode: str, fatal: bool, victims: tuple[int, ...]) -> None:
    assert fault_victims(mode, 3, 1, fatal=fatal) == victims


def test_kernel_length_is_read_off_command_traffic_only() -> None:
    assert kernel_length_us(PREFILL) == pytest.approx(150.0)
    assert kernel_length_us(replace(PREFILL, pcie_gbps=8.0)) == kernel_length_us(replace(PREFILL, pcie_gbps=0.0))
    assert kernel_length_us(replace(PREFILL, kernel_us=700.0)) == 700.0


def test_long_kernels_starve_short_ones() -> None:
    long, short = (shared_point(MODEL, (Resident(TRAIN, kernel_us=us), Resident(TRAIN)), "mps") for us in (500.0, 5.0))
    assert long.speeds[0] > 0.7
    assert short.speeds[0] < 0.3
    known = tuple(Resident(replace(TRAIN, kernel_us=us)) for us in (500.0, 0.0))
    assert shared_point(MODEL, known, "mps") == long


INSTANCE = Resident(
    Demand(u=0.3, m=0.6, kappa=0.2, sm=0.9, occupancy=0.1, tensor=0.3, kernel_us=30.0)
)  # of a service, while it decodes
GEMM = Resident(Demand(u=1.04, m=0.23, kappa=1.0, sm=0.97, occupancy=0.14, tensor=0.94, kernel_us=1660.0))


@pytest.mark.parametrize("batch", [Resident(TRAIN), GEMM])
def test_a_limit_on_the_neighbour_gives_an_instance_what_the_neighbour_cannot_use(batch: Resident) -> None:
    found = [stretches_of(MODEL, (INSTANCE, replace(batch, threads=t)), "mps")[0] for t in (1.0, 0.5, 0.25, 0.05)]
    assert found == sorted(found, reverse=True)
    assert found[1] < 1.6
    assert found[2] < 1.35
    assert found[3] < 1.2


def test_speeds_follow_a_limit_without_jumps() -> None:
    shares = [1.0 - step / 200 for step in range(140)]
    found = [stretches_of(MODEL, (INSTANCE, Resident(TRAIN, threads)), "mps") for threads in shares]
    assert all(
        b / a == pytest.approx(1.0, abs=0.05) for one, two in pairwise(found) for a, b in zip(one, two, strict=True)
    )


def test_iterations_scatter_beside_neighbours_only() -> None:
    train = Resident(TRAIN)
    tails = [iteration_tail(MODEL, (INSTANCE, replace(train, threads=t)), "mps", 0, 0.012) for t in (1.0, 0.5, 0.25)]
    assert 1.5 > tails[0] > tails[1] > tails[2] > 1.0
    assert iteration_tail(MODEL, (INSTANCE, replace(GEMM, threads=0.25)), "mps", 0, 0.008) > 1.5
    assert iteration_tail(MODEL, (replace(train, threads=0.5), INSTANCE), "mps", 1, 0.012) == pytest.approx(tails[1])
    assert iteration_tail(MODEL, (INSTANCE,), "mps", 0, 0.012) == 1.0
    assert iteration_tail(MODEL, (INSTANCE, train), "timeslice", 0, 0.012) == 1.0


def test_bad_input_is_told() -> None:
    with pytest.raises(InputError, match="timeslice, mps, mig"):
        shared_point(MODEL, (Resident(TRAIN),), "exclusive")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="MIG profile"):
        shared_point(MODEL, (Resident(TRAIN),), "mig")
    with pytest.raises(InputError, match="thread shares"):
        shared_point(MODEL, (Resident(TRAIN, threads=0.0),), "mps")
    with pytest.raises(InputError, match="from 0 to 1"):
        fault_victims("mps", 2, 2)
    assert all(0.0 < pair_error(mode) < 0.1 for mode in MODES)


shares = st.floats(0.0, 1.0)
demands = st.builds(
    Demand, u=st.floats(0.0, 1.3), m=shares, kappa=shares, duty=st.floats(0.01, 1.0), sm=shares, occupancy=shares,
    tensor=shares, pcie_gbps=st.floats(0.0, 20.0),
)  # fmt: skip
residents = st.lists(st.builds(Resident, demands, st.sampled_from([1.0, 0.7, 0.5, 0.2])), min_size=1, max_size=7)


@given(residents, st.sampled_from(["timeslice", "mps"]))
def test_whatever_shares_is_slower_and_watts_are_the_sum_of_their_parts(found: list[Resident], mode: Mode) -> None:
    point = shared_point(MODEL, tuple(found), mode)
    assert all(speed > 0.0 for speed in point.speeds)
    assert point.idle_w + point.context_w + point.sm_w + point.dram_w == pytest.approx(point.watts)
    locked = shared_point(MODEL, tuple(found), mode, Setting(clock_mhz=MODEL.top_mhz, cap_w=1e9))
    alone = [shared_point(MODEL, (Resident(r.demand),), mode, Setting(cap_w=1e9)).speeds[0] for r in found]
    assert all(a <= b + 1e-9 for a, b in zip(locked.speeds, alone, strict=True))


@given(residents)
def test_the_order_of_residents_does_not_matter(found: list[Resident]) -> None:
    forth = shared_point(MODEL, tuple(found), "mps")
    back = shared_point(MODEL, tuple(reversed(found)), "mps")
    assert forth.speeds == pytest.approx(tuple(reversed(back.speeds)))
