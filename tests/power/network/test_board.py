"""The figures of boards: each kind has one, each figure a source, and the fit finds what the package ships."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

from goodwatt.cluster import catalogue
from goodwatt.cluster.network import Network
from goodwatt.power.network.board import FIGURES, board_of, pcie_gbps

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared"


@pytest.mark.parametrize("name", catalogue.kind_names())
def test_every_kind_has_a_board(name: str) -> None:
    kind = catalogue.gpu_kind(name)
    board = board_of(kind)
    assert board is board_of(kind)
    assert (board.nvlink is None) == (kind.nvlink_domain == 1)
    assert board.switched == (kind.nvlink_domain >= 8)
    if board.nvlink is not None:
        assert 0.5 * kind.nvlink_gbps / 2 < board.nvlink.gbps < kind.nvlink_gbps / 2
        assert board.nvlink.gbps > board.pcie.gbps


def test_kinds_of_which_only_the_name_is_known_have_pcie_and_one_card() -> None:
    board = board_of(catalogue.unknown_kind("G2"))
    assert (board.nvlink, board.gpus_per_nic) == (None, 0)


def test_every_entry_has_a_source() -> None:
    content = yaml.safe_load(FIGURES.read_text(encoding="utf-8"))
    sources = content.pop("sources")
    assert {section: set(own) for section, own in content.items()} == {s: set(own) for s, own in sources.items()}


def test_crossings_share_the_host() -> None:
    board = board_of(catalogue.gpu_kind("T4"))
    assert pcie_gbps(board, Network(), 4) == board.pcie.gbps
    assert pcie_gbps(board, Network(pcie_gbps=5.0), 4) == 5.0
    assert pcie_gbps(board, Network(pcie_gbps=5.0, host_gbps=8.0), 4) == 2.0


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public measurements (../shared) are not at hand")
def test_fit_finds_the_figures_that_are_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    vidur = importlib.import_module("calibration.vidur_collectives")
    shipped = yaml.safe_load(FIGURES.read_text(encoding="utf-8"))["architectures"]
    for age, figures in vidur.fit_boards(vidur.measurements()).items():
        assert shipped[age] == figures
