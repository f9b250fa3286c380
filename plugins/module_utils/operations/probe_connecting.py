"""From a name to a connection within a deadline: time limits, name lookups, connections, and connections that are kept."""

from __future__ import annotations

import importlib
import ipaddress
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from .probe_specs import host_and_port
from .samples import NOT_SENT, ProbeFault, Sample

T = TypeVar("T")
Job = Callable[[], None]


class Deadline:
    """A moment by which all must be done; ``seconds`` from now."""

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, always more than 0. Raises TimeoutError when none are."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Stopwatch:
    """Measures a sample's phases, one after the other, into the sample itself: what was reached stays when a later phase fails."""

    def __init__(self, sample: Sample) -> None:
        self._phases: dict[str, float] = sample["phases"]
        self._since = time.monotonic()

    def lap(self, phase: str) -> None:
        now = time.monotonic()
        self._phases[phase] = round(now - self._since, 6)
        self._since = now


class Workers:
    """Daemon threads, made when they are needed and at most ``most``. A job is taken at once or refused, never queued."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._free = 0
        self._made = 0

    def start(self, job: Job) -> bool:
        """Whether a thread has taken the job. ``job`` must not raise."""
        with self._lock:
            if self._free:
                self._free -= 1
                self._jobs.put(job)
                return True
            if self._made >= self._most:
                return False
            self._made += 1
        try:
            threading.Thread(target=self._work, args=(job,), name=self._name, daemon=True).start()
        except RuntimeError:  # the system gives no more threads
            with self._lock:
                self._made -= 1
            return False
        return True

    def close(self) -> None:
        """Let the threads end, those at work when they are done."""
        with self._lock:
            for _thread in range(self._made):
                self._jobs.put(None)
            self._made = self._most  # nothing starts from now on
            self._free = 0

    def _work(self, first: Job) -> None:
        job: Job | None = first
        while job is not None:
            job()
            with self._lock:
                self._free += 1
            job = self._jobs.get()


class Resolver:
    """Names to addresses: as the system does it, or by given name servers with dnspython. Nothing is cached here.

    The system's lookup cannot be interrupted, so each has a thread of its own: one that hangs costs a sample its time limit and
    no more.
    """

    def __init__(self, nameservers: Sequence[str], lookups: Workers) -> None:
        self._lookups = lookups
        self._resolver = make_dns_resolver(nameservers) if nameservers else None

    def addresses(self, host: str, deadline: Deadline) -> list[str]:
        """The host's addresses in the order of the answer. Raises ProbeFault of class dns, or TimeoutError."""
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        return self._ask_system(host, deadline) if self._resolver is None else self._ask_servers(host, deadline)

    def _ask_system(self, host: str, deadline: Deadline) -> list[str]:
        answer: Future[list[str]] = Future()

        def look_up() -> None:
            try:
                found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                answer.set_result(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
            except Exception as error:
                answer.set_exception(error)

        if not self._lookups.start(look_up):
            raise ProbeFault(NOT_SENT)
        try:
            return answer.result(deadline.left())
        except (socket.gaierror, UnicodeError):
            raise ProbeFault("dns") from None
        except TimeoutError:
            raise ProbeFault("dns") from None
        except Exception as error:  # Python 3.10's futures have a TimeoutError of their own
            if type(error).__name__ == "TimeoutError":
                raise ProbeFault("dns") from None
            raise

    def _ask_servers(self, host: str, deadline: Deadline) -> list[str]:
        for record_type in ("A", "AAAA"):
            _code, answers, _ttl = dns_answers(self._resolver, host, record_type, deadline)
            if answers:
                return answers
        raise ProbeFault("dns")


def make_dns_resolver(nameservers: Sequence[str]) -> Any:
    """dnspython's resolver for given servers, each ``address`` or ``address:port``; without any, for the system's."""
    dns_resolver = importlib.import_module("dns.resolver")
    dns_nameserver = importlib.import_module("dns.nameserver")
    if not nameservers:
        return dns_resolver.Resolver()
    resolver = dns_resolver.Resolver(configure=False)
    resolver.nameservers = [dns_nameserver.Do53Nameserver(*host_and_port(server)) for server in nameservers]
    return resolver


def dns_answers(resolver: Any, host: str, record_type: str, deadline: Deadline) -> tuple[str, list[str], int | None]:
    """The response code, the records as texts in order, and their time to live in seconds.

    Raises ProbeFault of class dns when no server gave a usable answer, TimeoutError when none answered in time.
    """
    dns_exception = importlib.import_module("dns.exception")
    dns_resolver = importlib.import_module("dns.resolver")
    try:
        answer = resolver.resolve(host, record_type, lifetime=deadline.left(), raise_on_no_answer=False, search=False)
    except dns_resolver.NXDOMAIN:
        return "NXDOMAIN", [], None
    except dns_exception.Timeout:
        raise TimeoutError from None
    except dns_exception.DNSException:
        raise ProbeFault("dns") from None
    if answer.rrset is None:
        return "NOERROR", [], None
    return "NOERROR", [record.to_text() for record in answer.rrset], int(answer.rrset.ttl)


def in_turn(addresses: Sequence[str], deadline: Deadline, attempt: Callable[[str, Deadline], T]) -> tuple[str, T]:
    """The first address that works, and what ``attempt`` made of it.

    Every address but the last may use half of the time that is left, as curl does: one dead zone among several must not cost
    a whole sample. Raises the error of the last address.
    """
    for place, address in enumerate(addresses):
        last = place == len(addresses) - 1
        try:
            return address, attempt(address, deadline if last else Deadline(deadline.left() / 2))
        except (OSError, ProbeFault):
            if last:
                raise
    raise ProbeFault("dns")


def connect(address: str, port: int, deadline: Deadline) -> socket.socket:
    """A TCP connection. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(deadline.left())
        connection.connect((address, port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


def closed_while_idle(connection: socket.socket) -> bool:
    """Whether the peer has closed an idle connection, or sent something that nobody asked for: it cannot be used again."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


class KeptConnections(Generic[T]):
    """At most ``most`` idle connections, used in turn so that all of them stay in use."""

    def __init__(self, most: int, idle_closed: Callable[[T], bool], close: Callable[[T], None]) -> None:
        self._most = most
        self._idle_closed = idle_closed
        self._close = close
        self._idle: deque[T] = deque()
        self._lock = threading.Lock()
        self._ended = False

    def take(self) -> T | None:
        """An idle connection that its peer has not closed, or None when a new one has to be made."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.popleft()
            if not self._idle_closed(connection):
                return connection
            self._close(connection)

    def give(self, connection: T) -> None:
        with self._lock:
            keep = not self._ended and len(self._idle) < self._most
            if keep:
                self._idle.append(connection)
        if not keep:
            self._close(connection)

    def close(self) -> None:
        with self._lock:
            self._ended = True
            idle = list(self._idle)
            self._idle.clear()
        for connection in idle:
            self._close(connection)
