"""Files that say which jobs are of which class."""

from __future__ import annotations

from pathlib import Path

import pytest

from goodwatt.errors import InputError
from goodwatt.power.workloads.workloads_file import Overrides, Rule, read_workloads
from tests.scenario import job

CSV = """\
job_id,user,name,workload
17,,,dlrm
,ann*,bert-*,bert_train
,ann,,rl_small
18,bob,,llm_decode
"""
YAML = """\
workloads:
  - {job_id: "17", workload: dlrm}
  - {user: "ann*", name: "bert-*", workload: bert_train}
  - {user: ann, workload: rl_small}
  - {job_id: "18", user: bob, workload: llm_decode}
"""
TABLE = [
    (job("17", user="ann", name="bert-1"), "dlrm"),
    (job("1", user="anna", name="bert-1"), "bert_train"),
    (job("2", user="ann", name="other"), "rl_small"),
    (job("3", user="ann"), "rl_small"),
    (job("4", user="anna", name="BERT-1"), None),
    (job("18", user="bob"), "llm_decode"),
    (job("18", user="ann"), "rl_small"),
    (job("18"), None),
    (job("5"), None),
]


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "text"), [("w.csv", CSV), ("w.yaml", YAML), ("bom.csv", "\ufeff" + CSV)])
def test_rows_match_jobs(tmp_path: Path, name: str, text: str) -> None:
    rules = read_workloads(written(tmp_path, name, text))
    assert len(rules.rules) == 4
    assert [rules(one) for one, _ in TABLE] == [wanted for _, wanted in TABLE]


def test_the_first_row_counts() -> None:
    rules = Overrides([Rule("dlrm", user="*"), Rule("rl_small", job_id="1")])
    assert rules(job("1", user="ann")) == "dlrm"
    assert rules(job("1")) == "rl_small"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("job_id,workload\n1,bert_trian\n", r"w.csv, line 2, column 'workload': .*did you mean 'bert_train'"),
        ("job_id,workload\n1,zzz\n", "goodwatt workloads list"),
        ("job_id,class\n1,dlrm\n", "line 1: expected columns among workload, job_id, user, name, got 'class'"),
        ("usr,workload\n1,dlrm\n", "got 'usr': did you mean 'user'"),
        ("workload\ndlrm\n", "expected the column workload and one of job_id, user, name"),
        ("job_id,user\n1,2\n", "expected the column workload"),
        ("job_id,job_id,workload\n1,2,dlrm\n", "each column once"),
        ("job_id,workload\n1\n", "line 2: expected 2 cells, got 1"),
        ("job_id,workload\n\n ,dlrm\n", "line 3: expected one of job_id, user, name filled in"),
        ("", "got nothing"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_workloads(written(tmp_path, "w.csv", text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "workloads:\n  - {job_id: '1', workload: bert_trian}\n",
            "key 'workload': .*did you mean 'bert_train'",
        ),
        (
            "workloads:\n  - {job_id: 1, workload: dlrm}\n",
            "line 2, key 'job_id': expected text, got 1: write",
        ),
        ("workloads:\n  - {workload: dlrm}\n", "line 2.*expected one of job_id, user, name, got none"),
        ("workloads:\n  - {usr: a, workload: dlrm}\n", "unknown key: did you mean 'user'"),
        ("workloads: []\n", "expected at least one entry"),
        ("", "empty file"),
    ],
)
def test_bad_yaml(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_workloads(written(tmp_path, "w.yml", text))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such workloads file"):
        read_workloads(tmp_path / "none.csv")
