"""The page that `goodwatt traces stats --plot` writes: one HTML file with plotly inside, which works offline.

Figures are plain dictionaries in plotly's schema; its Python classes would add half a second for nothing.
"""

from __future__ import annotations

import html
import math
from pathlib import Path
from typing import Any

import orjson

from goodwatt.cli.traces_stats_view import DAYS, duration_text
from goodwatt.errors import InputError
from goodwatt.traces.statistics import Durations, Owners, TraceStatistics

BLUE, ORANGE, RED = "#2f6db3", "#e08a2c", "#b3352f"
DAY_S, HOUR_S = 86400.0, 3600.0

TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 24px auto; max-width: 1180px;
        padding: 0 16px; }}
h1 {{ font-size: 22px; margin: 0; }}
p {{ margin: 4px 0; color: #444; }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)); gap: 12px;
           margin-top: 16px; }}
.chart {{ height: 320px; min-width: 0; }}
.wide {{ grid-column: 1 / -1; }}
</style>
</head>
<body>
<h1>{title}</h1>
{facts}
<div class="charts">{places}</div>
<script>{plotly}</script>
<script id="figures" type="application/json">{figures}</script>
<script>
for (const [name, figure] of Object.entries(JSON.parse(document.getElementById("figures").textContent))) {{
  Plotly.newPlot(name, figure.data, figure.layout, {{responsive: true, displayModeBar: false}});
}}
</script>
</body>
</html>
"""


def write_page(path: Path, statistics: TraceStatistics) -> None:
    """Write the page. Raises InputError where the file cannot be written or has another ending than .html."""
    if path.suffix not in (".html", ".htm"):
        raise InputError(f"{path}: expected a name that ends in .html, got {path.name!r}")
    try:
        path.write_text(page(statistics), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def page(statistics: TraceStatistics) -> str:
    """The page as text."""
    from plotly.offline import get_plotlyjs

    figures = _figures(statistics)
    wide = {"demand"}
    places = "".join(f'<div class="chart{" wide" * (name in wide)}" id="{name}"></div>' for name in figures)
    return TEMPLATE.format(
        title=html.escape(f"Trace {statistics.name}"),
        facts="".join(f"<p>{html.escape(fact)}</p>" for fact in _facts(statistics)),
        places=places,
        plotly=get_plotlyjs(),
        figures=_embedded(figures),
    )


def _embedded(data: Any) -> str:
    """JSON that no name in the data can end early."""
    return orjson.dumps(data).decode().replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _facts(statistics: TraceStatistics) -> list[str]:
    demand, load = statistics.demand, statistics.load
    facts = [
        f"{statistics.jobs:,} jobs over {duration_text(statistics.span_s)}, {statistics.gpu_hours:,.0f} GPU-hours.",
        f"If nothing waited, {demand.mean_gpus:,.0f} GPUs would be in use on average, {demand.peak_gpus:,.0f} at most.",
    ]
    if load is not None:
        facts.append(f"Load on {load.cluster} ({load.gpus:,} GPUs): {load.load:.2f}.")
    if not statistics.origin_known:
        facts.append("Hours and weekdays are counted as if the trace began on a Monday at 00:00.")
    return facts + [f"Made up: {label}." for label in statistics.synthetic]


def _figures(statistics: TraceStatistics) -> dict[str, dict[str, Any]]:
    """By the id of their place in the page, in order."""
    figures = {
        "demand": _demand(statistics),
        "hours": _bars("Arrivals by hour of day", range(24), statistics.arrivals_per_hour, "hour", "jobs per hour"),
        "weekdays": _bars("Arrivals by weekday", DAYS, statistics.arrivals_per_day, "", "jobs per day"),
        "sizes": _sizes(statistics),
        "durations": _durations("Duration by GPUs", statistics.sizes),
    }
    if len(statistics.durations) > 1:
        figures["outcomes"] = _durations("Duration by outcome", statistics.durations[1:])
    for name, title, owners in (
        ("partitions", "GPU-hours by partition", statistics.partitions),
        ("users", "GPU-hours by user", statistics.users),
    ):
        if owners.count:
            figures[name] = _owners(title, owners)
    return figures


def _layout(title: str, x: str, y: str, **more: Any) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": 15}, "x": 0, "xref": "paper"},
        "margin": {"l": 64, "r": 16, "t": 40, "b": 48},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "#333"},
        "xaxis": {"title": {"text": x}, "zeroline": False, "showgrid": False, "linecolor": "#999"},
        "yaxis": {"title": {"text": y}, "rangemode": "tozero", "gridcolor": "#e5e5e5", "zeroline": False},
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.12},
        **more,
    }


def _bars(title: str, x: Any, y: Any, x_title: str, y_title: str) -> dict[str, Any]:
    bars: dict[str, Any] = {"type": "bar", "x": list(x), "y": list(y), "marker": {"color": BLUE}}
    bars["hovertemplate"] = "%{x}: %{y:,.1f}<extra></extra>"
    return {"data": [bars], "layout": _layout(title, x_title, y_title, bargap=0.2)}


def _demand(statistics: TraceStatistics) -> dict[str, Any]:
    demand, load = statistics.demand, statistics.load
    days = [(i + 0.5) * demand.window_s / DAY_S for i in range(len(demand.gpus))]
    line: dict[str, Any] = {"type": "scatter", "x": days, "y": demand.gpus, "name": "GPUs in use", "fill": "tozeroy"}
    line |= {"line": {"color": BLUE, "width": 1.2}, "hovertemplate": "day %{x:.1f}: %{y:,.0f}<extra></extra>"}
    data: list[dict[str, Any]] = [line]
    if load is not None:
        ends = [0, statistics.span_s / DAY_S]
        capacity = {
            "type": "scatter",
            "mode": "lines",
            "x": ends,
            "y": [load.gpus] * 2,
            "name": f"GPUs of {load.cluster}",
        }
        data.append(capacity | {"line": {"color": RED, "dash": "dash"}, "hoverinfo": "skip"})
    layout = _layout("GPUs in use if nothing waited", "day", "GPUs", showlegend=load is not None)
    return {"data": data, "layout": layout}


def _sizes(statistics: TraceStatistics) -> dict[str, Any]:
    labels = [row.label for row in statistics.sizes]
    jobs = [100 * row.jobs / statistics.jobs for row in statistics.sizes]
    hours = [100 * row.gpu_hours / max(statistics.gpu_hours, 1e-9) for row in statistics.sizes]
    hover = "%{x} GPUs: %{y:.1f}%"
    data: list[dict[str, Any]] = [
        {"type": "bar", "x": labels, "y": values, "name": name, "marker": {"color": color}, "hovertemplate": hover}
        for name, values, color in (("jobs", jobs, BLUE), ("GPU-hours", hours, ORANGE))
    ]
    layout = _layout("Jobs and GPU-hours by GPUs of a job", "GPUs", "% of all", barmode="group")
    layout["xaxis"]["type"] = "category"
    return {"data": data, "layout": layout}


def _durations(title: str, rows: tuple[Durations, ...]) -> dict[str, Any]:
    """A line from the median to p99 with a mark at p90 and at the mean, on a logarithmic scale."""
    spans = {
        "type": "scatter",
        "mode": "lines",
        "x": [x for row in rows for x in (row.label, row.label, None)],
        "y": [y for row in rows for y in (max(row.p50_s, 1), max(row.p99_s, 1), None)],
        "line": {"color": "#9db9d9", "width": 6},
        "name": "median to p99",
        "hoverinfo": "skip",
    }
    marks = (
        ("median", [row.p50_s for row in rows], "circle", BLUE),
        ("mean", [row.mean_s for row in rows], "diamond", ORANGE),
        ("p90", [row.p90_s for row in rows], "line-ew", BLUE),
    )
    labels = [row.label for row in rows]
    layout = _layout(title, "GPUs" if "GPUs" in title else "", "")
    layout["xaxis"]["type"] = "category"
    layout["yaxis"] |= _seconds_axis(rows)
    return {"data": [spans, *(_marked(labels, *mark) for mark in marks)], "layout": layout}


def _marked(labels: list[str], name: str, values_s: list[float], symbol: str, color: str) -> dict[str, Any]:
    """One mark above each label."""
    seconds = [max(value, 1.0) for value in values_s]
    marker = {"symbol": symbol, "size": 10, "color": color, "line": {"width": 2, "color": color}}
    text = [f"{label}: {name} {duration_text(s)}" for label, s in zip(labels, seconds, strict=True)]
    return {"type": "scatter", "mode": "markers", "x": labels, "y": seconds, "name": name, "marker": marker,
            "text": text, "hovertemplate": "%{text}<extra></extra>"}  # fmt: skip


def _seconds_axis(rows: tuple[Durations, ...]) -> dict[str, Any]:
    """A logarithmic axis with times as people say them."""
    ticks = (1, 10, 60, 600, HOUR_S, 6 * HOUR_S, DAY_S, 7 * DAY_S, 30 * DAY_S)
    texts = ["1 s", "10 s", "1 min", "10 min", "1 h", "6 h", "1 d", "7 d", "30 d"]
    low, high = min(max(r.p50_s, 1.0) for r in rows), max(max(r.p99_s, r.mean_s, 1.0) for r in rows)
    reach = [math.log10(low / 2), math.log10(high * 2)]
    return {"type": "log", "tickvals": ticks, "ticktext": texts, "rangemode": "normal", "range": reach}


def _owners(title: str, owners: Owners) -> dict[str, Any]:
    top = owners.top[::-1]
    bars: dict[str, Any] = {
        "type": "bar",
        "orientation": "h",
        "x": [o.gpu_hours for o in top],
        "marker": {"color": BLUE},
    }
    bars |= {"y": [o.name for o in top], "hovertemplate": "%{y}: %{x:,.0f} GPU-hours<extra></extra>"}
    layout = _layout(f"{title} ({len(top)} of {owners.count:,})", "GPU-hours", "")
    layout["yaxis"] |= {"type": "category", "showgrid": False, "automargin": True}
    layout["xaxis"] |= {"showgrid": True, "gridcolor": "#e5e5e5"}
    return {"data": [bars], "layout": layout}
