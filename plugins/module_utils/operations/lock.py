"""The lock of a stack: a lease in Parameter Store that one run at a time holds, in any region, on any machine.

Parameters ``/webstack/<stack>/lock/<generation>``, eight digits. Taking the lock is making the generation after the highest one,
which AWS lets exactly one caller do; so the generation is a fencing token, and a slow taker that read an old state makes a
number that others have gone past. The newest generations are never deleted while the stack stands. Times are AWS's: what the
clock of this machine says is corrected by the Date header of the answers.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from ..engine.resource import NAME_TAG, OWNER_TAG
from ..engine.schedule import Clock
from ..engine.sdk import SDK_ERRORS, Clients, error_code
from .errors import OperationError

LEASE = 120.0  # seconds that a lock outlives its last heartbeat
HEARTBEAT = 20.0  # seconds between heartbeats
GRACE = 5.0  # seconds after expiry before another may take over: the owner stops first
KEPT = 3  # older generations that stay, so that a slow taker still finds its number used
DELETED = 45.0  # seconds during which AWS may refuse the name of a parameter just deleted: it asks for 30
SKEW = 2.0  # seconds that two clocks may differ before the difference counts: the Date header has whole seconds
HOME = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


class LockHeld(OperationError):
    """Somebody else holds the lock; ``owner`` says who."""

    def __init__(self, stack: str, owner: Owner, now: float) -> None:
        self.owner = owner
        super().__init__(
            f"Stack {stack} is locked by {owner.described(now)}. Wait until that run has ended. If it is dead, the lock is free when it "
            f"has expired; or, knowingly: ansible-playbook playbooks/force_unlock.yml -e confirm={stack} -e run={owner.run_id}"
        )


class LockLost(OperationError):
    """This run does not hold the lock any more, so it may not write."""


@dataclass(frozen=True)
class Owner:
    """Who holds a lock, or held it last. Times are seconds since the epoch."""

    run_id: str
    owner: str  # user@host
    pid: int
    machine: (
        str  # tells the process ids of this machine and container from those of others; empty if that cannot be told
    )
    purpose: str
    since: float = 0.0
    heartbeat: float = 0.0
    expires: float = 0.0
    state: str = "held"  # or free
    token: str = ""
    alone: bool = False  # one module call holds it for itself, without a keeper
    generation: int = 0

    def described(self, now: float) -> str:
        """The owner, in words."""
        ago = max(0, round(now - self.heartbeat))
        return (
            f"{self.owner} (run {self.run_id}, {self.purpose}, process {self.pid}) since {_stamp(self.since)}; its last heartbeat was "
            f"{ago} seconds ago, and without another one the lock expires at {_stamp(self.expires)}"
        )

    def as_result(self) -> dict[str, Any]:
        """The owner for a module's answer."""
        times = {key: _stamp(getattr(self, key)) for key in ("since", "heartbeat", "expires")}
        return {"run_id": self.run_id, "owner": self.owner, "pid": self.pid, "purpose": self.purpose, **times}


def claim(run_id: str, purpose: str, pid: int | None = None, alone: bool = False) -> Owner:
    """This user on this machine, as the owner that it would be."""
    who = f"{_user()}@{socket.gethostname()}"
    return Owner(run_id, who, pid or os.getpid(), _machine(), purpose, alone=alone)


def dead(owner: Owner, us: Owner) -> bool:
    """Whether an owner was a process of our machine that writes no more. A keeper's run may have others that do."""
    if not (owner.alone and owner.machine and owner.machine == us.machine):
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def home_region(clients: Clients, region: str) -> str:
    """Where the locks of a region's partition are kept, so that runs in different regions meet."""
    return HOME.get(clients.partition(region), region)


class StackLock:
    """The lock of one stack, as one would-be owner sees it. Needs Get/PutParameter(s) and DeleteParameters on the lock's path."""

    def __init__(
        self,
        clients: Clients,
        stack: str,
        region: str,
        owner: Owner,
        clock: Clock | None = None,
        lease: float = LEASE,
    ) -> None:
        self.stack = stack
        self.region = region
        self.owner = owner
        self.clock = clock or Clock()
        self.lease = lease
        self.path = f"/webstack/{stack}/lock"
        self._clients = clients
        self._skew = 0.0

    @property
    def now(self) -> float:
        """Seconds since the epoch by AWS's clock, as far as it has been heard."""
        return self.clock.wall() + self._skew

    def current(self) -> Owner | None:
        """Who holds the lock now; None if nobody does."""
        last = self.last()
        return last if last and self._held(last) else None

    def last(self) -> Owner | None:
        """The newest generation, free or not; None if the stack has never been locked."""
        records = self.records()
        return records[-1] if records else None

    def acquire(self, waits_for: Callable[[Owner], bool] = lambda owner: False) -> Lease:
        """Take the lock, or raise LockHeld. While ``waits_for`` says so of the owner, wait for it instead."""
        pause, gone_by = 0.2, self.clock.now() + DELETED
        while True:
            last = self.last()
            if last and self._held(last) and not dead(last, self.owner):
                if not waits_for(last):
                    raise LockHeld(self.stack, last, self.now)
            else:
                mine = self._fresh(last.generation + 1 if last else 1)
                if self._make(mine) and (lease := self._confirmed(mine)):
                    return lease
                if self.clock.now() > gone_by:
                    raise OperationError(
                        f"The lock of stack {self.stack} could not be taken: AWS says that {self._name(mine.generation)} exists, "
                        "but does not show it. Run again in a minute"
                    )
            self.clock.sleep(pause)
            pause = min(pause * 1.5, 2.0)

    def adopt(self, run_id: str) -> Lease:
        """The lease that a run holds already, for another process of that run. Raises LockLost if the run does not hold it."""
        last = self.last()
        if last and last.run_id == run_id and self._held(last):
            return Lease(self, last)
        raise LockLost(self._why_lost(run_id, last))

    def force(self) -> Owner | None:
        """Take the lock from whoever holds it, and leave it free. The former owner finds a newer generation, and stops.

        Returns who held it, or None if nobody did.
        """
        last = self.last()
        if last is None or not self._held(last):
            return None
        mine = replace(self._fresh(last.generation + 1), state="free")
        if not self._make(mine):
            raise OperationError(
                f"The lock of stack {self.stack} has just changed hands. Look who holds it now, and run again"
            )
        return last

    def remove(self) -> bool:
        """Delete every parameter of the lock, the newest last. Whether there was one."""
        names = [self._name(record.generation) for record in self.records()]
        self._delete(names)
        return bool(names)

    def records(self) -> list[Owner]:
        """Every generation that there is, oldest first."""
        found = []
        token: dict[str, str] = {}
        while True:
            answer = self._client().get_parameters_by_path(Path=self.path, MaxResults=10, **token)
            self._listen(answer)
            found += [_record(parameter) for parameter in answer["Parameters"]]
            if not answer.get("NextToken"):
                return sorted(found, key=lambda record: record.generation)
            token = {"NextToken": answer["NextToken"]}

    def write(self, record: Owner) -> None:
        """Overwrite one generation; harmless where a newer one exists."""
        self._client().put_parameter(
            Name=self._name(record.generation), Value=_value(record), Type="String", Overwrite=True
        )

    def _client(self) -> Any:
        return self._clients("ssm", self.region)

    def _name(self, generation: int) -> str:
        return f"{self.path}/{generation:08d}"

    def _held(self, record: Owner) -> bool:
        return record.state == "held" and self.now <= record.expires + GRACE

    def _fresh(self, generation: int) -> Owner:
        now, token = self.now, uuid.uuid4().hex
        return replace(
            self.owner,
            generation=generation,
            token=token,
            since=now,
            heartbeat=now,
            expires=now + self.lease,
            state="held",
        )

    def _make(self, record: Owner) -> bool:
        """Make a new generation. False if somebody was quicker; an answer that was lost and asked for again counts as ours."""
        tags = {OWNER_TAG: self.stack, NAME_TAG: "lock"}
        try:
            self._client().put_parameter(
                Name=self._name(record.generation),
                Value=_value(record),
                Type="String",
                Overwrite=False,
                Description=f"Who may change stack {self.stack}; written by webstack.aws",
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )
        except SDK_ERRORS as error:
            if error_code(error) not in ("ParameterAlreadyExists", "TooManyUpdates"):
                raise
            return any(one.token == record.token for one in self.records())
        return True

    def _confirmed(self, mine: Owner) -> Lease | None:
        """The lease, unless others have long gone past the number that we read."""
        records = self.records()
        if any(record.generation > mine.generation for record in records):
            self._delete([self._name(mine.generation)])
            return None
        self._delete([self._name(one.generation) for one in records if one.generation < mine.generation - KEPT])
        return Lease(self, mine)

    def _delete(self, names: list[str]) -> None:
        for start in range(0, len(names), 10):
            self._client().delete_parameters(Names=names[start : start + 10])

    def _listen(self, answer: dict[str, Any]) -> None:
        header = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if header:
            skew = parsedate_to_datetime(header).timestamp() - self.clock.wall()
            self._skew = skew if abs(skew) > SKEW else 0.0

    def _why_lost(self, run_id: str, last: Owner | None) -> str:
        """Why a run may not write, and what to do."""
        if last is None:
            happened = "it was removed"
        elif last.run_id != run_id and self._held(last):
            happened = f"it is held by {last.described(self.now)}"
        elif last.run_id != run_id or last.state == "free":
            happened = "it was released, or taken away by force"
        else:
            happened = f"it expired at {_stamp(last.expires)}, because no heartbeat came through"
        return (
            f"Run {run_id} does not hold the lock of stack {self.stack} any more: {happened}. Nothing new is started. "
            "Run again: a run continues where this one stopped"
        )


class Lease:
    """A lock that is held. Whoever holds it renews it well before ``expires``, and starts nothing once ``lost`` says why not."""

    def __init__(self, lock: StackLock, record: Owner) -> None:
        self.lock = lock
        self.record = record
        self._lost: str | None = None

    @property
    def generation(self) -> int:
        """The fencing token: higher than that of every earlier owner."""
        return self.record.generation

    @property
    def lost(self) -> str | None:
        """Why this run may start nothing any more; None while it may."""
        if self._lost is None and self.lock.now > self.record.expires:
            self._lost = self.lock._why_lost(self.record.run_id, self.record)
        return self._lost

    def look(self) -> None:
        """Read the lock and learn what others did to it, and how long it lasts. Raises LockLost; writes nothing."""
        if not self.lost:
            last = self.lock.last()
            if last is None or last.token != self.record.token or last.state != "held":
                self._lost = self.lock._why_lost(self.record.run_id, last)
            else:
                self.record = last
        if self.lost:
            raise LockLost(self.lost)

    def renew(self) -> None:
        """Look, then send a heartbeat. An expired lease is never renewed, because somebody may be about to take it."""
        self.look()
        now = self.lock.now
        record = replace(self.record, heartbeat=now, expires=now + self.lock.lease)
        self.lock.write(record)
        self.record = record

    def release(self) -> None:
        """Set the lock free, unless it is somebody else's by now. Doing it twice does no harm."""
        try:
            self.look()
        except LockLost:
            return
        self._lost = f"Run {self.record.run_id} has released the lock of stack {self.lock.stack}"
        self.lock.write(replace(self.record, state="free", heartbeat=self.lock.now))


def _value(record: Owner) -> str:
    fields = asdict(record)
    del fields["generation"]
    return json.dumps(fields, sort_keys=True)


def _record(parameter: dict[str, Any]) -> Owner:
    """A generation as it was read. One that nobody of ours wrote counts as held, by somebody unknown, until it is forced."""
    name = parameter["Name"].rsplit("/", 1)[-1]
    try:
        return Owner(**json.loads(parameter["Value"]), generation=int(name))
    except (ValueError, TypeError):
        raise OperationError(
            f"{parameter['Name']} is in the place of a lock, but is none. Delete this parameter if it is not needed"
        ) from None


def _stamp(when: float) -> str:
    return datetime.fromtimestamp(when, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(os.getuid())


def _machine() -> str:
    """This boot of this machine and, in it, this set of process ids (a container has its own)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
