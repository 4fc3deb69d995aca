"""A GPU kind: the facts of its data sheet that scheduling and power control stand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerModel:
    """Coefficients of time and power against the SM clock; `power.gpu.model` has the formulas.

    `context_w`: board watts while a process holds a context and runs nothing. `knee_mhz`: the clock up to which the
    SM voltage stays at its floor; from there it rises linearly to `voltage_rise` times the floor at the greatest
    clock. `core_w`: dynamic SM watts of SM activity 1 at the greatest clock, were the voltage at its floor there
    (times `voltage_rise` squared they are what is drawn). `memory_w`: dynamic DRAM watts at the full bandwidth.
    `clock_step_mhz`: distance of supported clocks. `chip_spread`: standard deviation of `core_w` between boards of
    the kind, relative. `time_error`, `power_error`: relative standard deviation of what the model says against
    measurements it was not fitted on, of this kind or of the nearest one that was measured.
    """

    context_w: float
    knee_mhz: float
    voltage_rise: float
    core_w: float
    memory_w: float
    clock_step_mhz: float
    chip_spread: float
    time_error: float
    power_error: float
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class GpuKind:
    """One entry of the catalogue; None where nobody published the figure.

    Clocks are of the SM; caps are the range that the driver accepts; `active_w` is what the board draws on
    average while a training job holds it, which the simplest power model uses; `nvlink_gbps` is GB/s per GPU,
    both directions together; `nvlink_domain` is how many GPUs one NVLink domain usually holds (1: none).
    `memory_mib` is 0 and `nvlink_domain` 1 for a kind of which only the name is known.
    `product_labels` are values of the Kubernetes node label nvidia.com/gpu.product that mean this kind.
    `aliases` are other names in use, in traces for example.
    `power_model`: how time and power follow the clock, with sources of its own; None for a kind unknown but by name.
    `sources` says where each figure comes from, by field name; a source that starts with "assumed" is ours.
    """

    name: str
    architecture: str
    memory_mib: int
    min_clock_mhz: int | None
    max_clock_mhz: int | None
    min_cap_w: int | None
    max_cap_w: int | None
    idle_w: float | None
    active_w: float | None
    max_w: float | None
    nvlink_gbps: float
    nvlink_domain: int
    mig_slices: int
    product_labels: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    power_model: PowerModel | None = None
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def has_energy(self) -> bool:
        """Whether its power is known well enough to report energy."""
        return self.idle_w is not None and self.active_w is not None
