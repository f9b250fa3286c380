"""The manifest of a synchronisation: an object of the bucket that says what was put there, and who is at it now.

It is written with a condition on what was read, so it is also the lock: of two runs at once one gets it, the other is refused before its
first upload. A run claims it, renews the claim while it uploads (which notes how far it has come), and writes it last of all. A claim
ends with its run, by expiry, or at once where its process was one of this machine and is dead. The stack's own lock is not held: a
synchronisation changes no resource that a converge looks at, and may take an hour.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any

from ..engine.schedule import Clock
from ..engine.sdk import SDK_ERRORS, error_code
from .errors import OperationError
from .lock import GRACE, SKEW, Owner, dead
from .sync_files import HOME, Asset, as_fields

LEASE = 120.0  # seconds that a claim outlives its last renewal
VERSION = 1
TRIES = 5  # of a conditional write that met another one, and lost to nobody


@dataclass(frozen=True)
class Entry:
    """An object that a run has put. ``gone``: when its file was first missing, in seconds since the epoch."""

    asset: Asset
    etag: str
    gone: float | None = None


@dataclass(frozen=True)
class Manifest:
    """What a bucket holds by our doing. ``due``: names that caches may still hold in an older form."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    serial: int = 0  # of the run that wrote it
    written: float = 0.0  # seconds since the epoch
    due: frozenset[str] = frozenset()
    owner: Owner | None = None
    token: str = ""


class Store:
    """The manifest object of one prefix of one bucket; ``where`` names the bucket and whose it must be (trap 126)."""

    def __init__(self, client: Any, where: Mapping[str, str], prefix: str, clock: Clock, us: Owner) -> None:
        self.key = f"{HOME}sync/{prefix}manifest.json.gz"
        self.clock = clock
        self.us = us
        self._client = client
        self._where = where
        self._etag: str | None = None
        self._skew = 0.0

    @property
    def now(self) -> float:
        """Seconds since the epoch by AWS's clock, as far as it has been heard."""
        return self.clock.wall() + self._skew

    @property
    def address(self) -> str:
        return f"s3://{self._where['Bucket']}/{self.key}"

    def read(self) -> Manifest | None:
        """The manifest, or None if there is none. Raises OperationError for an object that is none."""
        try:
            answer = self._client.get_object(**self._where, Key=self.key)
        except SDK_ERRORS as error:
            self._listen(getattr(error, "response", {}))
            if error_code(error) in ("NoSuchKey", "404"):
                self._etag = None
                return None
            raise
        self._listen(answer)
        body = answer["Body"].read()
        self._etag = answer["ETag"]
        try:
            return decoded(body)
        except (ValueError, KeyError, TypeError, OSError, EOFError):
            raise OperationError(
                f"{self.address} is in the place of a manifest, but is none that this version reads. Move it away, and run again: "
                "everything is uploaded anew, and what is no longer in the source stays"
            ) from None

    def holder(self, manifest: Manifest) -> Owner | None:
        """Who is synchronising now; None where nobody is, or only a process that has died."""
        owner = manifest.owner
        return owner if owner and self.now <= owner.expires + GRACE and not dead(owner, self.us) else None

    def refuse_others(self, manifest: Manifest) -> None:
        """Raise OperationError while another run has its claim."""
        if owner := self.holder(manifest):
            raise OperationError(
                f"{self.address} is claimed by another synchronisation, of {owner.described(self.now)}. Wait until that run has ended. "
                "If it is dead, run again when its claim has expired"
            )

    def claim(self, manifest: Manifest) -> Manifest:
        """Begin: the manifest as it was read, in the name of this run. Raises OperationError if another run was quicker."""
        now = self.now
        token = uuid.uuid4().hex
        mine = replace(self.us, since=now, heartbeat=now, expires=now + LEASE, token=token)
        return self._put(replace(manifest, owner=mine, token=token, serial=manifest.serial + 1))

    def renew(self, manifest: Manifest) -> Manifest:
        """Note how far the run has come, and that it lives."""
        if manifest.owner is None:
            raise RuntimeError("only a claimed manifest is renewed")
        now = self.now
        return self._put(replace(manifest, owner=replace(manifest.owner, heartbeat=now, expires=now + LEASE)))

    def finish(self, manifest: Manifest, *, sure: bool) -> Manifest:
        """The last write of a run: what is there now, and nobody's claim. Unless ``sure``, the next run looks at the bucket itself."""
        return self._put(replace(manifest, owner=None), sure=sure)

    def _put(self, manifest: Manifest, *, sure: bool = True) -> Manifest:
        manifest = replace(manifest, written=self.now if sure else 0.0)
        body = encoded(manifest)
        for _attempt in range(TRIES):
            expected = {"IfMatch": self._etag} if self._etag else {"IfNoneMatch": "*"}
            try:
                answer = self._client.put_object(
                    **self._where,
                    **expected,
                    Key=self.key,
                    Body=body,
                    ContentType="application/gzip",
                    CacheControl="no-store",
                )
            except SDK_ERRORS as error:
                if error_code(error) not in (
                    "PreconditionFailed",
                    "412",
                    "ConditionalRequestConflict",
                    "NoSuchKey",
                    "404",
                ):
                    raise
                if self._is_written(manifest):
                    return manifest
                self.clock.sleep(0.2)  # another write was under way, and came to nothing
                continue
            self._listen(answer)
            self._etag = answer["ETag"]
            return manifest
        raise OperationError(f"{self.address} cannot be written: other writes come between each time. Run again")

    def _is_written(self, manifest: Manifest) -> bool:
        """Whether a refused write had come through before, its answer lost. Raises OperationError if somebody else wrote."""
        before = self._etag
        there = self.read()
        if there and (there.token, there.owner, there.written) == (manifest.token, manifest.owner, manifest.written):
            return True
        if self._etag != before:
            who = self.holder(there) if there else None
            text = f" by {who.described(self.now)}" if who else ""
            raise OperationError(
                f"{self.address} was changed{text} while this run worked. Nothing new is started. Run again when no other run is at it"
            )
        return False

    def _listen(self, answer: Mapping[str, Any]) -> None:
        header = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if header:
            skew = parsedate_to_datetime(header).timestamp() - self.clock.wall()
            self._skew = skew if abs(skew) > SKEW else 0.0


def encoded(manifest: Manifest) -> bytes:
    """A manifest as it lies in the bucket: JSON, one line a file, compressed."""
    owner = asdict(manifest.owner) if manifest.owner else None
    head = {"version": VERSION, "serial": manifest.serial, "written": manifest.written, "token": manifest.token}
    text = json.dumps({**head, "owner": owner, "due": sorted(manifest.due)})[:-1]
    lines = ",\n".join(f"{json.dumps(name)}:{json.dumps(_fields(one))}" for name, one in manifest.entries.items())
    return gzip.compress(f'{text},\n"files":{{{lines}}}}}\n'.encode(), 1, mtime=0)


def decoded(body: bytes) -> Manifest:
    """A manifest as it was read. Raises ValueError, KeyError or TypeError for what is none."""
    found = json.loads(gzip.decompress(body))
    if found["version"] != VERSION:
        raise ValueError(found["version"])
    entries = {
        name: Entry(Asset(one["sha256"], one["size"], one["type"], one.get("cache", "")), one["etag"], one.get("gone"))
        for name, one in found["files"].items()
    }
    owner = Owner(**found["owner"]) if found["owner"] else None
    due = frozenset(found["due"])
    return Manifest(entries, found["serial"], found["written"], due, owner, found["token"])


def _fields(entry: Entry) -> dict[str, Any]:
    fields = {**as_fields(entry.asset), "etag": entry.etag}
    return fields if entry.gone is None else {**fields, "gone": entry.gone}
