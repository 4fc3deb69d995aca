"""What Slurm writes about resources: TRES strings, the older GRES strings, and amounts of memory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from goodwatt.traces.cells import parse_amount, parse_count

GPU_PLUGIN = str(int.from_bytes(b"gpu", "little"))
"""Old records name the GPU plugin by the number its letters make."""
SHARES = ("gres/shard", "gres/mps")
MIG_PROFILE = re.compile(r"(?:(?P<kind>.+)_)?(?P<profile>\d+g\.\d+gb(?:\+\w+)?)", re.IGNORECASE)
MEMORY_UNIT_MIB = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2, "P": 1024.0**3}


@dataclass(frozen=True, slots=True)
class Resources:
    """`kind` is the GPU type, if it is one; `shares` says that parts of GPUs are named, of which sizes nobody knows."""

    gpus: int = 0
    kind: str | None = None
    mig_profile: str | None = None
    cpu_milli: int = 0
    memory_mib: int = 0
    shares: bool = False


@lru_cache(maxsize=4096)
def parse_tres(text: str) -> Resources:
    """`billing=8,cpu=16,gres/gpu=8,gres/gpu:a100=8,mem=64G,node=2`, all of it for the whole job."""
    amounts = dict(_pair(part, "=") for part in text.split(","))
    typed = {name.partition(":")[2]: parse_count(n) for name, n in amounts.items() if name.startswith("gres/gpu:")}
    gpus = parse_count(amounts["gres/gpu"]) if "gres/gpu" in amounts else sum(typed.values())
    kind, profile = _kind_and_profile([name for name, count in typed.items() if count])
    return Resources(
        gpus=gpus,
        kind=kind,
        mig_profile=profile,
        cpu_milli=round(1000 * parse_amount(amounts.get("cpu", "0"))),
        memory_mib=parse_memory_mib(amounts.get("mem", "0")),
        shares=any(name.startswith(SHARES) for name in amounts),
    )


def parse_gres(text: str) -> Resources:
    """`gpu:8`, `gpu:a100:8(IDX:0-7)`, `gres:gpu:2,craynetwork:1`."""
    gpus, kinds = 0, []
    for part in re.sub(r"\(.*?\)", "", text).split(","):
        words = part.removeprefix("gres/").removeprefix("gres:").split(":")
        if words[0] in {"gpu", GPU_PLUGIN}:
            kinds += words[1:-1]
            gpus += parse_count(words[-1]) if len(words) > 1 else 1
    kind, profile = _kind_and_profile(kinds)
    return Resources(gpus=gpus, kind=kind, mig_profile=profile)


def parse_memory_mib(text: str) -> int:
    """`64G`, `512000M`, `1.50T`; MiB without a unit."""
    unit = text[-1:].upper()
    if unit in MEMORY_UNIT_MIB:
        return round(parse_amount(text[:-1]) * MEMORY_UNIT_MIB[unit])
    return round(parse_amount(text))


def _pair(text: str, sign: str) -> tuple[str, str]:
    name, found, value = text.partition(sign)
    if not found:
        raise ValueError(text)
    return name, value


def _kind_and_profile(types: list[str]) -> tuple[str | None, str | None]:
    """The type, if all GPUs are of one, with a MIG profile taken apart: `a100_1g.5gb`."""
    if len(set(types)) != 1:
        return None, None
    found = MIG_PROFILE.fullmatch(types[0])
    return (found["kind"], found["profile"]) if found else (types[0], None)
