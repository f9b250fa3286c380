"""What the prober's tests talk to: small servers on loopback ports, and samples without a server."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.operations.probe_specs import ProbeSpec
from ansible_collections.webstack.aws.plugins.module_utils.operations.prober import Prober
from ansible_collections.webstack.aws.plugins.module_utils.operations.samples import Sample, new_sample, read_samples

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Instance-Id: i-1\r\nX-Release: r7\r\nX-Availability-Zone: a\r\n\r\nok"
)

Handler = Callable[[socket.socket, int], None]


class Server:
    """Hands every connection, with its number, to a function in a thread of its own."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self.handler = handler
        self.tls = tls
        self.connections = 0
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self.socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/health?deep=1"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts, which would hold the port
        self.socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                self.handler(connection, number)
        except OSError:
            connection.close()


def requests(connection: socket.socket) -> Iterator[bytes]:
    """Each request's head on a connection, until the client hangs up."""
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
        while b"\r\n\r\n" in data:
            head, _end, data = data.partition(b"\r\n\r\n")
            yield head


def answer_all(connection: socket.socket, _number: int) -> None:
    for head in requests(connection):
        connection.sendall(ANSWER)
        if b"connection: close" in head.lower():
            return


def run(specs: list[ProbeSpec], path: Path, seconds: float, **options: Any) -> list[Sample]:
    """The samples of a prober that ran for a while."""
    prober = Prober(specs, path, **options)
    prober.start()
    time.sleep(seconds)
    assert prober.alive
    prober.stop()
    return read_samples(path)


def make_samples(pattern: str, rate: float = 10.0, **fields: Any) -> list[Sample]:
    """A sample for each letter: ``.`` good, ``x`` refused, ``?`` not sent, one every 1 / rate seconds from second 1000."""
    samples = []
    for number, letter in enumerate(pattern):
        at = 1000 + number / rate
        sample = new_sample("web", number, at)
        error = {".": None, "x": "refused", "?": "not_sent"}[letter]
        started = None if letter == "?" else at
        samples.append(
            {**sample, "started": started, "ended": at + 0.01, "ok": error is None, "error": error, **fields}
        )
    return samples


@contextmanager
def certificate(folder: Path) -> Iterator[tuple[ssl.SSLContext, Path]]:
    """A server's context and the file of the authority that signed its certificate for 127.0.0.1."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    ca = folder / "ca.pem"
    ca.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    secret = folder / "key.pem"
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca, secret)
    yield context, ca
