"""The parts of the physics as one: kinds and classes of the catalogue together, and against what was measured."""

from __future__ import annotations

import math
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from goodwatt.cluster.catalogue import gpu_kind, kind_names
from goodwatt.cluster.mig import profiles
from goodwatt.power.colocation.sharing import MODES, Mode, Resident, shared_point
from goodwatt.power.gpu.model import GpuModel, gpu_model
from goodwatt.power.gpu.point import GpuPoint, alone_point
from goodwatt.power.telemetry.counters import demand_from_counters
from goodwatt.power.telemetry.sensors import counters_at
from goodwatt.power.workloads.catalogue import all_classes, class_names, phases_on, speed_on, workload_class
from goodwatt.power.workloads.demand import Setting
from goodwatt.power.workloads.workload import mean_demand

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the public data (../shared) are not at hand")
KINDS = [name for name in kind_names() if gpu_kind(name).power_model is not None]
PARTS = ("idle_w", "context_w", "sm_w", "dram_w")


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])


def sound(model: GpuModel, point: GpuPoint) -> bool:
    """Finite, positive, within the clocks of the kind, and the parts of the watts make them up."""
    parts = [getattr(point, part) for part in PARTS]
    return (
        all(math.isfinite(x) and x >= 0.0 for x in (*parts, point.watts, *point.speeds))
        and min(point.speeds) > 0.0
        and model.clocks_mhz[0] - 1e-6 <= point.clock_mhz <= model.top_mhz + 1e-6
        and math.isclose(math.fsum(parts), point.watts, rel_tol=1e-9)
    )


def settings(model: GpuModel) -> list[Setting]:
    low, top = model.clocks_mhz[0], model.top_mhz
    least_w = model.kind.min_cap_w
    return [Setting(), Setting(clock_mhz=low), Setting(cap_w=least_w), Setting((low + top) / 2, model.default_cap_w)]


@pytest.mark.parametrize("name", KINDS)
def test_every_class_finds_a_sound_point_on_every_kind(name: str) -> None:
    model = gpu_model(gpu_kind(name))
    for entry in all_classes().values():
        phases = phases_on(entry, name)
        assert math.isclose(math.fsum(p.share for p in phases), 1.0, rel_tol=1e-3), entry.name
        assert math.isfinite(speed_on(entry, name))
        assert speed_on(entry, name) > 0.0
        default, slow, least, _ = points = [alone_point(model, phases, setting) for setting in settings(model)]
        assert all(sound(model, point) for point in points), entry.name
        assert default.speeds[0] == pytest.approx(1.0)
        assert slow.speeds[0] <= default.speeds[0] + 1e-9
        assert least.watts <= default.watts + 1e-9
        assert default.watts <= model.default_cap_w * (1.0 + 1e-9) or default.bound_by == "violated"


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_every_pair_with_a_light_job_shares_every_kind(name: str, mode: Mode) -> None:
    model = gpu_model(gpu_kind(name))
    slices = sorted(profiles(model.kind).values(), key=lambda one: one.sm_share)
    if mode == "mig" and not slices:
        pytest.skip("no geometry of its slices is known")
    profile = slices[0] if mode == "mig" else None
    light = mean_demand(phases_on(workload_class("rl_small"), name))
    for entry in all_classes().values():
        demand = mean_demand(phases_on(entry, name))
        point = shared_point(model, (Resident(demand, profile=profile), Resident(light, profile=profile)), mode)
        assert sound(model, point), entry.name
        assert max(point.speeds) <= 1.0 + 1e-9


@pytest.mark.parametrize("name", KINDS)
def test_every_class_can_be_told_from_its_telemetry_on_every_kind(name: str) -> None:
    model = gpu_model(gpu_kind(name))
    for entry in all_classes().values():
        phases = phases_on(entry, name)
        point = alone_point(model, phases)
        shown = counters_at(model, mean_demand(phases), point.clock_mhz, point.watts)
        told = demand_from_counters(model, shown)
        assert all(math.isfinite(getattr(told, f.name)) for f in fields(told)), entry.name
        assert model.watts(told, point.clock_mhz) == pytest.approx(point.watts, rel=1e-6), entry.name


def test_placeholders_say_nothing_about_kernels() -> None:
    for entry in all_classes().values():
        for phase in (p for phases in entry.phases.values() for p in phases):
            known = phase.demand.kernel_us > 0.0
            assert known or phase.demand.pcie_gbps == 0.0 or phase.name in {"checkpoint", "input stall"}, entry.name


@pytest.mark.parametrize(("command", "names"), [("gpus", kind_names()), ("workloads", class_names())])
def test_every_entry_is_listed_and_shown(command: str, names: tuple[str, ...]) -> None:
    from goodwatt.cli import gpus, workloads

    app = {"gpus": gpus.app, "workloads": workloads.app}[command]
    runner = CliRunner()
    listed = runner.invoke(app, ["list"], env={"COLUMNS": "120"}, catch_exceptions=False)
    assert all(name in listed.stdout for name in names)
    for name in names:
        shown = runner.invoke(app, ["show", name], env={"COLUMNS": "120"}, catch_exceptions=False)
        assert shown.exit_code == 0, name
        assert " nan" not in shown.stdout.lower(), name


@needs_data
@pytest.mark.usefixtures("benchmarks")
def test_the_catalogue_is_what_calibration_writes_and_draws_what_was_measured() -> None:
    from calibration.workloads import all_entries, reproduced

    from goodwatt.power.workloads.catalogue import class_from

    entries = all_entries()
    assert {entry.name for entry in entries} == set(class_names())
    for entry in entries:
        assert workload_class(entry.name) == class_from(entry.content()), entry.name
    for entry, kind, measured_w, _ in reproduced(entries):
        drawn = alone_point(gpu_model(gpu_kind(kind)), phases_on(workload_class(entry.name), kind)).watts
        one_phase = f"{kind} " in " ".join(entry.watts)  # watts that belong to one phase are not those of the class
        assert one_phase or drawn == pytest.approx(measured_w, rel=0.05), (entry.name, kind)


@needs_data
@pytest.mark.usefixtures("benchmarks")
def test_facts_of_real_boards_stay_within_what_is_stated() -> None:
    from fidelity import facts

    told = facts.rows()
    assert all(abs(row.percent) < 10.0 for row in told)
    assert [row.what for row in told if row.met is False] == ["H200 gemm alone, MHz"]
