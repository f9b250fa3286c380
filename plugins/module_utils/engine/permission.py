"""Which permission is missing when AWS denies a call, as a statement that can be put into a policy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "Client.UnauthorizedOperation",
        "NotAuthorized",
        "UnauthorizedOperation",
    }
)
# Services whose actions begin with another word than what requests are signed for.
PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag"}
# Operations whose action has another name.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
ACTIONS = {
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketTagging": "s3:PutBucketTagging",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "s3:GetBucketCors": "s3:GetBucketCORS",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:PutBucketAccelerateConfiguration": "s3:PutAccelerateConfiguration",
    "s3:PutBucketCors": "s3:PutBucketCORS",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:PutBucketReplication": "s3:PutReplicationConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "cloudfront:CreateDistributionWithTags": "cloudfront:CreateDistribution",
}
# "User: arn:… is not authorized to perform: ec2:CreateVpc on resource: arn:… because no identity-based policy allows …"
SAID = re.compile(
    r"not authorized to perform:? \[?(?P<action>[\w-]+:\w+)\]?(?: on resource: (?P<resource>arn:[^\s\"']+))?"
)


def action_of(signing_name: str, operation: str) -> str:
    """The action of an operation, as policies name it: ``ec2:CreateVpc``."""
    action = f"{PREFIXES.get(signing_name, signing_name)}:{operation}"
    return ACTIONS.get(action, action)


def missing_permission(answer: Mapping[str, Any], arn: str | None) -> dict[str, Any] | None:
    """The statement that would allow a denied call; None where the answer is no denial.

    Most services say which action on which resource it is, and that is believed (trap 30: it may be ``iam:PassRole``). For the others
    it is the action of the operation, on ``arn``, or on everything.
    """
    error, about = answer.get("Error", {}), answer.get("ResponseMetadata", {})
    if error.get("Code") not in DENIED and error.get("Code") != "403":  # S3's answer to HEAD has no body, only a number
        return None
    said = SAID.search(str(error.get("Message", "")))
    action = said.group("action") if said else about.get("Action")
    if not action:
        return None
    resource = (said.group("resource") if said else None) or arn or "*"
    return {"Effect": "Allow", "Action": action, "Resource": resource}
