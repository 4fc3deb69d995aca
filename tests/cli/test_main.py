"""The command as a whole: version, help, exit status, pipes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from goodwatt import __version__
from goodwatt.cli import main
from goodwatt.errors import InputError, RunError, UnknownNameError
from tests.cli.command import Command


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below this one that does something."""
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))
    if not hasattr(command, "commands"):
        yield path, command


COMMANDS = dict(commands(typer.main.get_command(main.app)))


def test_the_commands_that_are_promised_are_there() -> None:
    assert {("replay",), ("compare",), ("policies", "list"), ("policies", "show")} <= COMMANDS.keys()


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_explains_every_option(goodwatt: Command, path: tuple[str, ...]) -> None:
    outcome = goodwatt(*path, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert f" {' '.join(path)} " in outcome.out.splitlines()[0]
    for parameter in COMMANDS[path].params:
        assert parameter.help or parameter.name == "help", f"{path}: {parameter.name} has no help text"
        if parameter.param_type_name == "option":
            assert all(name in outcome.out for name in parameter.opts)


@pytest.mark.parametrize(
    "path", [(), ("traces",), ("clusters",), ("gpus",), ("policies",), ("scenarios",)], ids=" ".join
)
def test_groups_print_their_help_and_explain_every_command(goodwatt: Command, path: tuple[str, ...]) -> None:
    outcome = goodwatt(*path, "-h")
    assert outcome.status == 0
    for child, command in COMMANDS.items():
        if child[: len(path)] == path:
            assert child[len(path)] in outcome.out
            assert command.help


def test_version(goodwatt: Command) -> None:
    outcome = goodwatt("--version")
    assert (outcome.status, outcome.out, outcome.err) == (0, f"goodwatt {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["repaly"], "No such command 'repaly'"),
        (["replay", "jobs.csv"], "Missing option '--cluster'"),
        (["replay", "--cluster", "two.yaml", "--policy", "fifo"], "Missing argument 'TRACE'"),
        (["replay", "jobs.csv", "--clutser", "x"], "No such option: --clutser"),
    ],
)
def test_a_wrong_call_has_status_2(goodwatt: Command, arguments: list[str], message: str) -> None:
    outcome = goodwatt(*arguments)
    assert outcome.status == 2
    assert outcome.out == ""
    assert message in outcome.err


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (InputError("jobs.csv, line 3: expected more"), 2, "goodwatt: jobs.csv, line 3: expected more\n"),
        (UnknownNameError("policy", "fifio", ["fifo"]), 2, "goodwatt: unknown policy 'fifio': did you mean 'fifo'?\n"),
        (RunError("it broke"), 1, "goodwatt: it broke\n"),
        (OSError(28, "No space left on device"), 1, "goodwatt: [Errno 28] No space left on device\n"),
    ],
)
def test_errors_are_one_message_and_a_status(
    goodwatt: Command, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, text: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(main, "app", fail)
    outcome = goodwatt()
    assert (outcome.status, outcome.out, outcome.err) == (status, "", text)


def test_a_message_does_not_list_a_thousand_names() -> None:
    text = str(UnknownNameError("node", "zzz", [f"n{i}" for i in range(1000)]))
    assert text.endswith("and 960 more")


def test_both_ways_to_call_it_are_one(goodwatt: Command) -> None:
    script = Path(sys.executable).with_name("goodwatt")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    outcome = goodwatt.outside("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, outcome.out, outcome.err)


def test_a_reader_that_goes_away_early_is_no_reason_to_complain(goodwatt: Command) -> None:
    call = f"{sys.executable} -m goodwatt"
    line = f"{call} traces --help | true; {call} policies list --json | head -1"
    done = subprocess.run(["bash", "-c", line], cwd=goodwatt.folder, capture_output=True, text=True, check=False)  # noqa: S603, S607
    assert done.stdout == "[\n"
    assert done.stderr == ""


def test_output_to_a_closed_pipe(goodwatt: Command) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        call = [sys.executable, "-m", "goodwatt", "policies", "list", "--json"]
        done = subprocess.run(call, cwd=goodwatt.folder, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
    assert done.stderr == ""
