"""The limit: the longest chain of calls and waits that any tool must make, computed from the action log of a first run.

Every action says when it began, how long it took, how long it slept before the look that ended it, and what had to be there, or to be
ready, before it. A chain is a path through that graph: make the VPC, then the subnets, then the database, wait for it, make its
replica, wait for that. Its length is the sum of its parts, without the gaps between them, which another tool might not have.

A wait counts from the moment when the thing was made to the last look that did not find it ready: the true end is later, but no later than
the look that found it ready. So the limit is never too long, and the ratio to it never too good. Where nobody looked before it was
ready, the log knows no wait; ``lasting`` says then how long AWS, or the lab in its place, takes for things of a kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

MADE, READY = "made", "ready"
Node = tuple[str, str]  # what, "Address (region)", and which of its two moments


@dataclass
class Thing:
    """What the log says of one resource: the seconds that making it took, and those until it was ready."""

    work: float = 0.0
    made_at: float = 0.0
    ready_at: float = 0.0
    lasts: float = 0.0  # what is known of such things
    needs: dict[str, str] = field(default_factory=dict)

    @property
    def wait(self) -> float:
        return max(self.lasts, self.ready_at - self.made_at if self.ready_at else 0.0)


def key(action: Mapping[str, Any]) -> str:
    """How ``needs`` names a resource."""
    return f"{action['address']} ({action['region']})"


def things(actions: Iterable[Mapping[str, Any]], lasting: Mapping[str, float]) -> dict[str, Thing]:
    """The log by resource. What was changed in several steps adds up; a wait is the last one."""
    found: dict[str, Thing] = {}
    for action in sorted(actions, key=lambda one: one["started"]):
        kind = action["address"].partition("[")[0]
        thing = found.setdefault(key(action), Thing(lasts=lasting.get(kind, 0.0)))
        thing.needs.update(action["needs"])
        end = action["started"] + action["seconds"]
        if action["verb"] == "wait":
            thing.ready_at = end - action["last_pause"]
        else:
            # Sleeping between attempts is part of the work: AWS was not ready for it.
            thing.work += max(0.0, action["seconds"] - action["last_pause"])
            thing.made_at = thing.made_at or end
    return found


@dataclass
class Chain:
    """The longest chain: its seconds, and its parts in order."""

    seconds: float
    parts: list[tuple[str, float]]


def longest_chain(actions: Iterable[Mapping[str, Any]], lasting: Mapping[str, float] | None = None) -> Chain:
    """The longest chain through the log; ``lasting``: kind → seconds. Raises ValueError where the log is empty."""
    known = things(actions, lasting or {})
    if not known:
        raise ValueError("the action log is empty: was everything there already?")

    @cache
    def length(node: Node) -> tuple[float, tuple[tuple[str, float], ...]]:
        name, moment = node
        thing = known[name]
        if moment == READY:
            seconds, before = length((name, MADE))
            part = ((f"wait for {name}", thing.wait),) if thing.wait else ()
            return seconds + thing.wait, before + part
        needs = [(need, kind) for need, kind in thing.needs.items() if need in known and need != name]
        seconds, before = max((length(need) for need in needs), default=(0.0, ()))
        return seconds + thing.work, (*before, (f"make {name}", thing.work))

    seconds, parts = max(length((name, READY)) for name in known)
    return Chain(seconds, list(parts))
