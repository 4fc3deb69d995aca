"""Peak arithmetic and memory rates of GPU kinds: what speeds of unmeasured kinds are derived from.

Data-sheet figures only; how much of them a workload gets is fitted in `workload_catalogue`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class KindRates:
    """Peaks of one GPU: `fp32_tflops` outside tensor cores, `tf32_tflops` on them (0: none, before Ampere),
    `half_tflops` 16-bit with dense tensor cores where there are any, `memory_gbps` of its DRAM.
    """

    fp32_tflops: float
    tf32_tflops: float
    half_tflops: float
    memory_gbps: float

    @property
    def single_tflops(self) -> float:
        """For code in single precision: frameworks put a part of it on TF32 tensor cores, hence the mean of both."""
        return math.sqrt(self.fp32_tflops * self.tf32_tflops) if self.tf32_tflops else self.fp32_tflops


RATES: Mapping[str, KindRates] = MappingProxyType(
    {
        "K80": KindRates(4.37, 0.0, 4.37, 240.0),  # one of the board's two GPUs, at boost
        "P100-PCIE": KindRates(9.3, 0.0, 18.7, 732.0),
        "V100-PCIE": KindRates(14.0, 0.0, 112.0, 900.0),
        "V100-SXM2": KindRates(15.7, 0.0, 125.0, 900.0),
        "V100-SXM2-32GB": KindRates(15.7, 0.0, 125.0, 900.0),
        "T4": KindRates(8.1, 0.0, 65.0, 320.0),
        "RTX6000": KindRates(16.3, 0.0, 130.5, 672.0),
        "A10": KindRates(31.2, 62.5, 125.0, 600.0),
        "A40": KindRates(37.4, 74.8, 149.7, 696.0),
        "A100-SXM4-40GB": KindRates(19.5, 156.0, 312.0, 1555.0),
        "A100-SXM4-80GB": KindRates(19.5, 156.0, 312.0, 2039.0),
        "A100-PCIE-80GB": KindRates(19.5, 156.0, 312.0, 1935.0),
        "A800-SXM4-80GB": KindRates(19.5, 156.0, 312.0, 2039.0),
        "H100-PCIE": KindRates(51.0, 378.0, 756.0, 2000.0),
        "H100-SXM": KindRates(67.0, 494.0, 989.0, 3350.0),
        "H800-SXM": KindRates(67.0, 494.0, 989.0, 3350.0),
        "H200-SXM": KindRates(67.0, 494.0, 989.0, 4800.0),
        "B200-SXM": KindRates(75.0, 1125.0, 2250.0, 8000.0),
        "B300-SXM": KindRates(75.0, 1125.0, 2250.0, 8000.0),
        "GB200": KindRates(80.0, 1250.0, 2500.0, 8000.0),
    }
)
"""By name of the catalogue; NVIDIA data sheets, dense figures. A kind that is not here has no derived speeds."""
