"""One PostgreSQL server: a data folder, an address and a process."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

from webstack_lab.dataplane.children import resident
from webstack_lab.dataplane.postgres import ADMIN, START_TIMEOUT, Postgres, PostgresError, wait_for

Origin = tuple[str, int]


class Server:
    """A server that may be a primary, a standby that nobody can read, or a replica."""

    def __init__(self, postgres: Postgres, name: str, address: str, port: int) -> None:
        self.postgres = postgres
        self.name = name
        self.folder = postgres.home / name
        self.log = postgres.home / f"{name}.log"
        self.address = address
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self.origin: Origin | None = None
        self.synchronous = False
        self.readable = True
        self.fresh = False

    # Making the data.

    def copy_template(self) -> None:
        """An empty cluster."""
        template = self.postgres.template
        self.clear()
        self.fresh = True
        self.postgres.run("/bin/cp", "-a", str(template), str(self.folder))

    def copy_of(self, origin: Server, readable: bool) -> None:
        """A copy of a running server, which will follow it."""
        self.clear()
        where = ["-h", origin.address, "-p", str(origin.port), "-U", ADMIN, "-D", str(self.folder)]
        self.postgres.run(
            self.postgres.program("pg_basebackup"), *where, "--checkpoint=fast", "--wal-method=stream", "--no-sync"
        )
        self.readable = readable
        self.synchronous = False
        self.fresh = True
        self.follow((origin.address, origin.port))
        self.write("standby.signal", "")

    def clear(self) -> None:
        """No data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Settings.

    def write(self, name: str, text: str) -> None:
        """A file of the data folder, as the account's own."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        self.postgres.own(path)

    def certify(self, certificate: Path, key: Path) -> None:
        """Show this certificate from the next start on."""
        self.write("server.crt", certificate.read_text())
        self.write("server.key", key.read_text())

    def admit(self, plain: bool) -> None:
        """Who may connect: anybody with a password, over TLS only unless plain connections are admitted."""
        kind = "host" if plain else "hostssl"
        lines = [f"hostssl replication {ADMIN} 127.0.0.0/8 scram-sha-256", f"{kind} all all 0.0.0.0/0 scram-sha-256"]
        self.write("pg_hba.conf", "\n".join([*lines, ""]))
        self.reload()

    def follow(self, origin: Origin | None) -> None:
        """Copy from there from now on."""
        self.origin = origin
        self.configure()

    def require_standby(self, required: bool) -> None:
        """Whether a commit waits until the standby has it on disk."""
        self.synchronous = required
        self.configure()

    def harden(self) -> None:
        """From now on what is committed is on the disk."""
        self.fresh = False
        self.configure()

    def configure(self) -> None:
        """Write the settings that change while the server runs, and have it read them."""
        # Writing every file of a new copy through to the disk takes seconds; one that is lost meanwhile is made again.
        lines = ["fsync = off"] if self.fresh else []
        if self.synchronous:
            lines.append("synchronous_standby_names = 'standby'")
        if self.origin is not None:
            host, port = self.origin
            label = "replica" if self.readable else "standby"
            facts = {"host": host, "port": port, "user": ADMIN, "password": self.postgres.password}
            facts |= {"sslmode": "require", "application_name": label, "connect_timeout": 2}
            lines.append("primary_conninfo = '" + " ".join(f"{key}={value}" for key, value in facts.items()) + "'")
        self.write("postgresql.auto.conf", "\n".join([*lines, ""]))
        self.reload()

    # Running.

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def state(self) -> str:
        """What the server says of itself: "starting", "ready", "standby", "stopping"; empty when it does not run."""
        if not self.alive:
            return ""
        try:
            lines = (self.folder / "postmaster.pid").read_text().split("\n")
        except OSError:
            return "starting"
        return lines[7].strip() if len(lines) > 7 else "starting"

    def start(self) -> None:
        """Start, and return when connections are taken, or when it follows its origin."""
        self.folder.chmod(0o700)
        options = {"listen_addresses": self.address, "port": self.port, "cluster_name": self.name}
        options["hot_standby"] = "on" if self.readable else "off"
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        self.process = self.postgres.start(
            self.postgres.program("postgres"), "-D", str(self.folder), *words, death=signal.SIGQUIT, log=self.log
        )
        if not wait_for(lambda: self.state in ("ready", "standby") or not self.alive, START_TIMEOUT) or not self.alive:
            raise PostgresError(f"{self.name} did not start: {tail(self.log)}")

    def stop(self, how: int = signal.SIGINT) -> None:
        """End the process: SIGINT is a fast shutdown, SIGQUIT ends it as a power cut would."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def reload(self) -> None:
        """Read the settings again."""
        if self.process is not None and self.alive and self.state != "starting":
            self.process.send_signal(signal.SIGHUP)

    def promote(self) -> None:
        """Become a primary; returns when it takes writes."""
        if self.process is None:
            raise PostgresError(f"{self.name} does not run")
        self.write("promote", "")
        self.process.send_signal(signal.SIGUSR1)
        signalled = self.folder / "standby.signal"
        done = wait_for(lambda: not self.alive or (not signalled.exists() and self.state == "ready"), START_TIMEOUT)
        if not done or not self.alive or not wait_for(self.writable, START_TIMEOUT):
            raise PostgresError(f"{self.name} was not promoted: {tail(self.log)}")
        self.readable = True
        self.follow(None)

    def writable(self) -> bool:
        """Whether it is a primary."""
        return self.sql("SELECT pg_is_in_recovery();") == "f"

    def sql(self, text: str, database: str = "postgres") -> str:
        """Run statements as administrator; what they answer, bare."""
        where = ["-h", self.address, "-p", str(self.port), "-U", ADMIN, "-d", database]
        output = self.postgres.run(
            self.postgres.program("psql"), *where, "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", "-", text=text
        )
        return output.strip()

    def followers(self, label: str) -> int:
        """How many servers of a kind ("standby", "replica") follow closely."""
        states = "'sync', 'quorum'" if self.synchronous and label == "standby" else "'async', 'sync', 'quorum'"
        return int(
            self.sql(
                f"SELECT count(*) FROM pg_stat_replication WHERE application_name = '{label}' "
                f"AND state = 'streaming' AND sync_state IN ({states});"
            )
        )

    def memory(self) -> int:
        """Resident memory of the process and its children in bytes; what they share is counted in each."""
        if self.process is None:
            return 0
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        pids = children.read_text().split() if children.exists() else []
        return sum(resident(int(pid)) for pid in [str(self.process.pid), *pids])


def tail(log: Path) -> str:
    """The last lines of a server's log."""
    return " | ".join(log.read_text(errors="replace").splitlines()[-4:]) if log.exists() else "no log"
