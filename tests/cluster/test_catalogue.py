"""The catalogue of GPU kinds: names that mean a kind, and files that are complete and sane."""

from __future__ import annotations

import pytest

from goodwatt.bundled_yaml import read_bundled
from goodwatt.cluster import catalogue
from goodwatt.cluster.gpu_schema import FIGURES, POWER_FIGURES, GpuKindFile, checked_kinds
from goodwatt.errors import InputError, UnknownNameError

NAMES = [
    ("H100-SXM", "H100-SXM"),
    ("h200-sxm", "H200-SXM"),
    ("H200", "H200-SXM"),
    ("A10", "A10"),  # an exact name wins over the A100s that begin with it
    ("V100-SXM2", "V100-SXM2"),
    ("V100M16", "V100-SXM2"),
    ("V100M32", "V100-SXM2-32GB"),
    ("P100", "P100-PCIE"),
    ("Quadro RTX 6000", "RTX6000"),
    ("NVIDIA-H100-80GB-HBM3", "H100-SXM"),
    ("NVIDIA-H100-80GB-HBM3-SHARED", "H100-SXM"),
    ("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "A100-SXM4-40GB"),
    ("Tesla-T4", "T4"),
]


@pytest.mark.parametrize(("name", "kind"), NAMES)
def test_names_that_mean_a_kind(name: str, kind: str) -> None:
    assert catalogue.gpu_kind(name).name == kind


def test_an_ambiguous_prefix_lists_what_it_could_mean() -> None:
    with pytest.raises(InputError, match="'H100' could be any of H100-PCIE, H100-SXM"):
        catalogue.gpu_kind("H100")


@pytest.mark.parametrize("name", ["", " ", "H100-SMX", "G2"])
def test_an_unknown_name_is_an_error(name: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown GPU kind"):
        catalogue.gpu_kind(name)


def test_a_misspelt_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'H100-SXM'"):
        catalogue.gpu_kind("H100-SMX")


def test_names_of_kinds_do_not_collide() -> None:
    seen: dict[str, str] = {}
    for kind in catalogue.all_kinds().values():
        for name in {kind.name, *kind.aliases, *kind.product_labels}:
            assert seen.setdefault(name.casefold(), kind.name) == kind.name


def test_every_file_satisfies_the_schema() -> None:
    kinds = checked_kinds()
    assert kinds == catalogue.all_kinds()
    assert {"V100-SXM2", "A100-SXM4-40GB", "A100-SXM4-80GB", "H100-SXM", "H200-SXM", "B200-SXM"} <= kinds.keys()


@pytest.mark.parametrize("name", catalogue.kind_names())
def test_figures_are_sane_and_sourced(name: str) -> None:
    kind = catalogue.gpu_kind(name)
    assert kind.has_energy
    assert kind.sources.keys() == FIGURES
    assert kind.min_clock_mhz is not None
    assert kind.max_clock_mhz is not None
    assert 100 <= kind.min_clock_mhz < kind.max_clock_mhz <= 2500
    assert kind.idle_w is not None
    assert kind.active_w is not None
    assert kind.max_w is not None
    assert kind.idle_w < kind.active_w <= kind.max_w
    assert 0.3 < kind.active_w / kind.max_w < 0.9
    assert kind.power_model is not None
    assert kind.power_model.sources.keys() == POWER_FIGURES
    assert not [s for s in kind.power_model.sources.values() if "provisional" in s]
    assert kind.idle_w <= kind.power_model.context_w < kind.max_w


BROKEN = [
    ({"idle_w": 900.0}, "idle_w < active_w"),
    ({"min_cap_w": 800}, "below the highest"),
    ({"sources": {}}, "one source per figure"),
    ({"nvlink_domain": 1}, "NVLink domain above 1"),
    ({"surprise": 1}, "Extra inputs"),
    ({"power_model": {}}, "Field required"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_the_schema_refuses(change: dict[str, object], message: str) -> None:
    content = read_bundled(catalogue.FOLDER / "H100-SXM.yaml")
    with pytest.raises(ValueError, match=message):
        GpuKindFile.model_validate(content | change)


def test_the_schema_wants_a_source_for_each_figure_of_the_power_model() -> None:
    content = read_bundled(catalogue.FOLDER / "H100-SXM.yaml")
    content["power_model"]["sources"].pop("knee_mhz")
    with pytest.raises(ValueError, match="differs in \\['knee_mhz'\\]"):
        GpuKindFile.model_validate(content)


def test_an_undisclosed_kind_has_no_energy() -> None:
    kind = catalogue.unknown_kind("G2")
    assert kind.name == "G2"
    assert not kind.has_energy
    assert kind.nvlink_domain == 1
