"""Puts report.html together: one file, no network, nothing that a hostile name could run.

The data is JSON in a block that the browser does not execute, its angle brackets escaped; the page shows text only
as text; a content security policy admits exactly the one style and the two scripts written here, by their hashes,
and no connection at all. The charts are drawn by the page's own code, 90 kB with its style: plotly's bundle would
add 4.8 MB to every report.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from goodwatt.cli.report import headline
from goodwatt.cli.report.payload import payload
from goodwatt.errors import InputError
from goodwatt.policies.comparison_table import ComparisonTable
from goodwatt.simulator.records.result import RunResult

STYLES = ("style.css", "charts.css")
# In the order of execution: each file uses only what stands before it, `start` draws the page.
SCRIPTS = (
    "data.js",
    "format.js",
    "elements.js",
    "selection.js",
    "pooling.js",
    "scales.js",
    "tooltip.js",
    "line_chart.js",
    "tables.js",
    "filters.js",
    "key_numbers.js",
    "comparison.js",
    "front.js",
    "divisions.js",
    "distributions.js",
    "over_time.js",
    "services.js",
    "breakdown.js",
    "gantt_view.js",
    "gantt_drawing.js",
    "gantt.js",
    "gantt_pointers.js",
    "origin.js",
    "start.js",
)


def write_report(
    path: Path, runs: Sequence[RunResult], comparison: ComparisonTable | None, manifest: Mapping[str, Any]
) -> None:
    """Write the page about one run, or about several policies, windows and seeds.

    `comparison` is shown as it is; its row labels should be those of the runs: the policy, or "policy / power
    policy" where the runs differ in `power`. Of the manifest, the keys in `headline.ORIGIN` are shown
    under their names ("trace" and "created" in the heading too), all others as they are.

    Raises InputError if there are no runs.
    """
    if not runs:
        raise InputError("a report needs at least one run, got none")
    path.write_text(report_html(runs, comparison, manifest), encoding="utf-8")


def report_html(runs: Sequence[RunResult], comparison: ComparisonTable | None, manifest: Mapping[str, Any]) -> str:
    """The page as text."""
    style = "\n".join(asset(name) for name in STYLES)
    theme, script = asset("theme.js"), page_script()
    parts = {
        "policy": f"script-src {_hash(theme)} {_hash(script)}; style-src {_hash(style)}",
        "title": html.escape(headline.title(runs, manifest)),
        "finding": html.escape(headline.finding(runs, comparison)),
        "scope": html.escape(headline.scope(runs, manifest)),
        "style": style,
        "theme": theme,
        "script": script,
        "data": embedded_json(payload(runs, comparison, manifest)),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], asset("template.html"))


def asset(name: str) -> str:
    """One of the files beside this module."""
    return files("goodwatt.cli.report").joinpath("assets", name).read_text(encoding="utf-8")


def page_script() -> str:
    """All drawing code as one script with a scope of its own."""
    return '(() => {\n"use strict";\n' + "\n".join(asset(name) for name in SCRIPTS) + "})();\n"


def embedded_json(data: Any) -> str:
    """JSON that no content can end early: `<`, `>` and `&` are written as escapes of JSON strings."""
    text = orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS).decode("utf-8")
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
