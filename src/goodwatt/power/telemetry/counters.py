"""What counters of a GPU say about the demand of the workload alone on it.

On H200 the watts beyond a context are linear in counters of the performance monitor (GPM), as shares:
470 dram_bw + 994 tensor + 251 occupancy + 31 sm_util at 1980 MHz (h200_measured: 75 runs alone and shared that the cap
did not bind, mean absolute error 2.6%; benchmarks/calibration/h200_counters.py). So u = tensor + 0.25 occupancy +
0.03 sm_util and m = dram_bw. Measured power decides where it contradicts the counters; what is missing is inferred.
Older GPUs have no such counters: their u comes from power alone. Averaging over time is the sensor's (`transient`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from goodwatt.errors import InputError
from goodwatt.power.colocation.kernel_length import length_from_traffic_us
from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.workloads.demand import Demand

TENSOR_WEIGHT, OCCUPANCY_WEIGHT, SM_WEIGHT = 1.0, 0.252, 0.031
"""u of each counter at 1: h200_measured, by benchmarks/calibration/h200_counters.py."""
OCCUPANCY_OF_SM, TENSOR_OF_SM, DRAM_OF_SM = 0.19, 0.125, 0.30
"""Median ratios to sm_util of the six H200 applications measured alone (h200_measured), for counters that are missing;
they scatter from 0 to 1, so a demand from sm_util alone is little more than a guess."""
KAPPA_COMPUTE, KAPPA_PER_DRAM = 1.07, 0.98
"""kappa = 1.07 - 0.98 dram_bw: kernels of the RTX 8000 with measured DRAM activity (dvfs_v100_rtx8000), mean absolute
error of kappa 0.11 to 0.14 in sample; on the V100 of that data 0.21 to 0.27, always too low; an A100 that only copies
does not feel the clock at all."""
DRAM_SHARE_OF_POWER = 0.3
"""assumed: share of the dynamic watts that DRAM draws, where nothing but power is known."""
LEAST_DUTY = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Means over wall time, shares 0 to 1, while the workload is alone on the GPU; None where nobody measured.

    `duty`: share of wall time with any kernel on the GPU (NVML's utilisation). `clock_mhz`: mean SM clock; None means
    the greatest. `memory_mib`: device memory in use. `pcie_gbps`: both ways; below 0.3 it tells how long kernels are.
    """

    sm_util: float | None = None
    occupancy: float | None = None
    tensor: float | None = None
    dram_bw: float | None = None
    power_w: float | None = None
    clock_mhz: float | None = None
    duty: float | None = None
    memory_mib: float | None = None
    pcie_gbps: float | None = None


def demand_from_counters(model: GpuModel, counters: Counters) -> Demand:
    """The demand that makes the model say what was measured.

    Raises InputError if a share is outside 0 to 1, a figure is not positive, or too little is known.
    """
    _check(counters)
    duty = _duty(counters)
    occupancy, tensor, sm, dram = (
        None if share is None else min(1.0, share / duty) for share in _filled(counters, model, duty)
    )
    clock = counters.clock_mhz or model.top_mhz
    kappa = _kappa(dram or 0.0)
    stretch = 1.0 + kappa * (model.top_mhz / clock - 1.0)
    u = TENSOR_WEIGHT * (tensor or 0.0) + OCCUPANCY_WEIGHT * (occupancy or 0.0) + SM_WEIGHT * (sm or 0.0)
    rate = dram or 0.0
    if counters.power_w is not None:
        u, rate = _by_power(model, max(0.0, counters.power_w - model.context_w) / duty, clock, rate)
    duty_at_top = duty / (duty + (1.0 - duty) * stretch)
    pcie_gbps = (counters.pcie_gbps or 0.0) * stretch * duty_at_top / duty
    return Demand(
        u=u,
        m=rate * stretch,
        kappa=kappa,
        duty=duty_at_top,
        sm=sm or 0.0,
        occupancy=occupancy or 0.0,
        tensor=tensor or 0.0,
        pcie_gbps=pcie_gbps,
        memory_mib=round(counters.memory_mib or 0.0),
        kernel_us=length_from_traffic_us(duty_at_top, pcie_gbps),
    )


def _by_power(model: GpuModel, dynamic_w: float, clock_mhz: float, dram: float) -> tuple[float, float]:
    """(u, DRAM rate) whose watts are the measured ones; DRAM gives way if it alone would draw more."""
    rate = min(dram, dynamic_w / model.memory_w)
    return max(0.0, dynamic_w - rate * model.memory_w) / model.core_at(clock_mhz), rate


def _filled(
    counters: Counters, model: GpuModel, duty: float
) -> tuple[float | None, float | None, float | None, float | None]:
    """(occupancy, tensor, sm, dram), the missing ones from the others or from power."""
    sm, dram = counters.sm_util, counters.dram_bw
    if dram is None:
        dram = _dram(counters, model, duty)
    if sm is None:
        return counters.occupancy, counters.tensor, None, dram
    occupancy = OCCUPANCY_OF_SM * sm if counters.occupancy is None else counters.occupancy
    tensor = TENSOR_OF_SM * sm if counters.tensor is None else counters.tensor
    return occupancy, tensor, sm, dram


def _dram(counters: Counters, model: GpuModel, duty: float) -> float:
    """DRAM bandwidth that nobody measured: what power leaves beside the SM counters, or a usual share."""
    sm_parts = (counters.tensor, counters.occupancy, counters.sm_util)
    if counters.power_w is None:
        return DRAM_OF_SM * (counters.sm_util or 0.0)
    dynamic_w = max(0.0, counters.power_w - model.context_w)
    if counters.tensor is None or counters.occupancy is None:
        return min(duty, DRAM_SHARE_OF_POWER * dynamic_w / model.memory_w)
    weights = (TENSOR_WEIGHT, OCCUPANCY_WEIGHT, SM_WEIGHT)
    u = math.fsum(w * (share or 0.0) for w, share in zip(weights, sm_parts, strict=True))
    sm_w = u * model.core_at(counters.clock_mhz or model.top_mhz)
    return min(duty, max(0.0, dynamic_w - sm_w) / model.memory_w)


def _duty(counters: Counters) -> float:
    """Assumed where missing: 1.2 sqrt(sm_util), at most 1; by eye, within 0.05 on six applications of h200_measured."""
    if counters.duty is not None:
        return max(LEAST_DUTY, counters.duty)
    return 1.0 if counters.sm_util is None else max(LEAST_DUTY, min(1.0, 1.2 * math.sqrt(counters.sm_util)))


def _kappa(dram: float) -> float:
    return min(1.0, max(0.0, KAPPA_COMPUTE - KAPPA_PER_DRAM * dram))


def _check(counters: Counters) -> None:
    for name in ("sm_util", "occupancy", "tensor", "dram_bw", "duty"):
        share = getattr(counters, name)
        if share is not None and not 0.0 <= share <= 1.0:
            raise InputError(f"{name}: expected a share from 0 to 1, got {share:g}")
    for name in ("power_w", "clock_mhz"):
        value = getattr(counters, name)
        if value is not None and not (math.isfinite(value) and value > 0.0):
            raise InputError(f"{name}: expected a number above 0, got {value:g}")
    if counters.pcie_gbps is not None and not 0.0 <= counters.pcie_gbps < math.inf:
        raise InputError(f"pcie_gbps: expected a number, 0 or more, got {counters.pcie_gbps:g}")
    told = (counters.sm_util, counters.tensor, counters.dram_bw, counters.power_w)
    if all(value is None for value in told):
        raise InputError("expected at least one of sm_util, tensor, dram_bw and power_w")
