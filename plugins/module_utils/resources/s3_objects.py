"""The files of a local directory as objects of a bucket."""

from __future__ import annotations

import hashlib
import json
import mimetypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ..engine.resource import Resource, Scope
from .s3 import BATCH, Bucket, delete_objects

MANIFEST = ".webstack-manifest.json"
LARGEST = 5 * 1024**3  # bytes of one PutObject
# Python's own table apart, so that every controller sends the same types.
TYPES = {
    ".avif": "image/avif",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript",
    ".map": "application/json",
    ".mjs": "text/javascript",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}

Picture = dict[str, dict[str, Any]]


@dataclass(eq=False)
class Objects(Resource):
    """The objects that mirror a directory, compared by content, content type and cache header.

    One listing tells whether all is as it should be: the ETag of what we put is the MD5 of its content, and a manifest object, put last,
    holds the headers that no listing shows. Where a KMS key makes ETags opaque, the manifest holds them too and is read.
    What other people put under the prefix is never deleted: only what the manifest names, and only with ``purge_removed``.
    """

    service = "s3"
    missing = ("404", "NoSuchBucket", "NoSuchKey")
    busy = ("OperationAborted",)
    stepwise = True
    within = (Bucket,)
    tagged = False

    bucket: Bucket | None = None
    source: str = ""
    prefix: str = ""
    cache_control: dict[str, str] | None = None
    content_types: dict[str, str] | None = None
    exclude: tuple[str, ...] = ()
    purge_removed: bool = False

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        for member in scope.members:
            if not isinstance(member, Objects):
                raise TypeError("a kind's members are of that kind")
            if member.bucket is None or not member.bucket.exists:
                continue
            pages = client.get_paginator("list_objects_v2").paginate(**member.where, Prefix=member.prefix)
            found = [item for page in pages for item in page.get("Contents", [])]
            if found:
                yield {"name": member.name, "etags": {item["Key"]: item["ETag"].strip('"') for item in found}}

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any] | None:
        etags: dict[str, str] = item["etags"]
        if self.manifest_key not in etags:
            if not self.pictures.keys() & etags.keys():
                return None
            recorded: Picture = {}
        elif etags[self.manifest_key] == _md5(_manifest(self.pictures)):
            recorded = self.pictures
        else:
            recorded = self._recorded(client)
        intact = {
            key: {name: value for name, value in picture.items() if name != "etag"}
            for key, picture in recorded.items()
            if etags.get(key) == picture.get("etag", picture["content"])
        }
        shown = {key: picture for key, picture in intact.items() if self.purge_removed or key in self.pictures}
        return {"id": self.name, "objects": shown, "recorded": recorded}

    def want(self) -> dict[str, Any]:
        return {"objects": self.pictures}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        # An empty manifest: what is uploaded now and not written down because of a crash is uploaded again.
        self._write_down(client, {})

    def update(self, client: Any, change: dict[str, Any]) -> None:
        have = self.have or {}
        wanted: Picture = change["objects"]
        before: Picture = have["objects"]
        recorded: Picture = {
            key: picture for key, picture in have["recorded"].items() if key in before or key not in self.pictures
        }
        due = [key for key in wanted if before.get(key) != wanted[key]]
        pages = [key for key in due if wanted[key]["content_type"].startswith("text/html")]
        try:
            # Pages last: nobody must get a page whose style sheet is not there yet.
            for wave in ([key for key in due if key not in pages], pages):
                self.scope.gather(*(partial(self._upload, client, key, wanted[key], recorded) for key in wave))
            stale = sorted(key for key in before if key not in wanted)
            for start in range(0, len(stale), BATCH):
                batch = stale[start : start + BATCH]
                delete_objects(client, self.where, [{"Key": key} for key in batch])
                recorded = {key: picture for key, picture in recorded.items() if key not in batch}
        finally:
            self._write_down(client, recorded)

    def delete(self, client: Any) -> None:
        keys = [*sorted((self.have or {}).get("recorded", {}).keys() | self.pictures.keys()), self.manifest_key]
        for start in range(0, len(keys), BATCH):
            delete_objects(client, self.where, [{"Key": key} for key in keys[start : start + BATCH]])

    @property
    def where(self) -> dict[str, str]:
        """The bucket, and whose it must be (trap 126)."""
        if self.bucket is None:
            raise TypeError("objects are built with their bucket")
        return {"Bucket": self.bucket.name, "ExpectedBucketOwner": self.bucket.account_id}

    @property
    def manifest_key(self) -> str:
        return self.prefix + MANIFEST

    @cached_property
    def pictures(self) -> Picture:
        """Key → what the object should be, of every file of the source."""
        return {self.prefix + name: self._picture(name, path) for name, path in files_of(self.source, self.exclude)}

    def _picture(self, name: str, path: Path) -> dict[str, Any]:
        picture = {"content": _md5_of_file(path), "content_type": content_type_of(name, self.content_types)}
        header = first_match(self.cache_control, name)
        return {**picture, **({"cache_control": header} if header else {})}

    def _upload(self, client: Any, key: str, picture: dict[str, Any], recorded: Picture) -> None:
        headers = {"CacheControl": picture["cache_control"]} if "cache_control" in picture else {}
        with Path(self.source, key.removeprefix(self.prefix)).open("rb") as body:
            answer = client.put_object(**self.where, Key=key, Body=body, ContentType=picture["content_type"], **headers)
        etag = answer["ETag"].strip('"')
        recorded[key] = picture if etag == picture["content"] else {**picture, "etag": etag}

    def _recorded(self, client: Any) -> Picture:
        try:
            text = client.get_object(**self.where, Key=self.manifest_key)["Body"].read()
            found: Picture = json.loads(text)["objects"]
        except (ValueError, KeyError, TypeError):  # somebody else's file: everything is uploaded anew
            return {}
        return found

    def _write_down(self, client: Any, recorded: Picture) -> None:
        client.put_object(
            **self.where,
            Key=self.manifest_key,
            Body=_manifest(recorded),
            ContentType="application/json",
            CacheControl="no-store",
        )


def files_of(source: str, exclude: Iterable[str]) -> list[tuple[str, Path]]:
    """Every file of a directory with its name relative to it, in order; none that fits a pattern of ``exclude``."""
    base = Path(source)
    files = [(path.relative_to(base).as_posix(), path) for path in sorted(base.rglob("*")) if path.is_file()]
    patterns = (*exclude, MANIFEST)
    return [(name, path) for name, path in files if not any(fnmatch(name, pattern) for pattern in patterns)]


_PLAIN = mimetypes.MimeTypes(filenames=())


def _md5_of_file(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while part := file.read(1024 * 1024):
            digest.update(part)
    return digest.hexdigest()


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _manifest(pictures: Picture) -> bytes:
    return json.dumps({"version": 1, "objects": pictures}, sort_keys=True, indent=1).encode()


def content_type_of(name: str, chosen: Mapping[str, str] | None) -> str:
    """The type that a name is served with: that of the first pattern that fits, else the usual one of its ending."""
    if given := first_match(chosen, name):
        return given
    ending = name[name.rfind(".") :].lower() if "." in name.rpartition("/")[2] else ""
    plain, packed = _PLAIN.guess_type(name)
    guessed = "application/gzip" if packed == "gzip" else TYPES.get(ending) or plain or "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed


def first_match(patterns: Mapping[str, str] | None, name: str) -> str | None:
    """The value of the first pattern that a name fits, in the order in which they were written."""
    return next((value for pattern, value in (patterns or {}).items() if fnmatch(name, pattern)), None)
