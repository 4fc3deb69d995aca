"""Every format of request traces: what becomes a request, what is dropped, what is refused and with which message."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodwatt.errors import BadRow, InputError, UnknownNameError
from goodwatt.traces.requests import fast_columns, reading
from goodwatt.traces.requests.formats import REQUEST_FORMATS
from goodwatt.traces.requests.reading import read_request_trace
from goodwatt.traces.requests.request_trace import RequestTrace
from goodwatt.traces.requests.writing import write_request_trace

OWN = "arrival_s,prompt_tokens,output_tokens\n0.5,10,2\n1.25,20,3\n"
AZURE_2023 = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
    "2023-11-16 18:17:03.9799600,4808,10\r\n2023-11-16 18:17:04.0319600,3180,8"
)
AZURE_2024 = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-12 00:00:00.001163+00:00,1452,3\n"
    "2024-05-12 00:00:01+00:00,584,0\n2024-05-12 00:00:02+00:00,862,38\n"
)
MOONCAKE = (
    '{"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}\n'
    '{"timestamp": 3027, "input_length": 28, "output_length": 445, "hash_ids": [298]}\n'
)
MOONCAKE_TABLE = "timestamp_ms,input_length,output_length,n_hash_blocks\n0,6758,500,14\n3027,28,445,1\n"
BURST_1 = (
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,0,1087,API log\n118,GPT-4,417,276,693,API log\n"
)
BURST_3 = (
    "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "19440110.0,1722ac82,43,GPT-4,906,446,1352,Conversation log\n19440161.5,,2,ChatGPT,36,29,65,API log\n"
)


def read(folder: Path, text: str | bytes, name: str = "requests.csv", **options: object) -> RequestTrace:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_request_trace(path, **options)  # type: ignore[arg-type]


READ = [
    (OWN, "request-table", [0.5, 1.25], [10, 20], [2, 3]),
    ("arrival_s\n3\n4\n", "request-table", [3.0, 4.0], [1, 1], [1, 1]),
    (AZURE_2023, "azure-llm", [0.0, 0.052], [4808, 3180], [10, 8]),
    (AZURE_2024, "azure-llm", [0.0, 1.998837], [1452, 862], [3, 38]),
    (MOONCAKE, "mooncake", [0.0, 3.027], [6758, 28], [500, 445]),
    (MOONCAKE_TABLE, "mooncake-table", [0.0, 3.027], [6758, 28], [500, 445]),
    (BURST_1, "burstgpt", [5.0, 118.0], [472, 417], [18, 276]),
    (BURST_3, "burstgpt", [110.0, 161.5], [906, 36], [446, 29]),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("text", "name", "arrival_s", "prompts", "outputs"), READ)
def test_formats(
    tmp_path: Path,
    text: str,
    name: str,
    arrival_s: list[float],
    prompts: list[int],
    outputs: list[int],
    fast: bool,
    packed: bool,
) -> None:
    content = gzip.compress(text.encode()) if packed else text.encode()
    trace = read(tmp_path, content, fast=fast)
    assert trace.format == name
    assert trace.name == "requests"
    assert trace.arrival_s.tolist() == arrival_s
    assert trace.prompt_tokens.tolist() == prompts
    assert trace.output_tokens.tolist() == outputs
    assert len(trace.sha256) == 64


def test_every_format_has_a_case() -> None:
    assert {name for _, name, *_ in READ} == {f.name for f in REQUEST_FORMATS} - {"request-table-parquet"}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("text", "line"), [(AZURE_2024, 3), (BURST_1, 3)])
def test_unanswered_requests_are_counted(tmp_path: Path, text: str, line: int, fast: bool) -> None:
    (dropped,) = read(tmp_path, text, fast=fast).dropped
    assert (dropped.reason, dropped.count, dropped.first_line) == ("failed: it has no output tokens", 1, line)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (AZURE_2023, "0 s is 2023-11-16T18:17:03.979960+00:00"),
        (AZURE_2023, "times name no zone and are read as UTC (a time zone can be given: --time-zone)"),
        (BURST_3, "0 s is 225 days after 0 s of the source"),
        ("arrival_s,model\n1,x\n", "columns not used: model"),
        ("arrival_s\n5\n4\n", "put in order of arrival: 1 requests come before the one ahead of them in the file"),
    ],
)
@pytest.mark.parametrize("fast", [False, True])
def test_notes(tmp_path: Path, text: str, note: str, fast: bool) -> None:
    assert note in read(tmp_path, text, fast=fast).notes


def test_time_of_day_at_0_s(tmp_path: Path) -> None:
    assert read(tmp_path, AZURE_2023).day_s == pytest.approx(18 * 3600 + 17 * 60 + 3.97996)
    assert read(tmp_path, AZURE_2023, time_zone="Asia/Tokyo").day_s == pytest.approx(18 * 3600 + 17 * 60 + 3.97996)
    assert read(tmp_path, BURST_3).day_s == 0.0
    assert read(tmp_path, OWN).day_s is None


BAD = [
    ("arrival_s,prompt_tokens,output_tokens\n0,1,1\nx,1,1\n", 3, "arrival_s", "a number of seconds, 0 or more", "'x'"),
    ("arrival_s\n-1\n", 2, "arrival_s", "a number of seconds, 0 or more", "'-1'"),
    ("arrival_s\n0\nnan\n", 3, "arrival_s", "a number of seconds, 0 or more", "'nan'"),
    ("arrival_s,prompt_tokens,output_tokens\n0,0,1\n", 2, "prompt_tokens", "a whole number of tokens, 1", "'0'"),
    ("arrival_s,prompt_tokens,output_tokens\n0,1,\n0,2,2\n", 2, "output_tokens", "a whole number of tokens", "nothing"),
    ("arrival_s,prompt_tokens,output_tokens\n0,1.5,1\n", 2, "prompt_tokens", "a whole number of tokens", "'1.5'"),
    ("arrival_s,prompt_tokens,output_tokens\n0,3000000000,1\n", 2, "prompt_tokens", "to 2147483647", "'3000000000'"),
    ("arrival_s,prompt_tokens,output_tokens\n0,1\n", 2, None, "3 cells", "2"),
    ("arrival_s,prompt_tokens,output_tokens\n0,1,1,1\n", 2, None, "3 cells", "4"),
    ("TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,1\n", 2, "TIMESTAMP", "a time such as", "'yesterday'"),
    ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,-4,1\n", 2, "ContextTokens", "0 to", "'-4'"),
    (BURST_1 + "x,ChatGPT,1,1,2,API log\n", 5, "Timestamp", "a number of seconds", "'x'"),
    (MOONCAKE_TABLE + "9,1,-1,1\n", 4, "output_length", "a whole number of tokens, 0", "'-1'"),
    (MOONCAKE + "[1]\n", 3, None, "a JSON object", "'[1]'"),
    (MOONCAKE + '{"timestamp": 1, \n', 3, None, "a JSON object", "unexpected"),
    (MOONCAKE + '{"timestamp": "7", "input_length": 1, "output_length": 1}\n', 3, "timestamp", "milliseconds", "'7'"),
    (MOONCAKE + '{"timestamp": 7, "output_length": 1}\n', 3, "input_length", "a whole number", "nothing"),
    (
        MOONCAKE + '{"timestamp": 7, "input_length": 1.0, "output_length": 1}\n',
        3,
        "input_length",
        "whole number",
        "1.0",
    ),
    (MOONCAKE + '{"timestamp": 7, "input_length": true, "output_length": 1}\n', 3, "input_length", "whole", "True"),
    (MOONCAKE + '{"timestamp": -7, "input_length": 1, "output_length": 1}\n', 3, "timestamp", "0 or more", "-7"),
]


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("text", "line", "column", "expected", "got"), BAD)
def test_bad_rows(
    tmp_path: Path, text: str, line: int, column: str | None, expected: str, got: str, fast: bool
) -> None:
    with pytest.raises(BadRow) as caught:
        read(tmp_path, text, fast=fast)
    problem = caught.value
    assert (problem.path, problem.line, problem.column) == (str(tmp_path / "requests.csv"), line, column)
    assert expected in problem.expected
    assert got in problem.got


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("text", "line"), [(text, line) for text, line, *_ in BAD if text.count("\n") > 2])
def test_bad_rows_are_gone_past_and_listed(tmp_path: Path, text: str, line: int, fast: bool) -> None:
    trace = read(tmp_path, text, fast=fast, skip_bad_rows=True)
    assert [row.line for row in trace.bad_rows] == [line]
    assert len(trace) + sum(d.count for d in trace.dropped) + 1 == len(text.strip().split("\n")) - ("{" not in text[:1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a request trace or a rate profile, got an empty file"),
        (b"PK\x03\x04x", "a zip archive: unpack it first"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"arrival_s\n", "expected at least one request, got the end of the file"),
        (b"TIMESTAMP,ContextTokens\nx,1\n", "nearest is azure-llm, which has GeneratedTokens too"),
        (b"a,b\n1,2\n", "expected a request trace .request-table.*got the header 'a,b'"),
        (b"t_s,rate_per_s\n0,1\n", "got a rate profile, which tells how many requests come and not which"),
        (b"arrival_s,arrival_s\n0,1\n", "column 'arrival_s': expected each column once"),
        (gzip.compress(OWN.encode() * 50)[:-20], "the file is truncated"),
        (b"PAR1 and no more", "expected a sound Parquet file"),
    ],
)
@pytest.mark.parametrize("fast", [False, True])
def test_files_that_are_refused(tmp_path: Path, content: bytes, message: str, fast: bool) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, content, fast=fast)


def test_only_unanswered_requests(tmp_path: Path) -> None:
    text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,5,0\n"
    message = r"at least one request, got 1 rows dropped \(failed: it has no output tokens\), the first on line 2"
    with pytest.raises(BadRow, match=message):
        read(tmp_path, text)


def test_named_formats(tmp_path: Path) -> None:
    assert read(tmp_path, OWN, format="request-table").format == "request-table"
    with pytest.raises(UnknownNameError, match="did you mean 'azure-llm'"):
        read(tmp_path, OWN, format="azure")
    with pytest.raises(BadRow, match="column 'TIMESTAMP': expected a column of this name"):
        read(tmp_path, OWN, format="azure-llm")
    with pytest.raises(InputError, match="No such file"):
        read_request_trace(tmp_path / "none.csv")
    with pytest.raises(InputError, match="directory"):
        read_request_trace(tmp_path)


ODD = st.sampled_from(
    ["0", "1", "7", "1.0", " 3", "+4", "1e3", "-1", "nan", "inf", "", "x", "1_0", "99999999999", '"5"']
)


@given(
    rows=st.lists(st.lists(ODD, min_size=2, max_size=4), min_size=1, max_size=6), end=st.sampled_from(["\n", "\r\n"])
)
def test_fast_and_slow_read_the_same(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], end: str) -> None:
    path = tmp_path_factory.mktemp("odd") / "r.csv"
    path.write_bytes(end.join(["arrival_s,prompt_tokens,output_tokens", *(",".join(row) for row in rows)]).encode())

    def outcome(fast: bool) -> object:
        try:
            trace = read_request_trace(path, fast=fast, skip_bad_rows=True)
        except InputError as problem:
            return str(problem)
        columns = [c.tolist() for c in (trace.arrival_s, trace.prompt_tokens, trace.output_tokens)]
        return columns, [str(row) for row in trace.bad_rows], trace.notes, trace.sha256

    assert outcome(True) == outcome(False)


@pytest.mark.parametrize("chunk_bytes", [1, 7, 64, 500])
@pytest.mark.parametrize("text", [AZURE_2023, AZURE_2024, BURST_1, OWN, MOONCAKE_TABLE])
def test_chunks_make_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, chunk_bytes: int
) -> None:
    slow = read(tmp_path, text, fast=False)
    monkeypatch.setattr(fast_columns, "CHUNK_BYTES", chunk_bytes)
    monkeypatch.setattr(reading, "read_rows", None)  # it must not be needed
    fast = read(tmp_path, text, fast=True)
    assert fast.arrival_s.tolist() == slow.arrival_s.tolist()
    assert fast.prompt_tokens.tolist() == slow.prompt_tokens.tolist()
    assert (fast.dropped, fast.notes, fast.sha256) == (slow.dropped, slow.notes, slow.sha256)


def made(synthetic: tuple[str, ...] = ()) -> RequestTrace:
    rng = np.random.default_rng(5)
    arrival_s = np.sort(rng.integers(0, 10**12, 300)) / 1e6
    tokens = rng.integers(1, 5000, (2, 300)).astype(np.int32)
    return RequestTrace("made", arrival_s, tokens[0].copy(), tokens[1].copy(), synthetic=synthetic)


@pytest.mark.parametrize("name", ["r.csv", "r.csv.gz", "r.parquet"])
@pytest.mark.parametrize("synthetic", [(), ("all: generate chat seed 3",)])
def test_what_is_written_reads_back(tmp_path: Path, name: str, synthetic: tuple[str, ...]) -> None:
    trace = made(synthetic)
    write_request_trace(trace, tmp_path / name)
    back = read_request_trace(tmp_path / name)
    assert (back.arrival_s == trace.arrival_s).all()
    assert (back.prompt_tokens == trace.prompt_tokens).all()
    assert (back.output_tokens == trace.output_tokens).all()
    assert back.synthetic == synthetic
    assert back.notes == ()
    first = (tmp_path / name).read_bytes()
    write_request_trace(trace, tmp_path / name)
    assert (tmp_path / name).read_bytes() == first


def test_names_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in .csv, .csv.gz or .parquet"):
        write_request_trace(made(), tmp_path / "r.txt")
    with pytest.raises(InputError, match="No such file"):
        write_request_trace(made(), tmp_path / "none" / "r.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("columns", "line", "column"),
    [
        ({"arrival_s": [0.0, -1.0]}, 2, "arrival_s"),
        ({"arrival_s": [0.0, None]}, 2, "arrival_s"),
        ({"arrival_s": [0.0, 1.0], "prompt_tokens": [1, 0], "output_tokens": [1, 1]}, 2, "prompt_tokens"),
        ({"prompt_tokens": [1]}, 1, "arrival_s"),
    ],
)
def test_bad_parquet(tmp_path: Path, columns: dict[str, list[float]], line: int, column: str) -> None:
    polars.DataFrame(columns).write_parquet(tmp_path / "r.parquet")
    with pytest.raises(BadRow) as caught:
        read_request_trace(tmp_path / "r.parquet")
    assert (caught.value.line, caught.value.column) == (line, column)


SHARED = Path(__file__).parents[4] / "shared" / "data" / "llm_request_traces"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public traces (../shared) are not at hand")
@pytest.mark.parametrize(
    ("name", "count", "last_s"),
    [
        ("AzureLLMInferenceTrace_code", 8819, 3435.948056),
        ("AzureLLMInferenceTrace_conv", 19366, 3501.721937),
        ("mooncake_conversation_trace", 12031, 3536.999),
        ("mooncake_synthetic_trace", 3993, 1022.025),
    ],
)
def test_public_traces(name: str, count: int, last_s: float) -> None:
    slow, fast = (read_request_trace(SHARED / f"{name}.csv.gz", fast=fast) for fast in (False, True))
    assert (len(slow), slow.arrival_s[-1]) == (count, last_s)
    assert not slow.dropped
    assert not slow.bad_rows
    assert (fast.arrival_s == slow.arrival_s).all()
    assert (fast.output_tokens == slow.output_tokens).all()
    assert fast.sha256 == slow.sha256
