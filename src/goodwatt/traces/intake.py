"""Where a reader puts what it finds: jobs, rows that are no jobs, bad rows, and what is worth a note.

Checks what every job must satisfy, whatever its format, and makes the `Trace`: jobs by submission, times from the
first one. Reading cells is for `table` and the formats.
"""

from __future__ import annotations

from array import array
from dataclasses import MISSING, field, fields, make_dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from goodwatt.cluster.job import WHOLE_GPU_MILLI, Job
from goodwatt.errors import BadRow, InputError
from goodwatt.traces.trace import Dropped, Trace, labels_of_mark
from goodwatt.traces.trace_format import ReadOptions

CPU_ONLY = "CPU-only: it asks for no GPU, `goodwatt traces convert --cpu-only` keeps such jobs"
NEVER_STARTED = "never started"
STILL_RUNNING = "still running when the log was taken: its run time is not known"
SHIFTED = ("submit_s", "deadline_s", "observed_start_s", "observed_end_s")
GOT_CHARACTERS = 60


class NotAJob(Exception):  # no error: the format holds rows that a replay has no use for
    """The row is in order, but no job of this trace."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class UnfitError(Exception):
    """A value that cannot be used; becomes a BadRow once file, line and the column's own name are added."""

    def __init__(self, column: str | None, expected: str, got: str) -> None:
        self.column, self.expected, self.got = column, expected, got
        super().__init__(expected)


def shown(text: str) -> str:
    """A value from a file, quoted, as a message shows it."""
    return repr(text if len(text) <= GOT_CHARACTERS else text[:GOT_CHARACTERS] + "...")


def _assignments() -> Any:
    """An `__init__` that assigns the fields of Job one by one, made by `dataclasses` for a class that is not frozen."""
    needed: list[Any] = [(f.name, Any) for f in fields(Job) if f.default is MISSING]
    optional = [(f.name, Any, field(default=f.default)) for f in fields(Job) if f.default is not MISSING]
    return make_dataclass("_Plain", needed + optional).__dict__["__init__"]


class _Draft(Job):
    """A job that may still change. Same layout as Job, whose class it takes when the trace is finished.

    Building a frozen dataclass costs 4 us, this 0.8: a fifth of the time to read a trace instead of most of it.
    """

    __slots__ = ()
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__
    __init__ = _assignments()


class Intake:
    """Collects the jobs of one trace and gives a `Trace` at the end.

    `from_first`, set by whoever reads wall-clock times, moves all times so that the first submission is at 0 s;
    `zero_gpus`, set by a format in which 0 GPUs are no slip but a CPU-only job, lets such jobs in.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path, self.options = path, options
        self.from_first = self.zero_gpus = False
        self._jobs: list[_Draft] = []
        self._lines = array("L")
        self._line_of_id: dict[str, int] = {}
        self._dropped: dict[str, list[int]] = {}
        self._bad: list[BadRow] = []
        self._notes: list[str] = []
        self._counted: dict[str, int] = {}
        self._marks: dict[str, None] = {}

    def add(self, line: int, values: dict[str, Any]) -> None:
        """One job from fields of Job; without `job_id`, it is named by its number among the rows."""
        job_id = values.get("job_id")
        if job_id is None:
            values["job_id"] = job_id = str(len(self._jobs) + 1)
        elif job_id in self._line_of_id:
            before = self._line_of_id[job_id]
            raise UnfitError("job_id", "each job once", f"{shown(job_id)} again, first on line {before}")
        job = _Draft(**values)
        if job.num_gpus != 1 or job.gpu_milli != WHOLE_GPU_MILLI:
            self._check_gpus(job)
        self._line_of_id[job_id] = line
        self._jobs.append(job)
        self._lines.append(line)

    def drop(self, line: int, reason: str) -> None:
        """A row that is no job, counted by its reason."""
        known = self._dropped.setdefault(reason, [0, line])
        known[0] += 1

    def bad(self, problem: BadRow) -> None:
        """A row that cannot be used: the end, unless bad rows are to be skipped."""
        if not self.options.skip_bad_rows:
            raise problem
        self._bad.append(problem)

    def note(self, text: str) -> None:
        """Something a reader of the trace should know."""
        if text not in self._notes:
            self._notes.append(text)

    def count(self, text: str) -> None:
        """The same, for something that happens to single jobs: the note says to how many."""
        self._counted[text] = self._counted.get(text, 0) + 1

    def mark(self, text: str) -> None:
        """What a row says was made up: labels, mostly the same in all rows. Only distinct texts are kept."""
        self._marks[text] = None

    def need_gpu(self, num_gpus: float) -> None:
        """For formats in which CPU-only jobs are a normal thing: they are no jobs here unless asked for."""
        if num_gpus == 0 and not self.options.cpu_only:
            raise NotAJob(CPU_ONLY)

    def finish(self, format_name: str, sha256: str) -> Trace:
        """The trace: jobs by submission, then by their order in the file."""
        if not self._jobs:
            raise self._nothing_left()
        order = self._order()
        jobs = [self._jobs[i] for i in order] if order else self._jobs
        origin = self._origin(jobs[0].submit_s)
        for job in jobs:
            if origin:
                _shift(job, origin)
            job.__class__ = Job  # type: ignore[assignment] # a draft has the layout of a Job
        return Trace(
            name=Path(self.path.name.removesuffix(".gz")).stem,
            jobs=jobs,
            format=format_name,
            path=self.path,
            sha256=sha256,
            lines=array("L", (self._lines[i] for i in order)) if order else self._lines,
            dropped=tuple(Dropped(reason, count, first) for reason, (count, first) in self._dropped.items()),
            bad_rows=tuple(self._bad),
            notes=(*self._notes, *(f"{text}: {count} jobs" for text, count in self._counted.items())),
            synthetic=tuple(dict.fromkeys(label for text in self._marks if text for label in labels_of_mark(text))),
        )

    def _origin(self, first_submit_s: float) -> float:
        if not self.from_first:
            return 0.0
        self.note(f"0 s is {datetime.fromtimestamp(first_submit_s, UTC).isoformat()}")
        return first_submit_s

    def _check_gpus(self, job: Job) -> None:
        if job.num_gpus < 1 and not (self.options.cpu_only or self.zero_gpus):
            raise UnfitError("num_gpus", "at least 1 GPU", str(job.num_gpus))
        if job.num_gpus != 1 and job.gpu_milli != WHOLE_GPU_MILLI:
            raise UnfitError("gpu_milli", "1000 unless the job has one GPU", f"{job.gpu_milli} of {job.num_gpus} GPUs")

    def _order(self) -> list[int]:
        """Indexes of the jobs by submission; empty if they are in order."""
        times = [job.submit_s for job in self._jobs]
        if all(a <= b for a, b in pairwise(times)):
            return []
        return sorted(range(len(times)), key=times.__getitem__)

    def _nothing_left(self) -> InputError:
        reasons = [
            f"{count} rows dropped ({why}), the first on line {line}" for why, (count, line) in self._dropped.items()
        ]
        if self._bad:
            reasons.append(f"{len(self._bad)} bad rows, the first: {self._bad[0]}")
        got = "; ".join(reasons) or "the end of the file"
        return BadRow(self.path, 2, None, "at least one job", got)


def _shift(job: _Draft, origin: float) -> None:
    for name in SHIFTED:
        value = getattr(job, name)
        if value is not None:
            setattr(job, name, value - origin)
