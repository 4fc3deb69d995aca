"""Rate profiles from files: the project's own, and the two public ones whose shapes are worth having."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from goodwatt.errors import BadRow, InputError
from goodwatt.traces.requests.rate_profile import RateProfile
from goodwatt.traces.requests.reading import is_profile, read_rate_profile
from goodwatt.traces.requests.writing import write_rate_profile

GENAI = """timestamp_anon,value,container_ip,request_type
1000.0,0.09,,API Requests
1057.0,0.18,,API Requests
1171.0,0.27,a,Generative Requests
1171.0,0.09,b,Generative Requests
1228.0,0.36,,API Requests
"""
DLRM = """instance_sn,role,app_name,creation_time,scheduled_time,deletion_time
i0,HN,app_0,,,
i1,HN,app_0,,,3600
i2,HN,app_1,5000,5400,7200
i3,CN,app_1,0,0,10800
i4,HN,app_1,9000,,
"""


def read(folder: Path, text: str, **options: object) -> RateProfile:
    path = folder / "p.csv"
    path.write_text(text)
    return read_rate_profile(path, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "t_s", "rates", "end_s"),
    [
        ("t_s,rate_per_s\n0,1\n60,2.5\n", [0, 60], [1, 2.5], 120),
        ("t_s,rate_per_s\n0,1\n60,2\n90,\n", [0, 60], [1, 2], 90),
        ("t_s,rate_per_s\n0,1\n86400,\n", [0], [1], 86400),
    ],
)
def test_own_table(tmp_path: Path, text: str, t_s: list[float], rates: list[float], end_s: float) -> None:
    profile = read(tmp_path, text)
    assert profile.format == "rate-table"
    assert (profile.t_s.tolist(), profile.rate_per_s.tolist(), profile.end_s) == (t_s, rates, end_s)
    assert not profile.relative


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("t_s,rate_per_s\n0,1\n", "line 3: expected at least two steps"),
        ("t_s,rate_per_s\n", "line 2: expected at least two steps"),
        ("t_s,rate_per_s\n5,1\n6,1\n", "line 2, column 't_s': expected a first step at 0 s, got 5 s"),
        ("t_s,rate_per_s\n0,1\n9,1\n9,1\n", "line 4, column 't_s': expected a time after 9 s"),
        ("t_s,rate_per_s\n0,\n9,1\n", "line 2, column 'rate_per_s': expected a number, 0 or more, got nothing"),
        ("t_s,rate_per_s\n0,1\n9,-1\n", "line 3, column 'rate_per_s': expected a number, 0 or more, got '-1'"),
        ("t_s,rate_per_s\n0,0\n9,0\n", "at least one rate above 0"),
        ("t_s,rate\n0,0\n", "nearest is rate-table, which has rate_per_s too"),
        ("arrival_s\n0\n", "got a request trace, which tells every request"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_bad_rows_are_gone_past(tmp_path: Path) -> None:
    profile = read(tmp_path, "t_s,rate_per_s\n0,1\nx,2\n60,2\n60,9\n120,3\n", skip_bad_rows=True)
    assert profile.t_s.tolist() == [0, 60, 120]
    assert [row.line for row in profile.bad_rows] == [3, 5]


@pytest.mark.parametrize("name", ["p.csv", "p.csv.gz"])
def test_what_is_written_reads_back(tmp_path: Path, name: str) -> None:
    profile = RateProfile("p", np.array([0.0, 60.0, 61.5]), np.array([0.1, 0.0, 1 / 3]), 77.7)
    write_rate_profile(profile, tmp_path / name)
    back = read_rate_profile(tmp_path / name)
    assert back.t_s.tolist() == profile.t_s.tolist()
    assert back.rate_per_s.tolist() == profile.rate_per_s.tolist()
    assert back.end_s == profile.end_s
    with pytest.raises(InputError, match=r"ends in .csv or .csv.gz"):
        write_rate_profile(profile, tmp_path / "p.parquet")


def test_image_generation(tmp_path: Path) -> None:
    profile = read(tmp_path, GENAI)
    assert profile.relative
    assert profile.t_s.tolist() == [0, 57, 114, 171, 228]
    assert profile.rate_per_s.tolist() == [0.09, 0.18, 0, 0, 0.36]
    assert profile.dropped[0].count == 2
    assert read(tmp_path, GENAI, select="Generative Requests").rate_per_s.tolist() == [pytest.approx(0.36)]
    with pytest.raises(InputError, match=r"unknown kind of request .* 'API'"):
        read(tmp_path, GENAI, select="API")
    with pytest.raises(BadRow, match=r"line 7, column 'timestamp_anon': expected a time a multiple of 57 s"):
        read(tmp_path, GENAI + "1230.0,0.36,,API Requests\n")


def test_live_instances(tmp_path: Path) -> None:
    profile = read(tmp_path, DLRM)
    assert profile.relative
    assert profile.rate_per_s.tolist() == [2.0, 1.5, 1.0]
    assert {d.reason: d.count for d in profile.dropped} == {"an instance without a GPU": 1, "never scheduled": 1}
    assert read(tmp_path, DLRM, select="app_1").rate_per_s.tolist() == [0.0, 0.5, 0.0]
    with pytest.raises(InputError, match="unknown app"):
        read(tmp_path, DLRM, select="app_9")
    with pytest.raises(BadRow, match="line 7, column 'deletion_time': expected an end not before the start at 5 s"):
        read(tmp_path, DLRM + "i5,HN,app_0,5,5,4\n")


def test_select_where_there_is_nothing_to_select(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to select"):
        read(tmp_path, "t_s,rate_per_s\n0,1\n60,2\n", select="x")


def test_telling_profiles_from_traces(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    for text, answer in [(GENAI, True), ("t_s,rate_per_s\n", True), ("arrival_s\n0\n", False), ("a,b\n", False)]:
        path.write_text(text)
        assert is_profile(path) is answer


SHARED = Path(__file__).parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the public traces (../shared) are not at hand")


@needs_data
def test_public_image_generation() -> None:
    profile = read_rate_profile(SHARED / "alibaba_genai_2026" / "qps.csv.gz")
    assert len(profile.t_s) == 1410
    assert profile.end_s == 1410 * 57.0
    assert 3 < profile.peak_per_s / profile.mean_per_s < 4


@needs_data
def test_public_instances() -> None:
    profile = read_rate_profile(SHARED / "alibaba_dlrm_2025" / "disaggregated_DLRM_trace.csv.gz")
    assert profile.end_s == 31 * 86400.0
    assert profile.mean_per_s == pytest.approx(3200, rel=0.02)  # GPUs at once, as its description says
