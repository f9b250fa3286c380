"""The options of a synchronisation, checked before any call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..engine.errors import OptionError
from ..tiers.assets import bucket_name
from .sync_files import HOME, Headers

SYNC_ARGUMENTS: dict[str, Any] = {
    "source": {"type": "path", "required": True},
    "bucket": {"type": "str"},
    "prefix": {"type": "str", "default": ""},
    "exclude": {"type": "list", "elements": "str", "default": [".git/*", "*/.git/*", "*.DS_Store"]},
    "symlinks": {"type": "str", "default": "refuse", "choices": ["refuse", "follow", "skip"]},
    "content_types": {"type": "dict", "default": {}},
    "cache_control": {"type": "dict", "default": {}},
    "entry_points": {
        "type": "list",
        "elements": "str",
        "default": ["*.html", "*.htm", "*.webmanifest", "*sw.js", "*service-worker.js"],
    },
    "remove": {"type": "bool", "default": True},
    "grace": {"type": "int", "default": 86400},
    "allow_empty": {"type": "bool", "default": False},
    "verify_after": {"type": "int", "default": 3600},
    "concurrency": {"type": "int", "default": 16},
    "invalidate": {"type": "bool", "default": True},
    "distribution_id": {"type": "str"},
    "max_invalidation_paths": {"type": "int", "default": 300},
    "wait": {"type": "bool", "default": False},
}
BOUNDS = {"grace": (0, None), "verify_after": (0, None), "concurrency": (1, 32), "max_invalidation_paths": (1, 3000)}
PREFIX = 255  # characters; names below it have the rest of a key's 1,024 bytes
HEADER = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True)
class SyncWish:
    """What is to lie where, and how."""

    stack: str
    region: str
    account_id: str
    bucket: str
    named: bool  # whether the user has named the bucket: it need not be the stack's then
    prefix: str  # empty, or ends with a slash
    source: str
    exclude: tuple[str, ...]
    symlinks: str
    headers: Headers
    entry_points: tuple[str, ...]
    grace: float | None
    allow_empty: bool
    verify_after: float
    concurrency: int
    invalidate: bool
    distribution_id: str | None
    max_invalidation_paths: int
    wait: bool


def wish_of(options: Mapping[str, Any], region: str, account_id: str, partition: str) -> SyncWish:
    """The options, checked. Raises OptionError."""
    for option, (least, most) in BOUNDS.items():
        if options[option] < least or (most is not None and options[option] > most):
            raise OptionError(option, options[option], f"At least {least}" + (f", at most {most}" if most else ""))
    prefix = options["prefix"].strip("/")
    if len(prefix) > PREFIX or "//" in prefix or f"{prefix}/".startswith(HOME):
        rule = f"Up to {PREFIX} characters, no empty part, and not below {HOME}, where the manifests are"
        raise OptionError("prefix", options["prefix"], rule)
    for option in ("content_types", "cache_control"):
        for pattern, value in options[option].items():
            if not isinstance(value, str) or not HEADER.fullmatch(value):
                raise OptionError(f"{option}.{pattern}", value, "Give the value of an HTTP header, in ASCII characters")
    names = {"bucket": options["bucket"], "stack": options["stack"], "account_id": account_id, "region": region}
    return SyncWish(
        stack=options["stack"],
        region=region,
        account_id=account_id,
        bucket=bucket_name({**names, "partition": partition}, "bucket", "assets"),
        named=bool(options["bucket"]),
        prefix=f"{prefix}/" if prefix else "",
        source=options["source"],
        exclude=tuple(options["exclude"]),
        symlinks=options["symlinks"],
        headers=Headers(options["content_types"], options["cache_control"]),
        entry_points=tuple(options["entry_points"]),
        grace=options["grace"] if options["remove"] else None,
        allow_empty=options["allow_empty"],
        verify_after=options["verify_after"],
        concurrency=options["concurrency"],
        invalidate=options["invalidate"],
        distribution_id=options["distribution_id"] or None,
        max_invalidation_paths=options["max_invalidation_paths"],
        wait=options["wait"],
    )
