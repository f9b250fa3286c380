"""The objects of one prefix of a bucket: listed and uploaded many at a time, deleted in batches."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..resources.s3 import BATCH, delete_objects
from .errors import OperationError
from .sync_files import Asset, Found
from .sync_manifest import Entry

WHOLE = 4 * 1024 * 1024  # bytes of a file that is sent in one piece from memory; larger ones go in parts
AHEAD = 4  # uploads per worker that are handed out before they can begin
LOOK = 0.5  # seconds between two looks at whether to go on

Stop = Callable[[], "str | None"]


@dataclass
class Uploaded:
    """How uploads ended: the first failure, or why nothing new was begun."""

    failed: Exception | None = None
    stopped: str | None = None

    @property
    def complete(self) -> bool:
        """Whether all was put."""
        return self.failed is None and self.stopped is None


class Objects:
    """The objects below ``prefix``; names are keys without it. ``where`` names the bucket and whose it must be (trap 126)."""

    def __init__(self, client: Any, where: Mapping[str, str], prefix: str, workers: int, page: int = BATCH) -> None:
        self.prefix = prefix
        self.workers = workers
        self.page = page  # keys that one call lists
        self._client = client
        self._where = dict(where)

    def listed(self, known: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Name → ETag and size of every object. ``known`` names divide the listing into parts that are asked for side by side."""
        keys = sorted((self.prefix + name for name in known), key=str.encode)  # S3 orders by the bytes of UTF-8
        edges = keys[self.page - 1 : -1 : self.page]
        parts = list(zip(["", *edges], [*edges, ""], strict=True))
        with ThreadPoolExecutor(min(self.workers, len(parts))) as pool:
            found: dict[str, tuple[str, int]] = {}
            for some in pool.map(self._part, parts):
                found.update(some)
        return found

    def _part(self, edges: tuple[str, str]) -> dict[str, tuple[str, int]]:
        """What lies after the first key, up to and with the second; an empty one is no limit."""
        after, last = edges
        start: dict[str, Any] = {"StartAfter": after} if after else {}
        found: dict[str, tuple[str, int]] = {}
        while True:
            page = self._client.list_objects_v2(**self._where, Prefix=self.prefix, MaxKeys=self.page, **start)
            for item in page.get("Contents", ()):
                if last and item["Key"].encode() > last.encode():
                    return found
                found[item["Key"][len(self.prefix) :]] = (item["ETag"], item["Size"])
            if not page.get("NextContinuationToken") or (last and self.prefix + next(reversed(found), "") == last):
                return found
            start = {"ContinuationToken": page["NextContinuationToken"]}

    def upload(
        self,
        files: Sequence[tuple[Found, Asset]],
        done: Callable[[str, Entry], None],
        stop: Stop,
        pulse: Callable[[], None],
    ) -> Uploaded:
        """Put files, some at a time; ``done`` hears of each one that is there, ``pulse`` is called now and then.

        After a failure or a reason to stop nothing more begins, and what is under way is finished.
        """
        outcome, waiting = Uploaded(), iter(files)
        running: dict[Future[Entry], str] = {}
        with ThreadPoolExecutor(self.workers) as pool:
            while True:
                if outcome.complete:
                    outcome.stopped = stop()
                if outcome.complete:
                    for one, asset in islice(waiting, AHEAD * self.workers - len(running)):
                        running[pool.submit(self._put, one, asset)] = one.name
                if not running:
                    return outcome
                ended, _still = wait(running, timeout=LOOK, return_when=FIRST_COMPLETED)
                for future in ended:
                    name = running.pop(future)
                    error = future.exception()
                    if error is None:
                        done(name, future.result())
                    elif outcome.failed is None and isinstance(error, Exception):
                        outcome.failed = error
                    elif not isinstance(error, Exception):
                        raise error
                pulse()

    def remove(self, names: Sequence[str]) -> Iterator[list[str]]:
        """Delete objects, some hundred at a time; each batch when it is gone. Older versions stay, where the bucket keeps them."""
        for start in range(0, len(names), BATCH):
            batch = list(names[start : start + BATCH])
            delete_objects(self._client, self._where, [{"Key": self.prefix + name} for name in batch])
            yield batch

    def _put(self, file: Found, asset: Asset) -> Entry:
        """Put one file, as it was when it was hashed. Raises OperationError if it is another by now."""
        headers = {"ContentType": asset.content_type}
        if asset.cache_control:
            headers["CacheControl"] = asset.cache_control
        if asset.size > WHOLE:
            return self._put_large(file, asset, headers)
        try:
            with open(file.path, "rb", buffering=0) as stream:
                body = stream.read(WHOLE + 1)
        except FileNotFoundError:
            raise _changed(file) from None
        digest = hashlib.sha256(body)
        if digest.hexdigest() != asset.sha256:
            raise _changed(file)
        # S3 compares the checksum with what arrives, so what lies there is what was hashed.
        answer = self._client.put_object(
            **self._where,
            Key=self.prefix + file.name,
            Body=body,
            ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
            **headers,
        )
        return Entry(asset, answer["ETag"])

    def _put_large(self, file: Found, asset: Asset, headers: Mapping[str, str]) -> Entry:
        """Put a large file in parts. That it is still the same is told by its size and time, before and after."""
        self._require_same(file)
        key = self.prefix + file.name
        owner = {"ExpectedBucketOwner": self._where["ExpectedBucketOwner"]}
        self._client.upload_file(file.path, self._where["Bucket"], key, ExtraArgs={**owner, **headers})
        self._require_same(file)
        answer = self._client.head_object(**self._where, Key=key)  # uploading in parts does not tell the ETag
        return Entry(asset, answer["ETag"])

    @staticmethod
    def _require_same(file: Found) -> None:
        try:
            facts = os.stat(file.path)
        except FileNotFoundError:
            raise _changed(file) from None
        if (facts.st_size, facts.st_mtime_ns) != (file.size, file.stamp):
            raise _changed(file)


def _changed(file: Found) -> OperationError:
    return OperationError(f"{file.path} was changed while it was synchronised. Run again when the folder is complete")
