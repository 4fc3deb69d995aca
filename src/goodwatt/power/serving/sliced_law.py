"""The law of an instance's iterations in a MIG slice of a GPU, from that on the whole GPU.

What waits for arithmetic takes longer by the SMs that the slice lacks, what waits for memory by the bandwidth that it
lacks; launches and the host do not change. A multiplication costs the same energy, waiting that of the SMs that wait.
Nobody has measured a serving instance in slices here; jobs in slices of an A100 follow the same roofline
(`colocation.interference_scaling.slice_stretch`, whose exponent says how sharp it is), within 8% of this for decoding.
"""

from __future__ import annotations

from dataclasses import replace

from goodwatt.cluster.mig import MigProfile
from goodwatt.power.serving.iteration_law import IterationLaw


def on_slice(law: IterationLaw, profile: MigProfile) -> IterationLaw:
    """The same model in an instance of this profile; the law of one whole GPU, without exchanges."""
    sms, memory = profile.sm_share, profile.memory_share
    return replace(
        law,
        multiply_s=law.multiply_s / sms,
        pair_s=law.pair_s / sms,
        weights_s=law.weights_s / memory,
        token_s=law.token_s / memory,
        context_s=law.context_s / memory,
        sample_s=law.sample_s / memory,
        reading_sm=law.reading_sm * sms,
    )
