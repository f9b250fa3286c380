"""S3: bucket policies that mean what they say, tags at creation."""

from __future__ import annotations

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket

from webstack_lab.extend import AwsError, Context, Params, Raw, mend, operation

# What the lab knows about a request; it speaks plain HTTP but stands for an AWS that is reached over TLS.
KNOWN_CONDITIONS = {"aws:securetransport": "true"}


def get_permission(self: Any, action: str, resource: str) -> PermissionResult:
    """What the bucket policy says of an action; a statement whose condition does not hold says nothing.

    moto takes a condition that does not hold for a refusal, so that the usual "deny without TLS" denies everything.
    """
    if self.policy is None:
        return PermissionResult.NEUTRAL
    statements = [statement for statement in statements_of(self.policy) if holds(statement.get("Condition") or {})]
    bare = [{key: value for key, value in statement.items() if key != "Condition"} for statement in statements]
    return IAMPolicy(json.dumps({"Statement": bare})).is_action_permitted(action, resource)


def holds(condition: dict[str, dict[str, Any]]) -> bool:
    """Whether a condition holds for every request to the lab; one about unknown facts does not."""
    for operator, tests in condition.items():
        for key, wanted in tests.items():
            known = KNOWN_CONDITIONS.get(key.lower())
            values = {str(value).lower() for value in (wanted if isinstance(wanted, list) else [wanted])}
            if operator not in ("Bool", "BoolIfExists") or known not in values:
                return False
    return True


mend(FakeBucket, "get_permission", get_permission)


def statements_of(policy: str | bytes) -> list[dict[str, Any]]:
    """The statements of a policy document; MalformedPolicy when it is none."""
    try:
        document = json.loads(policy)
    except ValueError:
        text = "Policies must be valid JSON and the first byte must be '{'"
        raise AwsError("MalformedPolicy", text, 400) from None
    statements = document.get("Statement") if isinstance(document, dict) else None
    if isinstance(statements, dict):
        statements = [statements]
    if not statements or not isinstance(statements, list):
        raise AwsError("MalformedPolicy", "Missing required field Statement", 400)
    return statements


@operation("s3", "PutBucketPolicy")
def put_bucket_policy(context: Context, params: Params) -> Raw:
    """Refuses what is no policy: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html"""
    for statement in statements_of(params["Policy"]):
        for names in (("Effect",), ("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")):
            if not any(name in statement for name in names):
                raise AwsError("MalformedPolicy", f"Missing required field {names[0]}", 400)
        resources = statement.get("Resource", statement.get("NotResource"))
        for resource in resources if isinstance(resources, list) else [resources]:
            if not str(resource).startswith(f"arn:{context.partition}:s3:::{params['Bucket']}") and resource != "*":
                raise AwsError("MalformedPolicy", "Policy has invalid resource", 400)
    return context.forward()


@operation("s3", "CreateBucket")
def create_bucket(context: Context, params: Params) -> Raw:
    """moto's, which drops the tags of the configuration."""
    answer = context.forward()
    tags = (params.get("CreateBucketConfiguration") or {}).get("Tags")
    if tags and answer.status < 300:
        context.call("s3", "PutBucketTagging", Bucket=params["Bucket"], Tagging={"TagSet": tags})
    return answer
