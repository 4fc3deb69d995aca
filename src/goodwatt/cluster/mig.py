"""MIG geometry: which instances a GPU can be cut into, beside which, and what the hardware refuses.

An instance takes whole memory slices (8 per GPU), starting where its profile allows, and compute slices (7 per GPU).
Instances never move: what was created in one order may not fit in another. The figures are `mig.yaml`; speed and watts
of an instance are `power.colocation.sharing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from goodwatt.bundled_yaml import read_bundled
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.errors import RunError, UnknownNameError

FILE = Path(__file__).with_name("mig.yaml")
COMPUTE_SLICES = 7
MEMORY_SLICES = 8


@dataclass(frozen=True, slots=True)
class MigProfile:
    """A size of instance, `3g.40gb` say.

    `sm_share` is its SMs over those of the largest instance, `memory_share` its part of bandwidth and L2, in eighths.
    `starts`: first memory slice of each legal placement; `size`: memory slices that it covers from there.
    `most`: how many of it the hardware allows at once.
    """

    name: str
    compute_slices: int
    memory_slices: int
    sms: int
    sm_share: float
    memory_mib: int
    most: int
    starts: tuple[int, ...]
    size: int

    @property
    def memory_share(self) -> float:
        """Part of the memory system, 1 for the whole GPU."""
        return self.memory_slices / MEMORY_SLICES


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance that exists: its profile and the first memory slice that it covers."""

    profile: MigProfile
    start: int

    @property
    def mask(self) -> int:
        """The memory slices that it covers, as bits."""
        return ((1 << self.profile.size) - 1) << self.start


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds until each change is in effect; `relabel_s`: the GPU operator's way over a whole empty node."""

    mode_change_s: float
    create_s: float
    destroy_s: float
    relabel_s: float


def profiles(kind: GpuKind) -> dict[str, MigProfile]:
    """The profiles of a kind by name, smallest first; empty where it has no MIG or nobody published its geometry."""
    return _by_kind().get(kind.name, {})


def profile(kind: GpuKind, name: str) -> MigProfile:
    """One profile by name. Raises UnknownNameError."""
    known = profiles(kind)
    if name not in known:
        raise UnknownNameError(f"MIG profile of {kind.name}", name, tuple(known))
    return known[name]


@cache
def delays() -> Delays:
    """How long changes take; sources are in `mig.yaml`."""
    content = {name: value for name, value in _content()["delays"].items() if name != "sources"}
    return Delays(**content)


def legal_starts(wanted: MigProfile, existing: Iterable[Instance] = ()) -> tuple[int, ...]:
    """Where one more instance of the profile can go beside those that exist; empty: the hardware refuses it."""
    here = tuple(existing)
    if sum(one.profile.name == wanted.name for one in here) >= wanted.most:
        return ()
    if sum(one.profile.compute_slices for one in here) + wanted.compute_slices > COMPUTE_SLICES:
        return ()
    taken = 0
    for one in here:
        taken |= one.mask
    return tuple(start for start in wanted.starts if not Instance(wanted, start).mask & taken)


def create(wanted: MigProfile, existing: Sequence[Instance], start: int | None = None) -> tuple[Instance, ...]:
    """The instances after one more was made, at `start` or where it leaves most open; others keep running.

    Raises RunError where the hardware refuses: no room, no compute slices left, an illegal or taken place.
    """
    legal = legal_starts(wanted, existing)
    if not legal or (start is not None and start not in legal):
        place = "" if start is None else f" at memory slice {start}"
        raise RunError(
            f"MIG instance {wanted.name}{place}: expected a legal place ({_words(legal)}) beside "
            f"{_words([f'{one.profile.name}@{one.start}' for one in existing])}"
        )
    chosen = max(legal, key=lambda place: (_room_left(wanted, place, existing), place)) if start is None else start
    return tuple(sorted((*existing, Instance(wanted, chosen)), key=lambda one: one.start))


def check_mode_change(existing: Sequence[Instance], processes: int) -> None:
    """Whether MIG can be switched on or off now: only on a GPU without instances and processes. Raises RunError."""
    if existing or processes:
        raise RunError(f"MIG mode change: expected an empty GPU, got {len(existing)} instances, {processes} processes")


def can_coexist(wanted: Iterable[MigProfile]) -> bool:
    """Whether some order of creation makes all of these instances exist together."""
    return placement(wanted) is not None


def placement(wanted: Iterable[MigProfile]) -> tuple[Instance, ...] | None:
    """Places for all of these instances on one empty GPU, None if there are none."""
    return _place(tuple(sorted(wanted, key=lambda p: (-p.size, -p.compute_slices))), ())


def _place(wanted: tuple[MigProfile, ...], placed: tuple[Instance, ...]) -> tuple[Instance, ...] | None:
    if not wanted:
        return tuple(sorted(placed, key=lambda one: one.start))
    for start in legal_starts(wanted[0], placed):
        found = _place(wanted[1:], (*placed, Instance(wanted[0], start)))
        if found is not None:
            return found
    return None


def _room_left(wanted: MigProfile, start: int, existing: Sequence[Instance]) -> int:
    """How many whole halves, then pairs of memory slices stay free, weighted so that a half counts more."""
    taken = Instance(wanted, start).mask
    for one in existing:
        taken |= one.mask
    halves = sum(not taken & 0b1111 << at for at in (0, 4))
    pairs = sum(not taken & 0b11 << at for at in (0, 2, 4, 6))
    return 5 * halves + pairs


def _words(names: Iterable[object]) -> str:
    return ", ".join(str(name) for name in names) or "none"


@cache
def _content() -> dict[str, Any]:
    return read_bundled(FILE)


@cache
def _by_kind() -> dict[str, dict[str, MigProfile]]:
    found = {}
    for family in _content()["families"].values():
        whole = max(facts["sms"] for facts in family["profiles"].values())
        made = {name: _profile(name, facts, whole) for name, facts in family["profiles"].items()}
        found.update(dict.fromkeys(family["kinds"], made))
    return found


def _profile(name: str, facts: dict[str, Any], whole_sms: int) -> MigProfile:
    return MigProfile(
        name=name,
        compute_slices=facts["compute"],
        memory_slices=facts["memory"],
        sms=facts["sms"],
        sm_share=facts["sms"] / whole_sms,
        memory_mib=facts["memory_mib"],
        most=facts["most"],
        starts=tuple(facts["starts"]),
        size=facts["size"],
    )
