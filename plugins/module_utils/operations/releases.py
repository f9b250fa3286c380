"""Releases of an application in folders of one host: unpacked beside each other, switched by one rename, and what is known of each.

``root/releases/<name>/`` is a release, ``root/current`` a relative link to the one that serves, ``root/manifests/<name>.json`` what is
known of it. A manifest's state is preparing (being unpacked; half of it may be missing), ready (whole), active (serves and has passed
its health checks), failed, or retired (has served). This runs on the host: the standard library of Python 3.8, nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
STATES = ("preparing", "ready", "active", "failed", "retired")
WHOLE = ("ready", "active", "failed", "retired")


class ReleaseError(Exception):
    """A release cannot be put in place. The text says why and what to do."""


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


class Releases:
    """The releases below one root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "releases"
        self.manifests = root / "manifests"
        self.link = root / "current"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes the releases of this root meanwhile. Raises ReleaseError after 30 s."""
        self.manifests.mkdir(parents=True, exist_ok=True)
        with (self.manifests / ".lock").open("w") as file:
            deadline = time.monotonic() + 30
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise ReleaseError(f"Somebody else is changing {self.root}. Wait until that is over") from None
                time.sleep(0.05)
            yield

    def current(self) -> str | None:
        """The release that the link leads to: what really serves, whatever the manifests say."""
        try:
            target = os.readlink(self.link)
        except FileNotFoundError:
            return None
        except OSError:
            raise ReleaseError(f"{self.link} is no link. Move it away, or give another root folder") from None
        return os.path.basename(os.path.normpath(target))

    def manifest(self, name: str) -> dict[str, Any]:
        """What is known of a release; empty for one that nobody here has unpacked, or whose manifest is unreadable."""
        try:
            found: dict[str, Any] = json.loads((self.manifests / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def note(self, name: str, **facts: Any) -> None:
        """Change a manifest, whole or not at all, and on the disk when this returns."""
        self.manifests.mkdir(parents=True, exist_ok=True)
        text = json.dumps(
            {**self.manifest(name), "release": name, **facts, "changed": round(time.time(), 3)}, sort_keys=True
        )
        path = self.manifests / f"{name}.json"
        fresh = path.with_name(f".{path.name}.new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)

    def whole(self, name: str) -> bool:
        """Whether a release is there to its last file."""
        if not (self.folder / name).is_dir():
            return False
        known = self.manifest(name)
        return (
            known.get("state") in WHOLE if known else self.current() == name
        )  # one that came with the image serves already

    def unpack(self, name: str, archive: Path, sha256: str) -> bool:
        """Put a release beside the others, without touching what serves. Whether anything was to be done.

        A half one, of a run that was killed, is removed first. Raises ReleaseError for another digest, and for a name that is
        taken by other content.
        """
        if self.whole(name) and self.current() == name and not self.manifest(name):
            return False  # the instance was made with it
        found = digest_of(archive)
        if found != sha256.lower():
            raise ReleaseError(
                f"{archive} has the SHA-256 {found}, not {sha256}: it is not the artifact that was meant"
            )
        if self.whole(name):
            if self.manifest(name).get("sha256") not in (None, found):
                raise ReleaseError(
                    f"Release {name} is there already, with other content. Give the new content a new name"
                )
            return False
        place = self.folder / name
        if self.current() == name:
            raise ReleaseError(f"{self.link} leads to {name}, which is not whole. Lead it to another release first")
        self.note(name, state="preparing", sha256=found)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        extract(archive, place)
        self.note(name, state="ready")
        return True

    def switch(self, name: str) -> str | None:
        """Lead ``current`` to a release in one rename. The release that served before."""
        if not self.whole(name):
            raise ReleaseError(f"Release {name} is not whole in {self.folder}. Prepare it first")
        before = self.current()
        if before != name:
            if before and not self.manifest(before):
                self.note(before, state="retired")  # it came with the image; it is whole, for it has served
            self.note(name, previous=before)
            fresh = self.root / ".current.new"
            with contextlib.suppress(FileNotFoundError):
                fresh.unlink()
            fresh.symlink_to(Path("releases") / name)
            os.replace(fresh, self.link)
        return before

    def activated(self, name: str) -> None:
        """Note that a release serves and is well; all others that were active are retired."""
        for other in self.names():
            if other != name and self.manifest(other).get("state") == "active":
                self.note(other, state="retired")
        self.note(name, state="active")

    def names(self) -> list[str]:
        """The releases that have a folder."""
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir()) if self.folder.is_dir() else []

    def previous(self, name: str | None) -> str | None:
        """The release that really ran before this one, if it is still whole."""
        before = self.manifest(name).get("previous") if name else None
        return str(before) if before and self.whole(str(before)) else None

    def prune(self, keep: int) -> list[str]:
        """Delete the oldest releases until ``keep`` are left, but never the active one, its predecessor, or one that is ready."""
        current = self.current()
        spared = {current, self.manifest(current).get("previous") if current else None}
        spared |= {name for name in self.names() if self.manifest(name).get("state") == "ready"}
        idle = [name for name in self.names() if name not in spared]
        # Failed ones first: they must not push out what has proven itself.
        idle.sort(
            key=lambda name: (self.manifest(name).get("state") != "failed", self.manifest(name).get("changed", 0))
        )
        gone = idle[: max(len(self.names()) - keep, 0)]
        for name in gone:
            self.note(name, state="preparing")  # a half deleted one counts as half made
            shutil.rmtree(self.folder / name)
            (self.manifests / f"{name}.json").unlink()
        return gone


def extract(archive: Path, place: Path) -> None:
    """Unpack a tar or zip file; nothing may lie or lead outside. Raises ReleaseError."""
    try:
        if zipfile.is_zipfile(archive):
            _extract_zip(archive, place)
        elif tarfile.is_tarfile(archive):
            _extract_tar(archive, place)
        else:
            raise ReleaseError(f"{archive} is neither a tar nor a zip file")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise ReleaseError(f"{archive} cannot be unpacked: {error}") from None


def _inside(name: str, archive: Path) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ReleaseError(f"{archive} has an entry {name!r}, which would lie outside its folder")


def _extract_zip(archive: Path, place: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for entry in file.infolist():
            _inside(entry.filename, archive)
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise ReleaseError(f"{archive} has a link, {entry.filename!r}; a zip file must hold files only")
        for entry in file.infolist():
            path = Path(file.extract(entry, place))
            if mode := stat.S_IMODE(entry.external_attr >> 16):
                path.chmod(mode & 0o755 | stat.S_IWUSR | (stat.S_IXUSR if path.is_dir() else 0))


def _extract_tar(archive: Path, place: Path) -> None:
    with tarfile.open(archive) as file:
        members = file.getmembers()
        for member in members:
            _inside(member.name, archive)
            if member.issym():
                target = os.path.normpath(os.path.join(os.path.dirname(member.name), member.linkname))
                if os.path.isabs(member.linkname) or target.startswith(".."):
                    raise ReleaseError(f"{archive} has a link {member.name!r} that leads outside its folder")
            elif member.islnk():
                _inside(member.linkname, archive)
            elif not (member.isfile() or member.isdir()):
                raise ReleaseError(f"{archive} has {member.name!r}, which is neither a file, a folder nor a link")
            member.uid = member.gid = 0 if os.geteuid() == 0 else os.geteuid()
            member.uname = member.gname = ""
            member.mode = member.mode & 0o755 | stat.S_IWUSR
        if hasattr(tarfile, "data_filter"):
            file.extractall(place, filter="data")
        else:
            file.extractall(place)  # all members were looked at above
