"""Drives headless Chromium by its DevTools protocol: just enough to press keys on a page and to run expressions."""

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from websockets.sync.client import ClientConnection, connect

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)


class Page:
    """An open page."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._last = socket, 0
        self.faults: list[str] = []
        """Exceptions and refusals of the page's own script, in their order."""

    def send(self, method: str, **params: Any) -> Any:
        """The result of one command of the protocol."""
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(timeout=20))
            if answer.get("id") == self._last:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            if answer["method"] in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.faults.append(json.dumps(answer["params"]))

    def value(self, expression: str) -> Any:
        """The value of an expression of JavaScript."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def press(self, keys: str) -> None:
        """Press and release one key after the other."""
        for key in keys:
            self.send("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
            self.send("Input.dispatchKeyEvent", type="keyUp", key=key)


@contextmanager
def open_page(path: Path, downloads: Path) -> Iterator[Page]:
    """A local page in a browser of its own, which saves what the page downloads in `downloads`."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"),
                *(f"--user-data-dir={profile}", "about:blank"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            address = f"http://127.0.0.1:{_port(Path(profile) / 'DevToolsActivePort')}/json/new?about:blank"
            with build_opener(ProxyHandler({})).open(Request(address, method="PUT")) as answer:
                target = json.load(answer)
            with connect(target["webSocketDebuggerUrl"], proxy=None, max_size=None) as socket:
                page = Page(socket)
                for domain in ("Page", "Runtime", "Log"):
                    page.send(f"{domain}.enable")
                page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
                page.send("Page.navigate", url=f"file://{quote(str(path.resolve()))}")
                _until(
                    lambda: (
                        page.value("document.readyState") == "complete" and page.value("location.protocol") == "file:"
                    )
                )
                yield page
        finally:
            process.kill()
            process.wait()


def downloaded(path: Path) -> bytes:
    """The bytes of a download, once it is complete."""
    _until(path.exists)
    return path.read_bytes()


def _port(file: Path) -> int:
    _until(lambda: file.exists() and bool(file.read_text().strip()))
    return int(file.read_text().split()[0])


def _until(condition: Any) -> None:
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends, "the browser did not answer within 30 seconds"
        time.sleep(0.05)
