"""The right of one module call to write: under the lock of the run that it belongs to, or under a lease of its own."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from ..engine.errors import OptionError
from ..engine.schedule import Clock
from ..engine.sdk import SDK_ERRORS, Clients
from .errors import OperationError
from .heartbeat import Heartbeat
from .lock import HEARTBEAT, LEASE, Lease, Owner, StackLock, claim, home_region

RUN_ID = re.compile(r"[a-z][a-z0-9_-]{0,40}-\d{8}T\d{6}-[0-9a-f]{4}")


def new_run_id(kind: str) -> str:
    """An id for a run: what, when (UTC), and four digits against two at the same second."""
    return f"{kind.replace('_', '-')}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def check_run_id(run_id: str) -> None:
    """Refuse what is no run's id: it becomes part of file names."""
    if not RUN_ID.fullmatch(run_id):
        raise OptionError("run_id", run_id, "Give the id that stack_lock returned, like site-20250102T030405-1a2b")


def writers_file(run_id: str) -> Path:
    """The file that each writing module of a run has locked, shared, so that the run's keeper can wait for the last one."""
    return Path(tempfile.gettempdir()) / f"webstack-{os.getuid()}-{run_id}.writers"


def open_writers_file(run_id: str) -> int:
    """A descriptor of that file, which nobody else can have put there."""
    path = writers_file(run_id)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    if os.fstat(descriptor).st_uid != os.getuid():
        os.close(descriptor)
        raise OperationError(f"{path} belongs to somebody else. Delete it, or set TMPDIR to a folder of your own")
    return descriptor


class Writing:
    """Entered before a module's first write, left after its last.

    With ``run_id``, that run must hold the lock. Without, the call takes the lock for itself, and sets it free at the end; while
    another call of the same user has it so, it waits: hosts of one play take turns. ``waited`` says that somebody else may have
    written since the plan was made. Raises LockHeld or LockLost.
    """

    def __init__(
        self,
        clients: Clients,
        stack: str,
        region: str,
        purpose: str,
        *,
        run_id: str = "",
        lock_region: str = "",
        clock: Clock | None = None,
        lease: float = LEASE,
        every: float = HEARTBEAT,
    ) -> None:
        if run_id:
            check_run_id(run_id)
        self.run_id = run_id
        self.waited = False
        self._every = every
        owner = claim(run_id or new_run_id("module"), purpose, alone=not run_id)
        self._lock = StackLock(clients, stack, lock_region or home_region(clients, region), owner, clock, lease)
        self._file: int | None = None
        self._lease: Lease | None = None
        self._heartbeat: Heartbeat | None = None

    def __enter__(self) -> Writing:
        if self.run_id:
            self._file = open_writers_file(self.run_id)
            fcntl.flock(
                self._file, fcntl.LOCK_SH
            )  # before the look: the keeper gives the lock back only when nobody has it
            try:
                self._lease = self._lock.adopt(self.run_id)
            except BaseException:
                os.close(self._file)
                raise
        else:
            self._lease = self._lock.acquire(self._takes_turns)
        self._heartbeat = Heartbeat(self._lease, renews=not self.run_id, every=self._every)
        self._heartbeat.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._heartbeat is None or self._lease is None:
            raise RuntimeError("left before it was entered")
        self._heartbeat.stop()
        if self._file is not None:
            os.close(self._file)
        if not self.run_id:
            with suppress(*SDK_ERRORS):  # it expires by itself; what was done is done
                self._lease.release()

    def stop(self) -> str | None:
        """Why nothing new may be started any more; None while all is well. Makes no call."""
        return self._lease.lost if self._lease else None

    def _takes_turns(self, owner: Owner) -> bool:
        mine = owner.alone and (owner.owner, owner.machine) == (self._lock.owner.owner, self._lock.owner.machine)
        self.waited = self.waited or mine
        return mine
