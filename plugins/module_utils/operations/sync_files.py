"""The files of a local folder as assets: what each is, under which name, and with which headers it is to be served.

Everything is looked at before anything is written, so that a folder that cannot be synchronised is refused as a whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ..engine.errors import OptionError
from ..resources.s3_objects import content_type_of, first_match

READERS = min(4, os.cpu_count() or 1)  # files that are read at the same time; hashing leaves the interpreter's lock
BATCH = 250  # files that one reader takes at a time
PART = 1024 * 1024  # bytes read at a time
LARGEST = 48 * 1024**4  # bytes of one object, https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
LONGEST = 1024  # bytes of a key
HOME = ".webstack/"  # what begins so belongs to the synchronisation itself

IMMUTABLE = "public, max-age=31536000, immutable"
# A part of a file's name that was made from its content: bundlers put eight hexadecimal digits or more between dots and hyphens. A
# number alone may be a date, and a word alone a word.
HASHED = re.compile(r"[.-](?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,64}\.[^/]+$")
PAGES = ("*.html", "*.htm")
CACHED = "public, max-age=300"


@dataclass(frozen=True)
class Asset:
    """What an object is to be. ``sha256`` in hexadecimal digits; ``size`` in bytes; an empty ``cache_control`` is no header."""

    sha256: str
    size: int
    content_type: str
    cache_control: str = ""

    @property
    def immutable(self) -> bool:
        """Whether caches may keep it for ever under this name."""
        return "immutable" in self.cache_control


@dataclass(frozen=True)
class Headers:
    """The rules by which a name gets its headers: patterns in the order in which they were written, the first that fits counts."""

    content_types: Mapping[str, str]
    cache_control: Mapping[str, str]

    def of(self, name: str) -> tuple[str, str]:
        """Content type and cache header of a name."""
        chosen = first_match(self.cache_control, name)
        if chosen is None:
            chosen = IMMUTABLE if HASHED.search(name) else "no-cache" if first_of(PAGES, name) else CACHED
        return content_type_of(name, self.content_types), chosen


@dataclass(frozen=True)
class Found:
    """A file as the walk saw it: ``stamp`` tells whether it was written to since."""

    name: str
    path: str
    size: int
    stamp: int


def first_of(patterns: Iterable[str], name: str) -> bool:
    """Whether a name fits one of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def walk(source: str, exclude: Iterable[str], symlinks: str) -> list[Found]:
    """Every file below a folder in order of their names, none that fits ``exclude``. Raises OptionError."""
    if not os.path.isdir(source):
        raise OptionError("source", source, "It is the path of a folder on the machine that runs the task")
    skipped = re.compile("|".join(_translated(pattern) for pattern in exclude) or r"(?!)", re.DOTALL)
    found = []
    for one in _below(source, "", symlinks, skipped, frozenset({os.path.realpath(source)})):
        try:
            length = len(one.name.encode())
        except UnicodeEncodeError:
            raise OptionError(
                "source", repr(one.path), "The name of this file is not UTF-8. Rename or exclude it"
            ) from None
        if length > LONGEST - 256:
            raise OptionError(
                "source", one.name, f"With its prefix a name may have {LONGEST} bytes. Shorten or exclude it"
            )
        if one.size > LARGEST:
            raise OptionError("source", one.name, "S3 takes no object that large. Exclude it")
        if one.name.startswith(HOME):
            raise OptionError(
                "source", one.name, f"Names that begin with {HOME} are used by the synchronisation. Rename it"
            )
        found.append(one)
    return sorted(found, key=lambda one: one.name)


def _below(folder: str, base: str, symlinks: str, skipped: re.Pattern[str], above: frozenset[str]) -> Iterator[Found]:
    """The files of a folder and of those in it. ``above``: the real paths of the folders that lead here, against circles."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = base + entry.name
            if skipped.match(name) or (entry.is_dir() and skipped.match(name + "/")):
                continue
            if entry.is_symlink():
                if symlinks == "skip":
                    continue
                if symlinks == "refuse":
                    text = "It is a symbolic link. Set symlinks to follow or skip, or exclude it"
                    raise OptionError("source", name, text)
                if not os.path.exists(entry.path):
                    raise OptionError("source", name, "This symbolic link leads nowhere. Mend or exclude it")
            if entry.is_dir():
                real = os.path.realpath(entry.path)
                if real in above:
                    raise OptionError("source", name, "This symbolic link leads to a folder that it is in. Exclude it")
                yield from _below(entry.path, name + "/", symlinks, skipped, above | {real})
                continue
            facts = entry.stat()
            if not stat.S_ISREG(facts.st_mode):
                raise OptionError("source", name, "It is neither a file nor a folder. Exclude it")
            yield Found(name, entry.path, facts.st_size, facts.st_mtime_ns)


def assets_of(files: list[Found], headers: Headers) -> dict[str, Asset]:
    """Name → what the object of each file is to be. Reads every byte."""

    def some(start: int) -> list[Asset]:
        return [Asset(digest_of(one.path), one.size, *headers.of(one.name)) for one in files[start : start + BATCH]]

    with ThreadPoolExecutor(READERS) as pool:
        batches = pool.map(some, range(0, len(files), BATCH))
        hashed = [asset for batch in batches for asset in batch]
    return {one.name: asset for one, asset in zip(files, hashed, strict=True)}


def digest_of(path: str) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    # Of ten thousand small files, a file object each would take longer than the hashing.
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while part := os.read(file, PART):
            digest.update(part)
    finally:
        os.close(file)
    return digest.hexdigest()


def _translated(pattern: str) -> str:
    """A pattern of names as a regular expression: ``*`` fits slashes too, as in every option of the collection."""
    pieces = {"*": ".*", "?": "."}
    return "(?:" + "".join(pieces.get(letter, re.escape(letter)) for letter in pattern) + r")\Z"


def as_fields(asset: Asset) -> dict[str, Any]:
    """An asset for the manifest."""
    fields: dict[str, Any] = {"sha256": asset.sha256, "size": asset.size, "type": asset.content_type}
    return {**fields, "cache": asset.cache_control} if asset.cache_control else fields
