"""The file of `--workloads`: which jobs are of which class, where the user knows better than a draw.

CSV with the columns `workload` and at least one of `job_id`, `user`, `name`, or YAML with a list `workloads` of the
same. A job id is compared as it is; `user` and `name` are patterns with * and ? in which case matters. What a row
leaves open matches anything; the first row that matches a job counts.
"""

from __future__ import annotations

import csv
import difflib
import fnmatch
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from goodwatt.cluster.job import JobRequest
from goodwatt.errors import BadRow, InputError
from goodwatt.power.workloads.catalogue import class_names

KEYS = ("job_id", "user", "name")
YAML_SUFFIXES = frozenset({".yaml", ".yml"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: who is meant, None for everybody, and the class."""

    workload: str
    job_id: str | None = None
    user: str | None = None
    name: str | None = None


class Overrides:
    """The rows of a file, to be asked job by job."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._by_id: dict[str, list[int]] = {}
        for i, rule in enumerate(self.rules):
            if rule.job_id is not None:
                self._by_id.setdefault(rule.job_id, []).append(i)
        self._patterns = [i for i, rule in enumerate(self.rules) if rule.job_id is None]
        self._of_name = cache(self._first_pattern)

    def __call__(self, job: JobRequest) -> str | None:
        """The class of the first row that matches the job, None if none does."""
        found = self._of_name(job.user, job.name)
        for i in self._by_id.get(job.job_id, ()):
            if found is not None and found < i:
                break
            if _matches(self.rules[i], job.user, job.name):
                found = i
                break
        return None if found is None else self.rules[found].workload

    def _first_pattern(self, user: str | None, name: str | None) -> int | None:
        return next((i for i in self._patterns if _matches(self.rules[i], user, name)), None)


def read_workloads(path: Path) -> Overrides:
    """The rows of a file. Raises InputError with file, line, what was expected and the nearest class."""
    from goodwatt.checked_yaml import read_text

    text = read_text(path, "workloads file")
    if path.suffix.lower() in YAML_SUFFIXES:
        from goodwatt.power.workloads.schema import rules_from_yaml

        return Overrides(rules_from_yaml(text, str(path)))
    return Overrides(list(_csv_rules(text, path)))


def class_problem(name: str) -> str | None:
    """What is wrong with the name of a class, as the end of "expected"; None if the catalogue has it."""
    names = class_names()
    if name in names:
        return None
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
    listed = f"did you mean {' or '.join(map(repr, near))}?" if near else "`goodwatt workloads list` prints them"
    return f"a workload class ({listed})"


def _csv_rules(text: str, path: Path) -> Iterator[Rule]:
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    titles = [title.strip() for title in next(rows, [])]
    _check_titles(titles, path)
    for cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(titles):
            raise BadRow(path, rows.line_num, None, f"{len(titles)} cells", str(len(cells)))
        values = {title: cell.strip() for title, cell in zip(titles, cells, strict=True)}
        yield _csv_rule(values, path, rows.line_num)


def _check_titles(titles: Sequence[str], path: Path) -> None:
    known = ("workload", *KEYS)
    for title in titles:
        if title not in known:
            near = difflib.get_close_matches(title, known, n=1, cutoff=0.5)
            hint = f": did you mean {near[0]!r}?" if near else ""
            raise BadRow(path, 1, None, f"columns among {', '.join(known)}", f"{title!r}{hint}")
    if len(set(titles)) < len(titles):
        raise BadRow(path, 1, None, "each column once", ", ".join(titles))
    if "workload" not in titles or len(titles) == 1:
        raise BadRow(path, 1, None, f"the column workload and one of {', '.join(KEYS)}", ", ".join(titles) or "nothing")


def _csv_rule(values: dict[str, str], path: Path, line: int) -> Rule:
    if problem := class_problem(values["workload"]):
        raise BadRow(path, line, "workload", problem, repr(values["workload"]))
    rule = Rule(
        **{key: value or None for key, value in values.items() if key != "workload"}, workload=values["workload"]
    )
    if rule.job_id is rule.user is rule.name is None:
        raise BadRow(path, line, None, f"one of {', '.join(KEYS)} filled in", "none of them")
    return rule


def _matches(rule: Rule, user: str | None, name: str | None) -> bool:
    return _fits(rule.user, user) and _fits(rule.name, name)


def _fits(pattern: str | None, text: str | None) -> bool:
    return pattern is None or (text is not None and _compiled(pattern).match(text) is not None)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(fnmatch.translate(pattern))
    except re.error as error:
        raise InputError(f"workloads file: expected a pattern with * and ?, got {pattern!r} ({error})") from None
