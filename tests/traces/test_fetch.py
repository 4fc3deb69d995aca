"""Downloads against a real HTTP server on this machine, with all that goes wrong on the way."""

import errno
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from goodwatt.errors import InputError, RunError, UnknownNameError
from goodwatt.traces import fetch
from goodwatt.traces.fetch import Fetched, fetch_file
from goodwatt.traces.fetch_registry import RemoteFile, chosen_files, public_trace, read_registry, registry

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Behaviour:
    """What the server does, and what it was asked."""

    content: bytes = CONTENT
    etag: str | None = '"v1"'
    ranges: bool = True
    status: int = 200
    cut_after: list[int] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    behaviour: Behaviour

    def do_GET(self) -> None:
        b = self.behaviour
        b.asked.append(dict(self.headers.items()))
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/file")
            self.end_headers()
        elif b.status != 200:
            status, b.status = b.status, 200 if b.status == 503 else b.status
            self.send_error(status)
        else:
            self.send_file(b)

    def send_file(self, b: Behaviour) -> None:
        start = self.start_of(b)
        if start >= len(b.content) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(b.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = b.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(b.content) - 1}/{len(b.content)}")
        if b.etag:
            self.send_header("ETag", b.etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: b.cut_after.pop(0)] if b.cut_after else body)

    def start_of(self, b: Behaviour) -> int:
        """Where to begin: 0 unless a range is asked for, supported, and of the same file."""
        asked = self.headers.get("Range")
        same = self.headers.get("If-Range") in (None, b.etag)
        return int(asked.removeprefix("bytes=").rstrip("-")) if asked and b.ranges and same else 0

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Quiet."""


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def address(behaviour: Behaviour) -> Iterator[str]:
    handler = type("BoundHandler", (Handler,), {"behaviour": behaviour})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def get(url: str, folder: Path, sha256: str | None = SHA256) -> Fetched:
    return fetch_file(RemoteFile(name="data.bin", url=url, sha256=sha256), folder, sleep=lambda _: None)


def leave_part(folder: Path, url: str, data: bytes, validator: str | None) -> None:
    (folder / "data.bin.part").write_bytes(data)
    (folder / "data.bin.part.json").write_text(json.dumps({"url": url, "validator": validator}))


def test_whole_file_with_progress(address: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    file = RemoteFile(name="data.bin", url=f"{address}/file", sha256=SHA256)
    fetched = fetch_file(file, tmp_path / "new" / "folder", lambda done, total: seen.append((done, total)))
    assert fetched.path.read_bytes() == CONTENT
    assert (fetched.checked, fetched.downloaded) == ("published", True)
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert sorted(p.name for p in fetched.path.parent.iterdir()) == ["data.bin", "data.bin.sha256"]


def test_cut_connection_goes_on_where_it_stopped(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.cut_after = [300_000, 300_000]
    assert get(f"{address}/file", tmp_path).path.read_bytes() == CONTENT
    assert [asked.get("Range") for asked in behaviour.asked] == [None, "bytes=300000-", "bytes=600000-"]
    assert behaviour.asked[1]["If-Range"] == '"v1"'


def test_each_further_attempt_is_told(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.cut_after = [300_000]
    told: list[str] = []
    file = RemoteFile(name="data.bin", url=f"{address}/file", sha256=SHA256)
    fetch_file(file, tmp_path, sleep=lambda _: None, retrying=told.append)
    assert told == [f"the connection was cut after 300,000 of {len(CONTENT):,} bytes; attempt 2 of 5 in 2 s"]


def test_earlier_part_is_used(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    leave_part(tmp_path, f"{address}/file", CONTENT[:1000], '"v1"')
    assert get(f"{address}/file", tmp_path).path.read_bytes() == CONTENT
    assert behaviour.asked[0]["Range"] == "bytes=1000-"


def test_range_survives_a_redirect(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    leave_part(tmp_path, f"{address}/moved", CONTENT[:1000], '"v1"')
    assert get(f"{address}/moved", tmp_path).path.read_bytes() == CONTENT
    assert [asked["Range"] for asked in behaviour.asked] == ["bytes=1000-"] * 2


def test_part_of_a_changed_file_is_thrown_away(address: str, tmp_path: Path) -> None:
    leave_part(tmp_path, f"{address}/file", b"old" * 1000, '"v0"')
    assert get(f"{address}/file", tmp_path, None).path.read_bytes() == CONTENT


def test_part_of_another_address_is_thrown_away(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    leave_part(tmp_path, f"{address}/other", b"old" * 1000, '"v1"')
    assert get(f"{address}/file", tmp_path, None).path.read_bytes() == CONTENT
    assert "Range" not in behaviour.asked[0]


def test_server_without_range_starts_over(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.ranges, behaviour.cut_after = False, [300_000]
    assert get(f"{address}/file", tmp_path).path.read_bytes() == CONTENT
    assert len(behaviour.asked) == 2


def test_nothing_to_tell_versions_apart_starts_over(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.etag, behaviour.cut_after = 'W/"weak"', [300_000]
    assert get(f"{address}/file", tmp_path, None).path.read_bytes() == CONTENT
    assert "Range" not in behaviour.asked[1]


def test_part_that_is_whole_already(address: str, tmp_path: Path) -> None:
    leave_part(tmp_path, f"{address}/file", CONTENT, '"v1"')
    assert get(f"{address}/file", tmp_path).path.read_bytes() == CONTENT


def test_part_longer_than_the_file(address: str, tmp_path: Path) -> None:
    leave_part(tmp_path, f"{address}/file", CONTENT + b"more", '"v1"')
    assert get(f"{address}/file", tmp_path).path.read_bytes() == CONTENT


def test_wrong_hash(address: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"expected the published SHA-256 0{64}, got [0-9a-f]{64}"):
        get(f"{address}/file", tmp_path, "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_unknown_hash_is_recorded_and_compared_later(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    first = get(f"{address}/file", tmp_path, None)
    assert (first.checked, first.sha256) == ("nothing", SHA256)
    assert (tmp_path / "data.bin.sha256").read_text() == f"{SHA256}  data.bin\n"
    again = get(f"{address}/file", tmp_path, None)
    assert (again.checked, again.downloaded, len(behaviour.asked)) == ("recorded", False, 1)
    first.path.unlink()
    behaviour.content = CONTENT[::-1]
    with pytest.raises(RunError, match="expected the recorded SHA-256"):
        get(f"{address}/file", tmp_path, None)


def test_another_file_of_this_name(address: str, tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"mine")
    with pytest.raises(RunError, match="is there, but is not the published file"):
        get(f"{address}/file", tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == b"mine"


def test_not_found(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.status = 404
    with pytest.raises(RunError, match=r"/file: the server answered 404 Not Found"):
        get(f"{address}/file", tmp_path)
    assert len(behaviour.asked) == 1


def test_busy_server_is_asked_again(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.status = 503
    assert get(f"{address}/file", tmp_path).path.read_bytes() == CONTENT


def test_no_connection(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no connection: .*refused"):
        get("http://127.0.0.1:9/file", tmp_path)


def test_connection_that_brings_nothing_more(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.cut_after = [1000] + [0] * 10
    with pytest.raises(RunError, match=r"cut after .* 1,000 bytes are kept, the same command goes on"):
        get(f"{address}/file", tmp_path)
    behaviour.cut_after = []
    assert get(f"{address}/file", tmp_path).path.read_bytes() == CONTENT


def test_disk_too_small(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(RunError, match=r"needs 1,024,000 bytes, the disk has 10 left"):
        get(f"{address}/file", tmp_path)


def test_disk_full(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetch, "_receive", full)
    with pytest.raises(RunError, match="the disk is full"):
        get(f"{address}/file", tmp_path)


def test_registry_is_sound() -> None:
    for name, trace in registry().items():
        assert trace.citation, name
        assert trace.licence, name
        names = [file.name for file in trace.files]
        assert len(set(names)) == len(names), name
        assert all(file.url.startswith("https://") for file in trace.files), name


def test_names() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'philly'"):
        public_trace("phily")
    trace = public_trace("openb-2023")
    assert [file.name for file in chosen_files(trace, ("openb_pod_list_default.csv",))] == [
        "openb_pod_list_default.csv"
    ]
    assert chosen_files(trace, ()) == trace.files
    with pytest.raises(UnknownNameError, match="file of this trace"):
        chosen_files(trace, ("openb_pod_list_defaults.csv",))


def test_broken_registry(tmp_path: Path) -> None:
    file = tmp_path / "registry.yaml"
    file.write_text("philly: {title: Philly}")
    with pytest.raises(InputError, match="expected a registry of public traces"):
        read_registry(file)
