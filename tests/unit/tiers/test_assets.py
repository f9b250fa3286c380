"""The assets tier against the lab, and its documents against what AWS really answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from moto.s3.models import s3_backends
from stack import ACCOUNT, Stack, cycle, quiet, refusal

from webstack_lab.extend import AwsError, operations

ASSETS = f"demo-assets-{ACCOUNT}-us-east-1"
LOGS = f"demo-logs-{ACCOUNT}-us-east-1"
BUCKET, LOG_BUCKET, OBJECTS = f"Bucket[{ASSETS}]", f"Bucket[{LOGS}]", f"Objects[{ASSETS}]"
SITE = str(Path(__file__).parents[3] / "roles/assets/files/site")
CACHE = {"*.html": "no-cache", "assets/*": "public, max-age=31536000, immutable"}
OPTIONS: dict[str, Any] = {"source": SITE, "cache_control": CACHE}


def erase(s3: Any, bucket: str) -> None:
    """What somebody does who wants a bucket gone."""
    answer = s3.list_object_versions(Bucket=bucket)
    for one in [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]:
        s3.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
    s3.delete_bucket(Bucket=bucket)


def test_life_of_every_type(stack: Stack) -> None:
    s3 = stack.lab.client("s3")
    rule = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 3}}
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": False}
    rules = {"Rules": [default]}
    unblocked = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    cors = {"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["PUT"]}]}
    writer = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    other = {"ContentType": "text/css; charset=utf-8", "CacheControl": CACHE["assets/*"]}

    def empty_site() -> None:
        for item in s3.list_objects_v2(Bucket=ASSETS)["Contents"]:
            s3.delete_object(Bucket=ASSETS, Key=item["Key"])

    cycle(
        stack,
        "assets",
        {**OPTIONS, "cors_rules": [{"allowed_origins": ["https://www.example.com"], "allowed_methods": ["GET"]}]},
        drifts=[
            (BUCKET, lambda: s3.put_bucket_tagging(Bucket=ASSETS, Tagging=own_tags(s3, ASSETS, Name="?")), {"tags"}),
            (
                BUCKET,
                lambda: s3.put_bucket_versioning(Bucket=ASSETS, VersioningConfiguration={"Status": "Suspended"}),
                {"versioning"},
            ),
            (
                BUCKET,
                lambda: s3.put_bucket_encryption(Bucket=ASSETS, ServerSideEncryptionConfiguration=rules),
                {"encryption"},
            ),
            (
                BUCKET,
                lambda: s3.put_bucket_encryption(Bucket=ASSETS, ServerSideEncryptionConfiguration=unblocked),
                {"encryption"},
            ),
            (BUCKET, lambda: s3.put_bucket_ownership_controls(Bucket=ASSETS, OwnershipControls=writer), {"ownership"}),
            (BUCKET, lambda: s3.delete_public_access_block(Bucket=ASSETS), {"public_access_block"}),
            (BUCKET, lambda: s3.delete_bucket_policy(Bucket=ASSETS), {"policy"}),
            (BUCKET, lambda: s3.delete_bucket_lifecycle(Bucket=ASSETS), {"lifecycle"}),
            (BUCKET, lambda: s3.put_bucket_cors(Bucket=ASSETS, CORSConfiguration=cors), {"cors"}),
            (
                LOG_BUCKET,
                lambda: s3.put_bucket_lifecycle_configuration(Bucket=LOGS, LifecycleConfiguration={"Rules": [rule]}),
                {"lifecycle"},
            ),
            (OBJECTS, lambda: s3.put_object(Bucket=ASSETS, Key="assets/site.css", Body=b"x", **other), {"objects"}),
            (OBJECTS, lambda: s3.delete_object(Bucket=ASSETS, Key="robots.txt"), {"objects"}),
        ],
        vanishings=[
            (empty_site, {OBJECTS}),
            (lambda: erase(s3, LOGS), {LOG_BUCKET}),
            (lambda: erase(s3, ASSETS), {BUCKET, OBJECTS}),
        ],
    )
    assert s3.list_buckets()["Buckets"] == []


def own_tags(s3: Any, bucket: str, **changed: str) -> dict[str, Any]:
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]} | changed
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def test_a_quiet_run_costs_thirteen_reads(stack: Stack) -> None:
    stack.converge("assets", **OPTIONS)
    assert len(quiet(stack, "assets", OPTIONS).reads) <= 13


def test_a_run_on_an_empty_account_shows_everything_and_changes_nothing(stack: Stack) -> None:
    result = stack.converge("assets", check=True, **OPTIONS)
    assert result.plan == {("create", BUCKET), ("create", LOG_BUCKET), ("create", OBJECTS)}
    assert result.writes == [] and stack.lab.client("s3").list_buckets()["Buckets"] == []
    assert "index.html" in str(result.diff)


def test_a_bucket_is_made_private_with_its_tags_in_the_call_itself(stack: Stack) -> None:
    """Trap 3: a crash between creation and tagging must leave no bucket without an owner."""
    sent = stack.converge("assets").sent("CreateBucket")
    tags = {one["Bucket"]: one["CreateBucketConfiguration"]["Tags"] for one in sent}
    assert {"Key": "webstack:stack", "Value": "demo"} in tags[ASSETS] and {
        "Key": "webstack:name",
        "Value": LOGS,
    } in tags[LOGS]
    assert all(one["ObjectOwnership"] == "BucketOwnerEnforced" for one in sent)


@pytest.mark.parametrize(("region", "constraint"), [("us-east-1", None), ("eu-west-1", "eu-west-1")])
def test_the_location_constraint_is_left_out_in_us_east_1_only(
    stack: Stack, region: str, constraint: str | None
) -> None:
    """Trap 125."""
    result = stack.converge("assets", region=region, log_bucket=False)
    (sent,) = result.sent("CreateBucket")
    assert sent["CreateBucketConfiguration"].get("LocationConstraint") == constraint
    assert stack.converge("assets", region=region, log_bucket=False).plan == set()


def test_settings_are_written_one_after_another_and_the_policy_after_the_access_block(stack: Stack) -> None:
    """Traps 128 and 130."""
    stack.converge("assets", log_bucket=False)
    s3 = stack.lab.client("s3")
    s3.delete_bucket_policy(Bucket=ASSETS)
    s3.delete_public_access_block(Bucket=ASSETS)
    s3.delete_bucket_ownership_controls(Bucket=ASSETS)
    calls = stack.converge("assets", log_bucket=False).writes
    order = [call["operation"] for call in calls]
    assert order == ["PutBucketOwnershipControls", "PutPublicAccessBlock", "PutBucketPolicy"]
    assert all(call["params"]["ExpectedBucketOwner"] == ACCOUNT for call in calls), "trap 126"


def test_a_bucket_of_another_account_is_refused_with_one_clear_text(stack: Stack) -> None:
    """Trap 126."""
    with other_account(stack) as s3:
        s3.create_bucket(Bucket="taken-by-others")
        text = refusal(lambda: stack.converge("assets", bucket_name="taken-by-others"))
    assert (
        text.startswith("Nothing was changed.") and "another account" in text and "Choose another bucket name" in text
    )


class other_account:
    """A client of an account that is not ours, by assuming a role in it."""

    def __init__(self, stack: Stack) -> None:
        self.lab = stack.lab

    def __enter__(self) -> Any:
        import boto3
        from botocore.config import Config

        role = "arn:aws:iam::210987654321:role/stranger"
        got = self.lab.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        return boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.lab.url,
            aws_access_key_id=got["AccessKeyId"],
            aws_secret_access_key=got["SecretAccessKey"],
            aws_session_token=got["SessionToken"],
            config=Config(s3={"addressing_style": "path"}),
        )

    def __exit__(self, *_: object) -> None:
        return None


def test_a_bucket_in_another_region_is_refused(stack: Stack) -> None:
    """Trap 126."""
    stack.lab.client("s3", "eu-west-1").create_bucket(
        Bucket="mine-elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    assert "exists in eu-west-1" in refusal(lambda: stack.converge("assets", bucket_name="mine-elsewhere"))


class Once:
    """CreateBucket as AWS answers it now and then: the first answer is an error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: str, *, after: bool = False) -> None:
        self.works, self.code, self.after, self.calls = operations["s3", "CreateBucket"], code, after, 0
        monkeypatch.setitem(operations, ("s3", "CreateBucket"), self)

    def __call__(self, context: Any, params: dict[str, Any]) -> Any:
        self.calls += 1
        answer = self.works(context, params) if self.after or self.calls > 1 else None
        if self.calls == 1:
            raise AwsError(self.code, "not now", 409)
        return answer


def test_a_name_deleted_just_now_is_asked_for_again(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 127."""
    once = Once(monkeypatch, "OperationAborted")
    stack.converge("assets", log_bucket=False)
    assert once.calls == 2
    quiet(stack, "assets", {"log_bucket": False})


def test_an_answer_that_got_lost_makes_no_second_bucket(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 124: the SDK asked again, and the bucket was there already, with our tags."""
    Once(monkeypatch, "BucketAlreadyOwnedByYou", after=True)
    stack.converge("assets", log_bucket=False)
    quiet(stack, "assets", {"log_bucket": False})


def test_a_bucket_that_turns_up_without_our_tags_is_not_taken_over(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = Once(monkeypatch, "BucketAlreadyOwnedByYou")
    once.works = lambda context, _params: None
    text = refusal(lambda: stack.converge("assets", log_bucket=False))
    assert text.startswith(f"creating {BUCKET}") and stack.lab.calls(operation="PutBucketTagging") == []


def test_a_bucket_without_our_tag_is_left_alone(stack: Stack) -> None:
    stack.lab.client("s3").create_bucket(Bucket=ASSETS)
    assert "not ours to change" in refusal(lambda: stack.converge("assets"))
    assert stack.remove("assets").plan == set()


def test_a_bucket_that_holds_objects_is_deleted_only_when_protection_is_lifted(stack: Stack) -> None:
    stack.converge("assets", **OPTIONS)
    s3 = stack.lab.client("s3")
    s3.delete_object(Bucket=ASSETS, Key="index.html")
    s3.create_multipart_upload(Bucket=ASSETS, Key="half")
    text = refusal(lambda: stack.remove("assets", lift=False, **OPTIONS))
    assert "holds objects" in text and "lift_deletion_protection" in text
    stack.remove("assets", **OPTIONS)
    assert s3.list_buckets()["Buckets"] == []


def test_a_log_bucket_nobody_asks_for_any_more_keeps_its_logs(stack: Stack) -> None:
    stack.converge("assets")
    s3 = stack.lab.client("s3")
    s3.put_object(Bucket=LOGS, Key="AWSLogs/x", Body=b"log")
    assert "holds objects" in refusal(lambda: stack.converge("assets", log_bucket=False))
    s3.delete_object(Bucket=LOGS, Key="AWSLogs/x")
    assert stack.converge("assets", log_bucket=False).plan == {("delete", LOG_BUCKET)}


def test_a_renamed_bucket_is_found_by_its_tags_and_removed(stack: Stack) -> None:
    stack.converge("assets", bucket_name="www-files", log_bucket=False)
    result = stack.converge("assets", bucket_name="www-files-2", log_bucket=False)
    assert result.plan == {("create", "Bucket[www-files-2]"), ("delete", "Bucket[www-files]")}


def test_emptying_reads_errors_out_of_a_successful_answer(stack: Stack) -> None:
    """Trap 132: DeleteObjects answers 200 and lists what it could not delete."""
    from ansible_collections.webstack.aws.plugins.module_utils.resources.s3 import delete_objects

    class Client:
        def delete_objects(self, **_: Any) -> dict[str, Any]:
            return {"Errors": [{"Key": "a", "VersionId": "1", "Code": "AccessDenied", "Message": "Access Denied"}]}

    assert "1 objects could not be deleted; a: Access Denied" in refusal(
        lambda: delete_objects(Client(), {"Bucket": "b"}, [])
    )


def test_many_versions_are_deleted_in_batches_of_a_thousand(stack: Stack) -> None:
    stack.converge("assets", log_bucket=False)
    s3 = stack.lab.client("s3")
    backend = s3_backends[ACCOUNT]["aws"]  # straight into the emulator's memory: a thousand uploads would take a minute
    for number in range(1001):
        backend.put_object(ASSETS, f"{number}", b"x")
    result = stack.remove("assets", log_bucket=False)
    assert sorted(len(one["Delete"]["Objects"]) for one in result.sent("DeleteObjects")) == [1, 1000]
    assert s3.list_buckets()["Buckets"] == []


def test_leaves_the_buckets_of_other_regions_alone(stack: Stack) -> None:
    stack.converge("assets")
    there = stack.converge("assets", region="eu-west-1")
    assert {verb for verb, _address in there.plan} == {"create"}
    assert stack.converge("assets").plan == set()
