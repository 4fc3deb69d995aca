"""The simulated truth of a service: its iterations take and draw other than the law says, by as much as the law errs.

Policies, predictions and prices of work have the law; only the fleet that answers the requests has the true one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

from goodwatt.power.serving.iteration_law import IterationLaw
from goodwatt.simulator.physics.truth import Truth
from goodwatt.simulator.services.board import Board
from goodwatt.simulator.services.serving import Serving

TIME_ERROR, WATTS_ERROR = 0.06, 0.04
"""Standard deviations of an iteration's time and watts: held out, phases on an H200 are off by 4.0 to 5.9 and by 2.6 to
3.9% (docs/design/serving-model.md), as errors of this spread are on average. Engines and models further from those that
were fitted err more."""
SEQUENCES, CONTEXT = 32, 1000
"""The iteration whose watts are off by `WATTS_ERROR`: so many sequences that decode, with so many tokens each."""


def truly(serving: Serving, truth: Truth) -> Serving:
    """The same service as it really is."""
    service = serving.service
    share = _drawn_by_work(serving)
    time, joules = truth.service_factors(service.name, service.gpu, TIME_ERROR, WATTS_ERROR / share)
    return serving if time == joules == 1.0 else replace(serving, law=scaled(serving.law, time, joules))


def scaled(law: IterationLaw, time: float, joules: float) -> IterationLaw:
    """Iterations take `time` as long and draw `joules` times the watts above the context's, whatever they do."""
    return replace(law, **{name: getattr(law, name) * factor for name, factor in _factors(time, joules)})


def _factors(time: float, joules: float) -> Iterator[tuple[str, float]]:
    """By what the names of coefficients say that they are: energies are seconds at a power, or a share of the time."""
    for name in (field.name for field in fields(IterationLaw)):
        if name.endswith(("_sm_s", "_dram_s")):
            yield name, time * joules
        elif name.endswith("_s"):
            yield name, time
        elif name.endswith("_sm"):
            yield name, joules


def _drawn_by_work(serving: Serving) -> float:
    """The share of the watts of a GPU that iterations draw, not its context."""
    sequences = min(SEQUENCES, serving.batching.most)
    context = sequences * CONTEXT if serving.has_cache else 0
    board = Board(serving.model)
    watts = board.watts(serving.law.cost(sequences, context, sequences, context), board.top)
    return 1.0 - serving.model.context_w / watts
