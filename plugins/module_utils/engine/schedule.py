"""Runs the steps of a dependency graph at the same time where they may, without holding a thread while a step only waits.

A step is a generator: it does some work, yields the number of seconds after which it wants to go on, and ends by returning.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Generator, Hashable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Node = TypeVar("Node", bound=Hashable)
Pause = float
Steps = Generator[Pause, None, None]


class Clock:
    """Time as the engine sees it; tests bring their own."""

    def now(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the epoch, to compare with AWS's times."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Deferred(Exception):
    """A step that cannot be finished in this run, because what it needs is still on its way and nobody waits for it."""


@dataclass
class Finish(Generic[Node]):
    """How the walk ended, by node."""

    done: dict[Node, float] = field(default_factory=dict)  # seconds from first start to end
    failed: dict[Node, Exception] = field(default_factory=dict)
    deferred: dict[Node, str] = field(default_factory=dict)  # why
    not_started: list[Node] = field(default_factory=list)


def walk(
    needs: Mapping[Node, set[Node]], start: Callable[[Node], Steps], clock: Clock, workers: int = 16
) -> Finish[Node]:
    """Run every node after all that it needs. After a failure or a deferral, what depends on it is not started."""
    finish: Finish[Node] = Finish()
    left = {node: set(after) for node, after in needs.items()}
    begun: dict[Node, float] = {}
    sleeping: list[tuple[float, int, Node, Steps]] = []
    running: dict[Future[Pause | None], tuple[Node, Steps]] = {}
    numbers = itertools.count()

    def settle(node: Node, work: Steps, future: Future[Pause | None]) -> None:
        error = future.exception()
        if isinstance(error, Deferred):
            finish.deferred[node] = str(error)
        elif isinstance(error, Exception):
            finish.failed[node] = error
        elif error is not None:
            raise error
        elif (pause := future.result()) is not None:
            heapq.heappush(sleeping, (clock.now() + pause, next(numbers), node, work))
        else:
            finish.done[node] = clock.now() - begun[node]

    with ThreadPoolExecutor(max_workers=workers) as pool:
        while True:
            for node in [node for node, after in left.items() if after <= finish.done.keys()]:
                del left[node]
                begun[node] = clock.now()
                work = start(node)
                running[pool.submit(next, work, None)] = (node, work)
            while sleeping and sleeping[0][0] <= clock.now():
                _due, _number, node, work = heapq.heappop(sleeping)
                running[pool.submit(next, work, None)] = (node, work)
            pause = max(0.0, sleeping[0][0] - clock.now()) if sleeping else None
            if running:
                for future in wait(running, timeout=pause, return_when=FIRST_COMPLETED).done:
                    node, work = running.pop(future)
                    settle(node, work, future)
            elif pause is not None:
                clock.sleep(pause)
            else:
                break
    stopped: set[Node] = set(finish.failed)
    while more := {node for node, after in left.items() if node not in stopped and after & stopped}:
        stopped |= more
    for node in left:
        if node in stopped:
            finish.not_started.append(node)
        else:
            finish.deferred[node] = "waits for what it needs"
    return finish
