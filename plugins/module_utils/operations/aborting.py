"""What ends a drill early: an outage that lasts too long, and the switch that stops every drill of a stack."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress

from ..engine.sdk import SDK_ERRORS, Clients, error_code
from . import measure
from .samples import Sample, scheduled

HALT_EVERY = 5.0  # seconds between looks at the switch


class HaltSwitch:
    """The parameter ``/webstack/<stack>/halt``: while it exists, no drill of the stack begins, and those under way end.

    It is in the region of the stack's lock. Whoever may write parameters may pull it, from any machine.
    """

    def __init__(self, clients: Clients, stack: str, region: str) -> None:
        self.clients = clients
        self.region = region
        self.name = f"/webstack/{stack}/halt"
        self._looked: float | None = None
        self._found: str | None = None

    def look(self) -> str | None:
        """Why nothing may go on; None while the parameter does not exist. One read."""
        try:
            found = self.clients("ssm", self.region).get_parameter(Name=self.name)["Parameter"]
        except SDK_ERRORS as error:
            if error_code(error) != "ParameterNotFound":
                raise
            return None
        said = f": {found['Value'][:80]}" if found.get("Type") == "String" else ""
        return f"The parameter {self.name} in {self.region} stops all drills of the stack{said}"

    def reason(self) -> str | None:
        """The same, asked every few seconds only. Where it cannot be asked, what was known last holds."""
        now = time.monotonic()
        if self._looked is None or now - self._looked >= HALT_EVERY:
            self._looked = now
            with suppress(*SDK_ERRORS):
                self._found = self.look()
        return self._found


def outage_now(samples: Iterable[Sample], now: float) -> float:
    """Seconds for which nothing has been good, at ``now``: since the first failure after the last good sample.

    A good answer comes at once and a failure when its time is up, so no outage looks longer than it is.
    """
    asked = measure.known(samples)
    good = max((scheduled(one) for one in asked if one["ok"]), default=float("-inf"))
    failed = [scheduled(one) for one in asked if not one["ok"] and scheduled(one) > good]
    return now - failed[0] if failed else 0.0
