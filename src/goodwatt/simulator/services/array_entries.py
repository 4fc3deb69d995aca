"""Arrays of numbers as plain data and back, as base64 of their machine words; what is a view of another stays one."""

from __future__ import annotations

import base64
import itertools
import math
import zlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.typing import NDArray

from goodwatt.errors import RunError

Array = NDArray[Any]
LEAST_PRESSED = 1024
"""Bytes from which an array is compressed: counts of latencies are nearly all zeros."""


def entries_of(arrays: Mapping[int, Array], free: int) -> dict[int, list[Any]]:
    """An entry for each array by number; what several of them see has one of its own, numbered from `free` on."""
    by_owner: dict[int, dict[int, Array]] = defaultdict(dict)
    for number, array in arrays.items():
        by_owner[id(_owner(array))][number] = array
    entries: dict[int, list[Any]] = {}
    for together in by_owner.values():
        if not _overlap(list(together.values())):
            entries.update((number, array_to_plain(array)) for number, array in together.items())
            continue
        owner = _owner(next(iter(together.values())))
        at = next((number for number, array in together.items() if array is owner), free)
        entries[at], free = array_to_plain(owner), free + (at == free)
        for number, array in together.items():
            if number != at:
                entries[number] = _view_to_plain(array, owner, at) if array.size else array_to_plain(array)
    return dict(sorted(entries.items()))


def array_to_plain(array: Array) -> list[Any]:
    """["array", dtype, shape, order in memory, words]."""
    order: Literal["C", "F"] = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    words = array.tobytes(order)
    pressed = ["zlib", base64.b64encode(zlib.compress(words, 1)).decode()]
    plain = base64.b64encode(words).decode() if len(words) < LEAST_PRESSED else pressed
    return ["array", _dtype_to_plain(array.dtype), list(array.shape), order, plain]


def array_of(dtype: Any, shape: list[int], order: str, words: Any) -> Array:
    """What `array_to_plain` was given, as an array of its own."""
    kind = _dtype_of(dtype)
    size = math.prod(shape) * kind.itemsize
    if isinstance(words, list):
        content = zlib.decompressobj().decompress(base64.b64decode(words[1]), size + 1)
    else:
        content = base64.b64decode(words)
    if len(content) != size:
        raise ValueError(f"an array of {len(content)} bytes, not {size}")
    return np.frombuffer(content, dtype=kind).reshape(shape, order="F" if order == "F" else "C").copy(order="K")


def view_of(owner: Array, dtype: Any, shape: list[int], strides: list[int], offset: int) -> Array:
    """A view of another array, at so many bytes from its beginning."""
    kind, reach = _dtype_of(dtype), [(count - 1) * stride for count, stride in zip(shape, strides, strict=True)]
    low, high = offset + sum(min(0, step) for step in reach), offset + sum(max(0, step) for step in reach)
    if min(shape, default=1) < 1 or low < 0 or high + kind.itemsize > owner.nbytes:
        raise ValueError("a view beyond its array")  # of an array without entries numpy would not say
    return np.ndarray(shape, kind, owner.ravel("K").data, offset, strides)


def number_to_plain(number: np.generic) -> list[Any]:
    """[dtype, words] of a number of numpy's."""
    return [_dtype_to_plain(number.dtype), base64.b64encode(number.tobytes()).decode()]


def number_of(dtype: Any, words: str) -> Any:
    """What `number_to_plain` was given."""
    return np.frombuffer(base64.b64decode(words), dtype=_dtype_of(dtype))[0]


def _owner(array: Array) -> Array:
    """The array whose memory it is."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _overlap(arrays: list[Array]) -> bool:
    """Whether two of them lie in the same stretch of memory."""
    if len(arrays) < 2:
        return False
    ends = sorted(byte_bounds(array) for array in arrays if array.size)
    return any(low < before for (_, before), (low, _) in itertools.pairwise(ends))


def _view_to_plain(array: Array, owner: Array, at: int) -> list[Any]:
    offset = array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
    return ["view", {"#": at}, _dtype_to_plain(array.dtype), list(array.shape), list(array.strides), offset]


def _dtype_to_plain(dtype: np.dtype[Any]) -> Any:
    if dtype.hasobject:
        raise RunError("expected what can be saved, got an array of objects")
    return dtype.str if dtype.names is None else [list(field) for field in dtype.descr]


def _dtype_of(plain: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(plain if isinstance(plain, str) else [tuple(field) for field in plain])
    if dtype.hasobject:
        raise ValueError("an array of objects")
    return dtype
