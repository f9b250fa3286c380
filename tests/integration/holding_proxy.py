"""A proxy in front of a lab that holds chosen requests, or their answers: so a test hits an exact moment of a run, without sleeping."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

WAIT = 60.0

Chooser = Callable[[dict[str, str]], bool]


class Hold:
    """One request to be held: before it is carried out, or with ``answered`` after that, before its answer is given."""

    def __init__(self, chooses: Chooser, answered: bool) -> None:
        self.chooses = chooses
        self.answered = answered
        self.reached = threading.Event()
        self.released = threading.Event()
        self.sends = True  # whether a request that was held before is sent on when it is released

    def wait(self) -> None:
        """Return when the request is held."""
        assert self.reached.wait(WAIT), "the run did not come to this moment"

    def release(self, *, sends: bool = True) -> None:
        self.sends = sends
        self.released.set()


class HoldingProxy:
    """Speaks HTTP on a loopback port and hands everything to ``url``. Holds come with ``hold``; each holds one request."""

    def __init__(self, url: str) -> None:
        self.target = urlsplit(url).netloc
        self.holds: list[Hold] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                proxy.pass_on(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for hold in self.holds:
            hold.release(sends=False)
        self.server.shutdown()
        self.server.server_close()

    def hold(self, chooses: Chooser, *, answered: bool = False) -> Hold:
        """Hold the next request for which ``chooses`` is true, given its parameters (query protocol)."""
        hold = Hold(chooses, answered)
        self.holds.append(hold)
        return hold

    def pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        params = {key: values[0] for key, values in parse_qs(body.decode("utf-8", "replace")).items()}
        hold = next((one for one in self.holds if not one.reached.is_set() and one.chooses(params)), None)
        if hold is not None:
            hold.reached.set()
            if not hold.answered:
                hold.released.wait(WAIT)
                if not hold.sends:
                    return self.hang_up(handler)
        connection = http.client.HTTPConnection(self.target, timeout=120)
        try:
            connection.request(handler.command, handler.path, body, dict(handler.headers.items()))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if hold is not None and hold.answered:
            hold.released.wait(WAIT)
        try:
            self.answer(handler, answer, content)
        except OSError:
            handler.close_connection = True  # the client is dead, as it should be

    def answer(self, handler: BaseHTTPRequestHandler, answer: http.client.HTTPResponse, content: bytes) -> None:
        handler.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content)

    def hang_up(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
