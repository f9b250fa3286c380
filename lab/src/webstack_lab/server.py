"""The lab's HTTP server, and the process that runs it in the background (`python -m webstack_lab.server`)."""

from __future__ import annotations

import argparse
import errno
import logging
import signal
import socket
import struct
import sys
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, ThreadedWSGIServer

from webstack_lab import DEFAULT_PORT
from webstack_lab.app import LabApp
from webstack_lab.calls import CallLog
from webstack_lab.loopback import check_loopback
from webstack_lab.profiles import read_profile
from webstack_lab.services.passing import set_pace
from webstack_lab.state import State
from webstack_lab.unreliable import Dropped

if TYPE_CHECKING:
    from webstack_lab.dataplane.plane import DataPlane


class Handler(MotoRequestHandler):
    """HTTP/1.1 with kept connections, and no waiting for a fuller packet."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer one request and keep the connection.

        werkzeug closes every connection, as an application may leave a request unread; ours reads all of it first.
        """
        self.environ = self.make_environ()
        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None, /) -> Any:
            head[:] = [status, headers]

        try:
            body = b"".join(self.server.app(self.environ, start_response))
            code, _, reason = head[0].partition(" ")
            self.send_response(int(code), reason)
            for name, value in head[1]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except Dropped:
            # Closed with something unsent and no time to send it: the other side sees a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        except ConnectionError:
            self.close_connection = True

    def log_request(self, *_: object) -> None:
        """Say nothing: the call log says it better."""


class Server(ThreadedWSGIServer):
    """A thread per connection; none of them keeps the process alive."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256


def listen(app: LabApp, host: str = "127.0.0.1", port: int = 0) -> BaseWSGIServer:
    """A server that already listens but does not serve yet; port 0 takes a free one."""
    return Server(check_loopback(host), port, app, Handler)


def listen_somewhere(app: LabApp, host: str, port: int) -> BaseWSGIServer:
    """As `listen`, on a free port when the wanted one is taken."""
    # werkzeug answers a busy port with an exit of the process, hence SystemExit.
    try:
        return listen(app, host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    except SystemExit:
        pass
    return listen(app, host, 0)


def url_of(server: BaseWSGIServer) -> str:
    """Where a server answers."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"http://{host}:{server.port}"


def data_plane(app: LabApp, folder: Path) -> DataPlane:
    """What runs for real, on top of an app. Imported only when wanted: it needs packages of its own."""
    from webstack_lab.dataplane.plane import DataPlane  # noqa: PLC0415 - only when wanted

    return DataPlane(app, folder.resolve())


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM; the state folder says where."""
    parser = argparse.ArgumentParser(description="Run the lab in the foreground.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--data-plane", action="store_true")
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--pace", type=float)
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    check_loopback(options.host)
    if options.pace is not None:
        set_pace(options.pace)
    state = State(options.state_dir)
    state.folder.mkdir(parents=True, exist_ok=True)
    app = LabApp(CallLog(state.call_log))
    if options.faults:
        app.unreliable.load(read_profile(options.faults))
    server = listen_somewhere(app, options.host, options.port)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        # From another thread: shutdown waits for the loop that this handler interrupts.
        Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    plane = data_plane(app, state.folder) if options.data_plane else None
    state.write(url_of(server), app.control.id)
    server.serve_forever()
    if plane is not None:
        plane.close()
    state.forget(app.control.id)
    return 0


if __name__ == "__main__":
    sys.exit(main())
