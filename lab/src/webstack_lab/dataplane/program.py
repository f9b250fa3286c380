"""The program on a lab instance: a small HTTP/1.1 server that serves the release in its own folder.

`program.py FOLDER ADDRESS INSTANCE ZONE`; the standard library only, run without site packages, and little of that: dozens run at once.

The release is `FOLDER/srv/app/current`, a link to `releases/<name>`: its version is the first line of the file RELEASE, else
the folder's name; `fail` in its file `health` makes the health paths answer 503; `index.html` is the page. Paths: `/slow?ms=500` takes its
time, every other path answers at once; bodies sent are read.

Signals: HUP reads the release again (as `bin/reload` does), USR2 starts the program anew after the requests under way, TERM ends it
after them. Orders of the lab arrive on standard input, a JSON object a line, its end is the end:
`{"ports": {"8080": "open" | "no new" | "cut"}, "health": ["/health"]}`. "no new" (a security group): new connections wait, kept ones are
served. "cut" (a network ACL): nothing is answered, as if the packets were lost, until it is open again.
"""

import json
import os
import signal
import socket
import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BACKLOG = 256
IDLE = 75.0  # seconds a kept connection may be silent; longer than a load balancer's idle timeout of 60 s
GRACE = 60.0  # seconds for the requests under way when the program is told to end
LONGEST_HEAD = 65536
SIGNALS = {signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2}
HEALTH = ("/health", "/healthz")
REASONS = {200: "OK", 400: "Bad Request", 413: "Content Too Large", 503: "Service Unavailable"}


class Release:
    """What `current` pointed to when it was last read."""

    def __init__(self, app: str) -> None:
        self.version, self.healthy, self.page = "none", True, b""
        self.app = app

    def read(self) -> None:
        """Read it again; a release that cannot be read is "none"."""
        folder = os.path.realpath(os.path.join(self.app, "current"))
        version, healthy, page = "none", True, b""
        if os.path.isdir(folder):
            version = text_of(os.path.join(folder, "RELEASE")).partition("\n")[0].strip() or os.path.basename(folder)
            healthy = text_of(os.path.join(folder, "health")).strip() != "fail"
            page = text_of(os.path.join(folder, "index.html")).encode()
        self.version, self.healthy, self.page = version, healthy, page


def text_of(path: str) -> str:
    """A file's text, blank where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


class Port:
    """One listening port and its gate."""

    def __init__(self, address: str, number: int) -> None:
        self.number = number
        self.accepting = threading.Event()
        self.answering = threading.Event()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, number))
        self.listener.listen(BACKLOG)
        self.listener.settimeout(0.1)

    def set(self, state: str) -> None:
        """Open it, or close it as a security group or a network ACL would."""
        for event, on in ((self.accepting, state == "open"), (self.answering, state != "cut")):
            (event.set if on else event.clear)()


class Program:
    """All ports, connections and orders of one instance."""

    def __init__(self, folder: str, address: str, instance: str, zone: str) -> None:
        self.folder, self.address, self.instance, self.zone = folder, address, instance, zone
        self.release = Release(os.path.join(folder, "srv", "app"))
        self.ports: dict[int, Port] = {}
        self.health = set(HEALTH)
        self.ending = False
        self.under_way = 0
        self.count = threading.Lock()

    def run(self) -> bool:
        """Serve until told to end; True when the program is to start anew."""
        # Blocked and waited for: a handler could find the main thread in any state. Threads and a start anew inherit it.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self.release.read()
        if known := text_of(os.path.join(self.folder, "run", "orders")):  # of the time before a start anew
            self.carry_out(json.loads(known))
        threading.Thread(target=self.obey, daemon=True).start()
        self.write("app.pid", str(os.getpid()))
        self.write("loaded", self.release.version)
        while not self.ending:
            again = self.handle(signal.sigwait(SIGNALS))
        return again

    def handle(self, number: int) -> bool:
        """Act on one signal; True for a start anew."""
        if number == signal.SIGHUP:
            self.release.read()
            self.write("loaded", self.release.version)
            return False
        self.ending = True
        for port in self.ports.values():
            port.listener.close()
        deadline = time.monotonic() + GRACE
        while self.under_way and time.monotonic() < deadline:
            time.sleep(0.005)
        return number == signal.SIGUSR2

    def write(self, name: str, text: str) -> None:
        """A file in `run/`, whole or not at all."""
        path = os.path.join(self.folder, "run", name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.replace(path + ".new", path)

    def obey(self) -> None:
        """Carry out the lab's orders, as they come."""
        source = os.fdopen(os.dup(0), "rb", 0)
        for line in source:
            order = json.loads(line)
            self.carry_out(order)
            self.write("orders", line.decode().strip())
        os._exit(0)  # the lab has gone

    def carry_out(self, order: "dict[str, Any]") -> None:
        """One order. A port that cannot be listened on is left out; the reason goes to the log."""
        self.health = {*HEALTH, *order["health"]}
        for number, state in order["ports"].items():
            try:
                self.open(int(number)).set(state)
            except OSError as error:
                print(f"port {number}: {error}", flush=True)

    def open(self, number: int) -> Port:
        """The port, listening from now on."""
        if number not in self.ports:
            port = self.ports[number] = Port(self.address, number)
            threading.Thread(target=self.accept, args=(port,), daemon=True).start()
        return self.ports[number]

    def accept(self, port: Port) -> None:
        """Take connections while the port is open; others wait in the queue."""
        while not self.ending:
            if not port.accepting.wait(0.1):
                continue
            try:
                connection, _peer = port.listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            connection.settimeout(IDLE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection, port), daemon=True).start()

    def serve(self, connection: socket.socket, port: Port) -> None:
        """Requests on one connection, one after the other."""
        rest = b""
        with connection:
            try:
                while True:
                    head, rest = read_head(connection, rest)
                    if head is None:
                        return
                    port.answering.wait()
                    with self.count:
                        self.under_way += 1
                    try:
                        rest, keep = self.answer(connection, port, head, rest)
                    finally:
                        with self.count:
                            self.under_way -= 1
                    if not keep:
                        return
            except OSError:
                return

    def answer(self, connection: socket.socket, port: Port, head: bytes, rest: bytes) -> tuple[bytes, bool]:
        """One answer; what was read beyond the request, and whether the connection stays."""
        lines = head.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ")
        if len(parts) != 3:
            return b"", send(connection, 400, b"bad request\n", {}, keep=False)
        method, target, version = parts
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        if "100-continue" in headers.get("expect", "").lower():
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        rest = read_body(connection, headers, rest)
        path, _, query = target.partition("?")
        if path == "/slow":
            values = dict(pair.partition("=")[::2] for pair in query.split("&"))
            time.sleep(min(float(values.get("ms") or 0), 60_000) / 1000)
        port.answering.wait()
        release = self.release
        status = 503 if path in self.health and not release.healthy else 200
        said = {"X-Instance-Id": self.instance, "X-Availability-Zone": self.zone, "X-Release": release.version}
        body = release.page or f"{self.instance} {self.zone} {release.version}\n".encode()
        wanted = headers.get("connection", "").lower()
        keep = not self.ending and (wanted != "close" if version == "HTTP/1.1" else wanted == "keep-alive")
        return rest, send(connection, status, body, said, keep=keep, silent=method == "HEAD")


def read_head(connection: socket.socket, rest: bytes) -> tuple[bytes | None, bytes]:
    """The head of the next request and what follows it; None at the end of the connection."""
    while b"\r\n\r\n" not in rest:
        data = connection.recv(LONGEST_HEAD)
        if not data or len(rest) > LONGEST_HEAD:
            return None, b""
        rest += data
    head, _, rest = rest.partition(b"\r\n\r\n")
    return head, rest


def read_body(connection: socket.socket, headers: dict[str, str], rest: bytes) -> bytes:
    """Skip the body of a request; what follows it."""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        while not (rest.startswith(b"0\r\n\r\n") or b"\r\n0\r\n\r\n" in rest):
            data = connection.recv(LONGEST_HEAD)
            if not data:
                return b""
            rest += data
        return rest.partition(b"0\r\n\r\n")[2]
    length = int(headers.get("content-length") or 0)
    while len(rest) < length:
        data = connection.recv(LONGEST_HEAD)
        if not data:
            return b""
        rest += data
    return rest[length:]


def send(
    connection: socket.socket, status: int, body: bytes, headers: dict[str, str], *, keep: bool, silent: bool = False
) -> bool:
    """Send one answer; whether the connection stays."""
    lines = [f"HTTP/1.1 {status} {REASONS[status]}", f"Content-Length: {len(body)}", "Content-Type: text/plain"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += ["Connection: keep-alive" if keep else "Connection: close", "", ""]
    connection.sendall("\r\n".join(lines).encode("latin-1") + (b"" if silent else body))
    return keep


def main() -> None:
    """Run; a start anew keeps process number, address and orders."""
    threading.stack_size(256 * 1024)
    program = Program(*sys.argv[1:5])
    if program.run():
        os.execv(sys.executable, [sys.executable, "-I", "-S", __file__, *sys.argv[1:5]])
    os._exit(0)


if __name__ == "__main__":
    main()
