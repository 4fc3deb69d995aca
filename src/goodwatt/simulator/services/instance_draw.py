"""What the physics is told of an instance: its demand and its watts, as means over what its iterations took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from goodwatt.cluster import mig
from goodwatt.simulator.physics.instance_facts import InstanceFacts
from goodwatt.simulator.physics.instance_rows import InstanceDraws
from goodwatt.simulator.services.service_record import energy_j
from goodwatt.simulator.services.service_work import mean_lengths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from goodwatt.simulator.services.fleet import Report
    from goodwatt.simulator.services.services_state import Instance, Services
    from goodwatt.simulator.services.serving import Serving

Floats = NDArray[np.float64]
TINY_S = 1e-9
LONG = 1.5
"""Contexts of a batch over those of the service's mean request: who has longer ones draws a little more for a while
than what is known of him, and the meter does not show that."""


def memory_mib_of(serving: Serving) -> int:
    """What an instance takes of each of its GPUs, once and for all."""
    kind, name = serving.model.kind, serving.service.mig_profile
    room_mib = kind.memory_mib if name is None else mig.profile(kind, name).memory_mib
    return round(serving.service.memory_share * room_mib)


def idle_of(serving: Serving) -> InstanceFacts:
    """An instance that does nothing yet."""
    least_sm_w, least_dram_w = _least_w(serving)
    memory_mib = memory_mib_of(serving)
    return InstanceFacts(serving.model.top_mhz, memory_mib, least_sm_w=least_sm_w, least_dram_w=least_dram_w)


def _least_w(serving: Serving) -> tuple[float, float]:
    """(SM, DRAM) watts at the lowest clock of the iteration that draws the most, with any batch and long contexts."""
    model, batching = serving.model, serving.batching
    x, scale = model.clocks_mhz[0] / model.top_mhz, model.core_w[0] * model.stretch[0]
    context = LONG * mean_lengths(serving.service.requests).context
    found = []
    for power in range(batching.most.bit_length()):
        held = min(2.0**power * context, max(batching.kv_tokens, 1.0))
        cost = serving.law.cost(2.0**power, held, 2.0**power, held, x)
        found.append((scale * cost.sm_s / cost.wall_s, model.memory_w * cost.dram_s / cost.wall_s))
    prompts = float(batching.budget)
    cost = serving.law.cost(prompts, prompts * context / 2.0, 1.0, 0.0, x)
    found.append((scale * cost.sm_s / cost.wall_s, model.memory_w * cost.dram_s / cost.wall_s))
    return max(found, key=sum)


def draws_of(services: Services, report: Report) -> InstanceDraws:
    """What instances did since the last control, as means over that time.

    Beside others, or in a slice, they ask of their GPUs what makes these draw what their iterations really took: there
    a demand goes slower and draws less, but requests come at their own rate, and longer kernels shorten the gaps.
    """
    instances, span_s = services.at(report.slots), services.settings.control_s
    joules, _, gpu_s, scaled_s, sm_s, dram_s, _ = report.spent.T
    number = np.array([instance.service for instance in instances], dtype=np.int64)
    models = [serving.model for serving in services.servings]
    memory_w, top_mhz = (np.array([(model.memory_w, model.top_mhz) for model in models])[number]).T
    clock_mhz, gpu_s = np.array([instance.clock_mhz for instance in instances]), np.maximum(gpu_s, TINY_S)
    dram_w = memory_w * dram_s / span_s
    shown_w = _shown_w(services, report.slots, instances, joules)
    alone = np.array([instance.metered for instance in instances]) / gpu_s
    return InstanceDraws(
        runs=[instance.run for instance in instances],
        idle=[services.idle[instance.service] for instance in instances],
        clock_mhz=clock_mhz,
        sm_w=np.maximum(0.0, shown_w - dram_w),
        dram_w=dram_w,
        duty=gpu_s / span_s,
        u=sm_s * alone * top_mhz / clock_mhz,
        m=dram_s * alone,
        kappa=scaled_s / gpu_s,
    )


def _shown_w(services: Services, slots: Sequence[int], instances: Sequence[Instance], joules: Floats) -> Floats:
    """Watts above the context's, as the meter shows them: no more than caps allow now.

    What was drawn before a cap was set, and is told only after, is made up for as soon as there is room below the cap.
    """
    span_s, now_s = services.settings.control_s, services.fleet.now_s
    wanted_j = joules + np.array([instance.owed_j + _missing_j(instance, span_s, now_s) for instance in instances])
    most_w = np.array([_most_w(services, *one) for one in zip(slots, instances, strict=True)])
    shown_w: Floats = np.minimum(wanted_j / span_s, most_w)
    for instance, owed_j in zip(instances, (wanted_j - shown_w * span_s).tolist(), strict=True):
        instance.owed_j = owed_j
    return shown_w


def _missing_j(instance: Instance, span_s: float, now_s: float) -> float:
    """Of what was told of a GPU the part that a cap has kept from the meter since."""
    if instance.told is None:
        return 0.0
    before_j, watts = instance.told
    return (watts * span_s - (energy_j(instance.run, now_s) - before_j)) / instance.run.spec.num_gpus


def _most_w(services: Services, slot: int, instance: Instance) -> float:
    board = services.fleet.board_as_set(slot)
    return services.idle[instance.service].most_w(board.model, instance.run.cap_w, board.chip) - board.model.context_w
