"""What a synchronisation answers: numbers, the first names of each kind, and a difference to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engine.sdk import SDK_ERRORS, explain
from .sync import Sync
from .sync_files import Asset
from .sync_objects import Uploaded

SHOWN = 100  # names of one kind that an answer holds


def answer_of(sync: Sync, outcome: Uploaded | None) -> dict[str, Any]:
    """The answer of a run; ``outcome`` is None where nothing was done: nothing was to be, or it was only looked."""
    plan, wish = sync.plan, sync.wish
    lists = {
        "upload": plan.upload,
        "remove": plan.remove,
        "missed": plan.missed,
        "back": plan.back,
        "forget": plan.forget,
    }
    answer: dict[str, Any] = {
        "changed": sync.changed,
        "bucket": wish.bucket,
        "prefix": wish.prefix,
        "files": len(sync.wanted),
        "to_upload": len(plan.upload),
        "to_remove": len(plan.remove),
        "waiting": len(plan.waiting),
        "unmanaged": plan.unmanaged,
        "names": {kind: shortened(names) for kind, names in lists.items() if names},
        "invalidation": sync.invalidation,
        "findings": sync.findings,
        **sync.done,
        "diff": difference(sync),
    }
    if outcome is None or outcome.complete:
        return answer
    error = outcome.failed
    text = (explain(error) if isinstance(error, SDK_ERRORS) else str(error)) if error else outcome.stopped or ""
    left = len(plan.upload) - sync.done["uploaded"]
    answer["msg"] = (
        f"{text}. {sync.done['uploaded']} of {len(plan.upload)} files were uploaded"
        + (f", {left} were not" if left else "")
        + "; what is served is whole, and the next run goes on from here"
    )
    return answer


def shortened(names: Sequence[str]) -> list[str]:
    """The first names, and how many more there are."""
    more = len(names) - SHOWN
    return [*names[:SHOWN], *([f"and {more} more"] if more > 0 else [])]


def difference(sync: Sync) -> dict[str, str]:
    """What the bucket has and will have of each name that changes, a line a name."""
    plan, entries = sync.plan, sync.manifest.entries
    uploads = plan.upload[:SHOWN]
    ended = [*plan.remove, *plan.forget][:SHOWN]
    missed = plan.missed[:SHOWN]
    before = [line(name, entries[name].asset) for name in sorted({*uploads, *ended, *missed} & entries.keys())]
    after = [line(name, sync.wanted[name]) for name in uploads]
    after += [
        line(name, entries[name].asset) + ", removed after the time of grace" for name in missed if name in entries
    ]
    more = (
        len(plan.upload)
        + len(plan.remove)
        + len(plan.forget)
        + len(plan.missed)
        - len(uploads)
        - len(ended)
        - len(missed)
    )
    after = sorted(after) + ([f"and {more} more"] if more else [])
    where = f"s3://{sync.wish.bucket}/{sync.wish.prefix}"
    return {
        "before_header": where,
        "after_header": where,
        "before": "".join(f"{one}\n" for one in before),
        "after": "".join(f"{one}\n" for one in after),
    }


def line(name: str, asset: Asset) -> str:
    """One object in a line."""
    cache = f", {asset.cache_control}" if asset.cache_control else ""
    return f"{name}: {asset.sha256[:12]}, {asset.size} bytes, {asset.content_type}{cache}"
