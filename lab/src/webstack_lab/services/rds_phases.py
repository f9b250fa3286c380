"""The time of DB instances: states and steps that last as on AWS, on a shortened clock, and no shorter than the servers need.

A step ends when its time is over and the servers behind the instance, when there are any, have done what it waits for
(`Servers`, the data plane). Without a data plane only time counts.

Durations of a failover were measured on RDS for PostgreSQL by others: from the call to "started" 16 to 17 s, from there to
"restarted" 15 s, connections again 5 s later, "completed" 20 to 33 s after that, `available` 72 to 78 s after the call. The
zones of DescribeDBInstances change 1 to 9 minutes after the call. How long a standby is missing is not published.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from moto.rds.models import Event

from webstack_lab.services.passing import Pace

SECONDS = {
    "creating": 600.0,
    "modifying": 240.0,
    "storage-optimization": 0.0,
    "rebooting": 12.0,
    "reboot-request": 5.0,
    "deleting": 240.0,
    "failover-request": 16.0,
    "failover-detection": 11.0,
    "failover-promotion": 4.0,
    "failover-endpoint": 5.0,
    "failover-completion": 20.0,
    "failover-rest": 20.0,
    "zone-display": 120.0,
    "standby-rebuild": 240.0,
}
Then = Callable[[], None] | None


class Servers(Protocol):
    """The database servers of a data plane."""

    def reached(self, one: Any, what: str) -> bool:
        """Whether the servers of an instance have done what they were told: "running", "stopped", "promoted", "gone", …"""
        ...


@dataclass
class Plane:
    """The data plane's servers, while there is one."""

    servers: Servers | None = None


plane = Plane()


@dataclass
class Step:
    """A state of the instance (none: something that happens beside it), how long it lasts, what it waits for, what follows."""

    state: str
    key: str
    then: Then
    needs: str
    since: float | None
    held: bool = False

    def ended(self, one: Any, now: float) -> float | None:
        """When it ended; None while it lasts."""
        if self.since is None:
            self.since = now
        end = self.since + SECONDS[self.key] * Pace.scale
        if end > now:
            return None
        if not met(one, self.needs):
            self.held = True
            return None
        return now if self.held else end


def met(one: Any, needs: str) -> bool:
    """Whether nothing holds a step back: neither a fault nor servers that are not as far."""
    if needs == "promoted" and "database-failover" in faults_of(one):
        return False
    return not needs or plane.servers is None or one.engine != "postgres" or plane.servers.reached(one, needs)


def faults_of(one: Any) -> set[str]:
    """What somebody broke about the instance (`lab break`)."""
    faults: set[str] = one.__dict__.setdefault("lab_faults", set())
    return faults


def orders_of(one: Any) -> dict[str, int]:
    """What the servers of the instance were told to do, each with how many times so far."""
    orders: dict[str, int] = one.__dict__.setdefault("lab_orders", {})
    return orders


def order(one: Any, what: str) -> None:
    """Tell the servers of the instance to do something once more."""
    orders_of(one)[what] = orders_of(one).get(what, 0) + 1


def phase(one: Any, state: str, then: Then = None, *, key: str = "", needs: str = "") -> None:
    """Add a state that lasts its time after those before it; `then` happens at its end."""
    since = None if one.lab_phases else time.monotonic()
    one.lab_phases.append(Step(state, key or state, then, needs, since))


def later(one: Any, key: str, then: Callable[[], None]) -> None:
    """Let something happen after its time, whatever the state."""
    one.__dict__.setdefault("lab_later", []).append(Step("", key, then, "", time.monotonic() - lateness(one)))


def lateness(one: Any) -> float:
    """How many seconds ago that happened which is being looked at only now."""
    return float(one.__dict__.get("lab_lateness", 0.0))


def settle_all(instances: Iterable[Any]) -> None:
    """Let the time that has passed have its effect."""
    for one in list(instances):
        now = time.monotonic()
        while one.lab_phases and (end := one.lab_phases[0].ended(one, now)) is not None:
            step = one.lab_phases.pop(0)
            if one.lab_phases:
                one.lab_phases[0].since = end
            run(one, step, now - end)
        waiting = one.__dict__.get("lab_later", [])
        for step in [step for step in waiting if step.ended(one, now) is not None]:
            waiting.remove(step)
            run(one, step, 0.0)


def run(one: Any, step: Step, late: float) -> None:
    """What follows a step that ended so long ago."""
    if step.then is not None:
        one.lab_lateness = late
        try:
            step.then()
        finally:
            one.lab_lateness = 0.0


def add_event(one: Any, message: str, *categories: str) -> None:
    """An event with AWS's own words, at the time when it happened."""
    event = Event("DB_INSTANCE_CREATE", one)
    event.message, event.event_categories = message, list(categories)
    event.date -= timedelta(seconds=lateness(one))
    one.backend.events.append(event)
