"""The servers behind one DB instance: a primary, its synchronous standby, or a replica; made equal to what RDS says."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from webstack_lab.dataplane.authority import Authority
from webstack_lab.dataplane.postgres import Postgres, wait_for
from webstack_lab.dataplane.postgres_server import Origin, Server

PERIOD = 0.05
PATIENCE = 5.0  # seconds that a follower may be away before it is made anew
IN_SYNC = 20.0
log = logging.getLogger("webstack_lab.dataplane")


@dataclass(frozen=True)
class Wish:
    """What RDS says of an instance."""

    identity: str  # no two instances of all times share it
    name: str
    region: str
    endpoint: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str | None
    plain: bool  # connections without TLS are admitted
    standby: bool
    source: str | None  # the identity of what it is a replica of
    hang: bool  # a failover does not get on
    orders: dict[str, int]


class Database:
    """The servers of one DB instance, worked on by a thread of its own so that none waits for another.

    `find` answers the primary of another instance, by its identity; None while it is down.
    """

    def __init__(
        self,
        wish: Wish,
        postgres: Postgres,
        authority: Authority,
        take_address: Callable[[], str],
        find: Callable[[str], Server | None],
    ) -> None:
        self.wish = wish
        self.postgres = postgres
        self.authority = authority
        self.take_address = take_address
        self.find = find
        self.primary: Server | None = None
        self.standby: Server | None = None
        self.in_sync = False
        self.following: str | None = None
        self.pointed: str | None = None
        self.done = dict(wish.orders)
        self.credentials: tuple[str, str] | None = None
        self.admitted = wish.plain
        self.away_since: float | None = None
        self.problem = ""
        self._ending = False
        self._called = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=f"database {wish.name}", daemon=True)
        self._thread.start()

    # What others ask; from any thread.

    def want(self, wish: Wish) -> None:
        """Work towards this."""
        if wish != self.wish:
            self.wish = wish
            self._called.set()

    def reached(self, what: str) -> bool:
        """Whether the servers are as far; see rds_phases.Servers."""
        orders = {"stopped": "stop", "promoted": "promote", "pointed": "point", "restarted": "restart"}
        if what in orders:
            # The wish of the last round may be older than the order: compare with what is kept under the app's lock.
            return self.done.get(orders[what], 0) >= self.wish.orders.get(orders[what], 0)
        if what == "standalone":
            return self.primary is not None and self.following is None
        if what == "standby":
            return self.in_sync or not self.wish.standby
        primary = self.primary
        return primary is not None and not primary.fresh and (self.in_sync or not self.wish.standby)

    @property
    def head(self) -> Server | None:
        """The primary, while it runs and is to stay."""
        primary = self.primary
        return primary if primary is not None and primary.alive and not self.failing else None

    @property
    def failing(self) -> bool:
        """Whether the primary was stopped and the standby is not promoted yet."""
        return self.done.get("stop", 0) > self.done.get("promote", 0)

    def close(self) -> None:
        """End the servers and the thread."""
        self._ending = True
        self._called.set()
        self._thread.join(30)

    # The thread.

    def _loop(self) -> None:
        while not self._ending:
            self._called.clear()
            try:
                self._work(self.wish)
                self.problem = ""
            except Exception as error:
                text = f"{type(error).__name__}: {error}"
                if not self._ending and text != self.problem:
                    log.exception("the servers of %s failed", self.wish.name)
                self.problem = text
            self._called.wait(PERIOD)
        for server in (self.standby, self.primary):
            if server is not None:
                server.stop(signal.SIGQUIT)
                server.clear()

    def _work(self, wish: Wish) -> None:
        """One round: whatever differs from the wish."""
        if self.primary is None:
            self._build(wish)
        if self.primary is None:
            return
        self._obey(wish)
        if self.failing:
            return
        self._move_port(wish)
        if not self.primary.alive:
            self.primary.start()
        if self.following is not None:
            self._follow(wish)
            return
        self._grant(wish)
        self._keep_standby(wish)

    def _server(self, slot: str) -> Server:
        """A server of this instance, with an address of its own."""
        wish = self.wish
        return Server(self.postgres, f"{wish.name}-{wish.region}-{slot}", self.take_address(), wish.port)

    def _certify(self, server: Server) -> None:
        server.certify(*self.authority.certificate([self.wish.endpoint, server.address]))

    def _build(self, wish: Wish) -> None:
        """The first server: empty, or a copy of the source's."""
        source = self.find(wish.source) if wish.source else None
        if wish.source and source is None:
            return
        server = self._server("a")
        try:
            if source is None:
                server.copy_template()
                server.configure()
                server.admit(wish.plain)
            else:
                server.copy_of(source, readable=True)
            self._certify(server)
            server.start()
            if source is None:
                self._create(server, wish)
            else:
                server.harden()
        except Exception:
            server.clear()
            raise
        self.following = wish.source
        self.primary, self.pointed = server, server.address

    def _create(self, server: Server, wish: Wish) -> None:
        """The master user with RDS's rights, and the first database."""
        user = identifier(wish.user)
        server.sql(
            "CREATE ROLE rds_superuser; "
            "GRANT pg_monitor, pg_signal_backend, pg_checkpoint, pg_read_all_data, pg_write_all_data TO rds_superuser; "
            f"CREATE ROLE {user} LOGIN CREATEDB CREATEROLE PASSWORD {literal(wish.password)}; "
            f"GRANT rds_superuser TO {user} WITH ADMIN OPTION; ALTER DATABASE postgres OWNER TO {user};"
        )
        if wish.database and wish.database != "postgres":
            server.sql(f"CREATE DATABASE {identifier(wish.database)} OWNER {user};")
        self.credentials = (wish.user, wish.password)

    def _grant(self, wish: Wish) -> None:
        """The master user's password and the rule for connections without TLS, as RDS has them now."""
        assert self.primary is not None
        if self.admitted != wish.plain:
            for server in (self.primary, self.standby):
                if server is not None and server.alive:
                    server.admit(wish.plain)
            self.admitted = wish.plain
        if self.credentials is None:  # a promoted replica has its source's
            self.credentials = (wish.user, wish.password)
        elif self.credentials != (wish.user, wish.password):
            self.primary.sql(f"ALTER ROLE {identifier(wish.user)} PASSWORD {literal(wish.password)};")
            self.credentials = (wish.user, wish.password)

    def _move_port(self, wish: Wish) -> None:
        """Another port needs a restart."""
        assert self.primary is not None
        if self.primary.port != wish.port:
            if self.standby is not None:
                self._drop_standby()
            self.primary.stop()
            self.primary.port = wish.port

    # Orders.

    def _obey(self, wish: Wish) -> None:
        """What RDS told the servers to do since the last round, in the order of a failover."""
        assert self.primary is not None
        if self._open(wish, "stop"):
            self.primary.stop(signal.SIGQUIT)
            self.done["stop"] = wish.orders["stop"]
        if self._open(wish, "promote") and not wish.hang:
            self._promote()
            self.done["promote"] = wish.orders["promote"]
        if self._open(wish, "point") and not self.failing:
            self.pointed = self.primary.address
            self.done["point"] = wish.orders["point"]
        if self._open(wish, "restart") and not self.failing:
            self.primary.stop()
            self.primary.start()
            self.done["restart"] = wish.orders["restart"]

    def _open(self, wish: Wish, what: str) -> bool:
        return wish.orders.get(what, 0) > self.done.get(what, 0)

    def _promote(self) -> None:
        """The standby becomes the primary; without one the primary starts again, which recovers from its own log."""
        assert self.primary is not None
        if self.standby is None:
            self.primary.start()
            return
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary
        self.in_sync = False

    # The standby.

    def _keep_standby(self, wish: Wish) -> None:
        """A synchronous standby, or none; commits never wait for one that is not there."""
        assert self.primary is not None
        if not wish.standby:
            self._drop_standby()
        elif self.standby is None or not self.standby.alive:
            self._release()
            self._build_standby()
        elif self.in_sync and not self.primary.synchronous:
            self.primary.require_standby(True)
        if self.primary.fresh:
            self.primary.harden()

    def _build_standby(self) -> None:
        """A copy of the primary, on the address of the server that had the role before."""
        assert self.primary is not None
        primary = self.primary
        standby = self.standby or self._server("b")
        standby.port = primary.port
        self.standby = standby
        standby.copy_of(primary, readable=False)
        self._certify(standby)
        standby.start()
        standby.harden()
        if not wait_for(lambda: self._ending or primary.followers("standby") > 0, IN_SYNC, 0.05):
            raise TimeoutError(f"{standby.name} does not follow {primary.name}")
        primary.require_standby(True)
        self.in_sync = wait_for(lambda: self._ending or primary.followers("standby") > 0, IN_SYNC, 0.05)

    def _release(self) -> None:
        """Let commits go on without a standby."""
        self.in_sync = False
        if self.primary is not None and self.primary.synchronous:
            self.primary.require_standby(False)

    def _drop_standby(self) -> None:
        """No standby any more."""
        self._release()
        if self.standby is not None and self.standby.alive:
            self.standby.stop(signal.SIGQUIT)

    # A replica.

    def _follow(self, wish: Wish) -> None:
        """Copy from where the source's primary is now, or stand alone."""
        assert self.primary is not None
        if wish.source is None:
            self.primary.promote()
            self.following = None
            return
        source = self.find(wish.source)
        if source is None:
            self.away_since = None
            return
        origin: Origin = (source.address, source.port)
        if self.primary.origin != origin:
            self.primary.follow(origin)
        if self.primary.sql("SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming';") == "1":
            self.away_since = None
            return
        self.away_since = self.away_since or time.monotonic()
        if time.monotonic() - self.away_since > PATIENCE:
            # It has what the new primary never had, or the new primary no longer has what it lacks.
            self.primary.copy_of(source, readable=True)
            self._certify(self.primary)
            self.primary.start()
            self.primary.harden()
            self.away_since = None


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'
