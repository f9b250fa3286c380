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
from graphlib import TopologicalSorter
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
    begun: dict[Node, float] = field(default_factory=dict)  # when, in seconds since the epoch
    last_pause: dict[Node, float] = field(default_factory=dict)  # seconds that it last slept
    failed: dict[Node, Exception] = field(default_factory=dict)
    deferred: dict[Node, str] = field(default_factory=dict)  # why
    not_started: list[Node] = field(default_factory=list)
    stopped: str | None = None  # why nothing new was started from some moment on


LOOK = 0.5  # seconds between two looks at whether the walk shall stop


def walk(
    needs: Mapping[Node, set[Node]],
    start: Callable[[Node], Steps],
    clock: Clock,
    workers: int = 16,
    stop: Callable[[], str | None] | None = None,
    lasts: Callable[[Node], float] = lambda _node: 1.0,
) -> Finish[Node]:
    """Run every node after all that it needs. After a failure or a deferral, what depends on it is not started.

    Where more nodes may run than there are workers, those at the head of the longest chain go first; ``lasts`` tells the seconds that a
    node takes, as a rule. As soon as ``stop`` gives a reason, nothing new is started: work that runs is finished, a step that sleeps is
    deferred.
    """
    with ThreadPoolExecutor(max_workers=workers) as pool:
        return _Walk(needs, start, clock, pool, workers, stop, ahead(needs, lasts)).run()


def ahead(needs: Mapping[Node, set[Node]], lasts: Callable[[Node], float]) -> dict[Node, float]:
    """For each node, the seconds of the longest chain that begins with it. Raises graphlib.CycleError where a node needs itself."""
    longest = dict.fromkeys(needs, 0.0)
    for node in reversed(list(TopologicalSorter(needs).static_order())):
        if node in needs:
            longest[node] += lasts(node)
            for need in needs[node]:
                longest[need] = max(longest.get(need, 0.0), longest[node])
    return longest


class _Walk(Generic[Node]):
    """One walk: what is left, what runs, what sleeps."""

    def __init__(
        self,
        needs: Mapping[Node, set[Node]],
        start: Callable[[Node], Steps],
        clock: Clock,
        pool: ThreadPoolExecutor,
        workers: int,
        stop: Callable[[], str | None] | None,
        ahead: Mapping[Node, float],
    ) -> None:
        self.finish: Finish[Node] = Finish()
        self.left = {node: set(after) for node, after in needs.items()}
        self.start = start
        self.clock = clock
        self.pool = pool
        self.workers = workers
        self.stop = stop
        self.ahead = ahead
        self.begun: dict[Node, float] = {}
        self.sleeping: list[tuple[float, int, Node, Steps]] = []
        self.running: dict[Future[Pause | None], tuple[Node, Steps]] = {}
        self.numbers = itertools.count()

    def run(self) -> Finish[Node]:
        """Walk until nothing runs, nothing sleeps and nothing can be started."""
        while True:
            self._heed_stop()
            self._wake_and_start()
            pause = self._pause()
            if self.running:
                for future in wait(self.running, timeout=pause, return_when=FIRST_COMPLETED).done:
                    self._settle(future, *self.running.pop(future))
            elif pause is not None:
                self.clock.sleep(pause)
            else:
                break
        self._name_the_rest()
        return self.finish

    def _heed_stop(self) -> None:
        if self.stop is not None and self.finish.stopped is None:
            self.finish.stopped = self.stop()
        if self.finish.stopped is not None:
            self.finish.deferred.update({node: self.finish.stopped for _due, _number, node, _work in self.sleeping})
            self.sleeping.clear()

    def _wake_and_start(self) -> None:
        """Give every free worker something: first what has slept enough, then the heads of the longest chains."""
        while self._free and self.sleeping and self.sleeping[0][0] <= self.clock.now():
            _due, _number, node, work = heapq.heappop(self.sleeping)
            self.running[self.pool.submit(next, work, None)] = (node, work)
        left = self.left.items() if self._free and self.finish.stopped is None else ()
        ready = sorted(
            (node for node, after in left if after <= self.finish.done.keys()), key=lambda one: -self.ahead[one]
        )
        for node in ready[: self._free]:
            del self.left[node]
            self.begun[node], self.finish.begun[node] = self.clock.now(), self.clock.wall()
            work = self.start(node)
            self.running[self.pool.submit(next, work, None)] = (node, work)

    @property
    def _free(self) -> int:
        return self.workers - len(self.running)

    def _pause(self) -> float | None:
        """Seconds until there may be something to do; None where nothing sleeps."""
        pause = max(0.0, self.sleeping[0][0] - self.clock.now()) if self.sleeping and self._free else None
        if self.stop is None or not (self.running or self.sleeping):
            return pause
        return LOOK if pause is None else min(pause, LOOK)

    def _settle(self, future: Future[Pause | None], node: Node, work: Steps) -> None:
        error = future.exception()
        if isinstance(error, Deferred):
            self.finish.deferred[node] = str(error)
        elif isinstance(error, Exception):
            self.finish.failed[node] = error
        elif error is not None:
            raise error
        elif (pause := future.result()) is not None:
            self.finish.last_pause[node] = pause
            heapq.heappush(self.sleeping, (self.clock.now() + pause, next(self.numbers), node, work))
        else:
            self.finish.done[node] = self.clock.now() - self.begun[node]

    def _name_the_rest(self) -> None:
        """What was not started waits for something, or has no hope in this run."""
        hopeless: set[Node] = set(self.left) if self.finish.stopped is not None else set(self.finish.failed)
        while more := {node for node, after in self.left.items() if node not in hopeless and after & hopeless}:
            hopeless |= more
        for node in self.left:
            if node in hopeless:
                self.finish.not_started.append(node)
            else:
                self.finish.deferred[node] = "waits for what it needs"
