"""The samples of the prober: what one holds, its error classes, and the file that they are written to and followed from."""

from __future__ import annotations

import errno
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

Sample = dict[str, Any]

FLUSH_SECONDS = 0.05

# The prober's own trouble. It says nothing about the service: neither a failure nor a success.
NOT_SENT = "not_sent"
BLIND = (NOT_SENT, "internal")

_ERRNO_CLASSES = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ECONNABORTED: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EMFILE: NOT_SENT,
    errno.ENFILE: NOT_SENT,
    errno.EADDRNOTAVAIL: NOT_SENT,  # no port of this machine is left
    errno.ENOBUFS: NOT_SENT,
    errno.ENOMEM: NOT_SENT,
}


class ProbeFault(Exception):
    """What a probe found wrong, in a class of its own. It carries no text of the server, which might hold anything."""

    def __init__(self, error: str, status: int | str | None = None) -> None:
        super().__init__(error if status is None else f"{error} ({status})")
        self.error = error
        self.status = status


_TYPE_CLASSES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (TimeoutError, "timeout"),
    (socket.gaierror, "dns"),
    ((ssl.SSLEOFError, ssl.SSLZeroReturnError, IncompleteRead), "reset"),
    (ssl.SSLError, "tls"),
    (ConnectionResetError, "reset"),  # http.client's RemoteDisconnected is one, without an errno
    (HTTPException, "protocol"),
)


def error_class(error: BaseException) -> str:
    """The class of an error: refused, reset, timeout, dns, tls, unreachable, protocol, not_sent, or a probe's own; else internal."""
    if isinstance(error, ProbeFault):
        return error.error
    for types, name in _TYPE_CLASSES:
        if isinstance(error, types):
            return name
    return _ERRNO_CLASSES.get(error.errno or 0, "network") if isinstance(error, OSError) else "internal"


def new_sample(probe: str, number: int, scheduled: float) -> Sample:
    """A sample before anything was done. Times are seconds since the epoch; phases are seconds."""
    return {
        "probe": probe,
        "number": number,
        "scheduled": round(scheduled, 6),
        "started": None,
        "ended": None,
        "ok": False,
        "error": None,
        "status": None,
        "phases": {},
        "address": None,
        "server": None,
        "release": None,
        "zone": None,
        "marker": None,
        "read_only": None,
    }


class SampleWriter:
    """Appends samples to a file, one JSON line each, from one thread; what was given is in the file at most 50 ms later."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: SimpleQueue[Sample | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="prober-writer", daemon=True)
        self.error: str | None = None

    def start(self) -> None:
        """Open the file, readable by its owner alone. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":  # an earlier writer was killed within a line
            os.write(self._file, b"\n")
        self._thread.start()

    def put(self, sample: Sample) -> None:
        self._queue.put(sample)

    def stop(self) -> None:
        """Write what is left and close the file."""
        self._queue.put(None)
        self._thread.join()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and self.error is None

    def _run(self) -> None:
        more = True
        while more:
            batch = [self._queue.get()]
            flush_at = time.monotonic() + FLUSH_SECONDS / 2
            while batch[-1] is not None and (pause := flush_at - time.monotonic()) > 0:
                try:
                    batch.append(self._queue.get(timeout=pause))
                except Empty:
                    break
            more = batch[-1] is not None
            self._append([sample for sample in batch if sample is not None])
        os.close(self._file)

    def _append(self, samples: list[Sample]) -> None:
        data = memoryview("".join(json.dumps(sample, separators=(",", ":")) + "\n" for sample in samples).encode())
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            self.error = f"{self._path}: {os.strerror(error.errno or 0)}"


def _parse(line: bytes) -> Sample | None:
    try:
        sample = json.loads(line)
    except ValueError:
        return None
    return sample if isinstance(sample, dict) and "probe" in sample and "scheduled" in sample else None


def read_samples(path: Path | str) -> list[Sample]:
    """All whole samples of a file by scheduled time. A half line, which a killed writer leaves behind, is passed over."""
    data = Path(path).read_bytes()
    samples = [sample for line in data.split(b"\n") if (sample := _parse(line)) is not None]
    return sorted(samples, key=scheduled)


def follow(path: Path | str, stop: Callable[[], bool], poll: float = FLUSH_SECONDS) -> Iterator[Sample]:
    """Each sample of a file as it is appended, from the first one; ends when ``stop()`` holds and nothing is left.

    The file need not exist yet. A line counts when its newline is there. ``poll`` is in seconds.
    """
    rest = b""
    place = 0
    while True:
        last = stop()
        chunk = _read_from(Path(path), place)
        place += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (sample for line in lines if (sample := _parse(line)) is not None)
        if last and not chunk:
            return
        if not chunk:
            time.sleep(poll)


def _read_from(path: Path, place: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(place)
            return file.read(1 << 20)
    except FileNotFoundError:
        return b""


def scheduled(sample: Sample) -> float:
    """When the sample was due, in seconds since the epoch."""
    value: float = sample["scheduled"]
    return value
