"""Sessions of PostgreSQL, step by step with psycopg's libpq, so that every step ends in time and it is known what was sent."""

from __future__ import annotations

import errno
import importlib
import os
import select
from typing import Any

from .probe_connecting import Deadline, Resolver, Stopwatch, closed_while_idle, in_turn
from .probe_specs import ProbeSpec
from .samples import ProbeFault

Row = tuple["str | None", ...]

IDENTITY = (
    "SELECT (pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on')::int, host(inet_server_addr()), "
    "inet_server_port(), to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
)

# The server's refusal of a login has a text and no code. These texts are PostgreSQL's own, untranslated by RDS and Aurora.
_LOGIN_TEXTS = {
    os.strerror(errno.ECONNREFUSED): "refused",
    os.strerror(errno.ECONNRESET): "reset",
    "server closed the connection unexpectedly": "reset",
    os.strerror(errno.ETIMEDOUT): "timeout",
    os.strerror(errno.EHOSTUNREACH): "unreachable",
    os.strerror(errno.ENETUNREACH): "unreachable",
    os.strerror(errno.EMFILE): "not_sent",
    os.strerror(errno.EADDRNOTAVAIL): "not_sent",
    "the database system is": "starting",  # starting up, shutting down, in recovery mode, not accepting connections
    "authentication failed": "denied",
    "no pg_hba.conf entry": "denied",
    "no password supplied": "denied",
    "certificate": "tls",
    "SSL": "tls",
    "too many": "too_many_connections",
    "remaining connection slots": "too_many_connections",
}
_CODE_CLASSES = {
    "25006": "read_only",
    "57P01": "closing",
    "57P02": "closing",
    "57P03": "starting",
    "53300": "too_many_connections",
}
# After these the statement may have been committed: the session was ended from the other side.
UNKNOWN_CODES = ("57P01", "57P02", "57P03", "57P05", "40003", "08000", "08003", "08006", "08007")


class PostgresqlSession:
    """One connection. ``sent`` says whether the last statement may have reached the server."""

    identity_sql = IDENTITY
    unknown_codes: tuple[str, ...] = UNKNOWN_CODES

    def __init__(self, connection: Any, address: str) -> None:
        self._connection = connection
        self.address = address
        self.sent = False

    @staticmethod
    def open(
        spec: ProbeSpec, password: str, resolver: Resolver, deadline: Deadline, watch: Stopwatch
    ) -> PostgresqlSession:
        """A session that has logged in. Raises ProbeFault or OSError."""
        addresses = resolver.addresses(spec.host or "", deadline)
        watch.lap("dns")
        address, connection = in_turn(
            addresses, deadline, lambda address, limit: _log_in(spec, password, address, limit, watch)
        )
        return PostgresqlSession(connection, address)

    def execute(self, sql: str, values: tuple[object, ...], deadline: Deadline) -> list[Row]:
        """The rows of one statement, which stands alone and is committed. ``%s`` marks a value.

        Raises ProbeFault with the SQLSTATE as status when the server refused it, OSError when no answer came.
        """
        for place in range(1, len(values) + 1):
            sql = sql.replace("%s", f"${place}", 1)
        self.sent = False
        faults = importlib.import_module("psycopg")
        try:
            self._connection.send_query_params(sql.encode(), [str(value).encode() for value in values] or None)
            self.sent = True
            self._send_all(deadline)
            return self._answer(deadline)
        except faults.OperationalError:  # libpq noticed that the connection is gone
            raise ConnectionResetError from None

    def close(self) -> None:
        self._connection.finish()

    def idle_closed(self) -> bool:
        return closed_while_idle(_Handle(self._connection.socket))  # type: ignore[arg-type]  # only its fileno is asked for

    def _send_all(self, deadline: Deadline) -> None:
        while self._connection.flush():
            _wait(self._connection.socket, select.POLLIN | select.POLLOUT, deadline)
            self._connection.consume_input()

    def _answer(self, deadline: Deadline) -> list[Row]:
        rows: list[Row] = []
        fault: ProbeFault | None = None
        while True:
            while self._connection.is_busy():
                _wait(self._connection.socket, select.POLLIN, deadline)
                self._connection.consume_input()
            result = self._connection.get_result()
            if result is None:
                break
            fault = fault or _fault_of(result)
            for row in range(result.ntuples):
                values = [result.get_value(row, column) for column in range(result.nfields)]
                rows.append(tuple(None if value is None else bytes(value).decode() for value in values))
        if fault is not None:
            raise fault
        return rows


class _Handle:
    """A file descriptor that libpq owns, as something that has one."""

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number


def _log_in(spec: ProbeSpec, password: str, address: str, deadline: Deadline, watch: Stopwatch) -> Any:
    psycopg = importlib.import_module("psycopg")
    pq = importlib.import_module("psycopg.pq")
    sslmode = {"off": "disable", "verify": "verify-full"}.get(spec.tls_mode, spec.tls_mode)
    settings = {
        "host": spec.host,
        "hostaddr": address,
        "port": spec.target_port,
        "dbname": spec.database or "postgres",
        "user": spec.user,
        "password": password,
        "sslmode": sslmode,
        "sslrootcert": spec.ca_path,
        "gssencmode": "disable",
        "application_name": "webstack-prober",
    }
    text = psycopg.conninfo.make_conninfo(**{key: value for key, value in settings.items() if value not in (None, "")})
    connection = pq.PGconn.connect_start(text.encode())
    try:
        _finish_login(connection, pq, deadline, watch)
        connection.nonblocking = 1
    except BaseException:
        connection.finish()
        raise
    return connection


def _finish_login(connection: Any, pq: Any, deadline: Deadline, watch: Stopwatch) -> None:
    """Poll libpq as its manual says: for writing first, then for what it asks; the phases end where its status moves on."""
    lapped = set()
    wish = pq.PollingStatus.WRITING
    while wish != pq.PollingStatus.OK:
        if wish == pq.PollingStatus.FAILED or connection.status == pq.ConnStatus.BAD:
            raise ProbeFault(_login_class(connection.error_message.decode(errors="replace")))
        _wait(connection.socket, select.POLLIN if wish == pq.PollingStatus.READING else select.POLLOUT, deadline)
        wish = connection.connect_poll()
        if "connect" not in lapped and connection.status != pq.ConnStatus.STARTED:
            lapped.add("connect")
            watch.lap("connect")
        if "tls" not in lapped and connection.ssl_in_use:
            lapped.add("tls")
            watch.lap("tls")
    watch.lap("login")


def _wait(descriptor: int, events: int, deadline: Deadline) -> None:
    poll = select.poll()
    poll.register(descriptor, events)
    if not poll.poll(deadline.left() * 1000):
        raise TimeoutError


def _login_class(text: str) -> str:
    for part, error in _LOGIN_TEXTS.items():
        if part in text:
            return error
    return "database"


def _fault_of(result: Any) -> ProbeFault | None:
    pq = importlib.import_module("psycopg.pq")
    if result.status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
        return None
    code = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    if not code:
        raise ConnectionResetError  # libpq's own result for a connection that broke
    return ProbeFault(_CODE_CLASSES.get(code, "database"), code)
