"""MIG geometry as the hardware has it: what can exist beside what, and what is refused."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from itertools import combinations_with_replacement
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.cluster import mig
from goodwatt.cluster.catalogue import all_kinds, gpu_kind
from goodwatt.errors import RunError, UnknownNameError

A100 = gpu_kind("A100-SXM4-40GB")
SHARED = Path(__file__).parents[3] / "shared"
PARTITIONS = SHARED / "data" / "miso_mig_a100" / "partition_code.json.gz"


def instances(*names: str) -> tuple[mig.Instance, ...]:
    made: tuple[mig.Instance, ...] = ()
    for name in names:
        made = mig.create(mig.profile(A100, name), made)
    return made


COMBINATIONS = [
    ("7g.40gb", True),
    ("4g.20gb 3g.20gb", True),
    ("3g.20gb 3g.20gb", True),
    ("3g.20gb 2g.10gb 1g.5gb", True),
    ("4g.20gb 2g.10gb 1g.5gb", True),
    ("2g.10gb 2g.10gb 2g.10gb 1g.5gb", True),
    ("1g.5gb 1g.5gb 1g.5gb 1g.5gb 1g.5gb 1g.5gb 1g.5gb", True),
    ("1g.10gb 1g.10gb 1g.10gb 1g.10gb", True),
    ("4g.20gb 4g.20gb", False),  # only one place
    ("3g.20gb 3g.20gb 1g.5gb", False),  # seven compute slices, but no memory slice left
    ("2g.10gb 2g.10gb 2g.10gb 2g.10gb", False),  # eight compute slices
    ("7g.40gb 1g.5gb", False),
    ("1g.10gb 1g.10gb 1g.10gb 1g.10gb 1g.10gb", False),
]


@pytest.mark.parametrize(("names", "legal"), COMBINATIONS)
def test_which_combinations_can_exist(names: str, legal: bool) -> None:
    assert mig.can_coexist(mig.profile(A100, name) for name in names.split()) is legal


@pytest.mark.skipif(not PARTITIONS.exists(), reason="the public traces (../shared) are not at hand")
def test_the_eighteen_partitions_of_an_a100_are_the_legal_ones() -> None:
    listed = {tuple(sorted(slices)) for slices in json.loads(gzip.decompress(PARTITIONS.read_bytes())).values()}
    by_slices = {1: "1g.5gb", 2: "2g.10gb", 3: "3g.20gb", 4: "4g.20gb", 7: "7g.40gb"}
    for slices in listed:
        assert mig.can_coexist(mig.profile(A100, by_slices[n]) for n in slices), slices
    legal = {
        sizes
        for count in range(1, 8)
        for sizes in combinations_with_replacement((1, 2, 3, 4, 7), count)
        if mig.can_coexist(mig.profile(A100, by_slices[n]) for n in sizes)
    }
    # the list holds full GPUs but for 4+3: whatever else is legal is part of one of them or of that
    full = {*listed, (3, 4)}
    for sizes in legal:
        assert any(not Counter(sizes) - Counter(whole) for whole in full), sizes


def test_instances_come_and_go_while_others_run() -> None:
    here = instances("3g.20gb", "2g.10gb")
    left = tuple(one for one in here if one.profile.name != "3g.20gb")
    assert mig.legal_starts(mig.profile(A100, "4g.20gb"), here) == ()
    assert len(mig.create(mig.profile(A100, "3g.20gb"), left)) == 2


def test_instances_do_not_move_so_the_order_matters() -> None:
    small = mig.profile(A100, "1g.5gb")
    scattered = mig.create(small, mig.create(small, (), start=0), start=4)
    assert mig.legal_starts(mig.profile(A100, "3g.20gb"), scattered) == ()
    assert mig.legal_starts(mig.profile(A100, "3g.20gb"), mig.create(small, (), start=0)) == (4,)


def test_the_place_that_leaves_most_open_is_taken() -> None:
    assert [one.start for one in instances("1g.5gb", "1g.5gb")] in ([4, 5], [5, 6], [0, 1])
    assert mig.legal_starts(mig.profile(A100, "3g.20gb"), instances("1g.5gb", "1g.5gb"))


def test_what_the_hardware_refuses() -> None:
    with pytest.raises(RunError, match=r"legal place \(none\) beside 7g.40gb@0"):
        mig.create(mig.profile(A100, "1g.5gb"), instances("7g.40gb"))
    with pytest.raises(RunError, match="at memory slice 2"):
        mig.create(mig.profile(A100, "3g.20gb"), (), start=2)
    here = instances("7g.40gb")
    with pytest.raises(RunError, match="expected an empty GPU, got 1 instances, 0 processes"):
        mig.check_mode_change(here, 0)
    mig.check_mode_change((), 0)
    with pytest.raises(UnknownNameError, match=r"1g\.5gb"):
        mig.profile(A100, "1g.6gb")


def test_every_profile_keeps_its_own_maximum_and_fits_its_board() -> None:
    for kind in all_kinds().values():
        for profile in mig.profiles(kind).values():
            assert mig.can_coexist([profile] * profile.most), (kind.name, profile.name)
            assert not mig.can_coexist([profile] * (profile.most + 1)), (kind.name, profile.name)
            assert profile.memory_mib * profile.most <= kind.memory_mib + 1024
            assert 0 < profile.sm_share <= 1
            assert 0 < profile.memory_share <= 1


def test_kinds_without_published_geometry_have_none() -> None:
    assert mig.profiles(gpu_kind("V100-SXM2")) == {}
    assert mig.profiles(gpu_kind("H200-SXM"))["1g.35gb"].sms == 26


def test_delays_are_all_there() -> None:
    delays = mig.delays()
    assert 0 < delays.create_s <= delays.mode_change_s <= delays.relabel_s


@given(st.data())
def test_no_slice_is_ever_given_twice(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([A100, gpu_kind("H100-SXM"), gpu_kind("H200-SXM")]))
    here: tuple[mig.Instance, ...] = ()
    for _ in range(data.draw(st.integers(0, 12))):
        if data.draw(st.booleans()) and here:
            gone = data.draw(st.sampled_from(here))
            here = tuple(one for one in here if one is not gone)
            continue
        wanted = data.draw(st.sampled_from(sorted(mig.profiles(kind).values(), key=lambda p: p.name)))
        if mig.legal_starts(wanted, here):
            here = mig.create(wanted, here)
    assert sum(one.mask for one in here) == sum(one.mask for one in here) & 0xFF
    assert sum(one.mask.bit_count() for one in here) <= mig.MEMORY_SLICES
    assert sum(one.profile.compute_slices for one in here) <= mig.COMPUTE_SLICES
    assert sum(one.profile.sms for one in here) <= max(p.sms for p in mig.profiles(kind).values())
