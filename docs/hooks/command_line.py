"""Writes the command-line reference from the application itself, so that the page cannot fall behind it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

PAGE = "reference/command-line.md"
MARK = "<!-- commands -->"


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Replaces the mark on the reference page by what typer says about every command."""
    if page.file.src_uri != PAGE:
        return markdown
    return markdown.replace(MARK, _commands())


def _commands() -> str:
    call = [sys.executable, "-m", "typer", "goodwatt.cli.main", "utils", "docs", "--name", "goodwatt"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)  # noqa: S603 - our own interpreter
    if done.returncode:
        raise RuntimeError(done.stderr)
    _, _, body = done.stdout.partition("\n")  # the first line is the page's own title
    return body
