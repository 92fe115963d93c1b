"""A real headless browser, spoken to by plain WebDriver requests."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tests.shared import missing

DEADLINE_S = 30.0


class Browser:
    """One session of a driver that listens at ``address``."""

    def __init__(self, address: str, profile: Path, arguments: list[str]) -> None:
        self._driver = address
        options = {
            "args": [
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--no-first-run",
                f"--user-data-dir={profile}",
                *arguments,
            ]
        }
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        answer = self._ask("POST", f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"{address}/session/{answer['sessionId']}"

    def open(self, address: str) -> None:
        """Load a page."""
        self._ask("POST", f"{self._session}/url", {"url": address})

    def run(self, script: str) -> Any:
        """The result of a JavaScript function's body."""
        return self._ask("POST", f"{self._session}/execute/sync", {"script": script, "args": []})

    def until(self, script: str, deadline_s: float = DEADLINE_S) -> Any:
        """The first true result of the script; AssertionError after the deadline."""
        end = time.monotonic() + deadline_s
        while True:
            found = self.run(script)
            if found:
                return found
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.05)

    def view(self, width: int, height: int, dark: bool = False, still: bool = False) -> None:
        """Set the size of the page in CSS pixels, light or dark, and whether things may move."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        motion = {"name": "prefers-reduced-motion", "value": "reduce" if still else ""}
        self._devtools("Emulation.setEmulatedMedia", {"features": [scheme, motion]})
        self._resize(width, height)

    def screenshot(self) -> bytes:
        """The page as PNG, all of its height."""
        width, before = self.run("return [innerWidth, innerHeight]")
        self._devtools("Emulation.setScrollbarsHidden", {"hidden": True})
        # A shot of a part, or beyond the view, now and then has plain colours for canvases.
        self._resize(width, self.run("return document.documentElement.scrollHeight"))
        shot = self._devtools("Page.captureScreenshot", {})
        self._devtools("Emulation.setScrollbarsHidden", {"hidden": False})
        self._resize(width, before)
        return base64.b64decode(shot["data"])

    def press(self, key: str) -> None:
        """Press and release a key where the focus is; ``key`` as WebDriver names it."""
        self._ask(
            "POST",
            f"{self._session}/actions",
            {
                "actions": [
                    {
                        "type": "key",
                        "id": "keyboard",
                        "actions": [
                            {"type": "keyDown", "value": key},
                            {"type": "keyUp", "value": key},
                        ],
                    }
                ]
            },
        )

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of the first element that the selector finds."""
        x, y = self.run(
            f"const found = document.querySelector({json.dumps(selector)});"
            "found.scrollIntoView({block: 'nearest'});"
            "const {x, y, width, height} = found.getBoundingClientRect();"
            "return [x + width / 2, y + height / 2]"
        )
        for kind in ("mousePressed", "mouseReleased"):
            press = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            self._devtools("Input.dispatchMouseEvent", press)

    def complaints(self) -> list[str]:
        """What the page wrote to the console since the last call: errors, refused scripts."""
        entries = self._ask("POST", f"{self._session}/se/log", {"type": "browser"})
        return [f"{entry['level']}: {entry['message']}" for entry in entries]

    def forget_cookies(self) -> None:
        """As if this browser had never been here."""
        self._devtools("Network.clearBrowserCookies", {})

    def close(self) -> None:
        """End the session and its browser."""
        self._ask("DELETE", self._session, None)

    def _resize(self, width: int, height: int) -> None:
        self._devtools(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )

    def _devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        return self._ask(
            "POST", f"{self._session}/goog/cdp/execute", {"cmd": command, "params": parameters}
        )

    def _ask(self, method: str, address: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(address, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310  # our own driver
        try:
            with urlopen(request, timeout=60) as answer:  # noqa: S310  # our own driver
                return json.load(answer)["value"]
        except HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None


@contextmanager
def browser(folder: Path, *arguments: str) -> Iterator[Browser]:
    """A fresh headless Chromium with its profile in ``folder``; skips where there is none."""
    driver = shutil.which("chromedriver")
    if driver is None or not (shutil.which("chromium") or shutil.which("google-chrome")):
        missing("needs chromium and chromedriver (Debian: chromium chromium-driver)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [str(driver), f"--port={port}", f"--log-path={folder / 'driver.log'}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        _await_driver(address)
        opened = Browser(address, folder / "profile", list(arguments))
        try:
            yield opened
        finally:
            opened.close()
    finally:
        process.terminate()
        process.wait(20)


def _await_driver(address: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            with urlopen(f"{address}/status", timeout=5):  # noqa: S310  # our own driver
                return
        except URLError:
            assert time.monotonic() < end, "chromedriver does not answer"
            time.sleep(0.05)
