"""The bundled traces are what their description says, and can be drawn again from their models."""

import csv
import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from goodwatt.errors import InputError, UnknownNameError
from goodwatt.traces import bundled
from goodwatt.traces.generate_model import TraceModel

LIMIT_BYTES = 400_000


def rows(name: str) -> list[dict[str, str]]:
    with gzip.open(bundled.path(name), "rt", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("name", bundled.names())
def test_description_matches_file(name: str) -> None:
    facts = bundled.describe(name)
    jobs = rows(name)
    work = sum(int(job["num_gpus"]) * float(job["duration_s"]) for job in jobs)
    assert len(jobs) == facts.jobs
    assert max(float(job["submit_s"]) for job in jobs) < facts.days * 86400
    assert work / (facts.days * 86400) == pytest.approx(facts.mean_demand_gpus, abs=0.6)


@pytest.mark.parametrize("name", bundled.names())
def test_jobs_come_from_the_model(name: str) -> None:
    facts = bundled.describe(name)
    model = TraceModel.load(facts.model_path)
    drawn = model.draw(0, days=facts.days, load=facts.load).trace().jobs
    kept = [(job["job_id"], float(job["submit_s"]), float(job["duration_s"]), job["user"]) for job in rows(name)]
    assert kept == [(job.job_id, job.submit_s, job.duration_s, job.user) for job in drawn]


@pytest.mark.parametrize("name", bundled.names())
def test_marked_synthetic_and_attributed(name: str) -> None:
    assert {job["synthetic"] for job in rows(name)} == {f"all: generate {name} seed 0"}
    notice = Path(__file__).parents[2] / "NOTICE"
    assert name in notice.read_text(encoding="utf-8")
    assert bundled.describe(name).licence == "CC BY 4.0"


def test_samples_stay_small() -> None:
    assert sum(file.stat().st_size for file in bundled.SAMPLES.iterdir()) < LIMIT_BYTES


def test_same_jobs_are_same_bytes() -> None:
    for name in bundled.names():
        assert bundled.path(name).read_bytes()[4:8] == b"\0\0\0\0", "gzip carries a time stamp"


def test_names_resolve(tmp_path: Path) -> None:
    file = tmp_path / "jobs.csv"
    file.touch()
    assert bundled.resolve(str(file)) == file
    assert bundled.resolve("venus-like") == bundled.path("venus-like")
    with pytest.raises(
        UnknownNameError, match=r"unknown trace file or bundled trace 'philly-lik'.*did you mean 'philly-like'"
    ):
        bundled.resolve("philly-lik")
    with pytest.raises(InputError, match=r"nowhere/jobs.csv: no such file"):
        bundled.resolve("nowhere/jobs.csv")


def test_description_needs_no_numpy() -> None:
    code = (
        "import sys; from goodwatt.traces import bundled; bundled.describe('venus-like'); print('numpy' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert run.stdout.strip() == "False"
