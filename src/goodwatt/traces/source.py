"""Opening a trace file: gzip by its first bytes, byte-order mark, encoding, SHA-256 of the bytes as they lie there.

One pass over the file, in chunks. What the bytes mean is for the formats.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from goodwatt.errors import BadRow, InputError
from goodwatt.traces.trace_format import Head

HEAD_BYTES = 1 << 16
GZIP_MAGIC = b"\x1f\x8b"
BROKEN_STREAM = (EOFError, zlib.error, gzip.BadGzipFile)
"""What reading a damaged or truncated gzip file raises."""

FOREIGN_STARTS = {
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"\xfd7zXZ": "an xz file: unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd file: unpack it first",
    b"BZh": "a bzip2 file: unpack it first",
    b"version https://git-lfs": "a Git LFS pointer, not the data itself: run 'git lfs pull' where it came from",
    b"\xff\xfe": "UTF-16 text: save it as UTF-8",
    b"\xfe\xff": "UTF-16 text: save it as UTF-8",
}


class _HashingFile(io.RawIOBase):
    """A file that hashes what is read from it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer)
        self._hash.update(memoryview(buffer)[:count])
        return count

    def hexdigest(self) -> str:
        while self.read(HEAD_BYTES):
            pass
        return self._hash.hexdigest()

    def close(self) -> None:
        if hasattr(self, "_file"):  # there is none when opening it failed
            self._file.close()
        super().close()


class _Unpacked(io.RawIOBase):
    """What a gzip file holds. A text reader asks for `closed` at each line, which GzipFile answers in Python."""

    def __init__(self, stored: io.BufferedReader) -> None:
        self._file = gzip.GzipFile(fileobj=stored)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class Source:
    """An opened trace file: `head` to recognise it by, then either `stream` (bytes) or `text()`, once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts: list[Source] = []
        self._open = ExitStack()
        try:
            self._file = self._open.enter_context(_HashingFile(path))
            self.stream = self._decompressed(io.BufferedReader(self._file, HEAD_BYTES))
            self.head = Head(path, self._checked(self.stream.peek(HEAD_BYTES)))
        except BROKEN_STREAM as problem:
            self._open.close()
            raise broken(path, 1, problem) from problem
        except OSError as problem:
            self._open.close()
            raise InputError(f"{path}: {problem.strerror or problem}") from problem
        except InputError:
            self._open.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def text(self) -> io.TextIOWrapper:
        """The text, lines ending as they do. Bytes that are no UTF-8 become lone surrogates: cells refuse them."""
        wrapper = io.TextIOWrapper(self.stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        return self._open.enter_context(wrapper)

    @contextmanager
    def beside(self, path: Path) -> Iterator[Source]:
        """Another file of the same trace; its bytes count in `sha256` too."""
        with Source(path) as part:
            yield part
            part.sha256()
            self._parts.append(part)

    def sha256(self) -> str:
        """Of the file; of a trace in several files, of the list that `sha256sum` prints, by name."""
        own = self._hexdigest()
        if not self._parts:
            return own
        sums = sorted((part.path.name, part._hexdigest()) for part in [self, *self._parts])
        return hashlib.sha256("".join(f"{value}  {name}\n" for name, value in sums).encode()).hexdigest()

    def _hexdigest(self) -> str:
        if not self._file.closed:
            self._digest = self._file.hexdigest()
        return self._digest

    def _decompressed(self, stored: io.BufferedReader) -> io.BufferedReader:
        self._open.enter_context(stored)
        if stored.peek(2)[:2] != GZIP_MAGIC:
            return stored
        return self._open.enter_context(io.BufferedReader(_Unpacked(stored), HEAD_BYTES))

    def _checked(self, start: bytes) -> bytes:
        if not start:
            raise BadRow(self.path, 1, None, "a job trace", "an empty file")
        foreign = [what for magic, what in FOREIGN_STARTS.items() if start.startswith(magic)]
        if start[257:262] == b"ustar":
            foreign.append("a tar archive: unpack it first")
        if foreign:
            raise BadRow(self.path, 1, None, "a job trace", foreign[0])
        return start


def broken(path: Path, line: int, problem: Exception) -> BadRow:
    """The error for a gzip stream that ends early or is damaged, at about `line`."""
    if isinstance(problem, EOFError):
        return BadRow(path, line, None, "more of the gzip stream", "its end: the file is truncated")
    return BadRow(path, line, None, "a sound gzip stream", f"a damaged one ({problem})")
