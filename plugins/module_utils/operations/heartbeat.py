"""Keeps a lease alive, or watches it, beside the work that it allows."""

from __future__ import annotations

import threading

from ..engine.sdk import SDK_ERRORS
from .lock import HEARTBEAT, Lease, LockLost


class Heartbeat:
    """A thread that renews a lease (or, ``renews=False``, reads what another process renews) until stopped.

    A call that fails is tried again at the next beat: the lease outlives several.
    """

    def __init__(self, lease: Lease, *, renews: bool = True, every: float = HEARTBEAT) -> None:
        self.lease = lease
        self._renews = renews
        self._every = every
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="webstack-lease", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End, after a beat that is under way."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()

    def _beat(self) -> None:
        while not self._done.wait(self._every) and not self.lease.lost:
            try:
                if self._renews:
                    self.lease.renew()
                else:
                    self.lease.look()
            except LockLost:
                return
            except SDK_ERRORS:
                continue
