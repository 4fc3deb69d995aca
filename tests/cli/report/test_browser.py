"""The page in a real browser: it loads clean, draws, filters, sorts, zooms, fits a phone and turns dark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goodwatt.cli.report import write_report
from goodwatt.simulator.records.result import JobColumns, Occupancy
from tests.cli.report.browser import Browser
from tests.cli.report.made_runs import HOSTILE, made_manifest, made_run

CHARTS = ("jct-cdf", "queueing-cdf", "utilisation", "queue", "power")


@pytest.fixture
def page(browser: Browser, comparison_page: Path) -> Browser:
    """The comparison on a desktop."""
    browser.screen(1280)
    browser.open(comparison_page)
    return browser


def tick(page: Browser, field: str, value: int) -> None:
    page.do(f"document.querySelector('input[name={field}][value=\"{value}\"]').click()")


def column_texts(page: Browser, table: str, column: int) -> list[str]:
    cells = f"#{table} tbody tr > :nth-child({column})"
    return list(page.run(f"[...document.querySelectorAll({cells!r})].map(cell => cell.textContent)"))


def gantt_span(page: Browser) -> tuple[float, float]:
    low, high = page.run("document.querySelector('#gantt-canvas').dataset.span").split(",")
    return float(low), float(high)


def inked_share(page: Browser) -> float:
    """The share of the canvas's sampled pixels that differ from the ground of the plot."""
    return float(
        page.run("""(() => {
          const canvas = document.querySelector('#gantt-canvas');
          const {data} = canvas.getContext('2d').getImageData(120, 8, canvas.width - 140, canvas.height - 50);
          const probe = document.createElement('div');
          document.body.append(probe);
          probe.style.color = 'var(--plot)';
          const ground = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
          probe.remove();
          let inked = 0;
          for (let i = 0; i < data.length; i += 4) inked += ground.some((part, k) => data[i + k] !== part);
          return inked / (data.length / 4);
        })()""")
    )


@pytest.mark.parametrize("name", ["single_page", "comparison_page"])
def test_loads_without_errors_and_without_network(browser: Browser, name: str, request: pytest.FixtureRequest) -> None:
    file: Path = request.getfixturevalue(name)
    browser.screen(1280)
    browser.open(file)
    assert browser.errors == []
    assert browser.requests == [file.as_uri()]


def test_every_chart_draws_one_line_per_policy(page: Browser) -> None:
    for chart in CHARTS:
        lengths = page.run(f"[...document.querySelectorAll('#{chart} path.line')].map(p => p.getTotalLength())")
        assert len(lengths) == 3
        assert min(lengths) > 100, chart
    assert page.run("document.querySelectorAll('#power .rule').length") == 1
    assert inked_share(page) > 0.2


def test_where_each_joule_went_is_a_bar_per_policy(page: Browser) -> None:
    bars = "document.querySelectorAll('#joules svg.divided')"
    assert page.run(f"{bars}.length") == 3
    widths = page.run(f"[...{bars}[0].querySelectorAll('rect')].map(rect => parseFloat(rect.getAttribute('width')))")
    assert len(widths) == 7, "nothing sleeps, so nothing is drawn for it"
    assert widths[2] == pytest.approx(4 * widths[0], rel=1e-6)
    said = page.run(f"{bars}[0].getAttribute('aria-label')")
    assert said.startswith("fifo: idle GPUs 7.4%, GPUs held 14.8%")
    assert page.run("document.querySelectorAll('#gpu-time svg.divided').length") == 3
    page.do("document.querySelector('#joules summary').click()")
    assert len(column_texts(page, "joules-table", 1)) == 3
    tick(page, "policies", 1)
    assert page.run(f"{bars}.length") == 2


def test_energy_against_time_has_a_point_per_policy_and_a_front(page: Browser) -> None:
    assert page.run("document.querySelectorAll('#front .front-point').length") == 4
    assert page.run("document.querySelectorAll('#front [data-front]').length") == 1
    assert "on the front" in page.run("document.querySelector('#front svg.plot').getAttribute('aria-label')")
    assert "◇" in column_texts(page, "comparison-table", 1)[1]
    page.run("document.querySelector('#front svg.plot').scrollIntoView({ block: 'center' })")
    box = page.box("#front .front-point circle")
    page.hover((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))
    assert "kWh" in page.run("document.querySelector('#tooltip:not([hidden])').textContent")


def test_a_single_run_has_bars_and_no_front(browser: Browser, single_page: Path) -> None:
    browser.screen(1280)
    browser.open(single_page)
    assert browser.run("document.querySelectorAll('#joules svg.divided').length") == 1
    assert browser.run("document.querySelector('#front').hidden")


def test_hostile_names_stay_text(browser: Browser, single_page: Path) -> None:
    browser.screen(1280)
    browser.open(single_page)
    assert browser.run("document.images.length") == 0
    assert HOSTILE in column_texts(browser, "by-user", 1)
    assert browser.run(f"document.querySelector('#origin').textContent.includes({HOSTILE!r})")


def test_unfinished_jobs_are_counted_on_the_page(browser: Browser, single_page: Path) -> None:
    run = made_run("fifo", count=1200, budget_w=80_000.0)
    unfinished = sum(end is None for end in run.jobs.end_s)
    assert unfinished > 0
    browser.open(single_page)
    assert column_texts(browser, "selection-table", 3) == [f"{unfinished}"]
    assert f"{unfinished} of 1,200 jobs were left unfinished" in browser.run("document.body.innerText")


def test_policy_filter_changes_charts_and_tables(page: Browser) -> None:
    tick(page, "policies", 1)
    assert page.run("document.querySelectorAll('#jct-cdf path.line').length") == 2
    assert page.run("document.querySelectorAll('#power path.line').length") == 2
    assert len(column_texts(page, "selection-table", 1)) == 2
    assert page.run("document.querySelectorAll('#gantt-policy option').length") == 2
    tick(page, "policies", 0)
    tick(page, "policies", 2)
    assert len(column_texts(page, "selection-table", 1)) == 1, "the last policy stays"


def test_gang_filter_changes_jobs_but_not_the_cluster(page: Browser) -> None:
    before = column_texts(page, "selection-table", 2)
    curve = page.run("document.querySelector('#jct-cdf path.line').getAttribute('d')")
    power = page.run("document.querySelector('#power path.line').getAttribute('d')")
    inked = inked_share(page)
    tick(page, "gangs", 0)
    after = column_texts(page, "selection-table", 2)
    assert [int(a.replace(",", "")) < int(b.replace(",", "")) for a, b in zip(after, before, strict=True)] == [True] * 3
    assert page.run("document.querySelector('#jct-cdf path.line').getAttribute('d')") != curve
    assert page.run("document.querySelector('#power path.line').getAttribute('d')") == power
    assert inked_share(page) == pytest.approx(inked, abs=0.02), "filtered bars turn grey, they do not vanish"
    page.do("document.querySelector('#reset').click()")
    assert column_texts(page, "selection-table", 2) == before


def test_seed_and_partition_filters_pool_fewer_jobs(page: Browser) -> None:
    choose = """const menu = document.querySelector('select[name={}]');
        menu.value = '0';
        menu.dispatchEvent(new Event('change'))"""
    assert column_texts(page, "selection-table", 2)[0] == "4,000"
    page.do(choose.format("seed"))
    assert column_texts(page, "selection-table", 2)[0] == "2,000"
    page.do(choose.format("window"))
    assert column_texts(page, "selection-table", 2)[0] == "1,000"
    page.do(choose.format("partition"))
    assert int(column_texts(page, "selection-table", 2)[0]) < 1000


def test_tables_sort_both_ways(page: Browser) -> None:
    header = "document.querySelectorAll('#comparison-table thead button')[1].click()"
    page.do(header)
    assert column_texts(page, "comparison-table", 1)[0].startswith("srtf"), "lower is better: lowest first"
    page.do(header)
    assert column_texts(page, "comparison-table", 1)[0].startswith("fifo")
    by = page.run("document.querySelector('#comparison-table [aria-sort=descending]').textContent")
    assert by.startswith("mean JCT")


def test_gantt_zooms_by_box_keys_and_buttons_and_reads_a_bar(page: Browser) -> None:
    canvas = page.box("#gantt-canvas")
    whole = gantt_span(page)
    everything = int(page.run("document.querySelector('#gantt-canvas').dataset.bars"))
    at = (canvas["x"] + canvas["width"] * 0.3, canvas["y"] + 30)
    page.drag(at, (at[0] + 200, at[1] + 120))
    boxed = gantt_span(page)
    assert boxed[1] - boxed[0] < 0.3 * (whole[1] - whole[0])
    assert int(page.run("document.querySelector('#gantt-canvas').dataset.bars")) < everything
    assert page.run("document.querySelector('#gantt-canvas').dataset.rows") != "0,24"
    page.run("document.querySelector('#gantt-canvas').focus()")
    page.press("+")
    closer = gantt_span(page)
    assert closer[1] - closer[0] == pytest.approx((boxed[1] - boxed[0]) / 2)
    page.do("document.querySelector('#gantt-reset').click()")
    assert gantt_span(page) == whole
    page.hover((canvas["x"] + canvas["width"] * 0.5, canvas["y"] + 100))
    assert "Submitted" in page.run("document.querySelector('#tooltip').textContent")


def test_a_drag_on_a_time_chart_moves_every_time_axis(page: Browser) -> None:
    power = page.box("#power svg.plot")
    start = (power["x"] + 0.4 * power["width"], power["y"] + 60)
    before = page.run("document.querySelector('#queue path.line').getAttribute('d')")
    whole = gantt_span(page)
    page.drag(start, (start[0] + 150, start[1]))
    assert page.run("document.querySelector('#queue path.line').getAttribute('d')") != before
    assert gantt_span(page)[1] < whole[1]


def test_charts_read_values_by_keyboard(page: Browser) -> None:
    page.run("document.querySelector('#jct-cdf svg.plot').focus()")
    page.press("ArrowRight")
    said = page.run("document.querySelector('#announcement').textContent")
    assert "completed within" in said
    assert said.count("%") == 3


@pytest.mark.parametrize("name", ["single_page", "comparison_page"])
def test_a_phone_never_scrolls_sideways(browser: Browser, name: str, request: pytest.FixtureRequest) -> None:
    browser.screen(360, 740, phone=True)
    browser.open(request.getfixturevalue(name))
    assert browser.errors == []
    browser.do("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
    assert browser.run("document.documentElement.scrollWidth") == 360
    ticks = browser.run("[...document.querySelectorAll('.axes text')].map(tick => tick.textContent)")
    assert ticks
    assert not [tick for tick in ticks if tick.startswith("-") or "NaN" in tick]
    assert browser.run("document.querySelector('#gantt-canvas').clientWidth") > 300


def test_a_finger_reads_charts_and_bars(browser: Browser, single_page: Path) -> None:
    browser.screen(360, 740, phone=True)
    browser.open(single_page)
    box = browser.box("#power svg.plot")
    browser.tap((box["x"] + 150, box["y"] + 80))
    assert "peak" in browser.run("document.querySelector('#tooltip:not([hidden])').textContent")
    canvas = browser.box("#gantt-canvas")
    browser.tap((canvas["x"] + 200, canvas["y"] + 100))
    assert "Submitted" in browser.run("document.querySelector('#tooltip:not([hidden])').textContent")


def test_paper_is_white(browser: Browser, comparison_page: Path) -> None:
    browser.screen(800, dark=True)
    browser.open(comparison_page)
    browser.do("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    browser.do("window.dispatchEvent(new Event('afterprint'))")
    assert browser.run("document.documentElement.dataset.theme") == "dark"


def test_dark_follows_the_system_and_the_button(browser: Browser, comparison_page: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    line = "getComputedStyle(document.querySelector('#jct-cdf path.line')).stroke"
    browser.screen(1280)
    browser.open(comparison_page)
    light = browser.run(f"[{ground}, {line}]")
    browser.do("document.querySelector('#theme').click()")
    chosen = browser.run(f"[{ground}, {line}]")
    browser.run("localStorage.clear()")
    browser.screen(1280, dark=True)
    browser.open(comparison_page)
    assert browser.run(f"[{ground}, {line}]") == chosen
    assert all(a != b for a, b in zip(light, chosen, strict=True))
    assert inked_share(browser) > 0.2


def test_controls_have_names(page: Browser) -> None:
    nameless = page.run("""[...document.querySelectorAll('button, select, input, [tabindex], [role=img]')].filter(
        node => ![node.textContent, node.getAttribute('aria-label'), node.closest('label')?.textContent]
            .some(name => name?.trim())
    ).map(node => node.outerHTML.slice(0, 120))""")
    assert nameless == []


def test_twenty_five_thousand_bars_stay_quick(browser: Browser, tmp_path: Path) -> None:
    run = made_run("fifo", count=300)
    bars = [Occupancy(i % 300, i % 24, 1 << i % 8, float(i), i + 3000.0) for i in range(25_000)]
    run.occupancy[:] = bars
    file = tmp_path / "many-bars.html"
    write_report(file, [run], None, made_manifest())
    browser.screen(1280)
    browser.open(file)
    assert browser.run("document.querySelector('#gantt-canvas').dataset.bars") == "25000"
    milliseconds = browser.run("""(async () => {
      const started = performance.now();
      for (const id of ['in', 'right', 'out', 'left', 'reset']) {
        document.querySelector(`#gantt-${id}`).click();
        await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
      }
      return (performance.now() - started) / 5;
    })()""")
    assert milliseconds < 1000.0, "a second a frame even on a slow machine without a GPU; usually 40 ms"


def test_runs_without_recorded_nodes_or_users_say_so(browser: Browser, tmp_path: Path) -> None:
    run = made_run("fifo", count=50)
    run.occupancy.clear()
    run.jobs.user[:] = [None] * 50
    run.jobs.partition[:] = [None] * 50
    run.jobs.energy_j[:] = [None] * 50
    file = tmp_path / "bare.html"
    write_report(file, [run], None, {})
    browser.screen(1280)
    browser.open(file)
    assert browser.errors == []
    text = browser.run("document.body.innerText")
    assert "not recorded node by node" in text
    assert "names no users" in text


def test_a_trace_without_jobs_is_still_a_page(browser: Browser, tmp_path: Path) -> None:
    run = made_run("fifo", count=5)
    columns: dict[str, Any] = {name: [] for name in run.jobs.__slots__}
    empty = replace(run, jobs=JobColumns(**columns), occupancy=[])
    file = tmp_path / "no-jobs.html"
    write_report(file, [empty], None, {})
    browser.screen(1280)
    browser.open(file)
    assert browser.errors == []
    assert column_texts(browser, "selection-table", 2) == ["0"]


def test_markup_added_later_cannot_run_or_connect(page: Browser) -> None:
    page.do("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.broken = true\">')")
    page.do(
        "const added = document.createElement('script');"
        "added.text = 'window.broken = true'; document.body.append(added)"
    )
    assert page.run("window.broken") is None
    assert page.run("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')") == "refused"
