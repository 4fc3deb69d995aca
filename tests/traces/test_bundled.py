"""The bundled traces are what their description says: weeks of real traces, attributed, with a model beside them."""

import csv
import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from goodwatt.cluster.presets import load_cluster
from goodwatt.errors import InputError, UnknownNameError
from goodwatt.policies.registry import make_policy
from goodwatt.simulator.run import run
from goodwatt.traces import bundled
from goodwatt.traces.generate_model import TraceModel
from goodwatt.traces.reading import read_trace

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
def test_nothing_is_made_up(name: str) -> None:
    trace = read_trace(bundled.path(name))
    assert trace.synthetic == ()
    assert (trace.notes, trace.bad_rows, trace.dropped) == ((), (), ())
    assert all(job.user is None and job.name is None for job in trace.jobs)


@pytest.mark.parametrize("name", bundled.names())
def test_attributed(name: str) -> None:
    facts = bundled.describe(name)
    notice = (Path(__file__).parents[2] / "NOTICE").read_text(encoding="utf-8")
    part = notice.split(f"\n{name}\n")[1]
    for title in ("Source ", "Authors ", "Paper ", "Licence  CC BY 4.0, https://", "Changes "):
        assert title in part
    assert facts.licence == "CC BY 4.0"
    assert facts.paper.split(",")[-1].strip() in " ".join(part.split())  # venue and year


@pytest.mark.parametrize("name", bundled.names())
def test_model_is_of_the_same_trace(name: str) -> None:
    facts = bundled.describe(name)
    model = TraceModel.load(facts.model_path)
    assert model.name == name
    assert model.mean_demand_gpus == pytest.approx(facts.mean_demand_gpus, rel=0.15)


def test_numbers_are_whole() -> None:
    """The sources count whole seconds; so do the tables."""
    for name in bundled.names():
        for job in rows(name):
            assert all(job[column].isdecimal() for column in ("submit_s", "num_gpus", "duration_s"))


def test_clamped_durations_are_as_many_as_said() -> None:
    limit_s = 48 * 3600
    durations = [int(job["duration_s"]) for job in rows("venus")]
    assert max(durations) == limit_s
    assert f"({durations.count(limit_s)} jobs) stand as 48 h" in bundled.describe("venus").note


@pytest.mark.parametrize("name", bundled.names())
def test_queue_is_as_long_as_said(name: str) -> None:
    summary = run(read_trace(bundled.path(name)).jobs, load_cluster("philly-80"), make_policy("fifo")).summary
    hours = float(bundled.describe(name).note.split("waits ")[1].split(" h")[0])
    assert summary["mean_queueing_s"] / 3600 == pytest.approx(hours, rel=0.1)


def test_samples_stay_small() -> None:
    assert sum(file.stat().st_size for file in bundled.SAMPLES.iterdir()) < LIMIT_BYTES


def test_same_jobs_are_same_bytes() -> None:
    for name in bundled.names():
        assert bundled.path(name).read_bytes()[4:8] == b"\0\0\0\0", "gzip carries a time stamp"


def test_names_resolve(tmp_path: Path) -> None:
    file = tmp_path / "jobs.csv"
    file.touch()
    assert bundled.resolve(str(file)) == file
    assert bundled.resolve("venus") == bundled.path("venus")
    with pytest.raises(UnknownNameError, match=r"unknown trace file or bundled trace 'phily'.*did you mean 'philly'"):
        bundled.resolve("phily")
    with pytest.raises(InputError, match=r"nowhere/jobs.csv: no such file"):
        bundled.resolve("nowhere/jobs.csv")


def test_description_needs_no_numpy() -> None:
    code = "import sys; from goodwatt.traces import bundled; bundled.describe('venus'); print('numpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert run.stdout.strip() == "False"
