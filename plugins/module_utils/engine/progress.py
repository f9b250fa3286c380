"""What a run waits for, told to whoever listens: one line now and then, and none while nothing takes long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from .resource import Resource
from .schedule import Clock

FIRST = 10.0  # seconds that something must have been waited for before the first line
EVERY = 30.0  # seconds between two lines
NAMED = 4  # how many of the things that are waited for a line names

Tell = Callable[[str], None]

tell: Tell | None = None  # set by whoever runs a module and shows people what it says while it runs


@dataclass
class Wait:
    """One thing that is waited for."""

    since: float  # of the clock
    doing: str
    usual: int  # seconds; 0: nobody knows


class Waits:
    """Everything that a run waits for at the moment. Safe to use from several threads."""

    def __init__(self, tell: Tell | None, clock: Clock) -> None:
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[Resource, Wait] = {}
        self._due = 0.0

    def note(self, resource: Resource, doing: str, usual: int) -> None:
        """It is still ``doing``, which usually takes so many seconds. Tells all that is waited for when it is time for that."""
        with self._lock:
            now = self._clock.now()
            if not self._open:
                self._due = now + FIRST
            wait = self._open.setdefault(resource, Wait(now, doing, usual))
            wait.doing = doing
            if self._tell is not None and now >= self._due:
                self._due = now + EVERY
                self._tell(self._line(now))

    def over(self, resource: Resource) -> None:
        """It is not waited for any more."""
        with self._lock:
            self._open.pop(resource, None)

    def _line(self, now: float) -> str:
        waits = sorted(self._open.items(), key=lambda entry: entry[1].since)
        parts = [_described(resource, wait, now) for resource, wait in waits[:NAMED]]
        more = f"; and {len(waits) - NAMED} more" if len(waits) > NAMED else ""
        return f"waiting for {'; '.join(parts)}{more}"


def _described(resource: Resource, wait: Wait, now: float) -> str:
    usual = f", usually {duration(wait.usual)}" if wait.usual else ""
    return f"{resource.address} ({wait.doing} for {duration(now - wait.since)}{usual})"


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 4 min 30 s, 10 min."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
