"""A headless Chromium that tests drive with real clicks and keys, through chromedriver (W3C WebDriver)."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

KEYS = {"Control": "\ue009", "Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004"}
KEYS |= {"ArrowDown": "\ue015", "ArrowRight": "\ue014"}

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


class Browser:
    """One window of a browser, with a profile of its own."""

    def __init__(self, folder: Path, width: int):
        """Start chromedriver and a browser whose page is `width` CSS pixels wide."""
        self.driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True)
        port = next(
            found[1] for line in self.driver.stdout if (found := re.search(r"successfully on port (\d+)", line))
        )
        self.url = f"http://127.0.0.1:{port}/session"
        options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={folder / 'profile'}"]}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        self.url += f"/{self._call('', wanted)['sessionId']}"
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self._call("/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})

    def _call(self, path: str, body: dict[str, Any]) -> Any:
        request = Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=300) as answer:
            return json.load(answer)["value"]

    def open(self, url: str) -> None:
        """Load a page and wait until it is there."""
        self._call("/url", {"url": url})

    def script(self, text: str) -> Any:
        """The value of a JavaScript expression on the page."""
        return self._call("/execute/sync", {"script": f"return {text}", "args": []})

    def click(self, selector: str) -> None:
        """Click with the mouse on the first element of a CSS selector."""
        element = self._call("/element", {"using": "css selector", "value": selector})
        self._call(f"/element/{next(iter(element.values()))}/click", {})

    def press(self, *keys: str) -> None:
        """Press keys one after the other, in the focused element; all keys after `Control` are pressed with it."""
        codes = [KEYS.get(key, key) for key in keys]
        held = [{"type": "keyUp", "value": KEYS["Control"]}] * ("Control" in keys)
        events = []
        for code in codes:
            events.append({"type": "keyDown", "value": code})
            events += [{"type": "keyUp", "value": code}] * (code != KEYS["Control"])
        self._call("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": events + held}]})

    def pdf(self) -> bytes:
        """The page as it prints."""
        return base64.b64decode(self._call("/print", {}))

    def close(self) -> None:
        """End the browser and chromedriver."""
        with urlopen(Request(self.url, method="DELETE"), timeout=60):
            self.driver.terminate()
        self.driver.wait(60)
