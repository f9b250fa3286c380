"""Sessions of MySQL and MariaDB, with PyMySQL."""

from __future__ import annotations

import importlib
import ssl
from typing import Any

from .probe_connecting import Deadline, Resolver, Stopwatch, closed_while_idle, connect, in_turn
from .probe_specs import ProbeSpec
from .samples import ProbeFault

Row = tuple["str | None", ...]

# innodb_read_only tells an Aurora reader, whose read_only is off.
IDENTITY = "SELECT @@global.read_only, @@innodb_read_only, @@hostname, @@port"

_CODE_CLASSES = {
    1040: "too_many_connections",
    1044: "denied",
    1045: "denied",
    1053: "closing",
    1203: "too_many_connections",
    1290: "read_only",
    1792: "read_only",
    1836: "read_only",
    2003: "refused",
    2006: "reset",
    2013: "reset",
    2026: "tls",
}
# After these the statement may have been committed: shutdown, interrupted, connection lost.
UNKNOWN_CODES = ("1053", "1317", "2006", "2013", "2055")


class MysqlSession:
    """One connection. ``sent`` says whether the last statement may have reached the server."""

    identity_sql = IDENTITY
    unknown_codes: tuple[str, ...] = UNKNOWN_CODES

    def __init__(self, connection: Any, plain: Any, address: str) -> None:
        self._connection = connection
        self._plain = plain
        self.address = address
        self.sent = False

    @staticmethod
    def open(spec: ProbeSpec, password: str, resolver: Resolver, deadline: Deadline, watch: Stopwatch) -> MysqlSession:
        """A session that has logged in. Raises ProbeFault or OSError."""
        pymysql = importlib.import_module("pymysql")
        port = spec.target_port
        addresses = resolver.addresses(spec.host or "", deadline)
        watch.lap("dns")
        address, plain = in_turn(addresses, deadline, lambda address, limit: connect(address, port, limit))
        watch.lap("connect")
        left = deadline.left()
        connection = pymysql.connections.Connection(
            host=spec.host,
            port=port,
            user=spec.user,
            password=password,
            database=spec.database,
            autocommit=True,
            read_timeout=left,
            write_timeout=left,
            defer_connect=True,
            **_tls_options(spec),
        )
        try:
            connection.connect(plain)
        except Exception as error:
            plain.close()
            raise _fault_of(error, pymysql) from None
        watch.lap("login")
        return MysqlSession(connection, plain, address)

    def execute(self, sql: str, values: tuple[object, ...], _deadline: Deadline) -> list[Row]:
        """The rows of one statement, which is committed at once. ``%s`` marks a value.

        PyMySQL's time limit is one for each read, set when the session was opened. Raises ProbeFault with the server's error
        number as status, or OSError.
        """
        pymysql = importlib.import_module("pymysql")
        self.sent = True
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                rows = cursor.fetchall()
        except Exception as error:
            raise _fault_of(error, pymysql) from None
        return [tuple(None if value is None else str(value) for value in row) for row in rows]

    def close(self) -> None:
        try:
            self._connection.close()
        except Exception:  # the connection is gone already, and PyMySQL says so
            self._plain.close()

    def idle_closed(self) -> bool:
        return closed_while_idle(self._connection._sock)


def _tls_options(spec: ProbeSpec) -> dict[str, Any]:
    if spec.tls_mode == "off":
        return {"ssl_disabled": True}
    if spec.tls_mode == "verify":
        return {"ssl": ssl.create_default_context(cafile=spec.ca_path)}
    if spec.tls_mode == "require":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return {"ssl": context}
    return {}  # PyMySQL takes TLS when the server offers it


def _fault_of(error: Exception, pymysql: Any) -> Exception:
    """The fault in our terms. PyMySQL wraps errors of the network in its own; what lies beneath says more."""
    beneath = error.__cause__ or error.__context__ or getattr(error, "original_exception", None)
    if isinstance(beneath, OSError):
        return beneath
    if isinstance(error, OSError) or not isinstance(error, pymysql.MySQLError):
        return error
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    return ProbeFault(_CODE_CLASSES.get(code, "database"), str(code))
