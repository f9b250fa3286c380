"""The keeper of a run: a process beside it that keeps its lock alive, takes its samples, and cleans up when the run dies.

Neither Ansible nor any program can clean up after it was killed, so somebody else has to: the keeper is forked before the run's
first deed, into a session of its own, where the terminal's signals do not reach it. When one of the processes that it watches
ends without having said ``stop``, it ends what lives on of the run, carries out every promised undo, and sets the lock free.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..engine.schedule import Clock
from ..engine.sdk import SDK_ERRORS, Clients, explain
from .errors import OperationError
from .heartbeat import Heartbeat
from .journal import Journal
from .lock import HEARTBEAT, LEASE, Lease, StackLock, claim
from .probe_specs import ProbeSpec
from .prober import Prober
from .processes import Watched, first_ended
from .undo import UNDO, Intent, carry_out, pending, promised, warm
from .writing import open_writers_file, writers_file

LOOK = 0.03  # seconds between looks for the word to stop
LAST_WORDS = 0.4  # seconds that a module may use for ending when its playbook is dead
GIVE_UP = 3600.0  # seconds after which an undo that keeps failing is left to playbooks/undo.yml
AGAIN = (
    2.0  # seconds after which a call that the dead run had sent, and nobody heard the answer of, has been carried out
)
ORPHANS = 7200.0  # seconds that the lock is held for modules that go on writing without their playbook


def _say(text: str) -> None:
    """A line of keeper.log, which is this process's standard output."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@dataclass
class Duty:
    """What a keeper needs to know. The connection, with its credentials, stays in memory."""

    folder: Path
    stack: str
    run_id: str
    purpose: str
    region: str
    lock_region: str
    connection: dict[str, Any]
    controller_pid: int | None = None
    module_pid: int | None = None  # only where one module is the whole run
    specs: list[ProbeSpec] = field(default_factory=list)
    passwords: dict[str, str] = field(default_factory=dict)
    lease: float = LEASE
    heartbeat: float = HEARTBEAT


def state_of(folder: Path) -> dict[str, Any]:
    """What the keeper says of itself: ``pid``, ``state`` (watching, failed, ended), ``error``; empty before its first word."""
    try:
        found: dict[str, Any] = json.loads((folder / "keeper.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def alive(folder: Path) -> bool:
    """Whether a run has a keeper that lives: it has locked a file as long as it does."""
    try:
        descriptor = os.open(folder / "keeper.alive", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def keep(duty: Duty, orders: int) -> None:
    """The body of the keeper's process. It begins when it reads ``go`` from ``orders``; without that word it never was."""
    try:
        if os.read(orders, 16) == b"go":
            Keeper(duty).run()
    except BaseException:
        traceback.print_exc(file=sys.stderr)


class Keeper:
    """One keeper, from the first look to the last."""

    def __init__(self, duty: Duty) -> None:
        self.duty = duty
        self.journal = Journal(duty.folder / "journal.jsonl")
        self._clock = Clock()
        self._told_to_end = False
        self._journal_size = -1
        self._warm: set[int] = set()
        self._prober: Prober | None = None
        self._lease: Lease | None = None
        self._heartbeat: Heartbeat | None = None

    def run(self) -> None:
        """Watch until the run says ``stop`` or dies."""
        signal.signal(signal.SIGTERM, self._on_signal)
        living = os.open(self.duty.folder / "keeper.alive", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(living, fcntl.LOCK_EX)
        if not self._begin():
            return
        reason = self._watch()
        if reason:
            self._abandon(reason)
        else:
            self._close(release=bool(_order(self.duty.folder).get("release")))
        self._say("ended")

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._told_to_end = True

    def _begin(self) -> bool:
        duty = self.duty
        self._watched = [Watched(pid) for pid in (duty.controller_pid, duty.module_pid) if pid]
        try:
            self.clients = Clients(duty.connection)
            owner = claim(duty.run_id, duty.purpose)
            lock = StackLock(self.clients, duty.stack, duty.lock_region, owner, lease=duty.lease)
            self._lease = lock.adopt(duty.run_id)
            self._heartbeat = Heartbeat(self._lease, every=duty.heartbeat)
            if duty.specs:
                samples = duty.folder / "samples.jsonl"
                self._prober = Prober(duty.specs, samples, run_id=duty.run_id, passwords=duty.passwords)
                self._prober.start()
            self._heartbeat.start()
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self._say("failed", explain(error) if isinstance(error, SDK_ERRORS) else str(error))
            return False
        self._say("watching")
        return True

    def _watch(self) -> str | None:
        """Why the run counts as dead; None when it said ``stop``."""
        lost = False
        while True:
            gone = first_ended(self._watched, LOOK)
            if (self.duty.folder / "stop").exists():
                return None
            if self._told_to_end:
                return "the keeper was told to end"
            if gone:
                return f"process {gone.pid} ended without ending the run"
            if not lost and self._lease and self._lease.lost:
                lost = True
                self._tell_lost(self._lease.lost)
            self._warm_new_intents()

    def _tell_lost(self, reason: str) -> None:
        _write(self.duty.folder / "lost", reason)
        self.journal.append("note", "lock", {"lost": reason})

    def _warm_new_intents(self) -> None:
        """Get ready for each promised undo, and say so: only then may the fault be made."""
        try:
            size = self.journal.path.stat().st_size
        except OSError:
            return
        if size == self._journal_size:
            return
        self._journal_size = size
        for intent in pending(self.journal.read().records):
            if intent.seq not in self._warm:
                self._warm.add(intent.seq)
                try:
                    warm(self.clients, intent)
                except Exception as error:  # then nobody says that it is armed, and the fault is not made
                    self.journal.append("note", intent.target, {"intent": intent.seq, "failed": str(error)})
                else:
                    self.journal.append("arm", intent.target, {"intent": intent.seq})

    def _abandon(self, reason: str) -> None:
        """What the run would have done, had it lived: end its work, undo, set the lock free."""
        _say(f"{reason}: cleaning up")
        for process in self._watched:
            if process.pid == self.duty.module_pid and not process.ended():
                process.end(LAST_WORDS)
        self.journal.append("abort", "keeper", {"reason": reason})
        self._close(release=True, verdict="inconclusive")

    def _look_again(self) -> None:
        """Undo what was on its way to AWS when the run died: the undo may have looked before it had arrived."""
        story = self.journal.read()
        answered = {record.step for record in story.of("acknowledged")}
        intents = [intent for intent in promised(story.records) if intent.target not in answered]
        if not intents:
            return
        self._clock.sleep(AGAIN)
        for intent in intents:
            try:
                changed = UNDO[intent.action](self.clients, intent.data)
            except Exception as error:  # it was undone once; the journal tells what to look at
                text = explain(error) if isinstance(error, SDK_ERRORS) else str(error) or type(error).__name__
                self.journal.append("note", intent.target, {"intent": intent.seq, "failed": text})
            else:
                self.journal.append("verify", intent.target, {"intent": intent.seq, "changed": changed})

    def _close(self, *, release: bool, verdict: str | None = None) -> None:
        left = self._undo_all()
        if verdict:
            self._look_again()
        if self._prober:
            self._prober.stop()
        if release:
            self._await_writers()
        if self._heartbeat is None or self._lease is None:
            raise RuntimeError("left before it was entered")
        self._heartbeat.stop()
        if release:
            with suppress(*SDK_ERRORS):  # then it expires by itself
                self._lease.release()
        with suppress(OSError):  # last: who comes from now on finds the lock free, and so not its own
            writers_file(self.duty.run_id).unlink()
        if verdict:
            self.journal.append("verdict", "keeper", {"verdict": verdict})
            self.journal.append("end", "keeper", {"left": [intent.target for intent in left]})

    def _undo_all(self) -> list[Intent]:
        """Carry out what is promised and not yet done, newest first, until it is done. What was given up."""
        deadline, pause = self._clock.now() + GIVE_UP, 0.2
        while left := pending(self.journal.read().records):
            for intent in left:
                try:
                    carry_out(self.clients, self.journal, intent)
                    _say(f"undone: {intent.action} {intent.target}")
                except Exception as error:
                    text = explain(error) if isinstance(error, SDK_ERRORS) else str(error) or type(error).__name__
                    _say(f"not undone: {intent.action} {intent.target}: {text}")
                    with suppress(OSError):  # a full disk must not keep the fault in place
                        self.journal.append("note", intent.target, {"intent": intent.seq, "failed": text})
            if not (left := pending(self.journal.read().records)) or self._clock.now() > deadline:
                break
            self._clock.sleep(pause)
            pause = min(pause * 1.5, 30.0)
        return left

    def _await_writers(self) -> None:
        """Wait for modules of this run that are still at work: the next owner may not meet them."""
        deadline = self._clock.now() + ORPHANS
        try:
            descriptor = open_writers_file(self.duty.run_id)
        except (OSError, OperationError):
            return
        while self._clock.now() < deadline:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                self._clock.sleep(0.05)

    def _say(self, state: str, error: str = "") -> None:
        words = {"pid": os.getpid(), "state": state, "run_id": self.duty.run_id, "error": error}
        _write(self.duty.folder / "keeper.json", json.dumps(words))


def _order(folder: Path) -> dict[str, Any]:
    """What stands in the file ``stop``."""
    try:
        found: dict[str, Any] = json.loads((folder / "stop").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _write(path: Path, text: str) -> None:
    """Whole or not at all: somebody may be reading."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)
