"""Synchronises a folder with a prefix of a bucket: what nobody refers to first, pages after it, the manifest last.

Order is the point. Whatever moment a run dies at: a page that is served finds what it refers to, because that was put before it and is
removed a time of grace after it; the manifest lists nothing that is not there; and what caches may still hold is either in the manifest
or will be uploaded again, so the next run makes them forget it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ..engine.errors import OptionError, ResourceError
from ..engine.resource import OWNER_TAG, as_dict
from ..engine.schedule import Clock
from ..engine.sdk import SDK_ERRORS, Clients, error_code, explain
from ..resources.s3_objects import MANIFEST
from .errors import OperationError
from .lock import claim
from .sync_files import Asset, Found, assets_of, first_of, walk
from .sync_invalidation import Target, await_completion, folded, invalidate, target_of
from .sync_manifest import Entry, Manifest, Store
from .sync_objects import Objects, Uploaded
from .sync_options import SyncWish
from .sync_plan import SyncPlan, plan
from .writing import new_run_id

FAILURES: tuple[type[Exception], ...] = (*SDK_ERRORS, ResourceError, OperationError)
RENEW = 30.0  # seconds between two renewals of the claim
CLOUDFRONT = "us-east-1"  # where CloudFront is spoken to


class Sync:
    """One synchronisation: ``look``, then ``carry_out`` unless there is nothing to do or nothing may be done."""

    def __init__(self, clients: Clients, wish: SyncWish, clock: Clock | None = None) -> None:
        self.wish = wish
        self.clock = clock or Clock()
        self._clients = clients
        client = clients("s3", wish.region)
        where = {"Bucket": wish.bucket, "ExpectedBucketOwner": wish.account_id}
        purpose = f"synchronising s3://{wish.bucket}/{wish.prefix}"
        us = claim(new_run_id("sync"), purpose, alone=True)
        self._store = Store(client, where, wish.prefix, self.clock, us)
        self._objects = Objects(client, where, wish.prefix, wish.concurrency)
        self._tags: Callable[[], Any] = lambda: client.get_bucket_tagging(**where)
        self._files: dict[str, Found] = {}
        self.wanted: dict[str, Asset] = {}
        self.manifest = Manifest()
        self.plan = SyncPlan()
        self.done = {"uploaded": 0, "removed": 0, "bytes": 0}
        self.invalidation: dict[str, Any] = {}
        self.findings: list[str] = []
        self._stale: set[str] = set()  # replaced or removed by this run, and not yet forgotten by caches
        self._renewed = 0.0

    def look(self) -> None:
        """Read the folder and the manifest, and the bucket where that may show more. Raises what stands against it."""
        files = walk(self.wish.source, self.wish.exclude, self.wish.symlinks)
        if not (files or self.wish.allow_empty):
            text = "The folder holds no files, or exclude leaves none of them. If all is to be removed, set allow_empty"
            raise OptionError("source", self.wish.source, text)
        self._files = {one.name: one for one in files}
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(self._read)
            self.wanted = assets_of(files, self.wish.headers)
            manifest = reading.result()
        self.manifest = manifest or Manifest()
        self._store.refuse_others(self.manifest)
        now = self._store.now
        self.plan = plan(self.wanted, self.manifest, None, now, self.wish.grace)
        # A manifest that is young, and that no run has left half-way, says what is there. What is to be changed is looked at.
        young = manifest is not None and now - manifest.written < self.wish.verify_after
        if not young or self.plan.changes or self.manifest.owner is not None:
            listing = self._objects.listed(list(self.manifest.entries))
            if MANIFEST in listing:
                self._refuse_tier()
            self.plan = plan(self.wanted, self.manifest, listing, now, self.wish.grace)

    @property
    def changed(self) -> bool:
        """Whether something is to be written; a claim that a dead run has left is."""
        return self.plan.changes or self.manifest.owner is not None

    def carry_out(self, stop: Callable[[], str | None] = lambda: None) -> Uploaded:
        """Do what is planned. A failure is in the outcome, after what was done has been noted; the next run goes on from there."""
        if not self.wish.named:
            self._require_ours()
        self.manifest = self._store.claim(self.manifest)
        self._renewed = self.clock.now()
        entries = self._marked()
        outcome, sure = Uploaded(), False
        try:
            outcome = self._put_all(entries, stop)
            if outcome.complete:
                self._remove(entries)
                self._forget_in_caches()
                sure = True
        except FAILURES as error:
            outcome.failed = error
        finally:
            try:
                self.manifest = self._store.finish(self._as_it_is(entries), sure=sure)
            except FAILURES as error:
                outcome.failed = outcome.failed or error  # what was first is told; the claim expires by itself
        if outcome.complete and self.wish.wait and self.invalidation:
            target = Target(self.invalidation["distribution_id"], "")
            await_completion(self._clients("cloudfront", CLOUDFRONT), target, self.invalidation["id"], self.clock)
        return outcome

    def _read(self) -> Manifest | None:
        try:
            return self._store.read()
        except SDK_ERRORS as error:
            raise OperationError(_explained(error, self.wish)) from error

    def _require_ours(self) -> None:
        """The bucket of the stack's name must carry its tag; one that the user has named need not."""
        try:
            tags = as_dict(self._tags().get("TagSet"))
        except SDK_ERRORS as error:
            if error_code(error) != "NoSuchTagSet":
                raise
            tags = {}
        if tags.get(OWNER_TAG) != self.wish.stack:
            raise OperationError(
                f"Bucket {self.wish.bucket} does not carry the tag {OWNER_TAG}={self.wish.stack}. "
                "If it is meant all the same, name it in the option bucket"
            )

    def _refuse_tier(self) -> None:
        raise OptionError(
            "prefix",
            self.wish.prefix,
            f"The assets tier keeps files of its own here (its option source). Give another prefix; or unset that option, "
            f"delete s3://{self.wish.bucket}/{self.wish.prefix}{MANIFEST}, and run again",
        )

    def _marked(self) -> dict[str, Entry]:
        """The entries of the manifest as this run begins: what is about to be put is not in it, as nobody knows what is there."""
        entries = dict(self.manifest.entries)
        now = self._store.now
        for name in self.plan.missed:
            entries[name] = replace(entries[name], gone=now)
        for name in self.plan.back:
            entries[name] = replace(entries[name], gone=None)
        for name in self.plan.forget:
            del entries[name]
        self._stale = set(self.plan.stale) - set(self.plan.upload) - set(self.plan.remove)
        return entries

    def _put_all(self, entries: dict[str, Entry], stop: Callable[[], str | None]) -> Uploaded:
        """Upload in waves: what has a name of its own content, what else pages refer to, pages."""
        outcome = Uploaded()
        waves: tuple[list[str], list[str], list[str]] = ([], [], [])
        for name in self.plan.upload:
            page = first_of(self.wish.entry_points, name)
            waves[2 if page else 0 if self.wanted[name].immutable else 1].append(name)

        def done(name: str, entry: Entry) -> None:
            entries[name] = entry
            self.done["uploaded"] += 1
            self.done["bytes"] += entry.asset.size
            if name in self.plan.stale:
                self._stale.add(name)

        def pulse() -> None:
            if self.clock.now() - self._renewed >= RENEW:
                self.manifest = self._store.renew(self._as_it_is(entries))
                self._renewed = self.clock.now()

        for wave in waves:
            files = [(self._files[name], self.wanted[name]) for name in wave]
            if files and outcome.complete:
                outcome = self._objects.upload(files, done, stop, pulse)
        return outcome

    def _remove(self, entries: dict[str, Entry]) -> None:
        for batch in self._objects.remove(self.plan.remove):
            for name in batch:
                if not entries.pop(name).asset.immutable:
                    self._stale.add(name)
            self.done["removed"] += len(batch)

    def _forget_in_caches(self) -> None:
        """Ask CloudFront to forget what is stale. Afterwards nothing is."""
        wish = self.wish
        if self._stale and wish.invalidate:
            client = self._clients("cloudfront", CLOUDFRONT)
            target = target_of(client, wish.stack, wish.bucket, wish.distribution_id)
            if target is None:
                self.findings.append(
                    f"No distribution of stack {wish.stack} gets its content from {wish.bucket}: none was told"
                )
            elif paths := folded(target.paths(wish.prefix + name for name in self._stale), wish.max_invalidation_paths):
                reference = f"webstack-{wish.stack}-{self.manifest.token[:8]}-{self.manifest.serial}"
                invalidation_id = invalidate(client, target, paths, reference)
                self.invalidation = {"id": invalidation_id, "distribution_id": target.distribution_id, "paths": paths}
        self._stale = set()

    def _as_it_is(self, entries: dict[str, Entry]) -> Manifest:
        """The manifest as of now; in order of names, so that it packs well."""
        due = frozenset(self._stale) if self.wish.invalidate else frozenset()
        return replace(self.manifest, entries=dict(sorted(entries.items())), due=due)


def _explained(error: Exception, wish: SyncWish) -> str:
    """What went wrong at the first call to the bucket, with what to do."""
    code = error_code(error)
    if code == "NoSuchBucket":
        return f"There is no bucket {wish.bucket}. Run the assets tier first (--tags assets), or give the option bucket"
    text = explain(error)
    if code in ("AccessDenied", "403"):
        text += (
            f". The bucket must be of account {wish.account_id}; the caller needs s3:ListBucket on it, s3:GetObject, s3:PutObject and "
            "s3:DeleteObject on its objects and, where a KMS key encrypts it, kms:Decrypt and kms:GenerateDataKey on that key"
        )
    elif code in ("PermanentRedirect", "301", "AuthorizationHeaderMalformed"):
        text += f". The bucket lies in another region than {wish.region}: set region to its own"
    return text
