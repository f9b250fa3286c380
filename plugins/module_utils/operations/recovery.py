"""Carries out what a dead run promised to undo, from its journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..engine.sdk import SDK_ERRORS, Clients, explain
from . import keeper
from . import refreshes as _refreshes  # noqa: F401  (enters its undo)
from . import undo_deployment as _undo_deployment  # noqa: F401  (enters its undos)
from .errors import OperationError
from .journal import Journal, read
from .lock import Lease, LockHeld, StackLock, claim
from .run import folder_of, latest
from .undo import Intent, carry_out, pending


def recover(clients: Clients, stack: str, lock_region: str, run: str, runs_dir: Path, check: bool) -> dict[str, Any]:
    """Undo what run ``run`` left, newest first; ``latest`` is the newest run that left something, else the newest.

    Refuses while the run's keeper lives, because that does the same, and while another run holds the lock.
    """
    run_id = _chosen(runs_dir, stack, run)
    if run_id is None:
        return {"changed": False, "run_id": "", "undone": [], "edited": []}
    folder = folder_of(runs_dir, stack, run_id)
    if not (folder / "journal.jsonl").exists():
        raise OperationError(f"Run {run_id} of stack {stack} has no journal in {folder}. Check runs_dir and the id")
    if keeper.alive(folder):
        pid = keeper.state_of(folder).get("pid")
        raise OperationError(
            f"Run {run_id} is not dead: process {pid} still cleans up after it. See {folder / 'keeper.log'}"
        )
    story = read(folder / "journal.jsonl")
    left = pending(story.records)
    answer = {
        "changed": bool(left),
        "run_id": run_id,
        "undone": [_row(intent) for intent in left],
        "edited": story.edited,
    }
    if left and not check:
        lease = _lease(clients, stack, lock_region, run_id)
        try:
            answer |= _undo(clients, Journal(folder / "journal.jsonl"), left)
        finally:
            lease.release()
    return answer


def _chosen(runs_dir: Path, stack: str, run: str) -> str | None:
    if run != "latest":
        return run
    journals = sorted((runs_dir / stack).glob("*/journal.jsonl"), key=lambda path: -path.stat().st_mtime_ns)
    left = (path.parent.name for path in journals if pending(read(path).records))
    return next(left, latest(runs_dir, stack))


def _lease(clients: Clients, stack: str, lock_region: str, run_id: str) -> Lease:
    """The dead run's own lock, while it has not expired; else a fresh one."""
    lock = StackLock(clients, stack, lock_region, claim(run_id, "undo"))
    owner = lock.current()
    if owner and owner.run_id == run_id:
        return lock.adopt(run_id)
    if owner:
        raise LockHeld(stack, owner, lock.now)
    return lock.acquire()


def _undo(clients: Clients, journal: Journal, left: list[Intent]) -> dict[str, Any]:
    undone, failed = [], []
    for intent in left:
        try:
            undone.append({**_row(intent), "changed": carry_out(clients, journal, intent)})
        except OperationError as error:
            failed.append(f"{intent.target}: {error}")
        except SDK_ERRORS as error:
            failed.append(f"{intent.target}: {explain(error)}")
    answer: dict[str, Any] = {"changed": any(row["changed"] for row in undone), "undone": undone}
    if failed:
        return {**answer, "msg": f"Not undone: {'; '.join(failed)}. Remove the cause and run again"}
    journal.append("end", "undo")
    return answer


def _row(intent: Intent) -> dict[str, Any]:
    return {"action": intent.action, "target": intent.target}
