"""The data plane: one loop that makes what runs on this machine equal to what the lab's API says exists.

A part is a class with the shape of `Part`, named in `PARTS` by its module; modules that are not there are left out.
Parts reach each other and the shared addresses through `app.plane`.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from webstack_lab.dataplane.network import Network
from webstack_lab.services import reality

if TYPE_CHECKING:
    from webstack_lab.app import LabApp

# Modules of this package and the class in each that is a part, in the order of their ticks.
PARTS = {
    "instances": "Instances",
    "balancers": "Balancers",
    "scaling": "Scaling",
    "databases": "Databases",
    "names": "Names",
}
PERIOD = 0.1
SHORTEST = 0.02  # between two rounds that calls have asked for
log = logging.getLogger("webstack_lab.dataplane")


class Part(Protocol):
    """One kind of thing that runs.

    `tick` is called about ten times a second and soon after each write call, always by the same thread, without the
    app's lock: take `app.lock` for a look at moto's objects, and let go before anything slow. `close` ends all that the
    part has started; it comes once, from that thread too.

    Optional: `addresses() -> dict[str, list[str]]` (DNS name: addresses, for the name server), `status() -> list[dict]`
    (rows of `lab status`), `clear()` (a reset: end everything, from the thread of the loop), `actions: dict[str,
    Callable[[dict], dict]]` (what `POST /_lab/plane/<name>` runs, from any thread).
    """

    def tick(self) -> None: ...

    def close(self) -> None: ...


class DataPlane:
    """All parts and their loop."""

    def __init__(self, app: LabApp, folder: Path) -> None:
        self.app = app
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.network = Network()
        app.plane = self
        reality.now.enable()
        self.parts: dict[str, Any] = {}
        for module, name in PARTS.items():
            if importlib.util.find_spec(f"{__package__}.{module}") is not None:
                part = getattr(importlib.import_module(f"{__package__}.{module}"), name)
                self.parts[module] = part(app, folder)
        self.problems: dict[str, str] = {}
        self.rounds = 0
        self._called = threading.Event()
        self._round_done = threading.Condition()
        self._ending = False
        self._clearing = False
        self._thread = threading.Thread(target=self._loop, name="data plane", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Begin a round now: something has changed."""
        self._called.set()

    def settle(self, rounds: int = 1, timeout: float = 30.0) -> None:
        """Return when so many whole rounds have run since now; not to be called under the app's lock."""
        with self._round_done:
            # The round under way may have looked already, so it does not count.
            target = self.rounds + rounds + 1
            deadline = time.monotonic() + timeout
            while self.rounds < target and not self._ending and time.monotonic() < deadline:
                self._called.set()
                self._round_done.wait(0.05)

    def clear(self) -> None:
        """End everything that runs, and return when it has: the account is empty."""
        self._clearing = True
        self.settle()

    def close(self) -> None:
        """End everything and the loop."""
        self._ending = True
        self.wake()
        self._thread.join(30)
        reality.now.disable()
        self.network.close()
        self.app.plane = None

    def addresses(self) -> dict[str, list[str]]:
        """Every DNS name that the parts answer for, with its addresses."""
        found: dict[str, list[str]] = {}
        for part in list(self.parts.values()):
            if hasattr(part, "addresses"):
                found.update(part.addresses())
        return found

    def status(self) -> dict[str, Any]:
        """What each part says of itself, and the problems of the last round."""
        rows = {name: part.status() for name, part in self.parts.items() if hasattr(part, "status")}
        return {**rows, "problems": dict(self.problems)}

    def run(self, name: str, options: dict[str, Any]) -> dict[str, Any] | None:
        """Run an action of a part by its name; None: no part has it."""
        for part in self.parts.values():
            if action := getattr(part, "actions", {}).get(name):
                answer: dict[str, Any] = action(options)
                self.wake()
                return answer
        return None

    def _loop(self) -> None:
        """Round after round until the end, which closes the parts, the last one first."""
        while not self._ending:
            started = time.monotonic()
            self._called.clear()
            if self._clearing:
                self._clearing = False
                for name, part in reversed(self.parts.items()):
                    self._do(name, getattr(part, "clear", part.tick))
                self.network.clear()
            for name, part in self.parts.items():
                self._do(name, part.tick)
            with self._round_done:
                self.rounds += 1
                self._round_done.notify_all()
            time.sleep(max(0.0, SHORTEST - (time.monotonic() - started)))
            self._called.wait(max(0.0, PERIOD - (time.monotonic() - started)))
        for name, part in reversed(self.parts.items()):
            self._do(name, part.close)
        for name in ("instances", "haproxy"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def _do(self, name: str, step: Any) -> None:
        """One step of a part; its failure is written down and stops no other part."""
        try:
            step()
            self.problems.pop(name, None)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            if self.problems.get(name) != text:
                log.exception("%s failed", name)
            self.problems[name] = text
