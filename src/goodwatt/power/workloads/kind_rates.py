"""Peak arithmetic and memory rates of GPU kinds, and how much of them arrives: what derived speeds stand on.

Peaks are of data sheets. Gains, in speed_rule.yaml, are fitted by benchmarks/calibration/workloads.py to speeds that
were measured on several kinds; `workloads.catalogue` has the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import sqrt
from pathlib import Path
from types import MappingProxyType
from typing import Any

from goodwatt.bundled_yaml import read_bundled

FITTED = Path(__file__).with_name("speed_rule.yaml")
AFTER = "A100-SXM4-40GB"
"""Gains of later kinds are relative to this one."""


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
    """What a kind gives of its data sheet to a class whose `WorkloadClass.math` this is, relative to what a V100 gives.

    1 where nothing is known. Kinds after the A100 were measured with half precision only, relative to it.
    """
    rule = _fitted()
    kind = _ALIKE.get(kind, kind)
    gains = rule["gains"]["fp32" if math == "fp32" else "tf32"]
    if kind in rule["after_a100"]:
        return float(gains[AFTER] * rule["after_a100"][kind])
    return float(gains.get(kind, 1.0))


def speed_error() -> float:
    """Standard deviation, in the logarithm, of derived speeds on (class, kind) pairs left out of the fit of gains."""
    return float(_fitted()["speed_error"])


def watts_error() -> float:
    """Standard deviation, relative, of watts on kinds to which the demand of the reference kind was carried over."""
    return float(_fitted()["watts_error"])


def rate_ratios(kind: str, reference: str, math: str) -> tuple[float, float]:
    """(peak arithmetic, bandwidth) of a kind relative to another; 1, 1 where either is unknown."""
    here, there = RATES.get(reference), RATES.get(kind)
    if here is None or there is None:
        return 1.0, 1.0
    return there.tflops(math) / here.tflops(math), there.memory_gbps / here.memory_gbps


@cache
def _fitted() -> dict[str, Any]:
    return read_bundled(FITTED)
