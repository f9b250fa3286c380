"""The assets tier: a private bucket for static content with its objects, and a bucket for everybody's logs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from ..engine.errors import OptionError
from ..engine.resource import Resource
from ..engine.tier import Tier
from ..resources.kms import Key
from ..resources.policies import document
from ..resources.s3 import Bucket, Encryption
from ..resources.s3_documents import (
    LIFECYCLE_CLASSES,
    cdn_read,
    cors_rule,
    delivered_logs,
    lifecycle_rule,
    load_balancer_logs,
    tls_only,
)
from ..resources.s3_objects import LARGEST, Objects, files_of

LIFECYCLE_RULE: dict[str, Any] = {
    "id": {"type": "str", "required": True},
    "enabled": {"type": "bool", "default": True},
    "prefix": {"type": "str"},
    "tags": {"type": "dict"},
    "object_size_greater_than": {"type": "int"},
    "object_size_less_than": {"type": "int"},
    "expiration_days": {"type": "int"},
    "expired_object_delete_marker": {"type": "bool"},
    "transitions": {"type": "dict"},
    "noncurrent_expiration_days": {"type": "int"},
    "newer_noncurrent_versions": {"type": "int"},
    "noncurrent_transitions": {"type": "dict"},
    "abort_incomplete_multipart_days": {"type": "int"},
}
CORS_RULE: dict[str, Any] = {
    "allowed_origins": {"type": "list", "elements": "str", "required": True},
    "allowed_methods": {
        "type": "list",
        "elements": "str",
        "required": True,
        "choices": ["GET", "HEAD", "PUT", "POST", "DELETE"],
    },
    "allowed_headers": {"type": "list", "elements": "str"},
    "expose_headers": {"type": "list", "elements": "str"},
    "max_age": {"type": "int"},
}
ARGUMENTS: dict[str, Any] = {
    "bucket_name": {"type": "str"},
    "versioning": {"type": "bool", "default": True},
    "encryption": {"type": "str", "default": "AES256", "choices": ["AES256", "aws:kms", "aws:kms:dsse"]},
    "kms_key": {"type": "str", "no_log": False},  # the name of a key, not a key
    "bucket_key": {"type": "bool", "default": True},
    "block_sse_c": {"type": "bool", "default": True},
    "minimum_tls_version": {"type": "str", "default": "1.2", "choices": ["1.0", "1.2", "1.3"]},
    "cdn_access": {"type": "bool", "default": True},
    "cdn_distribution_ids": {"type": "list", "elements": "str", "default": []},
    "cdn_list_bucket": {"type": "bool", "default": False},
    "policy_statements": {"type": "list", "elements": "dict", "default": []},
    "noncurrent_retention_days": {"type": "int", "default": 90},
    "abort_multipart_days": {"type": "int", "default": 7},
    "lifecycle_rules": {"type": "list", "elements": "dict", "default": [], "options": LIFECYCLE_RULE},
    "cors_rules": {"type": "list", "elements": "dict", "options": CORS_RULE},
    "source": {"type": "path"},
    "object_prefix": {"type": "str", "default": ""},
    "cache_control": {"type": "dict", "default": {}},
    "content_types": {"type": "dict", "default": {}},
    "exclude": {"type": "list", "elements": "str", "default": [".git/*", "*.DS_Store"]},
    "purge_objects": {"type": "bool", "default": False},
    "log_bucket": {"type": "bool", "default": True},
    "log_bucket_name": {"type": "str"},
    "log_retention_days": {"type": "int", "default": 90},
    "log_lifecycle_rules": {"type": "list", "elements": "dict", "default": [], "options": LIFECYCLE_RULE},
    "log_policy_statements": {"type": "list", "elements": "dict", "default": []},
}
BUCKET_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
STATEMENT_PARTS = (("Effect",), ("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource"))


def assets_tier(options: dict[str, Any]) -> list[Resource]:
    """Both buckets and what lies in the first; the logs of load balancers, VPC and CDN go to the second."""
    _check(options)
    bucket = _assets_bucket(options)
    resources: list[Resource] = [bucket]
    if options["source"]:
        resources.append(_objects(options, bucket))
    if options["log_bucket"]:
        resources.append(_log_bucket(options))
    return resources


def _assets_bucket(options: dict[str, Any]) -> Bucket:
    name = bucket_name(options, "bucket_name", "assets")
    arn, account_id = _arn(options, name), options["account_id"]
    statements = tls_only(arn, options["minimum_tls_version"])
    if options["cdn_access"]:
        ids, list_bucket = options["cdn_distribution_ids"], options["cdn_list_bucket"]
        statements += cdn_read(arn, account_id, distribution_ids=ids, list_bucket=list_bucket)
    cors = options["cors_rules"]
    housekeeping = {
        "id": "webstack-housekeeping",
        "noncurrent_expiration_days": options["noncurrent_retention_days"] or None,
        "expired_object_delete_marker": bool(options["noncurrent_retention_days"]),
        "abort_incomplete_multipart_days": options["abort_multipart_days"] or None,
    }
    return Bucket(
        name,
        account_id=account_id,
        versioning=options["versioning"],
        encryption=Encryption(options["encryption"], options["bucket_key"], options["block_sse_c"]),
        kms_key=_key(options),
        lifecycle=_rules([housekeeping, *options["lifecycle_rules"]]),
        cors=None if cors is None else [cors_rule(rule) for rule in cors],
        policy=document(*statements, *_statements(options, "policy_statements", arn)),
    )


def _log_bucket(options: dict[str, Any]) -> Bucket:
    """S3's own encryption stays as it is: load balancers write to no bucket that is encrypted with a KMS key (trap 63)."""
    name = bucket_name(options, "log_bucket_name", "logs")
    arn, account_id, region = _arn(options, name), options["account_id"], options["region"]
    expiry = {
        "id": "webstack-log-retention",
        "expiration_days": options["log_retention_days"],
        "abort_incomplete_multipart_days": 1,
    }
    return Bucket(
        name,
        account_id=account_id,
        lifecycle=_rules([expiry, *options["log_lifecycle_rules"]]),
        policy=document(
            *tls_only(arn, options["minimum_tls_version"]),
            *load_balancer_logs(arn, account_id, region),
            *delivered_logs(arn, account_id, region),
            *_statements(options, "log_policy_statements", arn),
        ),
    )


def _objects(options: dict[str, Any], bucket: Bucket) -> Objects:
    prefix = options["object_prefix"].strip("/")
    return Objects(
        f"{bucket.name}/{prefix}".rstrip("/"),
        bucket=bucket,
        source=options["source"],
        prefix=f"{prefix}/" if prefix else "",
        cache_control=options["cache_control"],
        content_types=options["content_types"],
        exclude=tuple(options["exclude"]),
        purge_removed=options["purge_objects"],
    )


def bucket_name(options: Mapping[str, Any], option: str, purpose: str) -> str:
    """The user's name of a bucket, or ours, which nobody else has because account and region are in it."""
    given: str | None = options[option]
    name = given or f"{options['stack']}-{purpose}-{options['account_id']}-{options['region']}"
    if not BUCKET_NAME.fullmatch(name) or re.fullmatch(r"[\d.]+", name):
        rule = "A bucket name has 3 to 63 lower-case letters, digits, dots and hyphens, and begins and ends with a letter or digit"
        raise OptionError(option if given else "stack", name, rule)
    return name


def _arn(options: Mapping[str, Any], name: str) -> str:
    return f"arn:{options['partition']}:s3:::{name}"


def _key(options: Mapping[str, Any]) -> Key | None:
    if not options["kms_key"]:
        return None
    return Key(options["kms_key"], owned=False, hint="Run the tier that owns the key first, or correct kms_key")


def _rules(wishes: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Lifecycle rules by id, without the one that does nothing."""
    rules = {wish["id"]: lifecycle_rule(wish) for wish in wishes}
    return {name: rule for name, rule in rules.items() if rule.keys() - {"enabled", "prefix"}}


def _statements(options: Mapping[str, Any], option: str, arn: str) -> list[dict[str, Any]]:
    """The user's own policy statements; one without ``Resource`` is about the bucket and its objects."""
    whole = {"Resource": [arn, f"{arn}/*"]}
    return [one if {"Resource", "NotResource"} & one.keys() else {**one, **whole} for one in options[option]]


def _check(options: Mapping[str, Any]) -> None:
    """Everything that can be seen to be wrong before any call."""
    if options["kms_key"] and options["encryption"] == "AES256":
        raise OptionError("kms_key", options["kms_key"], "A key needs encryption=aws:kms")
    if options["cdn_access"] and options["encryption"] != "AES256" and not options["kms_key"]:
        text = "CloudFront cannot read objects under AWS's own key. Set kms_key, AES256, or cdn_access=false"
        raise OptionError("encryption", options["encryption"], text)  # trap 135
    if bucket_name(options, "bucket_name", "assets") == bucket_name(options, "log_bucket_name", "logs"):
        raise OptionError("log_bucket_name", options["log_bucket_name"], "Logs need a bucket of their own")
    for option, least in (("noncurrent_retention_days", 0), ("abort_multipart_days", 0), ("log_retention_days", 1)):
        if options[option] < least:
            raise OptionError(option, options[option], f"The least number of days is {least}")
    for option in ("lifecycle_rules", "log_lifecycle_rules"):
        _check_lifecycle(option, options[option])
    for option in ("policy_statements", "log_policy_statements"):
        for number, one in enumerate(options[option]):
            for names in STATEMENT_PARTS[:3]:
                if not one.keys() & set(names):
                    raise OptionError(
                        f"{option}[{number}]", one, f"A bucket policy statement needs {' or '.join(names)}"
                    )
    _check_source(options)


def _check_lifecycle(option: str, rules: list[dict[str, Any]]) -> None:
    ids = [rule["id"] for rule in rules]
    for number, rule in enumerate(rules):
        place = f"{option}[{number}]"
        if ids.count(rule["id"]) > 1 or rule["id"].startswith("webstack-"):
            raise OptionError(
                f"{place}.id", rule["id"], "Every rule has its own id; those of the tier begin with webstack-"
            )
        _check_transitions(f"{place}.transitions", rule["transitions"] or {}, rule["expiration_days"])
        _check_transitions(f"{place}.noncurrent_transitions", rule["noncurrent_transitions"] or {}, None)
        if not lifecycle_rule(rule).keys() - {"enabled", "prefix", "tags", "larger_than", "smaller_than"}:
            raise OptionError(
                place,
                rule["id"],
                "The rule does nothing: set an expiration, a transition or abort_incomplete_multipart_days",
            )
        if rule["newer_noncurrent_versions"] and not rule["noncurrent_expiration_days"]:
            raise OptionError(f"{place}.newer_noncurrent_versions", rule["id"], "It needs noncurrent_expiration_days")
        if rule["expired_object_delete_marker"] and (rule["expiration_days"] or rule["tags"]):
            raise OptionError(
                f"{place}.expired_object_delete_marker", rule["id"], "It excludes expiration_days and tags"
            )


def _check_transitions(place: str, transitions: Mapping[str, Any], expiration: int | None) -> None:
    for storage_class, days in transitions.items():
        if storage_class not in LIFECYCLE_CLASSES:
            raise OptionError(place, storage_class, f"The storage classes are {', '.join(LIFECYCLE_CLASSES)}")
        if not str(days).isdigit():
            raise OptionError(f"{place}.{storage_class}", days, "It is a number of days")
        if storage_class in ("STANDARD_IA", "ONEZONE_IA") and int(days) < 30:
            raise OptionError(f"{place}.{storage_class}", days, "S3 moves objects there after 30 days at the earliest")
        if expiration and int(days) >= expiration:
            raise OptionError(f"{place}.{storage_class}", days, f"The objects expire after {expiration} days already")


def _check_source(options: Mapping[str, Any]) -> None:
    source = options["source"]
    if not source:
        return
    if not os.path.isdir(source):
        raise OptionError("source", source, "It is the path of a directory on the machine that runs the task")
    files = files_of(source, options["exclude"])
    if not files:
        raise OptionError("source", source, "The directory holds no files, or exclude leaves none of them")
    for name, path in files:
        if path.stat().st_size > LARGEST:
            raise OptionError(
                "source", name, "A file may have 5 GiB: put larger ones into the bucket by other means and exclude them"
            )


TIER = Tier("assets", ARGUMENTS, assets_tier, (Bucket, Objects))
