"""Clusters by name: the presets that ship with the package, files, and clusters generated from a few figures.

`load_cluster` takes any of
    philly-480                                     a preset
    philly-480:gpu=H100-SXM                        a preset with all its GPUs exchanged for another kind
    generated:gpus=100000,gpu=H100-SXM,per_node=8  a generated cluster, see `GENERATED_SETTINGS`
    ./my-cluster.yaml                              a file
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from goodwatt.bundled_yaml import read_bundled
from goodwatt.cluster import catalogue
from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.cluster_builder import WIDEST_NODE, build_cluster
from goodwatt.errors import InputError, UnknownNameError

FOLDER = Path(__file__).parent / "presets"
GENERATED = "generated"


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"a whole number above 0, got {text!r}")
    return int(text)


def _at_least_zero(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError(f"a number, 0 or more, got {text!r}")
    return number


GENERATED_SETTINGS: Mapping[str, Callable[[str], Any]] = {
    "gpus": _positive,
    "gpu": str,
    "per_node": _positive,
    "nodes_per_rack": _positive,
    "nvlink_domain": _positive,
    "cpu_milli": _positive,
    "memory_mib": _positive,
    "rack_power_limit_w": _at_least_zero,
    "feeds": _positive,
    "pue": _at_least_zero,
    "host_idle_w": _at_least_zero,
    "host_max_w": _at_least_zero,
}
"""What may stand after `generated:`; `gpus` must."""
PRESET_SETTINGS: Mapping[str, Callable[[str], Any]] = {"gpu": str}
MOST_GPUS = 1_000_000
HOST_W_PER_GPU = (125.0, 250.0)
"""Host idle and at most, per GPU: 1 and 2 kW for a node of eight, assumed."""


def load_cluster(name_or_path: str | Path) -> Cluster:
    """The cluster that `name_or_path` means; a preset wins over a file of the same name.

    Raises InputError (UnknownNameError with the nearest presets when nothing has that name).
    """
    content = named_content(str(name_or_path))
    if content is not None:
        return build_cluster(content)
    # Imported here because it brings pydantic, which presets do without.
    from goodwatt.cluster.cluster_file import read_cluster

    return read_cluster(Path(name_or_path))


def cluster_yaml(name_or_path: str | Path) -> str:
    """The same cluster as the text of a cluster file, to start one's own from. Raises InputError."""
    content = named_content(str(name_or_path))
    if content is None:
        return Path(name_or_path).read_text(encoding="utf-8")
    return yaml.dump(content, sort_keys=False, allow_unicode=True, width=110, Dumper=yaml.CSafeDumper)


def named_content(text: str) -> dict[str, Any] | None:
    """The plain content of a preset or a generated cluster; None if `text` is rather the path of a file.

    Raises InputError.
    """
    name, _, settings = text.partition(":")
    if name == GENERATED:
        return generated_content(settings)
    if name in preset_names():
        return _preset(name, settings)
    path = Path(text)
    if path.exists() or path.suffix in {".yaml", ".yml", ".json"} or len(path.parts) > 1:
        return None
    raise UnknownNameError("cluster", text, [*preset_names(), f"{GENERATED}:gpus=N"])


@cache
def preset_names() -> tuple[str, ...]:
    """Every preset, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def preset_content(name: str) -> dict[str, Any]:
    """The plain content of a preset's file."""
    return read_bundled(FOLDER / f"{name}.yaml")


def generated_content(settings: str) -> dict[str, Any]:
    """A uniform cluster of any size, from `gpus=100000,gpu=H100-SXM,per_node=8,...`. Raises InputError."""
    given = _settings(settings, GENERATED_SETTINGS, GENERATED)
    if not 0 < given.get("gpus", 0) <= MOST_GPUS:
        raise InputError(f"generated cluster: expected gpus=N with N from 1 to {MOST_GPUS}, got {settings!r}")
    return _uniform(given, f"{GENERATED}:{settings}")


def _preset(name: str, settings: str) -> dict[str, Any]:
    content, given = preset_content(name), _settings(settings, PRESET_SETTINGS, name)
    if "gpu" in given:
        kind = catalogue.canonical_name(given["gpu"])
        content["nodes"] = [{**group, "gpu": kind} for group in content["nodes"]]
        content["note"] = f"{content.get('note', '')} All GPUs exchanged for {kind}."
        content["name"] = f"{name}:gpu={kind}"
    return content


def _settings(text: str, known: Mapping[str, Callable[[str], Any]], cluster: str) -> dict[str, Any]:
    """`key=value,key=value` with each value read as its key wants it."""
    given: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise InputError(f"cluster {cluster}: expected key=value, got {part!r}")
        if key not in known:
            raise UnknownNameError(f"setting of cluster {cluster}", key, known)
        try:
            given[key] = known[key](value)
        except ValueError as error:
            raise InputError(f"cluster {cluster}, {key}: expected {error}") from None
    return given


def _uniform(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    kind = catalogue.gpu_kind(given.get("gpu", "H100-SXM"))
    wide = kind.nvlink_domain > WIDEST_NODE
    per_node = given.get("per_node", 4 if wide else 8)
    node = {key: given[key] for key in ("nvlink_domain", "cpu_milli", "memory_mib") if key in given}
    node |= {
        "gpu": kind.name,
        "nodes_per_rack": given.get("nodes_per_rack", kind.nvlink_domain // per_node if wide else 4),
    }
    rack = {"name": "rack-*", "feeds": given.get("feeds", 1)}
    if "rack_power_limit_w" in given:
        rack["power_limit_w"] = given["rack_power_limit_w"]
    return {
        "name": name,
        "nodes": _groups(node, given["gpus"], per_node),
        "racks": [rack],
        "power": _generated_power(given, per_node),
        "note": "A uniform cluster, generated.",
    }


def _groups(node: Mapping[str, Any], gpus: int, per_node: int) -> list[dict[str, Any]]:
    """Full nodes, and a smaller one for what is left over."""
    full, rest = divmod(gpus, per_node)
    groups = [{**node, "count": full, "gpus": per_node}] if full else []
    return groups + ([{**node, "count": 1, "gpus": rest}] if rest else [])


def _generated_power(given: Mapping[str, Any], per_node: int) -> dict[str, float]:
    idle, most = (watts * per_node for watts in HOST_W_PER_GPU)
    idle = given.get("host_idle_w", idle)
    return {
        "pue": given.get("pue", 1.0),
        "host_idle_w": idle,
        "host_max_w": given.get("host_max_w", max(idle, most)),
    }
