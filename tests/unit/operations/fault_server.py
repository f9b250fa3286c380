"""HTTP servers that fail for exact periods, in a process of their own: python fault_server.py < plan.

Standard input: one JSON line, a list with a list of faults for each server, ``{"mode", "after", "seconds"}``, ``after`` counted
in seconds from the second line, which starts the clock. Standard output: one JSON line with the ports; at the end one with what
was really done: ``{"faults": [[{"mode", "start", "end"}, …], …], "lag": seconds}``, times since the epoch; ``lag`` is how late
this process ever was.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
import time
from typing import Any

MODES = ("refuse", "hang", "reset", "503")


class FaultServer:
    """One server, in one process with others. Its port stays its own while it refuses."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.mode: str | None = None
        self.faults: list[dict[str, Any]] = []
        self.connections: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.reserved = bound_to(0)  # never listens
        self.port: int = self.reserved.getsockname()[1]
        self.listen()

    def listen(self) -> None:
        self.socket = bound_to(self.port)
        self.socket.setblocking(False)
        self.socket.listen(512)
        self.accepting = asyncio.create_task(self.accept())

    def refuse(self) -> None:
        """As a host whose server has died: established connections are reset, new ones are refused."""
        asyncio.get_running_loop().remove_reader(self.socket)
        self.accepting.cancel()
        self.socket.close()
        for writer in list(self.connections):
            reset(writer)

    async def accept(self) -> None:
        while True:
            connection, _address = await asyncio.get_running_loop().sock_accept(self.socket)
            task = asyncio.create_task(self.serve(connection))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        self.connections.add(writer)
        try:
            while await self.answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.connections.discard(writer)
            writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        if self.mode == "hang":
            await reader.read()  # until the client gives up
            return False
        if self.mode in ("reset", "refuse"):
            reset(writer)
            return False
        status = "503 Service Unavailable" if self.mode == "503" else "200 OK"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nX-Instance-Id: {self.name}\r\n\r\nok".encode())
        await writer.drain()
        return b"connection: close" not in head.lower()

    async def fail(self, begin: float, plan: list[dict[str, Any]]) -> None:
        for fault in plan:
            await asyncio.sleep(begin + fault["after"] - time.time())
            self.mode = fault["mode"]
            start = time.time()
            if self.mode == "refuse":
                self.refuse()
            await asyncio.sleep(start + fault["seconds"] - time.time())
            if self.mode == "refuse":
                self.listen()
            self.mode = None
            self.faults.append({"mode": fault["mode"], "start": start, "end": time.time()})


def bound_to(port: int) -> socket.socket:
    """A socket that shares its port, so that nobody else gets it while one of two is closed."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    connection.bind(("127.0.0.1", port))
    return connection


def reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def measure_lag(worst: list[float]) -> None:
    while True:
        due = time.monotonic() + 0.02
        await asyncio.sleep(0.02)
        worst[0] = max(worst[0], time.monotonic() - due)


async def serve(plans: list[list[dict[str, Any]]]) -> None:
    servers = [FaultServer(f"i-{number}") for number in range(len(plans))]
    print(json.dumps([server.port for server in servers]), flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.readline)
    worst = [0.0]
    lag = asyncio.create_task(measure_lag(worst))
    begin = time.time()
    await asyncio.gather(*(server.fail(begin, plan) for server, plan in zip(servers, plans, strict=True)))
    lag.cancel()
    print(json.dumps({"faults": [server.faults for server in servers], "lag": worst[0]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)  # go on serving until told


class FaultServers:
    """The process above, for a test: ``with FaultServers(plans) as servers``."""

    def __init__(self, plans: list[list[dict[str, Any]]]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._say(json.dumps(plans))
        self.ports: list[int] = json.loads(self._hear())

    def __enter__(self) -> FaultServers:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def go(self) -> None:
        self._say("go")

    def wait(self) -> tuple[list[list[dict[str, Any]]], float]:
        """What each server did, and how late it was at worst."""
        done = json.loads(self._hear())
        return done["faults"], done["lag"]

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.stdin.readline())))
