"""`python benchmarks/fidelity`: see `everything`."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """The folder above holds what the benchmarks share."""
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from fidelity import everything

    everything.main()


if __name__ == "__main__":
    main()
