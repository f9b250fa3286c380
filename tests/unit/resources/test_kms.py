"""The KMS key with its alias, through the tier that owns one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError
from stack import Stack, cycle, quiet, refusal

from ansible_collections.webstack.aws.plugins.module_utils.engine.converger import Converger, Settings
from ansible_collections.webstack.aws.plugins.module_utils.engine.sdk import Clients
from ansible_collections.webstack.aws.plugins.module_utils.resources.kms import Key

ROOT = {"Sid": "Root", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*"}
POLICY = {"Version": "2012-10-17", "Statement": [{**ROOT, "Resource": "*"}]}
OPTIONS: dict[str, Any] = {"file_system": False, "cache_engine": "none", "kms_key_policy": POLICY}
KEY = "Key[alias/demo-data]"
TAGS = {"webstack:stack": "demo", "webstack:tier": "storage_cache", "webstack:name": "alias/demo-data"}


def as_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"TagKey": key, "TagValue": value} for key, value in tags.items()]


def find(stack: Stack, *keys: Key) -> list[dict[str, Any]]:
    """Read references as another tier does; the calls that it took."""
    before = len(stack.lab.calls())
    clients = Clients({"endpoint_url": stack.lab.url, "aws_access_key_id": "lab", "aws_secret_access_key": "lab"})
    Converger(keys, [], {"database"}, clients, Settings("demo", "us-east-1")).plan(preview=False)
    return list(stack.lab.calls()[before:])


def operations(calls: Sequence[dict[str, Any]]) -> list[str]:
    return [call["operation"] for call in calls]


def test_life_of_a_key(stack: Stack) -> None:
    kms = stack.lab.client("kms")

    def key() -> str:
        return str(kms.describe_key(KeyId="alias/demo-data")["KeyMetadata"]["KeyId"])

    def close() -> None:
        other = {**ROOT, "Action": ["kms:Describe*", "kms:Put*"], "Resource": "*"}
        kms.put_key_policy(KeyId=key(), PolicyName="default", Policy=str({"Statement": [other]}).replace("'", '"'))

    cycle(
        stack,
        "storage_cache",
        OPTIONS,
        drifts=[
            (KEY, lambda: kms.update_key_description(KeyId=key(), Description="x"), {"description"}),
            (KEY, lambda: kms.disable_key_rotation(KeyId=key()), {"rotation"}),
            (KEY, lambda: kms.disable_key(KeyId=key()), {"enabled"}),
            (KEY, close, {"policy"}),
            (KEY, lambda: kms.untag_resource(KeyId=key(), TagKeys=["Name"]), {"tags"}),
            (KEY, lambda: kms.delete_alias(AliasName="alias/demo-data"), {"alias"}),
        ],
        vanishings=[(lambda: kms.schedule_key_deletion(KeyId=key(), PendingWindowInDays=7), {KEY})],
    )


def test_a_quiet_run_costs_three_reads_and_the_shared_one_of_tags(stack: Stack) -> None:
    stack.converge("storage_cache", **OPTIONS)
    reads = [call for call in quiet(stack, "storage_cache", OPTIONS).reads if call["service"] == "kms"]
    assert sorted(operations(reads)) == ["DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus"]


def test_a_reference_costs_one_read_whatever_it_is_called_by(stack: Stack) -> None:
    stack.converge("storage_cache", **OPTIONS)
    ours = Key("alias/demo-data", owned=False)
    assert operations(find(stack, ours)) == ["DescribeKey"]
    metadata = stack.lab.client("kms").describe_key(KeyId="alias/demo-data")["KeyMetadata"]
    for name in (metadata["Arn"], metadata["KeyId"]):
        reference = Key(name, owned=False)
        find(stack, reference)
        assert (reference.id, reference.arn) == (metadata["KeyId"], metadata["Arn"])


def test_several_references_to_one_key_are_one(stack: Stack) -> None:
    stack.converge("storage_cache", **OPTIONS)
    first, second = Key("alias/demo-data", owned=False), Key("alias/demo-data", owned=False)
    assert operations(find(stack, first, second)) == ["DescribeKey"]
    assert first.id == second.id


def test_a_missing_key_is_refused_with_a_hint(stack: Stack) -> None:
    text = refusal(lambda: stack.converge("storage_cache", **{**OPTIONS, "kms_key_policy": None, "kms_key_id": "k"}))
    assert "Key[k]" in text and "Correct kms_key_id" in text


def test_a_key_whose_run_died_before_the_alias_is_taken_up(stack: Stack) -> None:
    kms = stack.lab.client("kms")
    key = kms.create_key(Tags=as_tags(TAGS))["KeyMetadata"]["KeyId"]
    made = stack.converge("storage_cache", **OPTIONS)
    assert made.sent("CreateKey") == []
    assert kms.describe_key(KeyId="alias/demo-data")["KeyMetadata"]["KeyId"] == key
    quiet(stack, "storage_cache", OPTIONS)


def test_such_a_key_is_found_although_the_tagging_api_lags(stack: Stack) -> None:
    from webstack_lab.extend import operations as lab_operations

    kms = stack.lab.client("kms")
    key = kms.create_key(Tags=as_tags(TAGS))["KeyMetadata"]["KeyId"]
    place = ("resourcegroupstaggingapi", "GetResources")
    answer = lab_operations[place]
    lab_operations[place] = lambda _context, _params: {"PaginationToken": "", "ResourceTagMappingList": []}
    try:
        made = stack.converge("storage_cache", **OPTIONS)  # trap 8
    finally:
        lab_operations[place] = answer
    assert made.plan == {("create", KEY)} and made.sent("CreateKey") == []
    assert kms.describe_key(KeyId="alias/demo-data")["KeyMetadata"]["KeyId"] == key


def test_a_key_of_another_stack_without_alias_is_left_alone(stack: Stack) -> None:
    kms = stack.lab.client("kms")
    kms.create_key(Tags=as_tags({**TAGS, "webstack:stack": "other"}))
    kms.create_key()
    assert stack.converge("storage_cache", **OPTIONS).sent("CreateKey")


def test_an_alias_that_leads_to_a_dying_key_is_led_to_the_new_one(stack: Stack) -> None:
    kms = stack.lab.client("kms")
    stack.converge("storage_cache", **OPTIONS)
    old = kms.describe_key(KeyId="alias/demo-data")["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=old, PendingWindowInDays=7)
    stack.converge("storage_cache", **OPTIONS)  # trap 28
    assert kms.describe_key(KeyId="alias/demo-data")["KeyMetadata"]["KeyId"] != old


def test_a_foreign_alias_is_not_taken_over(stack: Stack) -> None:
    kms = stack.lab.client("kms")
    kms.create_alias(AliasName="alias/demo-data", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    assert "not ours to change" in refusal(lambda: stack.converge("storage_cache", **OPTIONS))


def test_removal_takes_the_alias_and_schedules_the_key(stack: Stack) -> None:
    options = {**OPTIONS, "kms_key_deletion_window": 7}
    kms = stack.lab.client("kms")
    stack.converge("storage_cache", **options)
    key = kms.describe_key(KeyId="alias/demo-data")["KeyMetadata"]["KeyId"]
    gone = stack.remove("storage_cache", **options)
    assert operations(gone.writes) == ["DeleteAlias", "ScheduleKeyDeletion"]
    assert gone.sent("ScheduleKeyDeletion")[0]["PendingWindowInDays"] == 7
    assert any(key in line and "7 days" in line for line in gone.report.left)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert stack.converge("storage_cache", **options).sent("CreateKey")


def test_a_removal_that_died_between_alias_and_key_is_finished(stack: Stack) -> None:
    kms = stack.lab.client("kms")
    stack.converge("storage_cache", **OPTIONS)
    kms.delete_alias(AliasName="alias/demo-data")
    assert operations(stack.remove("storage_cache", **OPTIONS).writes) == ["ScheduleKeyDeletion"]


def test_a_key_that_is_no_longer_wished_for_is_scheduled_for_deletion(stack: Stack) -> None:
    stack.converge("storage_cache", **OPTIONS)
    gone = stack.converge("storage_cache", file_system=False, cache_engine="none", kms_key=False)
    assert gone.plan == {("delete", KEY)}


def test_the_labs_dying_keys_do_no_work(stack: Stack) -> None:
    kms = stack.lab.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    for call in (
        lambda: kms.encrypt(KeyId=key, Plaintext=b"x"),
        lambda: kms.enable_key(KeyId=key),
        lambda: kms.create_alias(AliasName="alias/x", TargetKeyId=key),
    ):
        try:
            call()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "KMSInvalidStateException"
        else:
            raise AssertionError("a dying key worked")
