"""Whether policies allow a call of a call log: its actions, on the resources it names, under the tags that are known.

IAM decides for every resource of a call; so does this, for those that the call names. The tag of a resource is known where it is told in
``tags``; where it is not, a condition on it is taken for true. Condition keys that only AWS knows (grants, service names) are too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from least_privilege.actions import actions, tags_of
from least_privilege.scopes import DATA, TAG, kinds_of

Call = Mapping[str, Any]
Tags = Mapping[str, Mapping[str, str]]  # ARN → its tags

EC2_KINDS = {
    "acl": "network-acl", "eipalloc": "elastic-ip", "eni": "network-interface", "fl": "vpc-flow-log", "igw": "internet-gateway",
    "lt": "launch-template", "nat": "natgateway", "rtb": "route-table", "sg": "security-group", "sgr": "security-group-rule",
    "subnet": "subnet", "vpc": "vpc", "vpce": "vpc-endpoint",
}  # fmt: skip
EC2_ID = re.compile(r"^([a-z]+)-[0-9a-f]{8,}$")
# Parameter → the resource part of the ARN that it names; "elbv2 CreateTargetGroup Name" before "Name".
NAMED: dict[str, str] = {
    "autoscaling AutoScalingGroupName": "autoscaling:R:A:autoScalingGroup:0:autoScalingGroupName/{}",
    "cloudfront Id": "cloudfront::A:distribution/{}",
    "cloudwatch AlarmName": "cloudwatch:R:A:alarm:{}",
    "cloudwatch AlarmNames": "cloudwatch:R:A:alarm:{}",
    "cloudwatch DashboardName": "cloudwatch::A:dashboard/{}",
    "cloudwatch DashboardNames": "cloudwatch::A:dashboard/{}",
    "efs AccessPointId": "elasticfilesystem:R:A:access-point/{}",
    "efs FileSystemId": "elasticfilesystem:R:A:file-system/{}",
    "elasticache CacheParameterGroupName": "elasticache:R:A:parametergroup:{}",
    "elasticache CacheSubnetGroupName": "elasticache:R:A:subnetgroup:{}",
    "elasticache ReplicationGroupId": "elasticache:R:A:replicationgroup:{}",
    "elbv2 CreateTargetGroup Name": "elasticloadbalancing:R:A:targetgroup/{}/0",
    "iam InstanceProfileName": "iam::A:instance-profile/webstack/S/R/{}",
    "iam RoleName": "iam::A:role/webstack/S/R/{}",
    "kms AliasName": "kms:R:A:{}",
    "kms KeyId": "kms:R:A:key/{}",
    "kms TargetKeyId": "kms:R:A:key/{}",
    "logs logGroupName": "logs:R:A:log-group:{}",
    "rds DBInstanceIdentifier": "rds:R:A:db:{}",
    "rds DBParameterGroupName": "rds:R:A:pg:{}",
    "rds DBSubnetGroupName": "rds:R:A:subgrp:{}",
    "rds SourceDBInstanceIdentifier": "rds:R:A:db:{}",
    "route53 HostedZoneId": "route53:::hostedzone/{}",
    "s3 Bucket": "s3:::{}",
    "secretsmanager SecretId": "secretsmanager:R:A:secret:{}-000000",
    "secretsmanager CreateSecret Name": "secretsmanager:R:A:secret:{}-000000",
    "sns CreateTopic Name": "sns:R:A:{}",
    "ssm Name": "ssm:R:A:parameter{}",
    "ssm Names": "ssm:R:A:parameter{}",
    "wafv2 CreateIPSet Name": "wafv2:R:A:global/ipset/{}/0",
    "wafv2 CreateWebACL Name": "wafv2:R:A:global/webacl/{}/0",
}


@dataclass
class Verdict:
    """A call that no statement allows, and why."""

    call: str
    action: str
    resource: str
    conditions: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.call}: {self.action} on {self.resource or 'anything'}"


def outside(
    calls: Iterable[Call],
    policies: Iterable[Mapping[str, Any]],
    tags: Tags,
    stack: str = "demo",
    account: str = "1" * 12,
) -> list[str]:
    """Every call that the policies together do not allow, once."""
    statements = [statement for policy in policies for statement in policy["Statement"]]
    return sorted({str(verdict) for call in calls for verdict in _denied(call, statements, tags, stack, account)})


def _denied(call: Call, statements: list[Mapping[str, Any]], tags: Tags, stack: str, account: str) -> Iterator[Verdict]:
    given = tags_of(call["params"])
    named = list(arns(call, stack, account))
    for action in actions(call["service"], call["operation"], given is not None):
        able = [one for one in statements if any(fnmatchcase(action, name) for name in _list(one["Action"]))]
        own = [arn for arn in named if about(action, arn)]
        for arn in own or [""]:
            if not any(_allows(one, arn, tags.get(arn), given, action, call) for one in able):
                yield Verdict(f"{call['service']} {call['operation']}", action, arn)


def _allows(
    statement: Mapping[str, Any],
    arn: str,
    tags: Mapping[str, str] | None,
    given: Mapping[str, str] | None,
    action: str,
    call: Call,
) -> bool:
    if arn and not any(fnmatchcase(arn, pattern) for pattern in _list(statement["Resource"])):
        return False
    for tests in statement.get("Condition", {}).values():
        for key, wanted in tests.items():
            value: str | None = _list(wanted)[0]
            if key == f"aws:RequestTag/{TAG}":
                value = (given or {}).get(TAG)
            elif key == f"aws:ResourceTag/{TAG}" and tags is not None:
                value = tags.get(TAG)
            elif key == "ec2:CreateAction":
                value = str(call["operation"])
            elif key == "iam:PolicyARN":
                value = call["params"].get("PolicyArn")
            if value not in _list(wanted):
                return False
    return True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def arns(call: Call, stack: str, account: str) -> Iterator[str]:
    """The resources that a call names, as far as its parameters tell."""
    service, operation, region = call["service"], call["operation"], call["region"]
    for key, value in _texts(call["params"]):
        if value.startswith("arn:"):
            yield value.removesuffix(":*")
        elif service == "ec2" and (found := EC2_ID.match(value)) and found.group(1) in EC2_KINDS:
            yield f"arn:aws:ec2:{region}:{account}:{EC2_KINDS[found.group(1)]}/{value}"
        elif form := NAMED.get(f"{service} {operation} {key}") or NAMED.get(f"{service} {key}"):
            owner = "" if value.startswith("/aws/service/") else account  # AWS's own parameters are of no account
            rest = form.replace(":R:", f":{region}:", 1).replace(":A:", f":{owner}:", 1)
            if service != "kms" or key == "AliasName" or not value.startswith("alias/"):
                yield f"arn:aws:{rest.replace('/S/R/', f'/{stack}/{region}/').format(value)}"


def _texts(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every text of a call; the name of a parameter is told only for those at the top, where it means the call's own resource."""
    for name, value in params.items():
        if name not in ("Tags", "tags", "TagSpecifications", "Filters", "Filter"):
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str):
                    yield from [] if text.lstrip().startswith("{") else [(name, text)]  # a document speaks of others
                elif isinstance(text, dict):
                    yield from (("", inner) for _key, inner in _texts(text))


@cache
def _forms(action: str) -> tuple[re.Pattern[str], ...]:
    service = action.partition(":")[0]
    texts = [str(DATA.resources.get_resource_type_details(service, kind["name"])["arn"]) for kind in kinds_of(action)]
    return tuple(re.compile(".*".join(re.escape(part) for part in re.split(r"\$\{[^}]*\}", text))) for text in texts)


def about(action: str, arn: str) -> bool:
    """Whether an action is about resources of that type."""
    return any(form.fullmatch(arn) for form in _forms(action))
