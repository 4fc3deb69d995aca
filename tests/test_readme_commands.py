"""The README's `$ goodwatt ..` lines run as they stand, in its order, in an empty folder."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```(?:console|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[str]:
    """The lines after `$ ` that call goodwatt, with continued lines joined."""
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ goodwatt"):
                yield line.removeprefix("$ ")


def test_commands_are_found_in_console_and_bash_blocks() -> None:
    console = "```console\n$ goodwatt a \\\n  b\nits output\n$ make demo\n```\n"
    text = f"{console}```bash\n$ goodwatt c\n```\n```python\n$ goodwatt d\n```\n"
    assert [" ".join(line.split()) for line in commands(text)] == ["goodwatt a b", "goodwatt c"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


@pytest.mark.parametrize("line", list(dict.fromkeys(commands(README.read_text("utf-8")))))
def test_readme_command_runs(line: str, folder: Path) -> None:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    call = ["bash", "-o", "pipefail", "-c", line]
    done = subprocess.run(call, cwd=folder, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert done.stdout or ">" in line
