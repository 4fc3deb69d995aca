"""`goodwatt explain`."""

from __future__ import annotations

from tests.cli.command import Command


def test_a_job_of_a_replay_is_explained_in_words_and_as_json(goodwatt: Command) -> None:
    goodwatt.replay("--power", "uniform-clock:share=0.6", "--price", "0.2")
    text = " ".join(goodwatt("explain", "d", "--run", "out").out.split())
    for word in ("d: 4 GPUs", "Waited", "Why there", "Why that clock: locked at", "kWh", "least-energy clock"):
        assert word in text
    found = goodwatt("explain", "d", "--run", "out", "--json").json()
    assert found["job"]["job_id"] == "d"
    assert found["cost"]["money"] > 0.0
    assert found["alternatives"]


def test_ideal_physics_is_explained_too(goodwatt: Command) -> None:
    goodwatt.replay("--physics", "ideal")
    assert "No alternatives" in goodwatt("explain", "d", "--run", "out").out


def test_the_folder_may_stand_behind_the_job(goodwatt: Command) -> None:
    goodwatt.replay()
    named = goodwatt("explain", "d", "--run", "out").out
    assert goodwatt("explain", "d", "out").out == goodwatt("explain", "d", "out", "-r", "out").out == named
    assert "one folder of a run, got out and --run other" in goodwatt("explain", "d", "out", "--run", "other").message
    (goodwatt.folder / "out").rename(goodwatt.folder / "goodwatt-out")
    assert goodwatt("explain", "d").out


def test_a_job_of_a_run_in_which_nothing_started(goodwatt: Command) -> None:
    goodwatt.replay("--budget-w", "1", "--power", "budget")
    assert not (goodwatt.folder / "out" / "stays.csv").exists()
    text = " ".join(goodwatt("explain", "d", "out").out.split())
    assert "d: 4 GPUs" in text
    found = goodwatt("explain", "d", "out", "--json").json()
    assert found["places"] == []
    first = " ".join(goodwatt("explain", "a", "out").out.split())
    assert "Last kept waiting where GPUs were free by: power, whoever else runs: site may draw 1 W" in first


def test_mistakes_give_one_message(goodwatt: Command) -> None:
    goodwatt.replay()
    assert "unknown job in out 'dd'" in goodwatt("explain", "dd", "--run", "out").message
    assert "summary.json" in goodwatt("explain", "d", "--run", "nowhere").message
    assert "expected the cluster of the run" in goodwatt("explain", "d", "--run", "out", "-c", "example").message
    (goodwatt.folder / "out" / "stays.csv").rename(goodwatt.folder / "stays.csv")
    assert "stays.csv is missing" in goodwatt("explain", "d", "--run", "out").message
    (goodwatt.folder / "stays.csv").rename(goodwatt.folder / "out" / "stays.csv")
    (goodwatt.folder / "two.yaml").rename(goodwatt.folder / "moved.yaml")
    assert goodwatt("explain", "d", "--run", "out").message
    assert goodwatt("explain", "d", "--run", "out", "--cluster", "moved.yaml").status == 0
