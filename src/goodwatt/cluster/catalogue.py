"""The catalogue of GPU kinds: one YAML file each under `gpus`, read when a name asks for it.

`active_w` is the mean draw of the board while a training job holds it, input stalls and waiting included. Where
a sweep was measured at the default cap (zeus_power, h200_measured) it is the mean over workloads, each counted
once, so that no workload weighs more for having more batch sizes; for the A100-SXM4-80GB it is the mean of the
readings of two production clusters that lie above 70 W, where a job holds the GPU (acme_2023). The ratio to
`max_w` is then 0.67 (V100-PCIE), 0.66 (A40), 0.71 (RTX6000), 0.50 (P100-PCIE), 0.57 (A100-SXM4-80GB) and 0.69
(H200-SXM): kinds that nobody measured so take the mean of the six, 0.63, and their source says "assumed".

The files are trusted here, because reading them must cost next to nothing; `gpu_schema` checks them in full.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from goodwatt.bundled_yaml import read_bundled
from goodwatt.cluster.gpu_kind import GpuKind, PowerModel
from goodwatt.errors import InputError, UnknownNameError

FOLDER = Path(__file__).parent / "gpus"
_OPERATOR_SUFFIX = re.compile(r"-(SHARED|MIG-.+)$", re.IGNORECASE)


def gpu_kind(name: str) -> GpuKind:
    """The kind that `name` means: a name, alias, product label or prefix of just one name, in any case.

    The GPU operator appends -SHARED or -MIG-<profile> to a product label; both still mean the kind.
    Raises InputError if the prefix fits several kinds, UnknownNameError if nothing fits.
    """
    return _load(canonical_name(name))


def canonical_name(name: str) -> str:
    """The catalogue's own spelling of `name`; errors as for `gpu_kind`."""
    wish = name.strip().casefold()
    names = kind_names()
    return (
        _exact(wish, names)
        or _other_name(wish)
        or _other_name(_OPERATOR_SUFFIX.sub("", wish))
        or _prefix(name, wish, names)
    )


@cache
def kind_names() -> tuple[str, ...]:
    """Every name of the catalogue, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def all_kinds() -> dict[str, GpuKind]:
    """The whole catalogue by name, sorted."""
    return {name: _load(name) for name in kind_names()}


def unknown_kind(name: str) -> GpuKind:
    """A kind of which only the name is known: it runs jobs, but its energy cannot be told."""
    return GpuKind(
        name=name,
        architecture="undisclosed",
        memory_mib=0,
        min_clock_mhz=None,
        max_clock_mhz=None,
        min_cap_w=None,
        max_cap_w=None,
        idle_w=None,
        active_w=None,
        max_w=None,
        nvlink_gbps=0.0,
        nvlink_domain=1,
        mig_slices=0,
        sources={"name": "undisclosed by whoever published the cluster"},
    )


def kind_from(content: Mapping[str, Any]) -> GpuKind:
    """A kind from the plain content of its file."""
    fields = dict(content)
    for name in ("product_labels", "aliases"):
        fields[name] = tuple(fields.get(name, ()))
    fields["power_model"] = PowerModel(**fields["power_model"])
    return GpuKind(**fields)


@cache
def _load(name: str) -> GpuKind:
    return kind_from(read_bundled(FOLDER / f"{name}.yaml"))


def _exact(wish: str, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name.casefold() == wish), None)


@cache
def _other_name(wish: str) -> str | None:
    """Whose alias or product label `wish` is. Only files whose text mentions it are parsed."""
    for name in kind_names():
        if wish and wish in (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").casefold():
            kind = _load(name)
            if wish in (other.casefold() for other in (*kind.aliases, *kind.product_labels)):
                return name
    return None


def _prefix(name: str, wish: str, names: tuple[str, ...]) -> str:
    fitting = [n for n in names if wish and n.casefold().startswith(wish)]
    if not fitting:
        raise UnknownNameError("GPU kind", name, names)
    if len(fitting) > 1:
        raise InputError(f"GPU kind {name!r} could be any of {', '.join(fitting)}: write one of them")
    return fitting[0]
