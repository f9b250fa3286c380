"""Objects of the assets tier: what is uploaded, what is left alone, what is deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stack import ACCOUNT, Stack, quiet

from ansible_collections.webstack.aws.plugins.module_utils.resources.s3_objects import MANIFEST

ASSETS = f"demo-assets-{ACCOUNT}-us-east-1"
LOGS = f"demo-logs-{ACCOUNT}-us-east-1"
BUCKET, LOG_BUCKET, OBJECTS = f"Bucket[{ASSETS}]", f"Bucket[{LOGS}]", f"Objects[{ASSETS}]"
SITE = str(Path(__file__).parents[3] / "roles/assets/files/site")
CACHE = {"*.html": "no-cache", "assets/*": "public, max-age=31536000, immutable"}
OPTIONS: dict[str, Any] = {"source": SITE, "cache_control": CACHE}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "css").mkdir()
    (tmp_path / "index.html").write_text("<h1>one</h1>")
    (tmp_path / "css" / "site.css").write_text("a {}")
    return tmp_path


def test_objects_carry_type_and_cache_header_and_pages_come_last(stack: Stack) -> None:
    result = stack.converge("assets", **OPTIONS)
    sent = [one for one in result.sent("PutObject") if MANIFEST not in one["Key"]]
    by_key = {one["Key"]: one for one in sent}
    assert (
        by_key["index.html"]["ContentType"] == "text/html; charset=utf-8"
        and by_key["index.html"]["CacheControl"] == "no-cache"
    )
    assert by_key["assets/mark.svg"]["ContentType"] == "image/svg+xml"
    assert (
        by_key["assets/mark.svg"]["CacheControl"].endswith("immutable") and "CacheControl" not in by_key["robots.txt"]
    )
    assert {one["Key"] for one in sent[-2:]} == {"index.html", "404.html"}


def test_only_what_differs_is_uploaded(stack: Stack, site: Path) -> None:
    options = {"source": str(site), "cache_control": {"*.html": "no-cache"}, "log_bucket": False}
    stack.converge("assets", **options)
    (site / "index.html").write_text("<h1>two</h1>")
    keys = [one["Key"] for one in stack.converge("assets", **options).sent("PutObject")]
    assert keys == ["index.html", MANIFEST]
    options["cache_control"] = {"*.html": "no-store"}
    changed = stack.converge("assets", **options)
    assert [one["Key"] for one in changed.sent("PutObject")] == ["index.html", MANIFEST], (
        "a header alone is a change too"
    )
    quiet(stack, "assets", options)


def test_removed_files_stay_until_purge_and_strange_objects_stay_for_ever(stack: Stack, site: Path) -> None:
    options = {"source": str(site), "object_prefix": "/site/", "log_bucket": False}
    stack.converge("assets", **options)
    s3 = stack.lab.client("s3")
    s3.put_object(Bucket=ASSETS, Key="site/upload.bin", Body=b"not ours")
    (site / "css" / "site.css").unlink()
    assert stack.converge("assets", **options).plan <= {("update", f"Objects[{ASSETS}/site]")}
    quiet(stack, "assets", options)
    keys = {item["Key"] for item in s3.list_objects_v2(Bucket=ASSETS)["Contents"]}
    assert "site/css/site.css" in keys
    result = stack.converge("assets", purge_objects=True, **options)
    assert result.changes == {f"Objects[{ASSETS}/site]": {"objects"}}
    keys = {item["Key"] for item in s3.list_objects_v2(Bucket=ASSETS)["Contents"]}
    assert keys == {"site/index.html", "site/upload.bin", f"site/{MANIFEST}"}
    quiet(stack, "assets", {**options, "purge_objects": True})


def test_an_upload_cut_short_is_finished_by_the_next_run(stack: Stack) -> None:
    stack.converge("assets", **OPTIONS)
    s3 = stack.lab.client("s3")
    for key in (MANIFEST, "index.html"):
        s3.delete_object(Bucket=ASSETS, Key=key)
    assert stack.converge("assets", **OPTIONS).changes == {OBJECTS: {"objects"}}
    quiet(stack, "assets", OPTIONS)


def test_a_manifest_of_somebody_else_is_replaced(stack: Stack) -> None:
    stack.converge("assets", **OPTIONS)
    stack.lab.client("s3").put_object(Bucket=ASSETS, Key=MANIFEST, Body=b"[]")
    stack.converge("assets", **OPTIONS)
    quiet(stack, "assets", OPTIONS)


def test_objects_under_a_kms_key_are_compared_by_the_manifest(stack: Stack) -> None:
    """The ETag is no MD5 there."""
    key = stack.lab.client("kms").create_key()["KeyMetadata"]["KeyId"]
    options = {**OPTIONS, "encryption": "aws:kms", "kms_key": key, "log_bucket": False}
    sent = stack.converge("assets", **options).sent("PutBucketEncryption")
    (rule,) = sent[0]["ServerSideEncryptionConfiguration"]["Rules"]
    assert (
        rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"].endswith(key) and rule["BucketKeyEnabled"] is True
    )
    quiet(stack, "assets", options)
    stack.lab.client("s3").put_object(Bucket=ASSETS, Key="index.html", Body=b"other")
    assert stack.converge("assets", **options).changes == {OBJECTS: {"objects"}}
    quiet(stack, "assets", options)
