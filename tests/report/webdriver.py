"""A browser without a window, by the WebDriver protocol; chromedriver is all it needs."""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_STARTING = 60.0  # seconds


class BrowserError(RuntimeError):
    """The browser could not be started or did not do what it was told."""


def installed() -> bool:
    """Return whether there are a browser and its driver."""
    return shutil.which("chromedriver") is not None and _browser() is not None


class Browser:
    """An open browser with one page."""

    def __init__(self, address: str, session: str):
        self._base = f"{address}/session/{session}"

    def open(self, path: pathlib.Path) -> None:
        """Open a file."""
        self._tell("url", {"url": path.resolve().as_uri()})

    def resize(self, width: int, height: int = 900) -> None:
        """Make the page so many CSS pixels wide."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        """Ask for "light" or "dark" colours."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", {"features": features})

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a function body of JavaScript returns."""
        return self._tell("execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script: str) -> Any:
        """Return what JavaScript gives to its last argument, a function."""
        return self._tell("execute/async", {"script": script, "args": []})

    def type(self, text: str) -> None:
        """Press keys, as a person does, in whatever has the focus."""
        strokes = [{"type": kind, "value": k} for k in text for kind in ("keyDown", "keyUp")]
        keys = {"type": "key", "id": "keyboard", "actions": strokes}
        self._tell("actions", {"actions": [keys]})

    def log(self) -> list[str]:
        """Return what the console and the network said since the last call."""
        return [line["message"] for line in self._tell("se/log", {"type": "browser"})]

    def picture(self) -> bytes:
        """Return the whole page as a PNG file, however long it is."""
        found = self.devtools(
            "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True}
        )
        return base64.b64decode(found["data"])

    def print(self) -> bytes:
        """Return the page as it prints, as a PDF file."""
        return base64.b64decode(self._tell("print", {"background": True}))

    def devtools(self, command: str, parameters: Any) -> Any:
        """Return the result of a command of the DevTools protocol."""
        return self._tell("goog/cdp/execute", {"cmd": command, "params": parameters})

    def _tell(self, what: str, value: Any) -> Any:
        return _post(f"{self._base}/{what}", value)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Yield a browser of its own; it is closed afterwards. Raises BrowserError."""
    with tempfile.TemporaryDirectory() as profile, _driver() as address:
        options = {"binary": _browser(), "args": [*_FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        started = _post(f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})
        session = started["sessionId"]
        try:
            yield Browser(address, session)
        finally:
            _ask(urllib.request.Request(f"{address}/session/{session}", method="DELETE"))


def _browser() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@contextlib.contextmanager
def _driver() -> Iterator[str]:
    """Yield the address of a driver; it chooses a free port and says which."""
    process = subprocess.Popen(
        ["chromedriver", "--port=0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield f"http://127.0.0.1:{_port(process)}"
    finally:
        process.terminate()
        process.wait()


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    until = time.monotonic() + _STARTING
    for line in process.stdout:
        if "successfully on port" in line:
            return int(line.rstrip(".\n").rpartition(" ")[2])
        if time.monotonic() > until:
            break
    raise BrowserError("chromedriver did not start")


def _post(address: str, value: Any) -> Any:
    body = json.dumps(value).encode()
    return _ask(urllib.request.Request(address, body, {"Content-Type": "application/json"}))


def _ask(request: urllib.request.Request) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never over a proxy
    try:
        with opener.open(request, timeout=120) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise BrowserError(error.read().decode("utf-8", "replace")[:2000]) from error
