"""States that pass by themselves, in AWS's durations on a shortened clock.

A thing is a dictionary: one of our records, or `vars()` of one of moto's objects. Nothing runs in the background: a state
has passed when somebody looks after its time.
"""

from __future__ import annotations

import math
import os
import time
from typing import Any

PLACE = "_passing"  # underscores keep it out of answers


class Pace:
    """How long one second of AWS takes here, in seconds. 0: every state has passed at the next look."""

    scale = float(os.environ.get("WEBSTACK_LAB_PACE") or 0.001)


def set_pace(scale: float) -> None:
    """Let a second of AWS take so many seconds from now on; ValueError unless it is a finite number from 0."""
    if not 0 <= scale < math.inf:
        raise ValueError(f"the pace must be 0 or more seconds for each of AWS's seconds, not {scale}")
    Pace.scale = scale


def start(thing: Any, key: str, now: str, then: str, seconds: float, event: str = "") -> None:
    """Put a thing into a state that becomes another after so many seconds of AWS."""
    thing[key] = now
    thing[PLACE] = {"key": key, "then": then, "since": time.monotonic(), "seconds": seconds, "event": event}


def settle(thing: Any) -> str | None:
    """Let the time act on a thing. The event that was to happen, when it just did ("" for none); None while nothing did."""
    passing = thing.get(PLACE)
    if passing is None or time.monotonic() - passing["since"] < passing["seconds"] * Pace.scale:
        return None
    thing.pop(PLACE)
    thing[passing["key"]] = passing["then"]
    event: str = passing["event"]
    return event
