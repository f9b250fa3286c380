"""Taking, showing, returning and removing the lock of a stack for a run of several tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine.errors import OptionError
from ..engine.sdk import Clients
from .lock import LockHeld, Owner, StackLock, claim
from .run import Operation, Plan, folder_of
from .writing import new_run_id


@dataclass
class Locking:
    """The lock of one stack, for one task. ``run_id`` is that of the run that the task is about, or empty."""

    clients: Clients
    stack: str
    lock_region: str
    runs_dir: Path
    run_id: str = ""

    def owner(self) -> Owner | None:
        """Who holds the lock. One read."""
        return self._lock().current()

    def parameters(self) -> int:
        """How many parameters the lock has."""
        return len(self._lock().records())

    def hold(self, plan: Plan, connection: Mapping[str, Any], expires_after: float) -> dict[str, Any]:
        """Take the lock for a run. Without a controller that can be watched, it is not renewed, and expires after these seconds."""
        if plan.controller_pid:
            operation = Operation.begin(plan, connection, self.clients)
            self.run_id, folder = operation.run_id, str(operation.folder)
        else:
            self.run_id, folder = new_run_id(plan.kind), ""
            owner = claim(self.run_id, plan.purpose)
            StackLock(self.clients, self.stack, self.lock_region, owner, lease=expires_after).acquire()
        return {"changed": True, "run_id": self.run_id, "folder": folder, "owner": shown(self.owner())}

    def release(self) -> dict[str, Any]:
        """Set the lock free that the run holds, and end its keeper. What it does not hold any more is left alone."""
        held = self._is_ours(self.owner())
        left = self._end(release=True)
        if self._is_ours(self.owner()):
            self._lock().adopt(self.run_id).release()
        return {"changed": held, "run_id": self.run_id, "owner": shown(self.owner()), "left": left}

    def force(self) -> dict[str, Any]:
        """Take the lock from the run that is named, and from no other."""
        former = self.owner()
        if former is None:
            return {"changed": False, "owner": {}}
        if not self._is_ours(former):
            raise OptionError(
                "run_id",
                self.run_id,
                f"The lock of stack {self.stack} is held by run {former.run_id} of {former.owner}",
            )
        self._lock().force()
        return {"changed": True, "former": shown(former), "owner": shown(self.owner())}

    def remove(self) -> dict[str, Any]:
        """Delete every parameter of the lock, after the stack is gone. Raises LockHeld while another run holds it."""
        lock = self._lock()
        if not lock.records():
            return {"changed": False, "owner": {}}
        owner = lock.current()
        if not self._is_ours(owner):
            if owner:
                raise LockHeld(self.stack, owner, lock.now)
            lock.acquire()  # so that nobody takes it while it is removed
        self._end(release=False)
        return {"changed": lock.remove(), "owner": {}}

    def _lock(self) -> StackLock:
        run_id = self.run_id or new_run_id("lock")
        return StackLock(self.clients, self.stack, self.lock_region, claim(run_id, "the lock itself"))

    def _is_ours(self, owner: Owner | None) -> bool:
        return owner is not None and owner.run_id == self.run_id

    def _end(self, *, release: bool) -> list[str]:
        """End the run's keeper, if there is one. What it could not restore."""
        if not self.run_id or not (folder_of(self.runs_dir, self.stack, self.run_id) / "journal.jsonl").exists():
            return []
        operation = Operation.attach(self.runs_dir, self.stack, self.run_id, self.lock_region, self.clients)
        return operation.finish(release=release)


def shown(owner: Owner | None) -> dict[str, Any]:
    """The owner as a module returns it; empty if the lock is free."""
    return owner.as_result() if owner else {}
