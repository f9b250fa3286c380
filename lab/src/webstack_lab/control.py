"""The lab's own endpoints under /_lab: health, reset, calls, snapshot, pace, break, mend, plane."""

from __future__ import annotations

import json
import os
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from webstack_lab import __version__, faults
from webstack_lab.extend import Raw
from webstack_lab.profiles import BadProfile
from webstack_lab.services.passing import Pace, set_pace
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
        known_action = self.rehearsal(method, path, query) or self.data_plane(method, path, query)
        return known_action or as_json({"error": f"no such endpoint: {method} {CONTROL_PREFIX}{path}"}, 404)

    def rehearsal(self, method: str, path: str, query: dict[str, str]) -> Raw | None:
        """Faults, the pace, or something broken or mended (400 with the reason when it cannot be); None: another path."""
        if path == "faults":
            return self.unreliable(query.get("profile"))
        if path == "pace":
            return pace(query.get("scale") if method == "POST" else None)
        if path == "faults":
            return self.unreliable(query.get("profile") if method == "POST" else None)
        if method != "POST" or path not in ("break", "mend"):
            return None
        with self.app.lock:
            reason = faults.apply(
                self.app, query.get("region", ""), query.get("what", ""), query.get("id", ""), path == "break"
            )
        if self.app.plane is not None:
            self.app.plane.wake()
        return as_json({"error": reason} if reason else {}, 400 if reason else 200)

    def unreliable(self, profile: str | None) -> Raw:
        """Follow a profile of faults (JSON; null ends them) when one is given, and say how often each fault has struck."""
        if profile is not None:
            try:
                with self.app.lock:
                    self.app.unreliable.load(json.loads(profile))
            except BadProfile as error:
                return as_json({"error": str(error)}, 400)
        return as_json(self.app.unreliable.counts())

    def data_plane(self, method: str, path: str, query: dict[str, str]) -> Raw | None:
        """What the data plane says of itself, or one of its parts' actions; None: it has no such."""
        plane = self.app.plane
        if method == "GET" and path == "plane":
            return as_json(plane.status() if plane else None)
        if method == "POST" and path.startswith("plane/") and plane:
            done = plane.run(path.removeprefix("plane/"), query)
            return None if done is None else as_json(done)
        return None


def pace(scale: str | None) -> Raw:
    """Set how long a second of AWS takes, when asked to, and say it."""
    if scale is not None:
        try:
            set_pace(float(scale))
        except ValueError as error:
            return as_json({"error": str(error)}, 400)
    return as_json({"scale": Pace.scale})


def as_json(value: Any, status: int = 200) -> Raw:
    """A JSON answer."""
    return Raw(status, {"Content-Type": "application/json"}, json.dumps(value).encode())
