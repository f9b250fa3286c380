"""The call log: what was asked of the lab, by whom it could be asserted that only this was asked."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

READS = re.compile(
    r"^(BatchDescribe|BatchGet|Check|Describe|Get|Head|List|Lookup|Preview|Query|Scan|Search|Select|Simulate|Validate)"
)
# By name they look like the other kind.
OTHER_READS = frozenset({"AssumeRole", "FilterLogEvents", "TestDNSAnswer", "TestEventPattern", "TestMetricFilter"})

SECRETS = re.compile(
    r"password|authtoken|secretstring|secretbinary|secretaccesskey|sessiontoken|privatekey|plaintext", re.IGNORECASE
)
NOT_SECRET = frozenset({"managemasteruserpassword", "rotatemasteruserpassword", "passwordlength", "applyimmediately"})
MASK = "********"

Entry = dict[str, Any]


def kind_of(operation: str) -> str:
    """ "read" for operations that change nothing, "write" for all others."""
    return "read" if READS.match(operation) or operation in OTHER_READS else "write"


def presentable(value: Any, name: str = "") -> Any:
    """A value as JSON can hold it, secrets masked, bytes told by their number."""
    if isinstance(value, dict):
        masked = {key: presentable(item, str(key)) for key, item in value.items()}
        if masked.get("Type") == "SecureString" and "Value" in masked:
            masked["Value"] = MASK
        return masked
    if isinstance(value, list | tuple | set):
        return [presentable(item, name) for item in value]
    if SECRETS.search(name) and name.lower() not in NOT_SECRET and value not in (None, True, False):
        return MASK
    if isinstance(value, bytes | bytearray):
        return f"<{len(value)} bytes>"
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


class CallLog:
    """Entries in memory, and one JSON line each in a file when one is given."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.entries: list[Entry] = []
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8", buffering=1) if path else None

    def add(
        self,
        service: str,
        operation: str,
        region: str,
        *,
        params: Any,
        status: int,
        error: str | None,
        seconds: float,
        fault: str | None = None,
    ) -> None:
        """Write one call down; `fault` is what a profile of faults did to it, status 0 that no answer was given."""
        entry: Entry = {
            "time": round(time.time(), 3),
            "service": service,
            "operation": operation,
            "region": region,
            "kind": "read" if isinstance(params, dict) and params.get("DryRun") is True else kind_of(operation),
            "status": status,
            "error": error,
            "ms": round(seconds * 1000, 1),
            "params": presentable(params),
        }
        if fault:
            entry["fault"] = fault
        with self._lock:
            self.entries.append(entry)
            if self._file:
                self._file.write(json.dumps(entry) + "\n")

    def select(
        self,
        kind: str | None = None,
        service: str | None = None,
        operation: str | None = None,
        region: str | None = None,
        since: float | None = None,
    ) -> list[Entry]:
        """The entries that fit; `since` is an age in seconds."""
        wanted = {"kind": kind, "service": service, "operation": operation, "region": region}
        facts = {name: value for name, value in wanted.items() if value is not None}
        oldest = time.time() - since if since is not None else 0.0
        with self._lock:
            entries = list(self.entries)
        return [e for e in entries if e["time"] >= oldest and all(e[name] == value for name, value in facts.items())]

    def clear(self) -> None:
        """Forget all calls, in the file too."""
        with self._lock:
            self.entries.clear()
            if self._file:
                self._file.truncate(0)

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()


def count(entries: list[Entry]) -> list[tuple[str, str, str, int]]:
    """Service, operation, region and number of calls, in that order."""
    numbers = Counter((e["service"], e["operation"], e["region"]) for e in entries)
    return [(*key, number) for key, number in sorted(numbers.items())]
