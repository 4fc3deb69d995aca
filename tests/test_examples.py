"""Every script under examples/ runs, warns of nothing and prints something."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.stem)
def test_example_runs(script: Path, tmp_path: Path) -> None:
    call = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert not done.stderr
    assert not list(tmp_path.iterdir())


def test_what_if_shows_both_futures() -> None:
    script = next(script for script in EXAMPLES if script.stem == "what_if")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.splitlines() == [
        "fifo: a ends at 600 s, b ends at 1800 s, c ends at 2100 s",
        "c first: a ends at 600 s, b ends at 2100 s, c ends at 900 s",
    ]
