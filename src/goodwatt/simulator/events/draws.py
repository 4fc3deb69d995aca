"""Random numbers that are named, not drawn in turn: a value belongs to (seed, name, purpose, count).

Whoever asks first, last or never changes nothing for the others, so what chance has in store for a component does
not depend on the policy, on the order of questions or on how far a run goes. No generator object is kept.
"""

from __future__ import annotations

import math
from hashlib import blake2b

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_UNIT = 2.0**-53
_HALF_UNIT = 2.0**-32


def key_of(*parts: object) -> int:
    """The 64-bit key of a name; parts are told apart, so ("ab", "c") is not ("a", "bc")."""
    return int.from_bytes(blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest(), "little")


def child(key: int, number: int) -> int:
    """The key of the `number`-th part of what `key` names: a node's GPUs, without a name for each."""
    return _mix((key + (number + 1) * _STEP) & _MASK)


def uniform(key: int, purpose: int, count: int = 0) -> float:
    """Evenly between 0 and 1, both excluded."""
    return ((_bits(key, purpose, count) >> 11) + 0.5) * _UNIT


def exponential(key: int, purpose: int, count: int = 0) -> float:
    """Exponential with mean 1."""
    return -math.log(uniform(key, purpose, count))


def normal(key: int, purpose: int, count: int = 0) -> float:
    """Normal with mean 0 and standard deviation 1 (Box and Muller 1958, from one 64-bit word: at most 6.7)."""
    bits = _bits(key, purpose, count)
    radius = math.sqrt(-2.0 * math.log(((bits >> 32) + 0.5) * _HALF_UNIT))
    return radius * math.cos(math.tau * ((bits & 0xFFFFFFFF) + 0.5) * _HALF_UNIT)


def _bits(key: int, purpose: int, count: int) -> int:
    return _mix((_mix(key ^ (purpose * _STEP & _MASK)) + count * _STEP) & _MASK)


def _mix(word: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK
    return word ^ (word >> 31)
