"""Route 53's health checks, really carried out.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from webstack_lab.services.passing import Pace

SHORTEST = 0.2  # seconds between two looks, however quick the lab's clock
TIMEOUT = 2.0


@dataclass(frozen=True)
class Check:
    """What to look at, and how often (AWS's seconds)."""

    id: str
    kind: str
    address: str | None
    name: str | None
    port: int
    path: str
    threshold: int
    interval: float
    inverted: bool
    search: str | None


@dataclass
class Record:
    """What was seen so far. An endpoint is healthy until it has failed often enough in a row, and the other way round."""

    healthy: bool = True
    in_a_row: int = 0
    next_look: float = 0.0
    look: Future[bool] | None = field(default=None, repr=False)


class Health:
    """The state of all health checks."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.pool = ThreadPoolExecutor(4, thread_name_prefix="health check")
        self.inverted: set[str] = set()

    def healthy(self, identity: str) -> bool:
        """What a check says; one that was never carried out says healthy, as Route 53 does."""
        record = self.records.get(identity)
        return (record.healthy if record else True) != (identity in self.inverted)

    def check(self, checks: list[Check], resolve: Callable[[str], list[str]]) -> None:
        """Begin the looks that are due, note those that are done; returns at once."""
        now = time.monotonic()
        for gone in self.records.keys() - {check.id for check in checks}:
            del self.records[gone]
        self.inverted = {check.id for check in checks if check.inverted}
        for check in checks:
            record = self.records.setdefault(check.id, Record())
            if record.look is not None and record.look.done():
                self.note(record, check, record.look.result())
                record.look = None
            if record.look is None and now >= record.next_look:
                record.next_look = now + max(SHORTEST, check.interval * Pace.scale)
                record.look = self.pool.submit(looks_healthy, check, resolve)

    def note(self, record: Record, check: Check, good: bool) -> None:
        """Count a look."""
        record.in_a_row = record.in_a_row + 1 if good != record.healthy else 0
        if record.in_a_row >= check.threshold:
            record.healthy, record.in_a_row = good, 0

    def close(self) -> None:
        """No more looks."""
        self.pool.shutdown(wait=False, cancel_futures=True)


def looks_healthy(check: Check, resolve: Callable[[str], list[str]]) -> bool:
    """One look: a connection, or an answer with a status of 200 to 399, and the text in its body when one is searched."""
    try:
        address = check.address or next(iter(resolve(check.name or "")), None)
        if address is None:
            return False
        if check.kind == "TCP":
            socket.create_connection((address, check.port), TIMEOUT).close()
            return True
        return answers(check, address)
    except (OSError, http.client.HTTPException):
        return False


def answers(check: Check, address: str) -> bool:
    """Whether an HTTP endpoint answers as it should; its certificate is not looked at, as Route 53 does not."""
    if check.kind.startswith("HTTPS"):
        trusting = ssl._create_unverified_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            address, check.port, timeout=TIMEOUT, context=trusting
        )
    else:
        connection = http.client.HTTPConnection(address, check.port, timeout=TIMEOUT)
    try:
        connection.request("GET", check.path, headers={"Host": check.name or address})
        answer = connection.getresponse()
        body = answer.read(5120).decode(errors="replace")
    finally:
        connection.close()
    found = check.search in body if check.search and check.kind.endswith("STR_MATCH") else True
    return 200 <= answer.status < 400 and found
