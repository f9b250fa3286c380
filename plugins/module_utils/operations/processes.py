"""Watching and ending processes by id, and leaving a process behind that outlives its parents and its terminal."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NAME = "webstack-keeper"  # as `ps` and `pkill` see it: who kills every ansible-playbook by name does not mean this one

POLL = 0.02  # seconds between looks, where the system cannot tell us when a process ends


class Watched:
    """One process, told from a later one with the same id where the system can."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle: int | None = None
        self._gone = False
        try:
            self._handle = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
        except ProcessLookupError:
            self._gone = True
        except OSError:  # an old kernel, or a sandbox
            self._handle = None

    def ended(self) -> bool:
        """Whether it is no more. One that has ended and was not yet waited for counts as ended."""
        if self._handle is not None and not self._gone:
            self._gone = bool(_readable([self._handle], 0))
        elif not self._gone:
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                self._gone = True
            except PermissionError:
                pass
        return self._gone

    def end(self, grace: float) -> None:
        """Ask it to end, and make it end after ``grace`` seconds."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while not self.ended() and time.monotonic() < deadline:
            time.sleep(POLL)
        if not self.ended():
            self._signal(signal.SIGKILL)
        while not self.ended() and time.monotonic() < deadline + 1:
            time.sleep(POLL)

    def _signal(self, number: int) -> None:
        try:
            if self._handle is not None and hasattr(signal, "pidfd_send_signal"):
                signal.pidfd_send_signal(self._handle, number)
            elif not self.ended():
                os.kill(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass


def first_ended(processes: list[Watched], patience: float) -> Watched | None:
    """The first process that has ended; None after ``patience`` seconds. Answers at once where the system can tell."""
    handles = [process._handle for process in processes if process._handle is not None]
    if len(handles) == len(processes) and not any(process._gone for process in processes):
        _readable(handles, patience)
    elif not any(process.ended() for process in processes):
        time.sleep(min(patience, POLL))
    return next((process for process in processes if process.ended()), None)


def _readable(handles: list[int], patience: float) -> list[int]:
    """Of these descriptors, those that can be read; select is limited to small numbers, poll is not."""
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    return [handle for handle, _event in poll.poll(patience * 1000)]


def leave_behind(body: Callable[[int], None], output: Path) -> int:
    """Run ``body`` in a process that nobody waits for, in a session of its own, and return the writing end of a pipe to it.

    ``body`` gets the reading end. All other descriptors are closed, so that nobody waits for its output; what it prints goes
    to ``output``. Call it before there are threads: they would not live on in the child, but their locks would.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                _detach(reading, output)
                body(reading)
        finally:
            os._exit(0)
    os.close(reading)
    os.waitpid(child, 0)
    return writing


def _detach(kept: int, output: Path) -> None:
    with suppress(OSError):  # only Linux has it
        Path("/proc/self/comm").write_text(NAME, encoding="ascii")
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    highest = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, kept)
    os.closerange(kept + 1, min(highest, 1 << 20) if highest > 0 else 1 << 16)
