"""Telling CloudFront to forget what a synchronisation has replaced or removed, and nothing else.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..engine.schedule import Clock
from .errors import OperationError

INDEX = "index.html"
SAFE = "/-_.!$&'()*+,;=:@"  # the docs want what RFC 1738 calls unsafe to be encoded, and all else as it is
WILDCARDS = 10  # of one invalidation; CloudFront has 15 in progress for a distribution, and 3,000 other paths
TIMEOUT = 1800  # seconds; CloudFront says that most are over within a minute or two
POLL = 5.0  # seconds


@dataclass(frozen=True)
class Target:
    """A distribution that serves a bucket. ``origin_path`` is put before each path when CloudFront asks the bucket."""

    distribution_id: str
    origin_path: str

    def paths(self, keys: Iterable[str]) -> set[str]:
        """The paths under which viewers and functions ask for keys; the page of a folder has the folder's too."""
        found = set()
        for key in keys:
            path = f"/{key}"
            if path.startswith(f"{self.origin_path}/"):
                path = path[len(self.origin_path) :]
                found.add(quote(path, safe=SAFE))
                if path.endswith(f"/{INDEX}"):
                    found.add(quote(path[: -len(INDEX)], safe=SAFE))
        return found


def target_of(client: Any, stack: str, bucket: str, distribution_id: str | None) -> Target | None:
    """The distribution of that id, or the stack's own; None where it has none, or none that gets its content from the bucket."""
    for page in client.get_paginator("list_distributions").paginate():
        for item in page["DistributionList"].get("Items", ()):
            chosen = item["Id"] == distribution_id if distribution_id else _is_of(item, stack)
            for origin in item["Origins"]["Items"] if chosen else ():
                if origin["DomainName"].startswith((f"{bucket}.s3.", f"{bucket}.s3-")):
                    return Target(item["Id"], origin.get("OriginPath", "").rstrip("/"))
    if distribution_id:
        raise OperationError(
            f"distribution_id: {distribution_id} is no distribution of this account that gets its content from bucket {bucket}. "
            "Correct it, or leave it out"
        )
    return None


def _is_of(item: Mapping[str, Any], stack: str) -> bool:
    """Whether a distribution is the stack's: CloudFront's listing has no tags, so its comment names the stack."""
    return str(item["Comment"]).split(": ", 1)[0] == f"{stack} by webstack.aws"


def folded(paths: Iterable[str], limit: int) -> list[str]:
    """At most ``limit`` paths that cover all of them: folders with most of them become one wildcard each, or else everything does.

    A wildcard costs and counts as one path, and makes CloudFront forget more than it had to.
    """
    left = set(paths)
    wildcards: list[str] = []
    while len(left) + len(wildcards) > limit:
        if len(wildcards) == min(WILDCARDS, limit):
            return [_common(left | {one[:-1] for one in wildcards}) + "*"]
        counts: dict[str, int] = {}
        for path in left:
            folder = path[: path.rstrip("/").rfind("/") + 1]
            counts[folder] = counts.get(folder, 0) + 1
        most = max(counts.values())
        folder = min(one for one, count in counts.items() if count == most)
        if most == 1:
            return [_common(left | {one[:-1] for one in wildcards}) + "*"]
        left = {path for path in left if not path.startswith(folder)}
        wildcards = [one for one in wildcards if not one.startswith(folder)] + [folder + "*"]
    return sorted([*left, *wildcards])


def _common(paths: Iterable[str]) -> str:
    """The folder that all paths are in."""
    first, last = min(paths), max(paths)
    same = next(
        (place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(min(first, last, key=len))
    )
    return first[: first[:same].rfind("/") + 1] or "/"


def invalidate(client: Any, target: Target, paths: list[str], reference: str) -> str:
    """Ask for it; the id of the invalidation. The reference names this request: sent twice, it is carried out once (trap 150)."""
    digest = hashlib.sha256("\n".join(paths).encode()).hexdigest()[:16]
    answer = client.create_invalidation(
        DistributionId=target.distribution_id,
        InvalidationBatch={
            "Paths": {"Quantity": len(paths), "Items": paths},
            "CallerReference": f"{reference}-{digest}",
        },
    )
    return str(answer["Invalidation"]["Id"])


def await_completion(client: Any, target: Target, invalidation_id: str, clock: Clock) -> None:
    """Return when every edge has forgotten the paths. Raises OperationError after half an hour."""
    deadline = clock.now() + TIMEOUT
    while True:
        answer = client.get_invalidation(DistributionId=target.distribution_id, Id=invalidation_id)
        if answer["Invalidation"]["Status"] == "Completed":
            return
        if clock.now() > deadline:
            raise OperationError(
                f"Invalidation {invalidation_id} of distribution {target.distribution_id} is in progress after {TIMEOUT} seconds. "
                "Everything is uploaded; look at it in CloudFront"
            )
        clock.sleep(POLL)
