"""Serving of models without tokens: seconds and watts of batches told where no fit looked.

    PYTHONPATH=benchmarks python benchmarks/fidelity/step_serving.py

CNNs and BERT on an A100, diffusion on H100 and B200, each fitted to every other batch size. Prints one table and writes
benchmarks/results/fidelity_step_serving.json.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from calibration import step_serving
from fidelity.row import Row
from measured import report

FITTED = ("batches 1, 4, 16, .. fitted, those between tested", "batches 2, 8, 32, .. fitted, those between tested")
CAPPED = (
    "on H100 the cap of 700 W binds for most, so that time and watts there test little beside each other; its activity "
    "is drawn to what B200, which no cap binds, says of the same model"
)


def rows() -> list[Row]:
    """Every line of the table."""
    found = list[Row]()
    for parity, split in enumerate(FITTED):
        held = step_serving.held_out(step_serving.one_pass(), parity)
        source = "parvagpu_mig_mps (SC'24)"
        found.append(_row("CNNs and BERT on A100", "time", [off for _, off, _ in held], split, source))
    for parity, split in enumerate(FITTED):
        held = step_serving.held_out(step_serving.images(), parity)
        for kind in (step_serving.H100, step_serving.B200):
            own = [one for one in held if one[0].kind == kind]
            what, after = f"Diffusion on {kind}", CAPPED if kind == step_serving.H100 else ""
            source = "ml_energy_leaderboard, text to image"
            found.append(_row(what, "time", [off for _, off, _ in own], split, source, after))
            found.append(_row(what, "watts", [off for _, _, off in own], split, source, after))
    return found


def _row(what: str, name: str, errors: Sequence[float], split: str, source: str, after: str = "") -> Row:
    known = [abs(error) for error in errors if not math.isnan(error)]
    percent = 100.0 * statistics.mean(known)
    return Row(
        what=what, figure=f"MAPE of {name}", percent=percent, n=len(known), split=split, source=source, after=after
    )


if __name__ == "__main__":
    report("fidelity_step_serving", "Serving without tokens", [row.content() for row in rows()])
