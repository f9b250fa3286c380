"""Clients that hand their requests to the lab in this very process: no socket, so a whole run can be forked."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError

from ansible_collections.webstack.aws.plugins.module_utils.engine.sdk import Clients
from webstack_lab.app import LabApp
from webstack_lab.calls import kind_of
from webstack_lab.unreliable import Dropped

URL = "http://127.0.0.1:5000"  # only a name here: nothing listens

Send = Callable[[], AWSResponse]
Watch = Callable[[str, str, Send], AWSResponse]  # operation, "read" or "write", and what sends the request


class Body(io.BytesIO):
    """An answer's body as botocore reads it from a connection."""

    def stream(self, **_unused: Any) -> Iterator[bytes]:
        if chunk := self.read():
            yield chunk


class DirectClients(Clients):
    """The collection's own clients, whose requests go straight into the lab's application; ``watch`` may stand in between."""

    def __init__(self, app: LabApp, watch: Watch | None = None) -> None:
        super().__init__({"endpoint_url": URL, "aws_access_key_id": "lab", "aws_secret_access_key": "lab"})
        self.app = app
        self.watch = watch
        self._directed: set[Any] = set()  # the clients themselves: a number may be another's as soon as one is gone

    def __call__(self, service: str, region: str) -> Any:
        client = super().__call__(service, region)
        if client not in self._directed:
            self._directed.add(client)
            client.meta.events.register_last("before-send", self._answer)
        return client

    def _answer(self, request: Any, event_name: str, **_unused: Any) -> AWSResponse:
        operation = event_name.rsplit(".", 1)[-1]
        if self.watch is None:
            return ask(self.app, request)
        return self.watch(operation, kind_of(operation), lambda: ask(self.app, request))


def ask(app: LabApp, request: Any) -> AWSResponse:
    """The lab's answer to one prepared request."""
    collected: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_unused: Any) -> None:
        collected[:] = [int(status[:3]), headers]

    try:
        body = b"".join(app(environ_of(request), start_response))
    except Dropped as error:
        raise ConnectionClosedError(endpoint_url=request.url) from error
    status, headers = collected
    return AWSResponse(request.url, status, dict(headers), Body(body))


def environ_of(request: Any) -> dict[str, Any]:
    """A request as a WSGI server would hand it over."""
    parts = urlsplit(request.url)
    body = request.body or b""
    if hasattr(body, "read"):
        body = body.read()
    data: bytes = body.encode() if isinstance(body, str) else bytes(body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(parts.path or "/", "latin-1"),
        "QUERY_STRING": parts.query,
        "RAW_URI": f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/",
        "REQUEST_URI": f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/",
        "SERVER_NAME": parts.hostname,
        "SERVER_PORT": str(parts.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": parts.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(data),
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(data)),
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        text = value.decode() if isinstance(value, bytes) else str(value)
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = text
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["CONTENT_LENGTH"] = str(len(data))
    return environ
