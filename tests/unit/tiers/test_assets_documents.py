"""Policies, lifecycle and CORS rules of the assets tier, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stack import ACCOUNT, Stack, quiet, refusal

from ansible_collections.webstack.aws.plugins.module_utils.engine.resource import Unknown
from ansible_collections.webstack.aws.plugins.module_utils.module import validate
from ansible_collections.webstack.aws.plugins.module_utils.resources.s3_documents import (
    cors_rule_of_aws,
    lifecycle_request,
    lifecycle_rule,
    lifecycle_rule_of_aws,
    load_balancer_logs,
)
from ansible_collections.webstack.aws.plugins.module_utils.tiers.assets import TIER

ASSETS = f"demo-assets-{ACCOUNT}-us-east-1"
LOGS = f"demo-logs-{ACCOUNT}-us-east-1"
BUCKET, LOG_BUCKET, OBJECTS = f"Bucket[{ASSETS}]", f"Bucket[{LOGS}]", f"Objects[{ASSETS}]"
SITE = str(Path(__file__).parents[3] / "roles/assets/files/site")
CACHE = {"*.html": "no-cache", "assets/*": "public, max-age=31536000, immutable"}
OPTIONS: dict[str, Any] = {"source": SITE, "cache_control": CACHE}


def test_only_cloudfront_of_the_account_may_read_and_nobody_without_tls(stack: Stack) -> None:
    """Trap 136: the wildcard keeps bucket and distribution free of each other."""
    policy = json.loads(
        stack.converge("assets", cdn_list_bucket=True, log_bucket=False).sent("PutBucketPolicy")[0]["Policy"]
    )
    by_sid = {one["Sid"]: one for one in policy["Statement"]}
    assert set(by_sid) == {"DenyWithoutTls", "DenyOldTls", "CloudFrontRead", "CloudFrontList"}
    assert by_sid["CloudFrontRead"]["Condition"] == {
        "StringEquals": {"AWS:SourceAccount": ACCOUNT},
        "ArnLike": {"AWS:SourceArn": [f"arn:aws:cloudfront::{ACCOUNT}:distribution/*"]},
    }
    narrowed = stack.converge("assets", cdn_distribution_ids=["E1"], log_bucket=False)
    assert narrowed.changes == {BUCKET: {"policy"}}


def test_own_statements_join_the_policy_of_the_tier(stack: Stack) -> None:
    mine = {
        "Sid": "Mine",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "s3:ListBucket",
    }
    options = {"policy_statements": [mine], "log_bucket": False}
    policy = json.loads(stack.converge("assets", **options).sent("PutBucketPolicy")[0]["Policy"])
    assert policy["Statement"][-1]["Resource"] == [f"arn:aws:s3:::{ASSETS}", f"arn:aws:s3:::{ASSETS}/*"]
    quiet(stack, "assets", options)


def test_load_balancers_log_as_an_account_in_old_regions_and_as_a_service_in_new_ones() -> None:
    """Trap 63."""
    (old,) = load_balancer_logs("arn:aws:s3:::logs", ACCOUNT, "eu-west-1")
    (new,) = load_balancer_logs("arn:aws:s3:::logs", ACCOUNT, "eu-central-2")
    assert old["Principal"] == {"AWS": "arn:aws:iam::156460612806:root"} and "Condition" not in old
    assert new["Principal"] == {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    assert new["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}


def test_the_log_bucket_takes_deliveries_of_this_account_and_of_us_east_1(stack: Stack) -> None:
    """Traps 63 and 153: CloudFront's logs come from us-east-1, whatever the region of the bucket."""
    sent = stack.converge("assets", region="eu-west-1").sent("PutBucketPolicy")
    policy = next(json.loads(one["Policy"]) for one in sent if "-logs-" in one["Bucket"])
    write = next(one for one in policy["Statement"] if one["Sid"] == "AWSLogDeliveryWrite")
    assert write["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
    assert write["Condition"]["ArnLike"]["aws:SourceArn"] == [
        f"arn:aws:logs:{region}:{ACCOUNT}:*" for region in ("eu-west-1", "us-east-1")
    ]


REAL_LIFECYCLES = [
    ({"id": "a", "expiration_days": 5}, {"Filter": {"Prefix": ""}, "Expiration": {"Days": 5}}),
    ({"id": "a", "expiration_days": 5}, {"Filter": {}, "Expiration": {"Days": 5}}),
    ({"id": "a", "expiration_days": 5}, {"Prefix": "", "Expiration": {"Days": 5}}),
    ({"id": "a", "prefix": "x/", "expiration_days": 5}, {"Prefix": "x/", "Expiration": {"Days": 5}}),
    (
        {
            "id": "a",
            "prefix": "x/",
            "tags": {"k": 1},
            "object_size_greater_than": 7,
            "transitions": {"GLACIER": "90", "STANDARD_IA": 30},
        },
        {
            "Filter": {"And": {"Prefix": "x/", "Tags": [{"Key": "k", "Value": "1"}], "ObjectSizeGreaterThan": 7}},
            "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
        },
    ),
    (
        {
            "id": "a",
            "tags": {"k": "v"},
            "noncurrent_expiration_days": 9,
            "newer_noncurrent_versions": 2,
            "noncurrent_transitions": {"GLACIER": 3},
        },
        {
            "Filter": {"Tag": {"Key": "k", "Value": "v"}},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 9, "NewerNoncurrentVersions": 2},
            "NoncurrentVersionTransitions": [{"NoncurrentDays": 3, "StorageClass": "GLACIER"}],
        },
    ),
    (
        {"id": "a", "expired_object_delete_marker": True, "abort_incomplete_multipart_days": 7},
        {
            "Filter": {"Prefix": ""},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
    ),
]


@pytest.mark.parametrize(("wish", "answer"), REAL_LIFECYCLES)
def test_a_lifecycle_rule_equals_what_aws_makes_of_it(wish: dict[str, Any], answer: dict[str, Any]) -> None:
    """Trap 129: no filter, an empty one and an empty prefix are one thing."""
    wanted = lifecycle_rule(wish)
    assert lifecycle_rule_of_aws({"ID": "a", "Status": "Enabled", **answer}) == wanted
    assert lifecycle_rule_of_aws(lifecycle_request("a", wanted)) == wanted


def test_a_cors_rule_equals_what_aws_makes_of_it() -> None:
    answer = {"AllowedHeaders": [], "AllowedMethods": ["HEAD", "GET"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 0}
    assert cors_rule_of_aws(answer) == {"allowed_methods": {"GET", "HEAD"}, "allowed_origins": {"*"}, "max_age": 0}


def test_all_lifecycle_rules_survive_the_way_through_the_api(stack: Stack) -> None:
    rules = [{**wish, "id": f"r{number}"} for number, (wish, _answer) in enumerate(REAL_LIFECYCLES)]
    options = {"lifecycle_rules": rules, "log_bucket": False}
    stack.converge("assets", **options)
    quiet(stack, "assets", options)
    result = stack.converge("assets", lifecycle_rules=rules[1:], log_bucket=False)
    assert result.changes == {BUCKET: {"lifecycle"}}


def test_without_any_rule_the_lifecycle_is_removed(stack: Stack) -> None:
    stack.converge("assets", log_bucket=False)
    result = stack.converge("assets", log_bucket=False, noncurrent_retention_days=0, abort_multipart_days=0)
    assert result.sent("DeleteBucketLifecycle") and result.changes == {BUCKET: {"lifecycle"}}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"bucket_name": "Upper"}, "bucket_name: 'Upper'"),
    ({"bucket_name": "192.168.0.1"}, "bucket_name"),
    ({"log_bucket_name": ASSETS}, "a bucket of their own"),
    ({"kms_key": "alias/x"}, "encryption=aws:kms"),
    ({"encryption": "aws:kms"}, "CloudFront cannot read"),
    ({"noncurrent_retention_days": -1}, "noncurrent_retention_days"),
    ({"log_retention_days": 0}, "log_retention_days: 0"),
    ({"lifecycle_rules": [{"id": "a"}]}, "does nothing"),
    ({"lifecycle_rules": [{"id": "webstack-x", "expiration_days": 1}]}, "begin with webstack-"),
    ({"lifecycle_rules": [{"id": "a", "expiration_days": 1}, {"id": "a", "expiration_days": 2}]}, "its own id"),
    ({"lifecycle_rules": [{"id": "a", "transitions": {"COLD": 1}}]}, "The storage classes are"),
    ({"lifecycle_rules": [{"id": "a", "transitions": {"STANDARD_IA": 5}}]}, "after 30 days"),
    ({"lifecycle_rules": [{"id": "a", "transitions": {"GLACIER": "soon"}}]}, "a number of days"),
    ({"lifecycle_rules": [{"id": "a", "transitions": {"GLACIER": 90}, "expiration_days": 60}]}, "expire after 60"),
    (
        {"lifecycle_rules": [{"id": "a", "newer_noncurrent_versions": 2, "expiration_days": 2}]},
        "noncurrent_expiration_days",
    ),
    ({"lifecycle_rules": [{"id": "a", "expired_object_delete_marker": True, "expiration_days": 2}]}, "excludes"),
    ({"policy_statements": [{"Effect": "Allow", "Action": "s3:*"}]}, "needs Principal or NotPrincipal"),
    ({"source": "/does/not/exist"}, "path of a directory"),
    ({"source": SITE, "exclude": ["*"]}, "no files"),
]


@pytest.mark.parametrize(("options", "text"), BAD)
def test_bad_input_is_refused_before_any_call(stack: Stack, options: dict[str, Any], text: str) -> None:
    assert text in refusal(lambda: stack.converge("assets", **options))
    assert stack.lab.calls() == []


@pytest.fixture
def built() -> Iterator[Any]:
    base = {"stack": "demo", "region": "eu-west-1", "account_id": ACCOUNT, "partition": "aws-cn"}
    yield lambda **options: TIER.resources({**validate(TIER, options), **base})


def test_names_and_arns_follow_account_region_and_partition(built: Any) -> None:
    """Traps 15 and 127: the name carries account and region, so that nobody else has it."""
    assets, logs = built()
    assert (assets.name, logs.name) == (f"demo-assets-{ACCOUNT}-eu-west-1", f"demo-logs-{ACCOUNT}-eu-west-1")
    assert "arn:aws-cn:s3:::" in assets.policy.text and "arn:aws:" not in assets.policy.text


def test_a_key_that_is_still_to_be_made_does_not_stop_the_preview(built: Any) -> None:
    (assets,) = built(encryption="aws:kms", kms_key="alias/demo-data", log_bucket=False)
    assert isinstance(assets.want()["encryption"]["kms_key"], Unknown)
