"""`goodwatt replay`: power policies, physics, workload classes, prices and objectives."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.command import Command


def test_a_power_policy_slows_jobs_and_is_named(goodwatt: Command) -> None:
    outcome = goodwatt.replay("--power", "uniform-clock:share=0.5")
    assert outcome.out.startswith("fifo / uniform-clock:share=0.5 on two, 8 GPUs\n")
    slow = goodwatt.content("out/summary.json")
    assert (slow["policy"], slow["power"], slow["physics"], slow["truth"]) == (
        "fifo", "uniform-clock:share=0.5", "full", "residual",
    )  # fmt: skip
    assert {float(row["clock_mhz"]) for row in goodwatt.rows("out/jobs.csv")} == {765.0}
    goodwatt.replay()
    usual = goodwatt.content("out/summary.json")
    assert {row["clock_mhz"] for row in goodwatt.rows("out/jobs.csv")} == {""}
    assert slow["work_weighted_stretch"] > 1.05 > usual["work_weighted_stretch"]
    assert slow["mean_clock_mhz"] < 800 < usual["mean_clock_mhz"]
    assert "did you mean 'uniform-clock'" in goodwatt.replay("--power", "uniform-klock").message


def test_ideal_physics_takes_traced_durations_and_says_so(goodwatt: Command) -> None:
    outcome = goodwatt.replay("--physics", "ideal", "--power", "uniform-clock:share=0.5")
    assert "(ideal physics)" in outcome.out
    summary = goodwatt.content("out/summary.json")
    assert (summary["work_weighted_stretch"], summary["mean_clock_mhz"], summary["truth"]) == (1.0, None, None)
    assert {row["workload"] for row in goodwatt.rows("out/jobs.csv")} == {""}


def test_ideal_physics_loads_nothing_that_takes_long(goodwatt: Command) -> None:
    heavy = ("numpy", "polars", "pydantic", "scipy", "rich")
    code = (
        "import sys; sys.argv = ['goodwatt', 'replay', 'jobs.csv', '-c', 'philly-80', '-p', 'fifo', '--no-report', "
        "'--physics', 'ideal']\n"
        "from goodwatt.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    goodwatt.write("jobs.csv", "job_id,submit_s,num_gpus,duration_s\na,0,1,5\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_model_as_truth_is_an_oracle(goodwatt: Command) -> None:
    assert "(oracle)" in goodwatt.replay("--truth", "model").out
    assert goodwatt.content("out/summary.json")["oracle"] is True


def test_workloads_of_a_file_are_those_of_the_run(goodwatt: Command) -> None:
    goodwatt.write("classes.csv", "user,workload\nann,resnet50_train\n")
    names = [row["workload"] for row in goodwatt_classes(goodwatt)]
    assert all(names)
    goodwatt.replay("--workloads", "classes.csv")
    rows = goodwatt.rows("out/jobs.csv")
    assert [row["workload"] for row in rows] == [
        "resnet50_train" if job in "ace" else name for job, name in zip("abcde", names, strict=True)
    ]
    assert goodwatt.content("out/manifest.json")["inputs"]["workloads_sha256"]
    goodwatt.write("wrong.csv", "user,workload\nann,resnet50_trian\n")
    assert goodwatt.replay("--workloads", "wrong.csv").message.startswith("wrong.csv, line 2, column 'workload'")


def goodwatt_classes(goodwatt: Command) -> list[dict[str, str]]:
    goodwatt.replay()
    return goodwatt.rows("out/jobs.csv")


def test_energy_is_money_and_co2_where_prices_are_known(goodwatt: Command) -> None:
    outcome = goodwatt.replay("--price", "0.25", "--carbon", "400")
    summary = goodwatt.content("out/summary.json")
    assert summary["energy_cost"] == pytest.approx(0.25 * summary["facility_energy_kwh"])
    assert summary["co2_kg"] == pytest.approx(0.4 * summary["facility_energy_kwh"])
    assert "energy cost" in outcome.out
    goodwatt.write("prices.csv", "time,eur_per_mwh,gco2_per_kwh\n2024-01-01T00:00,100,400\n2024-01-01T00:05,0,400\n")
    priced = goodwatt.replay("--price", "prices.csv", out="series")
    assert "prices.csv: its rows speak of 0.2 h; for " in priced.err
    assert "the price is carried on from the last (line 3)" in priced.err
    goodwatt.write("gap.csv", "time,eur_per_mwh\n0,9\n600,9\n1200,9\n9000,9\n")
    assert "gap.csv, line 4: this row holds for 2.167 h" in goodwatt.replay("--price", "gap.csv", out="gap").err
    series = goodwatt.content("series/summary.json")
    assert 0 < series["energy_cost"] < 0.1 * series["facility_energy_kwh"]
    assert (series["currency"], series["co2_kg"]) == ("EUR", pytest.approx(summary["co2_kg"]))
    assert goodwatt.replay("--price", "-3").message.startswith("expected a number of at least 0 per kWh")
    assert goodwatt.replay("--price", "no.csv").message.startswith("no.csv: cannot be read")


def test_an_objective_fills_in_what_options_leave_open(goodwatt: Command) -> None:
    goodwatt.write(
        "goal.yaml",
        "goal: energy\npower_budget_w: 900\npolicy: sjf\npower: uniform-clock:share=0.3\nprice: 0.5\ncurrency: CHF\n"
        "guardrails: {min_clock_mhz: 1000}\n",
    )
    call = ("replay", "jobs.csv", "-c", "two.yaml", "--no-report", "--out", "out", "--objective", "goal.yaml")
    assert goodwatt(*call).status == 0
    summary = goodwatt.content("out/summary.json")
    assert (summary["policy"], summary["power"], summary["currency"]) == ("sjf", "uniform-clock:share=0.3", "CHF")
    assert {row["budget_w"] for row in goodwatt.rows("out/timeline.csv")} == {"900"}
    assert summary["mean_clock_mhz"] > 950, "the guardrail holds against the policy"
    assert goodwatt(*call, "-p", "fifo", "--power", "default", "--budget-w", "500").status == 0
    summary = goodwatt.content("out/summary.json")
    assert (summary["policy"], summary["power"]) == ("fifo", "default")
    assert {row["budget_w"] for row in goodwatt.rows("out/timeline.csv")} == {"500"}
    goodwatt.write("wrong.yaml", "goal: enrgy\nguardrails: {max_slow: 2}\n")
    message = goodwatt(*call[:-1], "wrong.yaml").message
    assert "wrong.yaml, line 1, key 'goal'" in message
    assert "wrong.yaml, line 2, key 'max_slow': unknown key: did you mean 'max_slowdown'?" in message


def test_without_any_policy_it_says_what_is_missing(goodwatt: Command) -> None:
    assert goodwatt("replay", "jobs.csv", "-c", "two.yaml").message.startswith("--policy: expected a policy")
