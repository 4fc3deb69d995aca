"""Where tables are printed: as wide as the terminal, and wide enough for whole lines where there is none."""

from __future__ import annotations

import os
import sys

from rich.console import Console

PIPED_COLUMNS = 200
"""What is piped is read by programs, or in editors that scroll: breaking its lines at 80 columns helps nobody."""


def console() -> Console:
    """The console of stdout; COLUMNS overrides its width."""
    piped = not sys.stdout.isatty() and not os.environ.get("COLUMNS")
    return Console(width=PIPED_COLUMNS, highlight=False) if piped else Console(highlight=False)
