"""The lab's own endpoints under /_lab: health, reset, calls, snapshot."""

from __future__ import annotations

import json
import os
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from webstack_lab import __version__
from webstack_lab.extend import Raw
from webstack_lab.snapshot import snapshot

if TYPE_CHECKING:
    from webstack_lab.app import LabApp

CONTROL_PREFIX = "/_lab/"


class Control:
    """Answers the control endpoints of one app."""

    def __init__(self, app: LabApp) -> None:
        self.app = app
        self.id = uuid.uuid4().hex

    def answer(self, environ: dict[str, Any]) -> Raw:
        """Run one control request."""
        method = environ["REQUEST_METHOD"]
        path = environ["PATH_INFO"].removeprefix(CONTROL_PREFIX)
        query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
        match method, path:
            case "GET", "health":
                return as_json({"id": self.id, "pid": os.getpid(), "version": __version__})
            case "POST", "reset":
                self.app.reset()
                return as_json({})
            case "GET", "calls":
                since = float(query.pop("since")) if "since" in query else None
                known = {key: query[key] for key in ("kind", "service", "operation", "region") if key in query}
                return as_json(self.app.calls.select(**known, since=since))
            case "DELETE", "calls":
                self.app.calls.clear()
                return as_json({})
            case "GET", "snapshot":
                with self.app.lock:
                    return as_json(snapshot(detail=query.get("detail") == "true"))
        return as_json({"error": f"no such endpoint: {method} {CONTROL_PREFIX}{path}"}, 404)


def as_json(value: Any, status: int = 200) -> Raw:
    """A JSON answer."""
    return Raw(status, {"Content-Type": "application/json"}, json.dumps(value).encode())
