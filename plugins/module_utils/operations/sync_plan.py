"""What a synchronisation has to do: a pure function of the source, the manifest and, where it was asked for, the bucket itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .sync_files import Asset
from .sync_manifest import Entry, Manifest

Listing = Mapping[str, tuple[str, int]]  # name → ETag and size


@dataclass
class SyncPlan:
    """Names by what becomes of them; each in the order of their names."""

    upload: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)  # no longer in the source: their time of grace begins
    back: list[str] = field(default_factory=list)  # in the source again before it was over
    remove: list[str] = field(default_factory=list)  # it is over
    forget: list[str] = field(
        default_factory=list
    )  # somebody else has deleted or replaced what is not in the source either
    waiting: list[str] = field(default_factory=list)  # in their time of grace
    stale: set[str] = field(default_factory=set)  # what caches may hold in another form when this is done
    unmanaged: int | None = None  # objects that are not ours; None where the bucket was not looked at

    @property
    def changes(self) -> bool:
        """Whether anything is to be written."""
        return bool(self.upload or self.missed or self.back or self.remove or self.forget or self.stale)


def plan(
    wanted: Mapping[str, Asset], manifest: Manifest, listing: Listing | None, now: float, grace: float | None
) -> SyncPlan:
    """Compare. ``grace`` in seconds; None keeps what is no longer in the source for ever.

    Without a listing the manifest is believed. What was put by others is never touched, unless a file of the source has its name.
    """
    found = SyncPlan(stale=set(manifest.due))
    for name, asset in wanted.items():
        entry = manifest.entries.get(name)
        if entry is None or entry.asset != asset or not _intact(name, entry, listing):
            found.upload.append(name)
            if entry is not None or (listing is not None and name in listing):
                found.stale.add(name)
        elif entry.gone is not None:
            found.back.append(name)
    for name, entry in manifest.entries.items():
        if name not in wanted:
            _leave(found, name, entry, listing, now, grace)
    if listing is not None:
        found.unmanaged = len(listing.keys() - wanted.keys() - manifest.entries.keys())
    return found


def _leave(found: SyncPlan, name: str, entry: Entry, listing: Listing | None, now: float, grace: float | None) -> None:
    """What becomes of an object whose file is gone."""
    if not _intact(name, entry, listing):
        found.forget.append(name)
    elif grace is not None and now - (now if entry.gone is None else entry.gone) >= grace:
        found.remove.append(name)
    else:
        found.waiting.append(name)
        if entry.gone is None:
            found.missed.append(name)
        return
    if not entry.asset.immutable:  # a name that was made from its content never stands for anything else
        found.stale.add(name)


def _intact(name: str, entry: Entry, listing: Listing | None) -> bool:
    """Whether the object is the one that we have put, as far as can be seen."""
    return listing is None or listing.get(name) == (entry.etag, entry.asset.size)
