"""One run of an operation: its id, its folder, its journal, its keeper and the stack's lock, from begin to finish.

A single long module begins and finishes it (a drill); or one task of a playbook begins it, others attach to it, and a last one
finishes it (a deploy). Whatever becomes of them in between, the keeper cleans up.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..engine.sdk import Clients
from . import keeper
from .errors import OperationError
from .journal import Journal
from .lock import HEARTBEAT, LEASE, LockLost, StackLock, claim
from .probe_specs import ProbeSpec, check_libraries, check_specs
from .processes import leave_behind
from .undo import Intent, carry_out, pending
from .writing import check_run_id, new_run_id, open_writers_file, writers_file

PATIENCE = 15.0  # seconds for the keeper to begin, or to get ready for an undo
ENDING = 120.0  # seconds for the keeper to end when nothing is wrong


@dataclass
class Plan:
    """What a run is, before it begins."""

    kind: str  # begins the run's id: site, destroy, deploy, rds-failover, …
    stack: str
    purpose: str  # what the owner of the lock is said to be doing
    region: str
    lock_region: str
    runs_dir: Path
    controller_pid: int | None = None  # the ansible-playbook process; None where it cannot be seen from here
    single: bool = False  # this module is the whole run: when it dies, the run is over
    specs: Sequence[ProbeSpec] = ()
    passwords: Mapping[str, str] = field(default_factory=dict)
    lease: float = LEASE
    heartbeat: float = HEARTBEAT


def folder_of(runs_dir: Path, stack: str, run_id: str) -> Path:
    """Where everything about a run is."""
    check_run_id(run_id)
    return runs_dir / stack / run_id


def latest(runs_dir: Path, stack: str) -> str | None:
    """The id of the newest run of a stack that has a journal."""
    journals = (runs_dir / stack).glob("*/journal.jsonl")
    newest = max(journals, key=lambda path: path.stat().st_mtime_ns, default=None)
    return newest.parent.name if newest else None


class Operation:
    """A run that has begun. ``begin`` and ``attach`` make one."""

    def __init__(self, folder: Path, run_id: str, lock: StackLock, clients: Clients) -> None:
        self.folder = folder
        self.run_id = run_id
        self.lock = lock
        self.clients = clients
        self.journal = Journal(folder / "journal.jsonl")

    @classmethod
    def begin(cls, plan: Plan, connection: Mapping[str, Any], clients: Clients) -> Operation:
        """Take the lock and set the keeper up; nothing else may have been written yet. Raises LockHeld.

        Must be called before this process has threads. ``connection`` is what the keeper makes its own clients of.
        """
        if threading.active_count() > 1:
            raise RuntimeError("a keeper is forked before there are threads")
        if plan.specs:
            check_specs(plan.specs)
            check_libraries(plan.specs)
        run_id = new_run_id(plan.kind)
        folder = folder_of(plan.runs_dir.absolute(), plan.stack, run_id)
        _make_folder(folder, plan.runs_dir)
        duty = keeper.Duty(
            folder=folder,
            stack=plan.stack,
            run_id=run_id,
            purpose=plan.purpose,
            region=plan.region,
            lock_region=plan.lock_region,
            connection=dict(connection),
            controller_pid=plan.controller_pid,
            module_pid=os.getpid() if plan.single else None,
            specs=list(plan.specs),
            passwords=dict(plan.passwords),
            lease=plan.lease,
            heartbeat=plan.heartbeat,
        )
        orders = leave_behind(lambda reading: keeper.keep(duty, reading), folder / "keeper.log")
        owner = claim(run_id, plan.purpose, plan.controller_pid)
        operation = cls(
            folder, run_id, StackLock(clients, plan.stack, plan.lock_region, owner, lease=plan.lease), clients
        )
        try:
            operation._take_the_lock(orders, plan.purpose)
        except BaseException:
            _remove_folder(folder)
            raise
        finally:
            os.close(orders)
        return operation

    @classmethod
    def attach(cls, runs_dir: Path, stack: str, run_id: str, lock_region: str, clients: Clients) -> Operation:
        """A run that another task began. Raises OperationError where there is none of that id."""
        folder = folder_of(runs_dir.absolute(), stack, run_id)
        if not (folder / "journal.jsonl").exists():
            raise OperationError(
                f"Run {run_id} of stack {stack} has no journal in {folder}. Give the folder of runs and the id that it began with"
            )
        return cls(folder, run_id, StackLock(clients, stack, lock_region, claim(run_id, "")), clients)

    def _take_the_lock(self, orders: int, purpose: str) -> None:
        lease = self.lock.acquire()
        try:
            owner = self.lock.owner
            self.journal.append(
                "lock",
                self.lock.path,
                {"generation": lease.generation, "owner": owner.owner, "pid": owner.pid, "purpose": purpose},
            )
            os.write(orders, b"go")
            self._await_keeper()
        except BaseException:
            lease.release()
            raise

    def _await_keeper(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while (state := keeper.state_of(self.folder)).get("state") != "watching":
            if state or time.monotonic() > deadline:
                why = state.get("error") or (self.folder / "keeper.log").read_text(encoding="utf-8")[-500:]
                raise OperationError(f"The process that cleans up after this run could not be started. {why}".strip())
            time.sleep(0.01)

    def record(self, kind: str, step: str = "", data: dict[str, Any] | None = None) -> None:
        """Write one record of the journal and return when it is on the disk."""
        self.journal.append(kind, step, data)

    def stop(self) -> str | None:
        """Why the run may start nothing any more: its lock is lost, or its keeper is gone. None while all is well."""
        try:
            return (self.folder / "lost").read_text(encoding="utf-8")
        except OSError:
            pass
        if not keeper.alive(self.folder):
            return f"The process that would clean up after run {self.run_id} is gone. Nothing new is started"
        return None

    def arm(self, action: str, target: str, data: dict[str, Any]) -> Intent:
        """Promise an undo before its fault is made. Returns when the keeper is ready for it; raises OperationError if it is not."""
        seq = self.journal.append("undo", target, {"action": action, "data": data}).seq
        deadline = time.monotonic() + PATIENCE
        while not any(record.data.get("intent") == seq for record in self.journal.read().of("arm")):
            if (reason := self.stop()) or time.monotonic() > deadline:
                raise OperationError(f"{target}: nobody is ready to undo it, so it is not done. {reason or ''}".strip())
            time.sleep(0.01)
        return Intent(seq, action, target, data)

    def undo(self, intent: Intent) -> bool:
        """Keep a promise now. Whether that changed anything."""
        return carry_out(self.clients, self.journal, intent)

    def finish(self, *, release: bool = True) -> list[str]:
        """End the run: the keeper carries out what is still promised, stops the prober and, with ``release``, frees the lock.

        Returns the targets that could not be restored. Works without a keeper too; doing it twice does no harm.
        """
        order = '{"release": true}' if release else '{"release": false}'
        keeper._write(self.folder / "stop", order)
        deadline = time.monotonic() + ENDING
        while keeper.alive(self.folder):
            if time.monotonic() > deadline:
                state = keeper.state_of(self.folder)
                raise OperationError(
                    f"Run {self.run_id} is not over: its keeper (process {state.get('pid')}) is still undoing, or waits for a module "
                    f"that still writes. It goes on; see {self.folder / 'keeper.log'}"
                )
            time.sleep(0.01)
        if keeper.state_of(self.folder).get("state") != "ended":
            self._finish_alone(release)
        if not self.journal.read().of("end"):
            self.journal.append("end")
        return self._unrestored()

    def finish_or_tell(self, findings: list[str]) -> list[str]:
        """End the run; a keeper that does not come to its end is one more finding, and the targets that it still has to restore are returned."""
        try:
            return self.finish()
        except OperationError as error:
            findings.append(str(error))
            return self._unrestored()

    def _unrestored(self) -> list[str]:
        return [intent.target for intent in pending(self.journal.read().records)]

    def _finish_alone(self, release: bool) -> None:
        """What the keeper would have done."""
        for intent in pending(self.journal.read().records):
            self.undo(intent)
        if release:
            descriptor = open_writers_file(self.run_id)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self.lock.adopt(self.run_id).release()
            except LockLost:
                pass  # expired, or taken over knowingly
            finally:
                writers_file(self.run_id).unlink(missing_ok=True)
                os.close(descriptor)


def _make_folder(folder: Path, runs_dir: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise OperationError(
            f"runs_dir: {str(runs_dir)!r} cannot hold the folder of this run: {error.strerror}. Give a folder that you may write to"
        ) from None


def _remove_folder(folder: Path) -> None:
    """A run that never began leaves nothing behind."""
    shutil.rmtree(folder, ignore_errors=True)
    for empty in folder.parents[:2]:
        with suppress(OSError):
            empty.rmdir()
