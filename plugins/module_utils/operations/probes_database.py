"""Samples of a database, and the write markers that show which acknowledged writes a failover has lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from .probe_connecting import Deadline, KeptConnections, Resolver, Stopwatch, Workers
from .probe_specs import ProbeSpec
from .samples import ProbeFault, Sample, new_sample
from .sessions_mysql import MysqlSession
from .sessions_postgresql import PostgresqlSession

Row = tuple["str | None", ...]

TABLE = "webstack_markers"
CREATE = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} (run_id varchar(100) NOT NULL, probe varchar(64) NOT NULL, n bigint NOT NULL, "
    "written timestamp DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (run_id, probe, n))"
)
INSERT = f"INSERT INTO {TABLE} (run_id, probe, n) VALUES (%s, %s, %s)"
SELECT = f"SELECT n FROM {TABLE} WHERE run_id = %s AND probe = %s"
DELETE = f"DELETE FROM {TABLE} WHERE run_id = %s AND probe = %s"
DROP = f"DROP TABLE IF EXISTS {TABLE}"


class Session(Protocol):
    """What both kinds of database sessions can do."""

    identity_sql: str
    unknown_codes: tuple[str, ...]
    address: str
    sent: bool

    def execute(self, sql: str, values: tuple[object, ...], deadline: Deadline) -> list[Row]: ...

    def close(self) -> None: ...

    def idle_closed(self) -> bool: ...


OPEN: dict[str, Callable[[ProbeSpec, str, Resolver, Deadline, Stopwatch], Session]] = {
    "postgresql": PostgresqlSession.open,
    "mysql": MysqlSession.open,
}
ON = ("1", "ON", "on", "t", "true", "True")


class DatabaseProbe:
    """One login a sample, or a statement on a kept session: who answers, may it be written, and a marker when asked for."""

    def __init__(self, spec: ProbeSpec, resolver: Resolver, password: str, run_id: str) -> None:
        self._spec = spec
        self._resolver = resolver
        self._password = password
        self._run_id = run_id
        self._kept: KeptConnections[Session] = KeptConnections(
            spec.kept, lambda session: session.idle_closed(), lambda session: session.close()
        )

    def sample(self, number: int, deadline: Deadline, sample: Sample) -> None:
        if self._spec.write:  # until the statement is on its way, nothing can have been written
            sample["marker"] = {"n": number, "state": "failed"}
        watch = Stopwatch(sample)
        session = self._kept.take() if self._spec.flavour == "kept" else None
        sample["reused"] = session is not None
        if session is None:
            session = OPEN[self._spec.kind](self._spec, self._password, self._resolver, deadline, watch)
        sample["address"] = session.address
        sound = False
        try:
            self._ask(session, number, deadline, sample, watch)
            sound = True
        finally:
            if sound and self._spec.flavour == "kept":
                self._kept.give(session)
            else:
                session.close()

    def close(self) -> None:
        self._kept.close()

    def _ask(self, session: Session, number: int, deadline: Deadline, sample: Sample, watch: Stopwatch) -> None:
        row = session.execute(session.identity_sql, (), deadline)[0]
        watch.lap("first_byte")
        sample["read_only"], sample["server"] = _identity(self._spec.kind, row, session.address)
        if self._spec.write:
            self._write(session, number, deadline, sample)
            watch.lap("commit")

    def _write(self, session: Session, number: int, deadline: Deadline, sample: Sample) -> None:
        session.sent = False
        try:
            session.execute(INSERT, (self._run_id, self._spec.name, number), deadline)
        except ProbeFault as fault:
            if str(fault.status) in session.unknown_codes:
                sample["marker"]["state"] = "unknown"
            raise
        except Exception:
            if session.sent:
                sample["marker"]["state"] = "unknown"
            raise
        sample["marker"]["state"] = "acknowledged"


def _identity(kind: str, row: Row, address: str) -> tuple[bool, str]:
    """Whether the server is read-only, and a name for it that another server, or the same one started again, does not have."""
    if kind == "postgresql":
        read_only, host, port, started = row
        return read_only in ON, f"{host or address}:{port or ''} since {started}"
    read_only, innodb_read_only, host, port = row
    return read_only in ON or innodb_read_only in ON, f"{host}:{port}"


class Markers:
    """The write markers of one probe in one run, apart from the sampling: made possible before it, read and removed after it.

    Every step takes at most the probe's time limit and raises ProbeFault or OSError; repeating is the caller's choice.
    """

    def __init__(self, spec: ProbeSpec, password: str, run_id: str) -> None:
        self._spec = spec
        self._password = password
        self._run_id = run_id
        self._lookups = Workers(8, "markers-lookup")

    def prepare(self) -> None:
        """Make the table when it is missing. Raises ProbeFault of class read_only on a server that cannot be written."""
        self._execute([(CREATE, ())])

    def surviving(self) -> set[int]:
        """The numbers of all markers of this probe and run that are stored now."""
        rows = self._execute([(SELECT, (self._run_id, self._spec.name))])
        return {int(row[0]) for row in rows if row[0] is not None}

    def remove(self, drop_table: bool = False) -> None:
        """Delete this probe's and run's markers, or with ``drop_table`` the table with those of all runs."""
        self._execute([(DROP, ())] if drop_table else [(DELETE, (self._run_id, self._spec.name))])

    def _execute(self, statements: Iterable[tuple[str, tuple[object, ...]]]) -> list[Row]:
        deadline = Deadline(self._spec.timeout)
        resolver = Resolver(self._spec.nameservers, self._lookups)
        watch = Stopwatch(new_sample(self._spec.name, 0, 0.0))
        session = OPEN[self._spec.kind](self._spec, self._password, resolver, deadline, watch)
        rows: list[Row] = []
        try:
            for sql, values in statements:
                rows = session.execute(sql, values, deadline)
        finally:
            session.close()
        return rows
