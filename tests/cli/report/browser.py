"""A headless Chromium driven over the DevTools protocol: open a file, look, click, and count what went wrong."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)
START_LIMIT_S = 60.0
ANSWER_LIMIT_S = 30.0


def chromium_path() -> str | None:
    """The browser of GOODWATT_CHROMIUM, or the one on the path."""
    return os.environ.get("GOODWATT_CHROMIUM") or shutil.which("chromium")


class Browser:
    """One tab. `errors` holds uncaught exceptions and console errors, `requests` every address asked for."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=ANSWER_LIMIT_S)
        self._number = 0
        self.errors: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """Leave the tab."""
        self._socket.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and wait for its answer, noting the events that come before it."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return dict(message["result"])
            self._note(message.get("method", ""), message.get("params", {}))

    def _note(self, event: str, parameters: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.errors.append(str(details.get("exception", {}).get("description", details["text"])))
        elif event == "Runtime.consoleAPICalled" and parameters["type"] in {"error", "warning", "assert"}:
            self.errors.append(str(parameters["args"]))
        elif event == "Log.entryAdded" and parameters["entry"]["level"] in {"error", "warning"}:
            self.errors.append(parameters["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    def open(self, page: Path) -> None:
        """Load a file and wait until it says that it is drawn."""
        self.errors.clear()
        self.requests.clear()
        self.call("Page.navigate", url=page.as_uri())
        self.wait(f"location.href === {page.as_uri()!r} && document.documentElement?.dataset.ready === 'true'")
        self.settle()

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"].get("exception", {}).get("description", script))
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + ANSWER_LIMIT_S
        while not self.run(f"Boolean({condition})"):
            if time.monotonic() > until:
                raise TimeoutError(f"never true: {condition}; errors: {self.errors}")
            time.sleep(0.02)

    def settle(self) -> None:
        """Wait for two frames, so that what was asked for is drawn."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def do(self, script: str) -> None:
        """Run a statement and let the page draw."""
        self.run(f"(() => {{ {script} }})()")
        self.settle()

    def screen(self, width: int, height: int = 900, *, dark: bool = False, phone: bool = False) -> None:
        """The size of the screen and the system's choice of colours."""
        ratio = 2 if phone else 1
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=ratio,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.settle()

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press at one point of the window, move in steps, release at another."""
        self._mouse("mouseMoved", start)
        self._mouse("mousePressed", start)
        for step in (0.3, 0.7, 1.0):
            self._mouse("mouseMoved", tuple(a + step * (b - a) for a, b in zip(start, end, strict=True)))
        self._mouse("mouseReleased", end)
        self.settle()

    def hover(self, point: tuple[float, float]) -> None:
        """Move the mouse to a point of the window."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=point[0], y=point[1])
        self.settle()

    def _mouse(self, kind: str, point: tuple[float, ...]) -> None:
        held = {"button": "left", "buttons": 1, "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type=kind, x=point[0], y=point[1], **held)

    def tap(self, point: tuple[float, float]) -> None:
        """Touch a point of the window and let go."""
        self.call("Emulation.setTouchEmulationEnabled", enabled=True)
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": point[0], "y": point[1]}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.call("Emulation.setTouchEmulationEnabled", enabled=False)
        self.settle()

    def press(self, key: str) -> None:
        """Press one key."""
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)
        self.settle()

    def box(self, selector: str) -> dict[str, float]:
        """Where an element stands in the window, scrolled into view first."""
        found = f"document.querySelector({selector!r})"
        self.do(f"{found}.scrollIntoView({{block: 'center'}})")
        parts = "({x, y, width, height}) => ({x, y, width, height})"
        return dict(self.run(f"({parts})({found}.getBoundingClientRect())"))

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """A picture of the window or of the whole page."""
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole))
        path.write_bytes(base64.b64decode(picture["data"]))

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """Start the browser with a fresh profile; it ends with the block."""
    with tempfile.TemporaryDirectory(prefix="goodwatt-chromium-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(  # noqa: S603 - the path of the browser is the developer's own
            [path, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            browser = Browser(_tab_address(Path(profile)))
            try:
                yield browser
            finally:
                browser.close()
        finally:
            process.terminate()
            process.wait(timeout=START_LIMIT_S)


def _tab_address(profile: Path) -> str:
    """The address of the only tab, asked from the browser itself."""
    port_file = profile / "DevToolsActivePort"
    _until(lambda: port_file.exists() and port_file.read_text().count("\n") >= 1, "the browser's port")
    port, path = port_file.read_text().split("\n")[:2]
    root = websocket.create_connection(f"ws://127.0.0.1:{port}{path}", timeout=ANSWER_LIMIT_S)
    try:
        root.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
        targets = json.loads(root.recv())["result"]["targetInfos"]
    finally:
        root.close()
    tab = next(target["targetId"] for target in targets if target["type"] == "page")
    return f"ws://127.0.0.1:{port}/devtools/page/{tab}"


def _until(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + START_LIMIT_S
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {START_LIMIT_S:.0f} s for {what}")
        time.sleep(0.05)
