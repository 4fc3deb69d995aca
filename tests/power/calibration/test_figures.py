"""What a calibration says it saw, and what it borrowed; the entry that it writes."""

from __future__ import annotations

import dataclasses

import pytest
import yaml

from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.gpu_schema import GpuKindFile
from goodwatt.power.calibration.entry import as_yaml, entry
from goodwatt.power.calibration.figures import DATALESS, Calibration, Measurement, calibrated, power_model
from goodwatt.power.calibration.sweep import as_it_stands, steps, swept
from goodwatt.power.device.fake import DEMANDS, FakeGpu, FakeLoad, FakeTimer
from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.gpu.point import alone_point
from goodwatt.power.workloads.workload import Phase

KIND = gpu_kind("H200-SXM")
PRIOR = KIND.power_model
assert PRIOR is not None


def measured(tmp_path_factory: pytest.TempPathFactory, sweep: bool, seed: int = 0) -> list[Measurement]:
    """All that the fake shows."""
    timer = FakeTimer()
    gpu = FakeGpu(KIND, timer, seed=seed)
    load = FakeLoad(gpu)
    load.open()
    found = as_it_stands(gpu, load, DEMANDS, timer, 2.0, str)
    if sweep:
        folder = tmp_path_factory.mktemp("journal")
        found += swept(gpu, load, tuple(DEMANDS), timer, 2.0, str, folder=folder, plan=steps(gpu.facts()))
    return found


def fitted(found: list[Measurement]) -> Calibration:
    assert PRIOR is not None
    return calibrated(81.0, found, 1980.0, 15.0, PRIOR, KIND.name)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    return fitted(measured(tmp_path_factory, sweep=True))


def test_a_sweep_finds_the_figures_of_the_fake(full: Calibration) -> None:
    assert PRIOR is not None
    told = power_model(full)
    assert told.context_w == pytest.approx(PRIOR.context_w, rel=0.01)
    assert told.core_w == pytest.approx(PRIOR.core_w, rel=0.03)
    assert told.memory_w == pytest.approx(PRIOR.memory_w, rel=0.03)
    assert told.voltage_rise == pytest.approx(PRIOR.voltage_rise, abs=0.05)
    assert told.power_error < 0.03


def test_a_sweep_finds_clock_sensitivity(full: Calibration) -> None:
    for work, demand in DEMANDS.items():
        assert full.kappas[work] == pytest.approx(demand.kappa * demand.duty, abs=0.03), work


def test_after_a_sweep_only_the_spread_between_boards_is_unseen(full: Calibration) -> None:
    assert [line.split(":")[0] for line in full.unseen] == ["chip_spread"]


def test_without_a_sweep_the_voltage_is_borrowed_and_said_to_be(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert PRIOR is not None
    found = fitted(measured(tmp_path_factory, sweep=False))
    assert found.power["knee_mhz"].value == PRIOR.knee_mhz
    assert "as H200-SXM, it takes a sweep" in found.power["knee_mhz"].how
    assert found.power["core_w"].seen
    assert found.power["core_w"].value == pytest.approx(PRIOR.core_w, rel=0.1)
    assert not found.kappas


@pytest.mark.parametrize("sweep", [True, False])
@pytest.mark.parametrize(
    ("work", "watts"), [("gemm", 684.2), ("copy", 470.8), ("copy_weights", 629.2), ("gemv", 603.1), ("small", 128.3)]
)
def test_the_entry_tells_the_watts_of_the_real_board(
    full: Calibration, tmp_path_factory: pytest.TempPathFactory, sweep: bool, work: str, watts: float
) -> None:
    """h200_measured, alone at default settings."""
    found = full if sweep else fitted(measured(tmp_path_factory, sweep=False))
    model = GpuModel(KIND, power_model(found))
    point = alone_point(model, (Phase("only", 1.0, 0.05, DEMANDS[work]),))
    assert point.watts == pytest.approx(watts, rel=0.03)
    assert point.clock_mhz == pytest.approx(1465.0 if work == "gemm" else 1980.0, rel=0.02)


def test_a_copy_of_zeros_has_no_part_in_a_fit(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its bytes cost less than those that jobs move; memory watts would come out a third too low."""
    seen = measured(tmp_path_factory, sweep=True)
    without = fitted([m for m in seen if m.work != "copy"])
    assert fitted(seen).power == without.power
    assert "copy" in fitted(seen).kappas


def test_without_kernels_everything_but_idle_is_borrowed() -> None:
    assert PRIOR is not None
    found = fitted([])
    assert found.idle_w.seen
    assert {name for name, figure in found.power.items() if figure.seen} == {"clock_step_mhz"}
    assert found.power["core_w"].value == PRIOR.core_w


def test_clocks_that_the_cap_did_not_let_stand_are_no_part_of_the_fit(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = measured(tmp_path_factory, sweep=True)
    asked = [m for m in found if m.clock_asked_mhz is not None]
    held = [m for m in asked if abs(m.clock_mhz - (m.clock_asked_mhz or 0)) < 10]
    assert len(held) < len(asked)
    held = [m for m in held if m.work not in DATALESS]
    assert f"{len(held)} points" in fitted(found).power["core_w"].how


@pytest.mark.parametrize("same", [True, False])
def test_the_entry_passes_the_catalogue_check_and_names_its_sources(full: Calibration, same: bool) -> None:
    facts = FakeGpu(KIND, FakeTimer()).facts()
    if not same:
        facts = dataclasses.replace(facts, name="NVIDIA Something New")
    content = yaml.safe_load(as_yaml(entry(facts, full, KIND, same, "2026-11-21"), full.unseen))
    GpuKindFile.model_validate(content)
    assert content["name"] == ("H200-SXM" if same else "NVIDIA-Something-New")
    assert "goodwatt calibrate" in content["power_model"]["sources"]["core_w"]
    assert ("fill it in" in content["sources"]["nvlink_gbps"]) is not same


def test_the_file_begins_with_what_was_not_seen(full: Calibration) -> None:
    facts = FakeGpu(KIND, FakeTimer()).facts()
    text = as_yaml(entry(facts, full, KIND, True, "2026-11-21"), full.unseen)
    assert text.startswith("# not seen: chip_spread")
