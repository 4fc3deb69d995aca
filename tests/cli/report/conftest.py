"""A browser and made-up pages for the tests of the report."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from goodwatt.cli.report import write_report
from tests.cli.report.browser import Browser, chromium, chromium_path
from tests.cli.report.made_runs import made_comparison, made_manifest, made_run

POLICIES = ("fifo", "qssf:history_days=30+fgd", "srtf")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, or a skip that says why; a failure where CI says that it must be there."""
    path = chromium_path()
    if path is None:
        why = "no chromium on the path and none named by GOODWATT_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    with chromium(path) as found:
        yield found


@pytest.fixture(scope="session")
def single_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page about one run."""
    page = tmp_path_factory.mktemp("single") / "report.html"
    write_report(page, [made_run("fifo", count=1200, budget_w=80_000.0)], None, made_manifest())
    return page


@pytest.fixture(scope="session")
def comparison_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page about three policies on two windows with two seeds."""
    page = tmp_path_factory.mktemp("comparison") / "report.html"
    runs = [
        made_run(policy, count=1000, seed=seed, window=window, budget_w=100_000.0)
        for policy in POLICIES
        for window in ("1/2", "2/2")
        for seed in (0, 1)
    ]
    write_report(page, runs, made_comparison(), made_manifest())
    return page
