"""Made-up users, names and requests: recurring, marked, and never a way to read the duration."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from goodwatt.cluster.job import Job
from goodwatt.errors import InputError
from goodwatt.traces import bundled
from goodwatt.traces.enrich import Enriched, enrich, predictor_error
from goodwatt.traces.generate_model import TraceModel
from goodwatt.traces.reading import read_trace
from goodwatt.traces.statistics_columns import columns_of, labels_of
from goodwatt.traces.trace import Trace
from goodwatt.traces.writing import write_trace

ERROR = 2.0


def plain(name: str) -> Trace:
    """A bundled trace: it has neither users nor names nor requested times."""
    return read_trace(bundled.path(name))


def drawn() -> Trace:
    """A drawn trace: it has users and names, made up."""
    return TraceModel.load(bundled.describe("venus").model_path).draw(0, days=14).trace()


@pytest.fixture(scope="module", params=bundled.names())
def enriched(request: pytest.FixtureRequest) -> Enriched:
    return enrich(plain(request.param), seed=3, error=ERROR)


def best_error(trace: Trace, *fields: str) -> float:
    """In-sample error of the median of ln(duration) over all jobs that share `fields`: no predictor does better."""
    log_s = np.log(np.maximum(columns_of(trace).duration_s, 1.0))
    return predictor_error(log_s, labels_of(["|".join(str(getattr(j, f)) for f in fields) for j in trace.jobs]).codes)


def test_best_predictor_has_at_least_the_stated_error(enriched: Enriched) -> None:
    assert best_error(enriched.trace, "user", "name") >= ERROR
    assert best_error(enriched.trace, "user", "name", "requested_s") >= ERROR
    assert best_error(enriched.trace, "user", "name", "requested_s") == pytest.approx(enriched.error)
    assert best_error(enriched.trace, "user", "name") == pytest.approx(enriched.error_by_name)


def test_names_are_worth_something(enriched: Enriched) -> None:
    """The tuning stops close above the stated error, far below that of a predictor that knows nothing."""
    assert enriched.error < ERROR * 1.1
    assert enriched.error_by_name < enriched.error_unknowing * 0.7


def test_predictor_from_the_past_does_worse(enriched: Enriched) -> None:
    logs: dict[tuple[str | None, str | None], list[float]] = {}
    off = []
    for job in enriched.trace.jobs:
        past = logs.setdefault((job.user, job.name), [])
        if past:
            off.append(abs(math.log(max(job.duration_s, 1.0)) - float(np.median(past[-50:]))))
        past.append(math.log(max(job.duration_s, 1.0)))
    assert math.exp(float(np.mean(off))) > ERROR
    assert len(off) > 0.9 * len(enriched.trace.jobs)


def test_no_name_is_used_only_once_or_twice(enriched: Enriched) -> None:
    names = columns_of(enriched.trace).name
    assert np.bincount(names.codes).min() >= 8


def test_number_of_a_name_says_nothing(enriched: Enriched) -> None:
    columns = columns_of(enriched.trace)
    numbers = np.array([int(name.removeprefix("run")) for name in columns.name.names])[columns.name.codes]
    assert abs(np.corrcoef(numbers, np.log(np.maximum(columns.duration_s, 1)))[0, 1]) < 0.3


def test_requests_are_round_and_long_enough(enriched: Enriched) -> None:
    for job in enriched.trace.jobs:
        assert job.requested_s is not None
        assert job.requested_s >= job.duration_s
        assert job.requested_s % 300 == 0
    over = [job.requested_s / max(job.duration_s, 1) for job in enriched.trace.jobs if job.requested_s]
    assert np.median(over) > 2


def test_everything_else_is_kept(enriched: Enriched) -> None:
    stripped = [replace(job, user=None, name=None, requested_s=None) for job in enriched.trace.jobs]
    assert stripped == list(plain(enriched.trace.name).jobs)
    users = {(job.user, job.partition) for job in enriched.trace.jobs}
    assert len(users) == len({user for user, _ in users}), "a user works in one partition"


def test_same_seed_same_trace() -> None:
    source = plain("venus")
    assert enrich(source, seed=1).trace == enrich(source, seed=1).trace
    assert enrich(source, seed=1).trace.jobs != enrich(source, seed=2).trace.jobs


@pytest.mark.parametrize("file", ["t.csv", "t.csv.gz", "t.parquet"])
def test_marks_survive_the_file(file: str, tmp_path: Path) -> None:
    source = plain("venus")
    trace = enrich(replace(source, jobs=source.jobs[:300]), error=1.2).trace
    assert trace.synthetic == tuple(f"{c}: enrich seed 0 error 1.2" for c in ("user", "name", "requested_s"))
    write_trace(trace, tmp_path / file)
    again = read_trace(tmp_path / file)
    assert again.synthetic == trace.synthetic
    assert list(again.jobs) == list(trace.jobs)
    assert again.notes == ()


def test_what_was_made_up_before_stays_marked() -> None:
    result = enrich(drawn(), seed=7, error=1.5)
    assert result.trace.synthetic == ("all: generate venus seed 0", "requested_s: enrich seed 7 error 1.5")


def test_known_users_are_kept() -> None:
    source = drawn()
    jobs = [replace(job, name=None) for job in source.jobs]
    result = enrich(replace(source, jobs=jobs), error=1.5)
    assert result.columns == ("name", "requested_s")
    assert [job.user for job in result.trace.jobs] == [job.user for job in jobs]
    assert result.error >= 1.5


def test_wrong_wishes() -> None:
    source = plain("venus")
    with pytest.raises(InputError, match=r"error 0\.5: expected a factor from 1 to"):
        enrich(source, error=0.5)
    with pytest.raises(InputError, match=r"error 99: expected a factor from 1 to"):
        enrich(source, error=99)
    made_up = r"has users, names and requested times \(made up: user: enrich seed 0 error 2; name: .*\): nothing to add"
    with pytest.raises(InputError, match=made_up):
        enrich(enrich(source).trace)


def test_error_that_sizes_alone_undercut() -> None:
    """Jobs of one size all run alike: no name can hide that."""
    sizes = [1 + i % 2 for i in range(400)]
    jobs = [Job(job_id=str(i), submit_s=60.0 * i, num_gpus=n, duration_s=100.0**n) for i, n in enumerate(sizes)]
    with pytest.raises(InputError, match=r"expected an --error of at most 1\.00"):
        enrich(Trace("two sizes", jobs), error=5)


def test_very_short_trace_is_one_name() -> None:
    jobs = [Job(job_id=str(i), submit_s=float(i), num_gpus=1, duration_s=10.0 * 2**i) for i in range(5)]
    result = enrich(Trace("short", jobs), error=1.0)
    assert len({job.name for job in result.trace.jobs}) == 1


def test_median_predictor() -> None:
    log_s = np.log(np.array([1.0, 4.0, 10.0, 10.0]))
    assert predictor_error(log_s, np.array([0, 0, 1, 1])) == pytest.approx(2 ** (2 / 4))
    assert predictor_error(log_s, np.arange(4)) == pytest.approx(1.0)
