"""Debian's Firefox, driven over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/).

Playwright drives Firefox over BiDi too, but opens each page with a command that no ESR knows yet:
emulation.setMediaFeaturesOverride.
Selenium needs geckodriver, which Debian does not have. What is left is to send the dozen commands that the tests need.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from tests.integration.processes import Program
from tests.integration.waiting import wait_until

ANSWERED = 60  # seconds in which the browser answers a command
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008", "Space": " "}  # code points of WebDriver's named keys


class Firefox:
    """A browser without a window and with a profile of its own, which saves what it is given in `downloads`."""

    def __init__(self, binary: str, directory: Path, settings: Mapping[str, str | int | bool]) -> None:
        """Start it, with these settings (about:config) beside those that keep it from asking and from looking for updates."""
        self.downloads = directory / "downloads"
        self.downloads.mkdir(parents=True)
        profile = directory / "profile"
        profile.mkdir()
        downloads = {"browser.download.folderList": 2, "browser.download.dir": str(self.downloads)}
        downloads["browser.download.alwaysOpenPanel"] = False  # the panel takes the focus: Enter clicks nothing on a page any more
        wanted = {**downloads, **settings}
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in wanted.items()]
        (profile / "user.js").write_text("".join(lines))
        command = [binary, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
        home = {"HOME": str(directory), "MOZ_CRASHREPORTER_DISABLE": "1"}
        self._ids = itertools.count(1)
        self._events: list[dict[str, Any]] = []
        with ExitStack() as opened:
            program = Program("firefox", command, directory / "firefox.log", home)
            opened.callback(program.close)
            told = profile / "WebDriverBiDiServer.json"  # written when it listens
            wait_until(lambda: told.read_text().endswith("}"), "Firefox listens", ANSWERED)
            server = json.loads(told.read_text())
            address = f"ws://{server['ws_host']}:{server['ws_port']}/session"
            self._socket = opened.enter_context(connect(address, max_size=None, open_timeout=ANSWERED))
            self.send("session.new", capabilities={})
            self.send("session.subscribe", events=["log.entryAdded"])
            self._opened = opened.pop_all()

    def send(self, method: str, **params: Any) -> Any:
        """The result of a command; AssertionError where Firefox refuses it. Events that come meanwhile are kept."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            told = json.loads(self._socket.recv(ANSWERED))
            if told["type"] == "event":
                self._events.append(told)
            elif told["id"] == number:
                assert told["type"] == "success", f"{method}: {told}"
                return told["result"]

    def errors(self) -> list[str]:
        """What the console has as errors of all pages so far: exceptions that nothing caught, too."""
        self.send("session.status")  # what was told before has come with its answer
        return [event["params"]["text"] for event in self._events if event["params"].get("level") == "error"]

    def open(self, url: str) -> "Tab":
        """A page with a history of its own, loaded."""
        user = self.send("browser.createUserContext")["userContext"]
        context = self.send("browsingContext.create", type="tab", userContext=user)["context"]
        tab = Tab(self, context)
        self.send("browsingContext.navigate", context=context, url=url, wait="complete")
        return tab

    def close(self) -> None:
        """End it, and what it started."""
        self._opened.close()


class Tab:
    """One page, which has the keyboard."""

    def __init__(self, firefox: Firefox, context: str) -> None:
        self.firefox = firefox
        self._context = context

    def resize(self, width: int, height: int) -> None:
        """Give the page so many CSS pixels."""
        viewport = {"width": width, "height": height}
        self.firefox.send("browsingContext.setViewport", context=self._context, viewport=viewport)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, by way of JSON; AssertionError where it throws."""
        target = {"context": self._context}
        text = f"JSON.stringify(({expression}) ?? null)"
        told = self.firefox.send("script.evaluate", expression=text, target=target, awaitPromise=False, userActivation=True)
        assert told["type"] == "success", told["exceptionDetails"]["text"]
        return json.loads(told["result"]["value"])

    def wait(self, expression: str, seconds: float = 60) -> Any:
        """The value of the expression once it is true."""
        return wait_until(lambda: self.evaluate(expression), expression, seconds)

    def type(self, text: str) -> None:
        """Press the keys of this text, one after the other."""
        self._press([[character] for character in text])

    def press(self, *names: str) -> None:
        """Press the keys of `KEYS` together, the last of them last."""
        self._press([[KEYS[name] for name in names]])

    def choose(self, selector: str, *paths: Path) -> None:
        """Give these files to the input for files that the CSS selector finds."""
        element = self.firefox.send(
            "script.evaluate",
            expression=f"document.querySelector({json.dumps(selector)})",
            target={"context": self._context},
            awaitPromise=False,
        )["result"]
        shared = {"sharedId": element["sharedId"]}
        self.firefox.send("input.setFiles", context=self._context, element=shared, files=[str(path) for path in paths])

    def _press(self, chords: Sequence[Sequence[str]]) -> None:
        actions = [
            {"type": kind, "value": key}
            for chord in chords
            for kind, keys in (("keyDown", chord), ("keyUp", chord[::-1]))
            for key in keys
        ]
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        self.firefox.send("input.performActions", context=self._context, actions=[keyboard])
