"""Drawn traces resemble what the model was fitted to, within stated tolerances, and repeat bit for bit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goodwatt.cluster.job import Job, JobStatus
from goodwatt.errors import InputError
from goodwatt.traces import bundled
from goodwatt.traces.generate_model import GRID, TraceModel
from goodwatt.traces.reading import read_trace
from goodwatt.traces.statistics import TraceStatistics, summarise
from goodwatt.traces.statistics_columns import DAY_S, HOUR_S, columns_of, normal_scores, week_counts
from goodwatt.traces.trace import Trace
from goodwatt.traces.writing import write_trace


@pytest.fixture(scope="module", params=bundled.names())
def source(request: pytest.FixtureRequest) -> Trace:
    return read_trace(bundled.path(request.param))


@pytest.fixture(scope="module")
def model(source: Trace) -> TraceModel:
    return TraceModel.fit(source)


@pytest.fixture(scope="module")
def statistics(source: Trace) -> TraceStatistics:
    return summarise(source)


def regular(count: int, **fields: Any) -> Trace:
    """A job every ten minutes."""
    first = Job(job_id="0", submit_s=0.0, num_gpus=1, duration_s=60.0)
    jobs = [replace(first, job_id=str(i), submit_s=600.0 * i, duration_s=60.0 + i) for i in range(count)]
    return Trace("regular", [replace(job, **fields) for job in jobs])


def test_hours_of_the_day_within_three_tenths(source: Trace, model: TraceModel) -> None:
    """A year of drawing against the source's hours, smoothed as the fit does.

    Two weeks make single hours noisy, and jobs that follow on the end of another come at any hour.
    """
    jobs, _ = week_counts(columns_of(source).submit_s, 0.0)
    wanted = np.convolve(np.tile(jobs, 3), [1 / 8, 6 / 8, 1 / 8], "same")[168:336].reshape(7, 24).sum(0)
    drawn, _ = week_counts(model.draw(1, days=364).submit_s.astype(np.float64), 0.0)
    profile = drawn.reshape(7, 24).sum(0)
    busy = wanted > wanted.mean() / 4
    ratio = (profile / profile.sum()) / (wanted / wanted.sum())
    assert np.abs(ratio[busy] - 1).max() < 0.3
    assert np.abs(profile / profile.sum() - wanted / wanted.sum()).sum() < 0.12


def test_sizes_within_half_a_point(model: TraceModel, statistics: TraceStatistics) -> None:
    drawn = {row.label: row for row in summarise(model.draw(2, days=28).trace()).sizes}
    jobs = sum(row.jobs for row in drawn.values())
    for row in statistics.sizes:
        assert drawn[row.label].jobs / jobs == pytest.approx(row.jobs / statistics.jobs, abs=0.005)


def test_gpu_hours_by_size_within_five_points(model: TraceModel, statistics: TraceStatistics) -> None:
    drawn = summarise(model.draw(3, days=28).trace())
    by_label = {row.label: row.gpu_hours / drawn.gpu_hours for row in drawn.sizes}
    for row in statistics.sizes:
        assert by_label[row.label] == pytest.approx(row.gpu_hours / statistics.gpu_hours, abs=0.05)


def test_durations_within_a_tenth(model: TraceModel, source: Trace) -> None:
    """One job in a hundred runs for days: where so few are, they may differ by more."""
    wanted, drawn = columns_of(source).duration_s, model.draw(4, days=14).duration_s
    for quantile, off in ((0.25, 0.1), (0.5, 0.1), (0.75, 0.1), (0.9, 0.1), (0.95, 0.1), (0.99, 0.15)):
        assert np.quantile(drawn, quantile) == pytest.approx(np.quantile(wanted, quantile), rel=off)
    assert drawn.max() <= wanted.max()


def test_partitions_within_three_points(model: TraceModel, source: Trace) -> None:
    wanted = columns_of(source).partition
    if not wanted.known:
        assert model.draw(5, days=7).trace().jobs[0].partition is None
        return
    drawn = columns_of(model.draw(5, days=56).trace()).partition
    shares = {name: float(np.mean(drawn.codes == i)) for i, name in enumerate(drawn.names)}
    for i, name in enumerate(wanted.names):
        assert shares.get(name, 0.0) == pytest.approx(float(np.mean(wanted.codes == i)), abs=0.03)


def test_day_to_day_variation_of_work_is_of_the_same_size(model: TraceModel, source: Trace) -> None:
    def variation(trace: Trace) -> float:
        columns = columns_of(trace)
        work = np.bincount((columns.submit_s // DAY_S).astype(np.int64), columns.gpu_s)
        return float(work.std() / work.mean())

    drawn = np.mean([variation(model.draw(seed, days=14).trace()) for seed in range(8)])
    assert 0.4 < drawn / variation(source) < 2.5


def test_users_repeat_themselves(model: TraceModel) -> None:
    jobs = columns_of(model.draw(6, days=28).trace())
    score = np.zeros(len(jobs))
    for gpus in np.unique(jobs.num_gpus):
        score[jobs.num_gpus == gpus] = normal_scores(jobs.duration_s[jobs.num_gpus == gpus])
    order = np.lexsort((jobs.submit_s, jobs.num_gpus, jobs.name.codes))
    alike = (np.diff(jobs.name.codes[order]) == 0) & (np.diff(jobs.num_gpus[order]) == 0)
    correlation = np.corrcoef(score[order][:-1][alike], score[order][1:][alike])[0, 1]
    assert correlation == pytest.approx(model.repeat, abs=0.15)


def test_fit_of_a_drawn_trace_finds_the_model_again(model: TraceModel) -> None:
    again = TraceModel.fit(model.draw(7, days=56).trace())
    assert again.mean_demand_gpus == pytest.approx(model.mean_demand_gpus, rel=0.05)
    assert again.jobs_per_day == pytest.approx(model.jobs_per_day, rel=0.05)
    assert again.repeat == pytest.approx(model.repeat, abs=0.15)
    assert again.users == pytest.approx(model.users, rel=0.25)


def test_outcomes_follow_durations() -> None:
    trace = regular(600)
    jobs = [replace(j, status=JobStatus.FAILED if j.duration_s < 360 else JobStatus.COMPLETED) for j in trace.jobs]
    drawn = TraceModel.fit(replace(trace, jobs=jobs)).draw(0, jobs=2000).trace()
    short = [job.status == JobStatus.FAILED for job in drawn.jobs if job.duration_s < 350]
    long = [job.status == JobStatus.FAILED for job in drawn.jobs if job.duration_s > 370]
    assert np.mean(short) > 0.95
    assert np.mean(long) < 0.05


def test_shares_of_gpus_are_kept() -> None:
    drawn = TraceModel.fit(regular(100, gpu_milli=250)).draw(0, jobs=50)
    assert set(drawn.gpu_milli.tolist()) == {250}


@pytest.mark.parametrize(("load", "gpus"), [(1.0, 512), (0.7, 256), (1.3, 2048)])
def test_load_on_a_cluster(model: TraceModel, load: float, gpus: int) -> None:
    drawn = model.draw(8, days=14, load=load, gpus=gpus)
    assert drawn.mean_demand_gpus == pytest.approx(load * gpus, rel=0.05)
    assert drawn.num_gpus.max() <= gpus
    assert drawn.span_s == 14 * DAY_S


def test_number_of_jobs_keeps_the_load(model: TraceModel) -> None:
    drawn = model.draw(9, jobs=3000, load=0.8, gpus=640)
    assert len(drawn) == 3000
    assert drawn.mean_demand_gpus == pytest.approx(0.8 * 640, rel=1e-6)
    assert drawn.submit_s.min() >= 0
    assert drawn.submit_s.max() < drawn.span_s
    assert (np.diff(drawn.submit_s) >= 0).all()


def test_gangs_that_do_not_fit_are_left_out() -> None:
    model = TraceModel.load(bundled.describe("venus").model_path)
    assert model.draw(0, days=7).num_gpus.max() > 100
    assert model.draw(0, days=28, gpus=64).num_gpus.max() <= 64
    with pytest.raises(InputError, match=r"no job that fits into 0\.5 GPUs"):
        model.draw(0, gpus=0.5)


def test_same_seed_same_bytes(model: TraceModel, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.csv.gz", "b.csv.gz", "c.csv.gz")]
    for file, seed in zip(files, (5, 5, 6), strict=True):
        write_trace(model.draw(seed, days=3).trace(), file)
    first, again, other = (file.read_bytes() for file in files)
    assert first == again
    assert first != other


def test_model_survives_its_file(model: TraceModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model.json")
    loaded = TraceModel.load(tmp_path / "model.json")
    assert loaded.mean_demand_gpus == pytest.approx(model.mean_demand_gpus, rel=1e-4)
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "model.json").read_bytes()
    assert all(len(group.duration_s) == len(GRID) for group in loaded.groups)


def test_rhythm_counts_from_the_origin() -> None:
    """Jobs at noon only: their hour of the week follows from the origin that was given."""
    jobs = [
        Job(job_id=str(i), submit_s=(i // 5) * DAY_S + (i % 5) * 60.0, num_gpus=1, duration_s=60.0) for i in range(70)
    ]
    model = TraceModel.fit(Trace("noon", jobs), origin_s=12 * HOUR_S)
    assert np.argmax(np.array(model.hour_of_week).reshape(7, 24).sum(0)) == 12


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"jobs": 10, "days": 2.0}, "got both"),
        ({"jobs": 0}, "expected jobs above 0, got 0"),
        ({"days": -1.0}, "expected days above 0"),
        ({"load": float("nan")}, "expected load above 0"),
        ({"gpus": float("inf")}, "expected gpus above 0"),
        ({"days": 1e9}, "expected at most 20,000,000 jobs"),
        ({"jobs": 30_000_000}, "expected at most 20,000,000 jobs"),
    ],
)
def test_wishes_that_cannot_be_met(wishes: dict[str, Any], message: str) -> None:
    model = TraceModel.load(bundled.describe("venus").model_path)
    with pytest.raises(InputError, match=message):
        model.draw(0, **wishes)


def test_too_little_to_fit() -> None:
    with pytest.raises(InputError, match="expected at least 50 jobs over an hour, got 5 jobs"):
        TraceModel.fit(regular(5))
    with pytest.raises(InputError, match="has no jobs"):
        TraceModel.fit(Trace("empty", []))


def test_file_that_is_no_model(tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    for text in ("{", "[]", '{"groups": 3}', '{"groups": []}'):
        file.write_text(text)
        with pytest.raises(InputError, match="expected a trace model"):
            TraceModel.load(file)
