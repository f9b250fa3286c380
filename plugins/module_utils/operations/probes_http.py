"""Samples over HTTP and HTTPS."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

from .probe_connecting import Deadline, KeptConnections, Resolver, Stopwatch, closed_while_idle, connect, in_turn
from .probe_specs import ProbeSpec, host_and_port
from .samples import ProbeFault, Sample

MOST_BODY = 1 << 20  # bytes of an answer that are read; a longer one ends its connection


class _Timed(io.RawIOBase):
    """Reads a socket within a deadline, however slowly the peer drips."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._deadline.left())
        return self._connection.recv_into(buffer)


class HttpConnection:
    """A connection with the part of a socket's interface that http.client uses, every step within the sample's deadline."""

    def __init__(self, connection: socket.socket, address: str, deadline: Deadline) -> None:
        self._socket = connection
        self.address = address
        self.deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(self.deadline.left())
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Timed(self._socket, self.deadline))

    def close(self) -> None:
        """http.client closes before it has read the body of the last answer; ``hang_up`` really closes."""

    def hang_up(self) -> None:
        self._socket.close()

    def idle_closed(self) -> bool:
        return closed_while_idle(self._socket)


class HttpProbe:
    """One request a sample. The first byte counts as there when the head of the answer has been read."""

    def __init__(self, spec: ProbeSpec, resolver: Resolver) -> None:
        parts = urlsplit(spec.url or "")
        self._spec = spec
        self._resolver = resolver
        self._host = parts.hostname or ""
        secure = parts.scheme == "https"
        self._port = parts.port or (443 if secure else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._connect_to = host_and_port(spec.connect_to) if spec.connect_to else (self._host, self._port)
        self._tls = ssl.create_default_context(cafile=spec.ca_path) if secure else None
        host = f"[{self._host}]" if ":" in self._host else self._host
        default_port = self._port == (443 if secure else 80)
        self._headers = {
            "Host": host if default_port else f"{host}:{self._port}",
            "User-Agent": "webstack-prober",
            "Accept": "*/*",
            **({"Connection": "close"} if spec.flavour == "new" else {}),
        }
        given = {name.lower() for name in spec.headers}
        self._headers = {name: value for name, value in self._headers.items() if name.lower() not in given}
        self._headers.update(spec.headers)
        self._kept: KeptConnections[HttpConnection] = KeptConnections(
            spec.kept, HttpConnection.idle_closed, HttpConnection.hang_up
        )

    def sample(self, _number: int, deadline: Deadline, sample: Sample) -> None:
        watch = Stopwatch(sample)
        connection = self._kept.take() if self._spec.flavour == "kept" else None
        sample["reused"] = connection is not None
        if connection is None:
            connection = self._open(deadline, sample, watch)
        connection.deadline = deadline
        sample["address"] = connection.address
        reusable = False
        try:
            reusable = self._exchange(connection, sample, watch)
        finally:
            if reusable:
                self._kept.give(connection)
            else:
                connection.hang_up()
        status = sample["status"]
        expected = status in self._spec.expect_status if self._spec.expect_status else 200 <= status < 400
        if not expected:
            raise ProbeFault(f"http_{status // 100}xx", status)

    def close(self) -> None:
        self._kept.close()

    def _open(self, deadline: Deadline, sample: Sample, watch: Stopwatch) -> HttpConnection:
        host, port = self._connect_to
        addresses = self._resolver.addresses(host, deadline)
        watch.lap("dns")
        sample["address"] = addresses[0]
        address, plain = in_turn(addresses, deadline, lambda address, limit: connect(address, port, limit))
        watch.lap("connect")
        sample["address"] = address
        if self._tls is None:
            return HttpConnection(plain, address, deadline)
        try:
            plain.settimeout(deadline.left())
            secure = self._tls.wrap_socket(plain, server_hostname=self._host)
        except BaseException:
            plain.close()
            raise
        watch.lap("tls")
        return HttpConnection(secure, address, deadline)

    def _exchange(self, connection: HttpConnection, sample: Sample, watch: Stopwatch) -> bool:
        """Whether the connection can be used again."""
        spec = self._spec
        client = http.client.HTTPConnection(self._host, self._port)
        client.sock = connection
        client.auto_open = 0
        client.putrequest(spec.method, self._target, skip_host=True, skip_accept_encoding=True)
        body = spec.body.encode() if spec.body is not None else (b"" if spec.method == "POST" else None)
        for name, value in self._headers.items():
            client.putheader(name, value.encode("utf-8"))
        if body is not None and "content-length" not in {name.lower() for name in self._headers}:
            client.putheader("Content-Length", str(len(body)))
        client.endheaders(body)
        answer = client.getresponse()
        watch.lap("first_byte")
        sample["status"] = answer.status
        sample["server"] = answer.getheader(spec.server_header)
        sample["release"] = answer.getheader(spec.release_header)
        sample["zone"] = answer.getheader(spec.zone_header)
        body_read = len(answer.read(MOST_BODY))
        if answer.length and body_read < MOST_BODY:  # http.client lets a body pass that ends too early
            raise http.client.IncompleteRead(b"")
        whole = answer.isclosed() or answer.length == 0
        return spec.flavour == "kept" and whole and not answer.will_close
