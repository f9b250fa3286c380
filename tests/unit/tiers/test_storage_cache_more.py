"""The storage and cache tier: its key, changed and lost behind our back; children that come and go by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stack import ACCOUNT, Stack, cycle, quiet, refusal
from test_storage_cache import CACHE, FILE_SYSTEM, FILES, GROUP, MEMCACHED, ZONES, net

from webstack_lab.services.passing import Pace

__all__ = ["net"]  # a fixture
ROOT = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
KEY_ONLY: dict[str, Any] = {
    "availability_zones": ZONES,
    "file_system": False,
    "cache_engine": "none",
    "kms_key_policy": {"Version": "2012-10-17", "Statement": [ROOT]},
}
KEY, ALIAS = "Key[alias/demo-data]", "alias/demo-data"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "scale", 0.0)


def test_the_life_of_the_key(stack: Stack) -> None:
    kms = stack.lab.client("kms")

    def key() -> str:
        return str(kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["KeyId"])

    def open_up() -> None:
        statements = [ROOT, {**ROOT, "Principal": {"AWS": "*"}}]
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        kms.put_key_policy(KeyId=key(), PolicyName="default", Policy=text)

    def settle() -> None:
        kms.update_key_description(KeyId=key(), Description="mine")
        kms.disable_key_rotation(KeyId=key())
        kms.untag_resource(KeyId=key(), TagKeys=["Name"])

    def doom() -> None:
        kms.schedule_key_deletion(KeyId=key(), PendingWindowInDays=7)

    cycle(
        stack,
        "storage_cache",
        KEY_ONLY,
        drifts=[
            (KEY, settle, {"description", "rotation", "tags"}),
            (KEY, open_up, {"policy"}),
            (KEY, lambda: kms.disable_key(KeyId=key()), {"enabled"}),
            (KEY, lambda: kms.delete_alias(AliasName=ALIAS), {"alias"}),
        ],
        vanishings=[(doom, {KEY})],
    )


def test_a_lost_key_is_not_replaced_under_files_and_cache(stack: Stack, net: dict[str, str]) -> None:
    """What is encrypted stays under its key: a new one beside it would be refused by EFS, so nothing is written."""
    stack.converge("storage_cache", **FILES)
    kms = stack.lab.client("kms")
    identity = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=identity, PendingWindowInDays=7)
    before = len(stack.lab.calls("write"))
    text = refusal(lambda: stack.converge("storage_cache", **FILES))
    assert FILE_SYSTEM in text and "cancel-key-deletion" in text
    assert len(stack.lab.calls("write")) == before
    kms.cancel_key_deletion(KeyId=identity)
    assert stack.converge("storage_cache", **FILES).changes == {KEY: {"enabled"}}
    quiet(stack, "storage_cache", FILES)


@pytest.mark.parametrize(
    ("options", "attribute"),
    [
        ({"cache_port": 6400}, "port"),
        ({"cache_at_rest_encryption": False}, "at_rest_encryption"),
        ({"cache_transit_encryption": False}, "transit_encryption"),
        ({"cache_shards": 2}, "cluster_mode"),
    ],
)
def test_what_a_replication_group_keeps_is_refused(
    stack: Stack, net: dict[str, str], options: dict[str, Any], attribute: str
) -> None:
    stack.converge("storage_cache", **CACHE)
    before = len(stack.lab.calls("write"))
    text = refusal(lambda: stack.converge("storage_cache", **{**CACHE, **options}))
    assert f"{GROUP}: AWS cannot change {attribute} in place" in text
    assert len(stack.lab.calls("write")) == before


@pytest.mark.parametrize(
    ("options", "attribute"),
    [({"cache_port": 11300}, "port"), ({"cache_transit_encryption": False}, "transit_encryption")],
)
def test_what_memcached_keeps_is_refused(
    stack: Stack, net: dict[str, str], options: dict[str, Any], attribute: str
) -> None:
    stack.converge("storage_cache", **MEMCACHED)
    before = len(stack.lab.calls("write"))
    assert f"cannot change {attribute}" in refusal(lambda: stack.converge("storage_cache", **{**MEMCACHED, **options}))
    assert len(stack.lab.calls("write")) == before


def test_another_access_point_or_zone_touches_nothing_else(stack: Stack, net: dict[str, str]) -> None:
    fewer = {**FILES, "availability_zones": ZONES[1:]}
    stack.converge("storage_cache", **fewer)
    assert stack.converge("storage_cache", **FILES).plan == {("create", f"MountTarget[demo-files/{ZONES[0]}]")}
    first = {"name": "first", "path": "/first", "uid": 1, "gid": 1}
    more = {**FILES, "access_points": [first, *FILES["access_points"]]}
    assert stack.converge("storage_cache", **more).plan == {("create", "AccessPoint[demo-first]")}
