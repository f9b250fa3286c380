"""How far an action may reach: the resources it is about, by name or by the ownership tag."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from least_privilege.actions import DATA, details, reads

STACK, ACCOUNT, REGION, PARTITION = "STACK", "ACCOUNT", "REGION", "PARTITION"  # what whoever uses a policy fills in
TAG = "webstack:stack"
TAGGER = re.compile(r"\w+:(Tag\w+|AddTags\w*|CreateOrUpdateTags|PutBucketTagging|ChangeTagsForResource)$")
CONDITIONS = {
    "owned": {"StringEquals": {f"aws:ResourceTag/{TAG}": STACK}},
    "born": {"StringEquals": {f"aws:RequestTag/{TAG}": STACK}},
}

# Service → type of resource → names that the collection gives, as the last part of the ARN. Types without names have random ids.
NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "autoscaling": {"autoScalingGroup": ("autoScalingGroup:*:autoScalingGroupName/STACK-*",)},
    "cloudwatch": {"alarm": ("alarm:STACK-*",), "dashboard": ("dashboard/STACK-*",)},
    "cloudfront": {"function": ("function/STACK*",)},
    "elasticache": {
        "cluster": ("cluster:STACK-*",),
        "parametergroup": ("parametergroup:STACK-*", "parametergroup:default.*"),
        "replicationgroup": ("replicationgroup:STACK-*",),
        "subnetgroup": ("subnetgroup:STACK-*",),
        "snapshot": ("snapshot:STACK-*",),
    },
    "elasticloadbalancing": {
        "loadbalancer/app/": ("loadbalancer/app/STACK-*",),
        "loadbalancer/net/": ("loadbalancer/net/STACK-*",),
        "listener/app": ("listener/app/STACK-*",),
        "listener/net": ("listener/net/STACK-*",),
        "listener-rule/app": ("listener-rule/app/STACK-*",),
        "listener-rule/net": ("listener-rule/net/STACK-*",),
        "targetgroup": ("targetgroup/STACK-*",),
    },
    "iam": {"role": ("role/webstack/STACK/*",), "instance-profile": ("instance-profile/webstack/STACK/*",)},
    "kms": {"alias": ("alias/STACK-*",)},
    "logs": {
        "log-group": (
            "log-group:/STACK/*",
            "log-group:/aws/rds/instance/STACK-*",
            "log-group:aws-waf-logs-STACK*",
            "log-group:STACK-*",
        ),
    },
    "rds": {
        "db": ("db:STACK-*",),
        "og": ("og:default*",),
        "pg": ("pg:STACK-*", "pg:default.*"),
        "subgrp": ("subgrp:STACK-*",),
        "snapshot": ("snapshot:STACK-*",),
        "cluster": ("cluster:STACK-*",),
    },
    "s3": {"bucket": ("STACK-*",), "object": ("STACK-*/*",)},
    "secretsmanager": {"Secret": ("secret:STACK-*",)},
    "sns": {"topic": ("STACK-*",)},
    "ssm": {"parameter": ("parameter/webstack/STACK/*",)},
    "wafv2": {
        "loadbalancer/app/": ("loadbalancer/app/STACK-*",),
        "webacl": ("*/webacl/STACK-*",),
        "ipset": ("*/ipset/STACK-*",),
        "regexpatternset": ("*/regexpatternset/STACK-*",),
        "managedruleset": ("*/managedruleset/*",),
    },
    "xray": {"group": ("group/STACK/*", "group/STACK-*"), "sampling-rule": ("sampling-rule/STACK-*",)},
}
# The types whose ids AWS chooses. What is in neither table is not part of this collection, and no action gets it.
IDS: dict[str, tuple[str, ...]] = {
    "acm": ("certificate",),
    "cloudfront": ("distribution", "cache-policy", "origin-access-control", "origin-access-identity", "response-headers-policy"),
    "ec2": (
        "elastic-ip", "internet-gateway", "launch-template", "natgateway", "network-acl", "route-table", "security-group",
        "security-group-rule", "subnet", "vpc", "vpc-endpoint", "vpc-flow-log",
    ),
    "elasticfilesystem": ("file-system", "access-point"),
    "kms": ("key",),
    "route53": ("hostedzone", "healthcheck", "change"),
    "shield": ("protection",),
}  # fmt: skip
# Types for which the published data name only those of the older load balancers.
KINDS_OF = (
    {
        f"elasticloadbalancing:{name}": ("loadbalancer/app/", "loadbalancer/net/")
        for name in (
            "CreateLoadBalancer",
            "DeleteLoadBalancer",
            "ModifyLoadBalancerAttributes",
            "SetIpAddressType",
            "SetSubnets",
        )
    }
    | {f"elasticloadbalancing:{name}": tuple(NAMES["elasticloadbalancing"]) for name in ("AddTags", "RemoveTags")}
    | {"elasticloadbalancing:SetWebAcl": ("loadbalancer/app/",)}
)
# The tag is no condition on these: AWS does not know it there, or members that belong to AWS are handed over, or it may not be there yet.
UNTAGGED = frozenset({
    ("cloudwatch", "dashboard"), ("ec2", "security-group-rule"), ("elasticache", "parametergroup"), ("iam", "instance-profile"),
    ("iam", "role"), ("rds", "og"), ("rds", "pg"), ("s3", "bucket"), ("s3", "object"), ("ssm", "parameter"),
})  # fmt: skip
# These make what is not there, under a name: no tag is there to be asked for.
MAKERS = frozenset({"cloudwatch:PutMetricAlarm", "cloudwatch:PutCompositeAlarm"})
UNBORN = frozenset(
    {"cloudfront:CreateFunction"}
)  # they could give tags, and the collection gives none: AWS lists no function by tag
BEARERS = frozenset({"ec2:AllocateAddress", "acm:RequestCertificate"})  # they create, and are not called so
ELSEWHERE = frozenset({"ec2:CreateTags", "ec2:RunInstances", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
                       "iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:PassRole"})  # fmt: skip # extra.yml has them, with conditions of their own


@dataclass(frozen=True)
class Reach:
    """Resources of one type that an action is allowed for."""

    action: str
    resources: tuple[str, ...]
    condition: str = ""  # "owned": they carry the tag; "born": the call gives them the tag; "": only by name


@cache
def arn(service: str, kind: str) -> str:
    """The published form of a type's ARN, with placeholders of ours for what is not its name."""
    text = str(DATA.resources.get_resource_type_details(service, kind)["arn"])
    return text.replace("${Partition}", PARTITION).replace("${Region}", REGION).replace("${Account}", ACCOUNT)


def has_tag(keys: list[str], which: str) -> bool:
    return f"aws:{which}Tag/${{TagKey}}" in keys


def patterns(service: str, kind: str) -> tuple[str, ...]:
    """The ARNs of all resources of a type that can be ours by name."""
    whole = arn(service, kind)
    if service in NAMES and kind in NAMES[service]:
        head = whole[: _last(whole)]
        return tuple(head + name for name in NAMES[service][kind])
    return (whole.split("${", maxsplit=1)[0] + "*",)


def _last(text: str) -> int:
    """Where the resource part of an ARN begins: after the fifth colon."""
    place = -1
    for _colon in range(5):
        place = text.index(":", place + 1)
    return place + 1


def kinds_of(action: str) -> list[dict[str, Any]]:
    """The types that an action is about and that this collection has."""
    service = action.partition(":")[0]
    if action in KINDS_OF:
        return [{"name": name, "required": True} for name in KINDS_OF[action]]
    ours = {*NAMES.get(service, {}), *IDS.get(service, ())}
    return [kind for kind in (details(action) or {})["resourceTypes"] if kind["name"] in ours]


def reaches(action: str) -> list[Reach]:
    """What an action is allowed for: by the tag where AWS knows the tag of that type, by name otherwise, everything at last."""
    if action in ELSEWHERE:
        return []
    service = action.partition(":")[0]
    found, kinds = details(action) or {}, kinds_of(action)
    if not kinds and found["resourceTypes"]:
        raise LookupError(
            f"{action}: none of its types is in NAMES or IDS: {[kind['name'] for kind in found['resourceTypes']]}"
        )
    if not kinds:
        born = has_tag(found.get("conditionKeys", []), "Request") and not reads(action) and action not in UNBORN
        return [Reach(action, ("*",), "born" if born else "")]
    if reads(action):
        named = all(kind["name"] in NAMES.get(service, {}) for kind in kinds)
        return [Reach(action, tuple(p for kind in kinds for p in patterns(service, kind["name"])) if named else ("*",))]
    return [reach for kind in kinds for reach in _writes(action, service, kind, kinds)]


def _writes(action: str, service: str, kind: dict[str, Any], kinds: list[dict[str, Any]]) -> Iterator[Reach]:
    name, own, keys = kind["name"], kind.get("conditionKeys", []), (details(action) or {}).get("conditionKeys", [])
    supports = DATA.resources.get_resource_type_details(service, name).get("conditionKeys", [])
    where, named = patterns(service, name), name in NAMES.get(service, {})
    per_kind = any(has_tag(one.get("conditionKeys", []), "Request") for one in kinds)
    tagged = has_tag([*own, *supports], "Resource") and (service, name) not in UNTAGGED and action not in MAKERS
    if TAGGER.match(action):
        # A type with names is limited by them. Others may be given the tag, as at their birth, or be ours already.
        yield from [Reach(action, where)] if named else [Reach(action, where, "born"), Reach(action, where, "owned")]
    elif ("Create" in action or action in BEARERS) and (
        has_tag(own, "Request") or (has_tag(keys, "Request") and not per_kind)
    ):
        yield Reach(action, where, "born")
    else:
        yield Reach(action, where, "owned" if tagged and (kind.get("required") or not named) else "")
