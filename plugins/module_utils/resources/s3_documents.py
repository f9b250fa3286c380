"""The documents of a bucket: its policy, lifecycle and CORS rules, in the form in which they are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .policies import statement

LIFECYCLE_CLASSES = ("STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")

# Regions older than August 2022: there the load balancers write their logs as this account; elsewhere as a service
# (trap 63). https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
ELB_ACCOUNTS = {
    "af-south-1": "098369216593",
    "ap-east-1": "754344448648",
    "ap-northeast-1": "582318560864",
    "ap-northeast-2": "600734575887",
    "ap-northeast-3": "383597477331",
    "ap-south-1": "718504428378",
    "ap-southeast-1": "114774131450",
    "ap-southeast-2": "783225319266",
    "ap-southeast-3": "589379963580",
    "ca-central-1": "985666609251",
    "cn-north-1": "638102146993",
    "cn-northwest-1": "037604701340",
    "eu-central-1": "054676820928",
    "eu-north-1": "897822967062",
    "eu-south-1": "635631232127",
    "eu-west-1": "156460612806",
    "eu-west-2": "652711504416",
    "eu-west-3": "009996457667",
    "me-south-1": "076674570225",
    "sa-east-1": "507241528517",
    "us-east-1": "127311923021",
    "us-east-2": "033677994240",
    "us-gov-east-1": "190560391635",
    "us-gov-west-1": "048591011584",
    "us-west-1": "027434742980",
    "us-west-2": "797873946194",
}


def tls_only(bucket_arn: str, minimum: str | None) -> list[dict[str, Any]]:
    """Nobody reads or writes without TLS, or with an older version than ``minimum``."""
    everything = [bucket_arn, f"{bucket_arn}/*"]

    def deny(sid: str, condition: dict[str, Any]) -> dict[str, Any]:
        return statement(sid, effect="Deny", principal="*", action="s3:*", resource=everything, condition=condition)

    denials = [deny("DenyWithoutTls", {"Bool": {"aws:SecureTransport": "false"}})]
    if minimum:
        denials.append(deny("DenyOldTls", {"NumericLessThan": {"s3:TlsVersion": minimum}}))
    return denials


def cdn_read(
    bucket_arn: str, account_id: str, *, distribution_ids: Iterable[str] = (), list_bucket: bool = False
) -> list[dict[str, Any]]:
    """The account's CloudFront distributions, or only those with the given ids, may read the objects.

    The wildcard lets bucket and distribution be made in any order (trap 136). Without ``s3:ListBucket``, CloudFront sees an object that
    does not exist as 403, not 404 (trap 151).
    """
    partition = bucket_arn.split(":")[1]
    sources = [
        f"arn:{partition}:cloudfront::{account_id}:distribution/{one}" for one in sorted(distribution_ids) or ["*"]
    ]
    condition = {"StringEquals": {"AWS:SourceAccount": account_id}, "ArnLike": {"AWS:SourceArn": sources}}
    principal = {"Service": "cloudfront.amazonaws.com"}
    allowed = [("CloudFrontRead", "s3:GetObject", f"{bucket_arn}/*")]
    if list_bucket:
        allowed.append(("CloudFrontList", "s3:ListBucket", bucket_arn))
    return [
        statement(sid, principal=principal, action=action, resource=resource, condition=condition)
        for sid, action, resource in allowed
    ]


def load_balancer_logs(bucket_arn: str, account_id: str, region: str) -> list[dict[str, Any]]:
    """Application load balancers of the account and region may write logs, with or without a prefix (trap 63)."""
    partition = bucket_arn.split(":")[1]
    places = [f"{bucket_arn}/AWSLogs/{account_id}/*", f"{bucket_arn}/*/AWSLogs/{account_id}/*"]
    if region in ELB_ACCOUNTS:
        principal = {"AWS": f"arn:{partition}:iam::{ELB_ACCOUNTS[region]}:root"}
        return [statement("LoadBalancerLogs", principal=principal, action="s3:PutObject", resource=places)]
    source = f"arn:{partition}:elasticloadbalancing:{region}:{account_id}:loadbalancer/*"
    return [
        statement(
            "LoadBalancerLogs",
            principal={"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            action="s3:PutObject",
            resource=places,
            condition={"StringEquals": {"aws:SourceAccount": account_id}, "ArnLike": {"aws:SourceArn": source}},
        )
    ]


def delivered_logs(bucket_arn: str, account_id: str, region: str) -> list[dict[str, Any]]:
    """Network load balancers, VPC flow logs and CloudFront (which delivers from us-east-1, trap 153) may write logs.

    The statement names are AWS's own, so that a service that adds the statement by itself finds it there.
    """
    partition = bucket_arn.split(":")[1]
    sources = [f"arn:{partition}:logs:{one}:{account_id}:*" for one in sorted({region, "us-east-1"})]
    places = [f"{bucket_arn}/AWSLogs/{account_id}/*", f"{bucket_arn}/*/AWSLogs/{account_id}/*"]
    owner = {"aws:SourceAccount": account_id}
    source = {"StringEquals": owner, "ArnLike": {"aws:SourceArn": sources}}
    controlled = {**source, "StringEquals": {**owner, "s3:x-amz-acl": "bucket-owner-full-control"}}
    principal = {"Service": "delivery.logs.amazonaws.com"}
    return [
        statement(
            "AWSLogDeliveryWrite", principal=principal, action="s3:PutObject", resource=places, condition=controlled
        ),
        statement(
            "AWSLogDeliveryAclCheck",
            principal=principal,
            action=["s3:GetBucketAcl", "s3:ListBucket"],
            resource=bucket_arn,
            condition=source,
        ),
    ]


def lifecycle_rule(wish: Mapping[str, Any]) -> dict[str, Any]:
    """A lifecycle rule of an option, as it is compared: only what it asks for."""
    picture = {
        "enabled": wish.get("enabled", True),
        "prefix": wish.get("prefix"),
        "tags": {str(key): str(value) for key, value in (wish.get("tags") or {}).items()},
        "larger_than": wish.get("object_size_greater_than"),
        "smaller_than": wish.get("object_size_less_than"),
        "expiration_days": wish.get("expiration_days"),
        "delete_markers": wish.get("expired_object_delete_marker"),
        "transitions": {name: int(days) for name, days in (wish.get("transitions") or {}).items()},
        "noncurrent_days": wish.get("noncurrent_expiration_days"),
        "noncurrent_kept": wish.get("newer_noncurrent_versions"),
        "noncurrent_transitions": {
            name: int(days) for name, days in (wish.get("noncurrent_transitions") or {}).items()
        },
        "abort_days": wish.get("abort_incomplete_multipart_days"),
    }
    return _asked_for(picture)


def lifecycle_rule_of_aws(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A lifecycle rule as AWS returns it, as it is compared.

    No filter, an empty one and an empty prefix are the same rule, at whichever level AWS puts them (trap 129).
    """
    found = rule.get("Filter") or {}
    found = {**found, **(found.get("And") or {})}
    tags = [*found.get("Tags", []), *([found["Tag"]] if found.get("Tag") else [])]
    expiration = rule.get("Expiration") or {}
    noncurrent = rule.get("NoncurrentVersionExpiration") or {}
    picture = {
        "enabled": rule["Status"] == "Enabled",
        "prefix": found.get("Prefix") or rule.get("Prefix"),
        "tags": {tag["Key"]: tag["Value"] for tag in tags},
        "larger_than": found.get("ObjectSizeGreaterThan"),
        "smaller_than": found.get("ObjectSizeLessThan"),
        "expiration_days": expiration.get("Days"),
        "expiration_date": expiration.get("Date"),
        "delete_markers": expiration.get("ExpiredObjectDeleteMarker"),
        "transitions": {one["StorageClass"]: one.get("Days", one.get("Date")) for one in rule.get("Transitions") or ()},
        "noncurrent_days": noncurrent.get("NoncurrentDays"),
        "noncurrent_kept": noncurrent.get("NewerNoncurrentVersions"),
        "noncurrent_transitions": {
            one["StorageClass"]: one.get("NoncurrentDays") for one in rule.get("NoncurrentVersionTransitions") or ()
        },
        "abort_days": (rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation"),
    }
    return _asked_for(picture)


def _asked_for(picture: dict[str, Any]) -> dict[str, Any]:
    """A rule without what it does not ask for; a date or a minimum size that nobody asked for stays out (trap 137)."""
    return {key: value for key, value in picture.items() if key == "enabled" or value not in (None, "", False, {})}


def lifecycle_request(name: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    """A compared rule as PutBucketLifecycleConfiguration takes it."""
    request: dict[str, Any] = {"ID": name, "Status": "Enabled" if rule["enabled"] else "Disabled"}
    request["Filter"] = _filter(rule)
    expiration = {"Days": rule.get("expiration_days"), "ExpiredObjectDeleteMarker": rule.get("delete_markers")}
    noncurrent = {"NoncurrentDays": rule.get("noncurrent_days"), "NewerNoncurrentVersions": rule.get("noncurrent_kept")}
    parts: dict[str, Any] = {
        "Expiration": {key: value for key, value in expiration.items() if value is not None},
        "NoncurrentVersionExpiration": {key: value for key, value in noncurrent.items() if value is not None},
        "Transitions": [
            {"StorageClass": kind, "Days": days}
            for kind, days in sorted(rule.get("transitions", {}).items(), key=lambda one: one[1])
        ],
        "NoncurrentVersionTransitions": [
            {"StorageClass": kind, "NoncurrentDays": days}
            for kind, days in sorted(rule.get("noncurrent_transitions", {}).items(), key=lambda one: one[1])
        ],
    }
    if "abort_days" in rule:
        parts["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": rule["abort_days"]}
    return {**request, **{key: value for key, value in parts.items() if value}}


def _filter(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The filter of a rule: its one condition, or all of them under ``And``."""
    tags = [{"Key": key, "Value": value} for key, value in sorted(rule.get("tags", {}).items())]
    conditions = {
        "Prefix": rule.get("prefix"),
        "ObjectSizeGreaterThan": rule.get("larger_than"),
        "ObjectSizeLessThan": rule.get("smaller_than"),
    }
    given = {key: value for key, value in conditions.items() if value is not None}
    if len(given) + len(tags) > 1:
        return {"And": {**given, **({"Tags": tags} if tags else {})}}
    if tags:
        return {"Tag": tags[0]}
    return given or {"Prefix": ""}


CORS_MEMBERS = {
    "allowed_origins": "AllowedOrigins",
    "allowed_methods": "AllowedMethods",
    "allowed_headers": "AllowedHeaders",
    "expose_headers": "ExposeHeaders",
}


def cors_rule(wish: Mapping[str, Any]) -> dict[str, Any]:
    """A CORS rule of an option, as it is compared."""
    lists = {key: frozenset(wish[key]) for key in CORS_MEMBERS if wish.get(key)}
    return {**lists, **({"max_age": wish["max_age"]} if wish.get("max_age") is not None else {})}


def cors_rule_of_aws(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A CORS rule as AWS returns it, as it is compared."""
    wish = {key: rule.get(member) for key, member in CORS_MEMBERS.items()}
    return cors_rule({**wish, "max_age": rule.get("MaxAgeSeconds")})


def cors_request(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A compared rule as PutBucketCors takes it."""
    lists: dict[str, Any] = {member: sorted(rule[key]) for key, member in CORS_MEMBERS.items() if key in rule}
    return {**lists, **({"MaxAgeSeconds": rule["max_age"]} if "max_age" in rule else {})}
