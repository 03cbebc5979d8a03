"""A Chromium, driven through Debian's chromedriver: the W3C WebDriver protocol over loopback, as far as we need it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

CHROMIUM = shutil.which("chromium")
CHROMEDRIVER = shutil.which("chromedriver")
REQUIRED = "SUMESYNC_BROWSER"
"""The environment variable with which a missing browser is a failure."""
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-prefers-reduced-motion",
    "--hide-scrollbars",
)
KEYS = {"Left": "\ue012", "Up": "\ue013", "Right": "\ue014", "Down": "\ue015", "Enter": "\ue007", "Escape": "\ue00c"}
_PATIENCE = 120.0
_SHOWN = "return new Promise(shown => requestAnimationFrame(() => requestAnimationFrame(shown)))"
"""The second frame begins when the first one has been painted."""


@dataclass
class Browser:
    """One window."""

    pool: urllib3.HTTPConnectionPool
    session: str = ""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if method == "GET" else json.dumps(body or {}).encode()
        answer = self.pool.request(method, f"{self.session}{path}", body=data)
        value = json.loads(answer.data)["value"]
        assert answer.status == 200, value
        return value

    def open(self, url: str) -> None:
        self.ask("POST", "/url", {"url": url})

    def wait_until_shown(self) -> None:
        """A Chromium that has painted nothing yet drops the keys that are pressed. Only where scripts may run."""
        self.run(_SHOWN)

    def run(self, script: str, *args: Any) -> Any:
        """The value of a script's ``return``; what it promises is waited for."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(args)})

    def devtools(self, command: str, **params: Any) -> Any:
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def press(self, *keys: str) -> None:
        """Keys by name, or as themselves; pressed where the focus is."""
        strokes = [KEYS.get(key, key) for key in keys]
        actions = [{"type": kind, "value": key} for key in strokes for kind in ("keyDown", "keyUp")]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def look(self, colours: str = "light", width: int = 1360, height: int = 900) -> None:
        """How large the window is, and what its user likes."""
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": colours}])
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))

    def logged(self) -> list[dict[str, Any]]:
        """What the console said since it was asked last."""
        found: list[dict[str, Any]] = self.ask("POST", "/se/log", {"type": "browser"})
        return found

    def requested(self) -> list[str]:
        """Every address that was asked for since this was asked last."""
        lines = self.ask("POST", "/se/log", {"type": "performance"})
        messages = [json.loads(line["message"])["message"] for line in lines]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]


@contextmanager
def started(profile: Path) -> Iterator[Browser]:
    """A browser with a new profile; it ends with the block."""
    assert CHROMIUM, "there is no chromium"
    assert CHROMEDRIVER, "there is no chromedriver"
    environment = {**os.environ, "HOME": str(profile), "no_proxy": "*"}
    process = subprocess.Popen(
        [CHROMEDRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    try:
        assert process.stdout
        said = next((line for line in process.stdout if "successfully on port" in line), "")
        port = int(said.rstrip(". \n").rpartition(" ")[2])
        pool = urllib3.HTTPConnectionPool("127.0.0.1", port, timeout=_PATIENCE, retries=False, maxsize=1)
        browser = Browser(pool)
        options = {"binary": CHROMIUM, "args": [*_FLAGS, f"--user-data-dir={profile / 'chromium'}"]}
        logs = {"browser": "ALL", "performance": "ALL"}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs}
        made = browser.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        browser.session = f"/session/{made['sessionId']}"
        try:
            yield browser
        finally:
            browser.ask("DELETE", "")
            pool.close()
    finally:
        process.terminate()
        process.wait(_PATIENCE)
        if process.stdout:
            process.stdout.close()
