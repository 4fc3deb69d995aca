"""Scenario files: what they may say, and how mistakes in them are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from goodwatt.cluster.presets import load_cluster
from goodwatt.errors import InputError
from goodwatt.scenarios.library import load_scenario
from goodwatt.scenarios.overview import overview
from goodwatt.scenarios.scenario import Scenario
from goodwatt.scenarios.scenario_schema import JobsEntry, ScenarioFile

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "scenario-file.md"
CLUSTER = "{nodes: [{count: 2, gpu: H100-SXM, gpus: 8, nodes_per_rack: 1}], racks: [{name: rack-*, feeds: 2}]}"
SERVICE = """
  - {name: chat, model: llama-3.1-8b, gpu: H100-SXM, replicas: {min: 1, max: 2}, promise: {ttft_p99_s: 1},
     requests: {class: chat, rates: [[0, 2], [600, 4]]}}"""


def written(folder: Path, **changes: str) -> Path:
    """A file with one service and a few jobs, some of whose keys are others; an empty text leaves one out."""
    keys = {
        "about: ": "a try",
        "look_at: ": "nothing",
        "cluster: ": CLUSTER,
        "jobs: ": "{like: venus, gpus: 4, load: 3}",
        "services:": SERVICE,
        "horizon_s: ": "3600",
    }
    keys |= {f"{key}:" if value.startswith("\n") else f"{key}: ": value for key, value in changes.items()}
    said = {key.rstrip(" :"): key + value for key, value in keys.items() if value}
    said = {key: text for key, text in said.items() if changes.get(key) != ""}
    (folder / "mine.yaml").write_text("\n".join(said.values()) + "\n", encoding="utf-8")
    return folder / "mine.yaml"


def read(folder: Path, **changes: str) -> Scenario:
    return load_scenario(written(folder, **changes))


def test_everything_stands_where_a_run_wants_it(tmp_path: Path) -> None:
    scenario = read(
        tmp_path,
        objective="{guardrails: {max_wait_s: 7200}}",
        engine="{maintenance: [{node: node-00001, from_s: 60, to_s: 90}]}",
        budget_w="[[0, 9000], [1800, 6e3]]",
    )
    assert (scenario.name, scenario.cluster.name, scenario.engine.name) == ("mine", "mine", "mine")
    assert scenario.cluster.num_gpus == 16
    options = scenario.options(seed=3)
    assert (options.seed, options.start_s, options.horizon_s, options.physics) == (3, 0.0, 3600.0, "full")
    assert (options.budget_w, options.budget_steps) == (9000.0, ((1800.0, 6000.0),))
    assert options.guardrails.max_wait_s == 7200.0
    assert [service.name for service in options.services] == ["chat"]
    assert scenario.engine.plain.outages[0].node == "node-00001"


def test_presets_and_files_stand_for_sections(tmp_path: Path) -> None:
    (tmp_path / "hall.yaml").write_text("nodes: [{gpu: H100-SXM, gpus: 8}]\n", encoding="utf-8")
    (tmp_path / "slow.yaml").write_text("decision_interval_s: 30\n", encoding="utf-8")
    scenario = read(tmp_path, cluster="hall.yaml", engine="slow.yaml")
    assert scenario.cluster.num_gpus == 8
    assert scenario.engine.plain.decision_interval_s == 30.0
    assert read(tmp_path, cluster="dgx-h100", engine="realistic").cluster == load_cluster("dgx-h100")


def test_services_alone_and_jobs_alone(tmp_path: Path) -> None:
    assert read(tmp_path, jobs="").jobs().jobs == ()
    assert read(tmp_path, services="").services() == ()


def test_jobs_that_wait_at_the_beginning(tmp_path: Path) -> None:
    plain, waiting = (
        read(tmp_path, jobs=f"{{like: venus, gpus: 4, load: 3{more}}}") for more in ("", ", waiting_h: 9")
    )
    counts = [sum(job.submit_s == 0.0 for job in scenario.jobs().jobs) for scenario in (plain, waiting)]
    assert counts[0] < 3 < counts[1]
    assert all(0.0 <= job.submit_s < 3600.0 for job in waiting.jobs().jobs)
    assert waiting.jobs().synthetic


def test_jobs_of_a_trace(tmp_path: Path) -> None:
    scenario = read(tmp_path, jobs="{trace: venus, from_s: 86400, waiting_h: 1}", cluster="dgx-h100")
    jobs = scenario.jobs(seed=5).jobs
    assert jobs == scenario.jobs(seed=6).jobs
    assert jobs[0].submit_s == 0.0
    assert max(job.submit_s for job in jobs) < 3600.0
    (tmp_path / "own.csv").write_text("job_id,submit_s,num_gpus,duration_s\na,5,1,60\nb,7200,1,60\n", encoding="utf-8")
    assert [job.job_id for job in read(tmp_path, jobs="{trace: own.csv}").jobs().jobs] == ["a"]


def test_a_seed_of_its_own(tmp_path: Path) -> None:
    scenario = read(tmp_path, jobs="{like: venus, gpus: 4, load: 3, seed: 7}")
    assert scenario.jobs(1).jobs == scenario.jobs(2).jobs


def test_the_overview_says_what_there_is(tmp_path: Path) -> None:
    seen = overview(read(tmp_path, budget_w="9000", engine="{lost_feeds: [{rack: rack-001, from_s: 60, to_s: 3600}]}"))
    assert seen["budget"] == ["9 kW"]
    assert seen["lost feeds"] == ["rack-001, feed 0, from 0.0166667 h to 1 h"]
    (chat,) = seen["services"]
    assert chat["promise"] == ["TTFT 1 s"]
    assert 1.0 < chat["least_per_s"] <= chat["most_per_s"] < 5.0


# mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"about": ""}, "line 1, key 'about': this key is missing"),
        ({"jobs": "", "services": ""}, "expected jobs, services, or both"),
        ({"clutser": "philly-80"}, "line 9, key 'clutser': unknown key: did you mean 'cluster'?"),
        ({"cluster": "dgx-h1000"}, "line 3, key 'cluster': unknown cluster 'dgx-h1000': did you mean 'dgx-h100'"),
        ({"cluster": "{nodes: [{gpu: T4, gpus: 8, cuont: 2}]}"}, "key 'cuont': unknown key: did you mean 'count'?"),
        ({"cluster": "{nodes: [{gpu: H1000, gpus: 8}]}"}, "line 3, key 'gpu': unknown GPU kind 'H1000'"),
        ({"cluster": "7"}, "line 3, key 'cluster': expected a name, a file, or what a cluster file says, got 7"),
        ({"cluster": "gone.yaml"}, "gone.yaml: no such cluster file"),
        ({"jobs": "{gpus: 4}"}, "line 4, key 'jobs': expected like or trace, one of them, got"),
        ({"jobs": "{trace: venus, load: 2}"}, "key 'jobs': expected load with like only"),
        ({"jobs": "{like: venus, from_s: 2}"}, "key 'jobs': expected from_s with trace only"),
        ({"jobs": "{like: venice}"}, "line 4, key 'jobs': unknown bundled trace 'venice': did you mean 'venus'"),
        ({"jobs": "{like: gone.json}"}, "expected a trace model written by goodwatt"),
        ({"jobs": "{trace: gone.csv}"}, "gone.csv: no such file"),
        ({"jobs": "{like: venus, gpus: 0}"}, "line 4, key 'gpus': expected a number above 0, got 0"),
        ({"services": "[]"}, "line 5, key 'services': expected at least one entry, got []"),
        ({"services": SERVICE.replace("8b", "9b")}, "line 6, key 'model': unknown model 'llama-3.1-9b'"),
        ({"services": SERVICE.replace("[600, 4]", "[600]")}, "line 7, key 'rates': expected pairs of seconds"),
        ({"services": SERVICE + SERVICE}, "line 8, key 'name': expected every service to have its own name"),
        ({"engine": "quick"}, "key 'engine': unknown engine 'quick'"),
        (
            {"engine": "{lost_feeds: [{rack: r9, from_s: 0, to_s: 9}]}"},
            "unknown rack in lost_feeds 'r9'",
        ),
        ({"engine": "{lost_feeds: [{rack: rack-001, feed: 2, from_s: 0, to_s: 9}]}"}, "a feed from 0 to 1, got 2"),
        ({"engine": "{lost_feeds: [{rack: rack-001, from_s: 9, to_s: 9}]}"}, "expected to_s after from_s (9)"),
        ({"objective": "{power_budget_w: 9}"}, "key 'power_budget_w': expected budget_w of the scenario instead"),
        ({"objective": "{guardrails: {max_wait: 9}}"}, "key 'max_wait': unknown key: did you mean 'max_wait_s'?"),
        ({"budget_w": "0"}, "key 'budget_w': expected watts above 0, or pairs of seconds and watts such as"),
        (
            {"budget_w": "[[0, 5], [60]]"},
            "expected pairs of seconds and watts above 0, such as [3600, 30000] (here: [60])",
        ),
        ({"budget_w": "[[60, 5]]"}, "expected a budget that begins at 0 s, and seconds that rise"),
        ({"horizon_s": "0"}, "line 8, key 'horizon_s': expected a number above 0, got 0"),
        ({"horizon_s": "soon"}, "key 'horizon_s': expected a number, got 'soon'"),
    ],
)
def test_mistakes_say_where_what_was_expected_and_what_came(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(InputError) as problem:
        load_scenario(path)
    assert str(problem.value).startswith(f"{path}, line ")
    assert message in str(problem.value)


@pytest.mark.parametrize(
    ("text", "message"), [("", "expected a scenario, got an empty file"), ("cluster: [", "expected YAML, got")]
)
def test_files_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_scenario(tmp_path / "mine.yaml")
    with pytest.raises(InputError, match="no such scenario file"):
        load_scenario(tmp_path / "gone.yaml")


def test_every_field_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    fields = [*ScenarioFile.model_fields, *JobsEntry.model_fields]
    assert [name for name in fields if f"`{name}`" not in text] == []
