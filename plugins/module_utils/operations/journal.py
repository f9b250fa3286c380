"""The journal of a run: one JSON line a record, on the disk before the deed that it announces.

The module and the keeper of a run write to the same file. Each line carries the SHA-256 of the line before it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..engine.schedule import Clock

KINDS = (
    *("plan", "precondition", "confirm", "lock", "arm", "undo", "inject", "acknowledged", "event", "note", "abort"),
    *("undone", "verify", "verdict", "end"),
)
START = "0" * 64  # what the first record has for the hash of the line before it


@dataclass(frozen=True)
class Record:
    """One line. ``time`` is in seconds since the epoch."""

    seq: int
    time: float
    kind: str
    step: str
    data: dict[str, Any]
    prev: str


@dataclass
class Story:
    """What a journal says, and whether it can be believed."""

    records: list[Record] = field(default_factory=list)
    truncated: bool = (
        False  # the writer died in the middle of the last line, which therefore announced nothing that happened
    )
    edited: list[int] = field(default_factory=list)  # numbers of the lines before which something was changed, from 1

    def of(self, kind: str) -> list[Record]:
        """The records of one kind, oldest first."""
        return [record for record in self.records if record.kind == kind]


class Journal:
    """Appends to one journal. Several processes may do so at the same time."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.path = path
        self._clock = clock or Clock()

    def append(self, kind: str, step: str = "", data: dict[str, Any] | None = None) -> Record:
        """Write one record and return when it is on the disk. Never give it a secret."""
        if kind not in KINDS:
            raise ValueError(f"{kind} is no kind of record: {', '.join(KINDS)}")
        new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            content = _whole_lines(descriptor)
            lines = content.splitlines()
            prev = hashlib.sha256(lines[-1]).hexdigest() if lines else START
            record = Record(_next_number(lines), self._clock.wall(), kind, step, data or {}, prev)
            line = json.dumps(record.__dict__, ensure_ascii=False, default=str).encode()
            os.lseek(descriptor, 0, os.SEEK_END)
            _write(descriptor, line + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            _sync_folder(self.path.parent)
        return record

    def read(self) -> Story:
        """Everything that was written so far."""
        return read(self.path)


def read(path: Path) -> Story:
    """A journal as far as it is readable. A last line that was cut off is left out; edits are pointed at, not hidden."""
    story = Story()
    if not path.exists():
        return story
    content = path.read_bytes()
    lines = content.split(b"\n")
    rest = lines.pop()
    if rest:
        if _parsed(rest) is None:
            story.truncated = True
        else:
            lines.append(rest)
    prev, expected = START, 1
    for number, line in enumerate(lines, start=1):
        record = _parsed(line)
        if record is None or record.prev != prev or record.seq != expected:
            story.edited.append(number)
        if record is not None:
            story.records.append(record)
            expected = record.seq
        prev, expected = hashlib.sha256(line).hexdigest(), expected + 1
    return story


def _parsed(line: bytes) -> Record | None:
    try:
        return Record(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _whole_lines(descriptor: int) -> bytes:
    """The content, after the rest of a line whose writer died has been taken away."""
    content = bytearray()
    os.lseek(descriptor, 0, os.SEEK_SET)
    while part := os.read(descriptor, 1 << 20):
        content += part
    rest = bytes(content[content.rfind(b"\n") + 1 :])
    if rest and _parsed(rest) is not None:
        os.lseek(descriptor, 0, os.SEEK_END)
        _write(descriptor, b"\n")
        return bytes(content) + b"\n"
    if rest:
        os.ftruncate(descriptor, len(content) - len(rest))
        return bytes(content[: -len(rest)])
    return bytes(content)


def _next_number(lines: list[bytes]) -> int:
    last = _parsed(lines[-1]) if lines else None
    return last.seq + 1 if last else len(lines) + 1


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power failure too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
