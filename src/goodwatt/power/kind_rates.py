"""Peak arithmetic and memory rates of GPU kinds, and how much of them arrives: what derived speeds stand on.

Peaks are of data sheets. Gains are fitted by benchmarks/calibration/workloads.py to speeds that were measured on
several kinds; `workload_catalogue` has the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
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

    def tflops(self, math: str) -> float:
        """Peak for a class whose `WorkloadClass.math` this is.

        tf32: the geometric mean of both units, because frameworks put products of matrices on tensor cores and the
        rest not.
        """
        if math == "half":
            return self.half_tflops
        if math == "tf32" and self.tf32_tflops:
            return sqrt(self.fp32_tflops * self.tf32_tflops)
        return self.fp32_tflops


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

# A gain is what a kind gives of its data sheet, relative to what a V100 gives of its own.
_VECTOR_GAINS = {"K80": 0.52, "P100-PCIE": 0.79, "RTX6000": 0.80, "T4": 0.84, "A40": 0.55, "A100-SXM4-40GB": 1.04}
_MATRIX_GAINS = {"K80": 0.74, "P100-PCIE": 0.85, "RTX6000": 0.92, "T4": 0.84, "A40": 0.90, "A100-SXM4-40GB": 0.89}
_AFTER_AMPERE = {"H100-SXM": 0.87, "B200-SXM": 0.87 * 0.79}
"""Relative to the A100; measured with half precision."""
_ALIKE = {
    "A10": "A40",
    "A100-SXM4-80GB": "A100-SXM4-40GB",
    "A100-PCIE-80GB": "A100-SXM4-40GB",
    "A800-SXM4-80GB": "A100-SXM4-40GB",
    "H100-PCIE": "H100-SXM",
    "H800-SXM": "H100-SXM",
    "H200-SXM": "H100-SXM",
    "B300-SXM": "B200-SXM",
    "GB200": "B200-SXM",
}
"""Kinds that nobody measured, and the measured one of the same architecture."""


def gain(kind: str, math: str) -> float:
    """The gain of a kind for a class whose `WorkloadClass.math` this is; 1 where nothing is known."""
    kind = _ALIKE.get(kind, kind)
    gains = _VECTOR_GAINS if math == "fp32" else _MATRIX_GAINS
    if kind in _AFTER_AMPERE:
        return gains["A100-SXM4-40GB"] * _AFTER_AMPERE[kind]
    return gains.get(kind, 1.0)


def rate_ratios(kind: str, reference: str, math: str) -> tuple[float, float]:
    """(peak arithmetic, bandwidth) of a kind relative to another; 1, 1 where either is unknown."""
    here, there = RATES.get(reference), RATES.get(kind)
    if here is None or there is None:
        return 1.0, 1.0
    return there.tflops(math) / here.tflops(math), there.memory_gbps / here.memory_gbps
