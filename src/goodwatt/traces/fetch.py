"""Downloads one file so that it is whole and the right one, or not there at all.

Data goes into NAME.part, beside it NAME.part.json with what the server said of the file; a download that was cut
goes on from there if the server still has the same file (If-Range), else starts over. The hash is compared before
the file gets its name. NAME.sha256 keeps the hash, so that a file of which nobody published one is compared with
what came first. Which files there are is in `fetch_registry`.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goodwatt.errors import RunError
from goodwatt.traces.fetch_registry import RemoteFile

CHUNK_BYTES = 1 << 18
ATTEMPTS = 5
TIMEOUT_S = 30.0
RANGE_NOT_SATISFIABLE = 416
RETRIED = frozenset({408, 429, 500, 502, 503, 504})

Progress = Callable[[int, int | None], None]
Retrying = Callable[[str], None]
"""Told in words why and when another attempt follows."""


class _CutError(Exception):
    """The connection ended before the file did, or could not be made: worth another attempt."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """`checked` says what the hash was compared with: "published", "recorded" (an earlier download) or "nothing"."""

    path: Path
    sha256: str
    checked: str
    downloaded: bool


def fetch_file(
    file: RemoteFile,
    folder: Path,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
    retrying: Retrying = lambda _why: None,
) -> Fetched:
    """Have `file` in `folder`, downloading it unless it is there already.

    `progress` is called with bytes so far and in all, `retrying` before each further attempt. Raises RunError: no such
    address, no network, connection cut ATTEMPTS times without any progress, wrong hash, disk full, or a file of this
    name that is another one.
    """
    path = folder / file.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            return _there_already(file, path)
        part = _Part(path, file)
        _download(part, progress or _silent, sleep, retrying)
        return _finish(part)
    except OSError as error:
        raise _disk_error(path, error) from error


def _silent(done: int, total: int | None) -> None:
    """Progress that nobody watches."""


class _Part:
    """A download under way: the bytes so far, and the validator that tells whether the server's file is the same."""

    def __init__(self, path: Path, file: RemoteFile) -> None:
        self.path, self.file = path, file
        self.data = path.with_name(f"{path.name}.part")
        self.about = path.with_name(f"{path.name}.part.json")

    def offset(self) -> int:
        """Bytes that can be kept: all, if it is known of which file they are."""
        if not self.data.exists() or not (self.validator() or self.file.sha256):
            return 0
        return self.data.stat().st_size

    def validator(self) -> str | None:
        """What If-Range carries: a strong ETag or a date of change, of the same address."""
        try:
            about = json.loads(self.about.read_text(encoding="utf-8"))
            return about["validator"] if about["url"] == self.file.url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def note(self, headers: Any) -> None:
        """Keep the validator of the file that is being written from its beginning."""
        etag = headers.get("ETag")
        strong = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")
        self.about.write_text(json.dumps({"url": self.file.url, "validator": strong}), encoding="utf-8")

    def discard(self) -> None:
        """Forget all of it."""
        self.data.unlink(missing_ok=True)
        self.about.unlink(missing_ok=True)


def _download(part: _Part, progress: Progress, sleep: Callable[[float], None], retrying: Retrying) -> None:
    """Attempt until the file is whole; attempts that brought data do not count."""
    failures = 0
    while True:
        before = part.offset()
        try:
            _attempt(part, progress)
            return
        except _CutError as cut:
            failures = 1 if part.offset() > before else failures + 1
            if failures >= ATTEMPTS:
                kept = (
                    f"; {part.offset():,} bytes are kept, the same command goes on from there" if part.offset() else ""
                )
                raise RunError(f"{part.file.url}: {cut}{kept}") from cut
            pause_s = min(30.0, 2.0**failures)
            retrying(f"{cut}; attempt {failures + 1} of {ATTEMPTS} in {pause_s:g} s")
            sleep(pause_s)


def _attempt(part: _Part, progress: Progress) -> None:
    """One request, to the end of the file or to a _CutError."""
    offset = part.offset()
    request = urllib.request.Request(part.file.url, headers=_headers(part, offset))  # noqa: S310 - http(s) by the schema
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310 - as above
            _receive(part, response, offset, progress)
    except urllib.error.HTTPError as error:
        with error:
            _refused(part, error, offset)
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _CutError(f"the connection broke ({type(error).__name__})") from error
    except urllib.error.URLError as error:
        raise _CutError(f"no connection: {error.reason}") from error


def _headers(part: _Part, offset: int) -> dict[str, str]:
    headers = {"User-Agent": "goodwatt", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if validator := part.validator():
            headers["If-Range"] = validator
    return headers


def _receive(part: _Part, response: Any, offset: int, progress: Progress) -> None:
    """Append what a 206 brings, write anew what a 200 brings."""
    start = _range_start(response) if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0
    if start not in (0, offset):
        raise RunError(f"{part.file.url}: asked for bytes from {offset}, the server sent them from {start}")
    length = response.headers.get("Content-Length")
    total = start + int(length) if length else part.file.bytes
    if total:
        _check_space(part, total - start)
    if not start:
        part.note(response.headers)
    done = start
    progress(done, total)
    with part.data.open("ab" if start else "wb") as out:
        while chunk := response.read(CHUNK_BYTES):
            out.write(chunk)
            done += len(chunk)
            progress(done, total)
    if total and done < total:
        raise _CutError(f"the connection was cut after {done:,} of {total:,} bytes")


def _range_start(response: Any) -> int:
    """From `Content-Range: bytes 5-9/10`; -1 where there is none."""
    value = str(response.headers.get("Content-Range", "")).removeprefix("bytes ")
    start = value.split("-")[0]
    return int(start) if start.isdecimal() else -1


def _refused(part: _Part, error: urllib.error.HTTPError, offset: int) -> None:
    """What an HTTP error means here; returns where the part turns out to be the whole file."""
    if error.code == RANGE_NOT_SATISFIABLE and offset:
        total = str(error.headers.get("Content-Range", "")).rpartition("/")[2]
        if total == str(offset):
            return
        part.discard()
        raise _CutError("the partial download did not fit the file") from error
    if error.code in RETRIED:
        raise _CutError(f"the server answered {error.code} {error.reason}") from error
    raise RunError(f"{part.file.url}: the server answered {error.code} {error.reason}") from error


def _check_space(part: _Part, needed: int) -> None:
    free = shutil.disk_usage(part.path.parent).free
    if needed > free:
        raise RunError(f"{part.path}: needs {needed:,} bytes, the disk has {free:,} left")


def _finish(part: _Part) -> Fetched:
    """Compare the hash, then give the file its name."""
    actual = sha256_of(part.data)
    expected, checked = _expected(part.file, part.path)
    if expected is not None and actual != expected:
        part.discard()
        raise RunError(
            f"{part.file.url}: expected the {checked} SHA-256 {expected}, got {actual}; what came was thrown away"
        )
    part.data.replace(part.path)
    part.about.unlink(missing_ok=True)
    _record(part.path, actual)
    return Fetched(part.path, actual, checked, downloaded=True)


def _there_already(file: RemoteFile, path: Path) -> Fetched:
    actual = sha256_of(path)
    expected, checked = _expected(file, path)
    if expected is not None and actual != expected:
        raise RunError(
            f"{path}: is there, but is not the {checked} file (SHA-256 {actual}, not {expected}); move it away"
        )
    _record(path, actual)
    return Fetched(path, actual, checked, downloaded=False)


def _expected(file: RemoteFile, path: Path) -> tuple[str | None, str]:
    """The hash to compare with, and whose it is."""
    if file.sha256:
        return file.sha256, "published"
    try:
        recorded = _record_path(path).read_text(encoding="utf-8").split()[0]
    except (OSError, IndexError):
        return None, "nothing"
    return recorded, "recorded"


def _record(path: Path, sha256: str) -> None:
    """In the form that `sha256sum -c` reads."""
    _record_path(path).write_text(f"{sha256}  {path.name}\n", encoding="utf-8")


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def sha256_of(path: Path) -> str:
    """Of a file of any size."""
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _disk_error(path: Path, error: OSError) -> RunError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(f"{path}: the disk is full; what came so far is kept, the same command goes on from there")
    return RunError(f"{path}: {error.strerror or error}")
