"""What an operator sees and does in the consoles of WAF, for the tests of edge security."""

from __future__ import annotations

from typing import Any

import pytest
from stack import ACCOUNT, Stack

from webstack_lab.extend import AwsError, operations

ACL, GROUP = "WebACL[demo-edge]", "LogGroup[aws-waf-logs-demo]"
LOGGING, DELIVERY = "LoggingConfiguration[demo-edge]", "LogDelivery[demo-waf-logs]"
BLOCK_4, BLOCK_6 = "IPSet[demo-edge-block-v4]", "IPSet[demo-edge-block-v6]"
REFERENCE: dict[str, Any] = {
    "header_rules": [{"name": "bad-agents", "header": "User-Agent", "value": "SqlMap"}],
    "query_rules": [{"name": "debug-query", "argument": "debug", "value": "1", "match": "exactly"}],
}
ADDRESS = f"arn:aws:ec2:us-east-1:{ACCOUNT}:eip-allocation/eipalloc-1"


class Firewall:
    """What an operator sees and does in the console, in one scope."""

    def __init__(
        self, stack: Stack, scope: str = "CLOUDFRONT", name: str = "demo-edge", region: str = "us-east-1"
    ) -> None:
        self.waf = stack.lab.client("wafv2", region)
        self.logs = stack.lab.client("logs", region)
        self.scope, self.name = scope, name

    def item(self, noun: str, name: str) -> dict[str, str]:
        listed = getattr(
            self.waf,
            {"WebACL": "list_web_acls", "IPSet": "list_ip_sets", "RegexPatternSet": "list_regex_pattern_sets"}[noun],
        )
        found = next(one for one in listed(Scope=self.scope)[f"{noun}s"] if one["Name"] == name)
        return {"Name": name, "Scope": self.scope, "Id": found["Id"]}

    def acl(self) -> dict[str, Any]:
        acl: dict[str, Any] = self.waf.get_web_acl(**self.item("WebACL", self.name))["WebACL"]
        return acl

    def change_acl(self, **changed: Any) -> None:
        answer = self.waf.get_web_acl(**self.item("WebACL", self.name))
        keys = ("DefaultAction", "Description", "Rules", "VisibilityConfig")
        document = {key: answer["WebACL"][key] for key in keys} | changed
        self.waf.update_web_acl(**self.item("WebACL", self.name), LockToken=answer["LockToken"], **document)

    def delete_acl(self) -> None:
        where = self.item("WebACL", self.name)
        self.waf.delete_web_acl(**where, LockToken=self.waf.get_web_acl(**where)["LockToken"])

    def addresses(self, name: str) -> set[str]:
        return set(self.waf.get_ip_set(**self.item("IPSet", name))["IPSet"]["Addresses"])

    def set_addresses(self, name: str, *addresses: str, **more: str) -> None:
        where = self.item("IPSet", name)
        token = self.waf.get_ip_set(**where)["LockToken"]
        self.waf.update_ip_set(**where, Addresses=list(addresses), LockToken=token, **more)

    def untag(self, noun: str, name: str) -> None:
        listed = {"WebACL": "list_web_acls", "IPSet": "list_ip_sets", "RegexPatternSet": "list_regex_pattern_sets"}[
            noun
        ]
        arn = next(one["ARN"] for one in getattr(self.waf, listed)(Scope=self.scope)[f"{noun}s"] if one["Name"] == name)
        self.waf.untag_resource(ResourceARN=arn, TagKeys=["Name"])


class Once:
    """An operation of the lab that fails when it is called first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, operation: str, code: str) -> None:
        self.works = operations["wafv2", operation]
        self.code = code
        self.failed = False
        monkeypatch.setitem(operations, ("wafv2", operation), self)

    def __call__(self, context: Any, params: dict[str, Any]) -> Any:
        if not self.failed:
            self.failed = True
            raise AwsError(self.code, "not yet")
        return self.works(context, params)


def balancer(stack: Stack, name: str = "demo-alb", region: str = "us-east-1", own: bool = True) -> str:
    ec2 = stack.lab.client("ec2", region)
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"][:2]]
    tags = [
        {"Key": "webstack:stack", "Value": "demo"},
        {"Key": "webstack:tier", "Value": "lb"},
        {"Key": "webstack:name", "Value": name},
    ]
    made = stack.lab.client("elbv2", region).create_load_balancer(
        Name=name, Subnets=subnets, **({"Tags": tags} if own else {})
    )
    arn: str = made["LoadBalancers"][0]["LoadBalancerArn"]
    return arn


REGIONAL: dict[str, Any] = {"edge_web_acl": False, "regional_web_acl": True}
ASSOCIATION, REGIONAL_ACL = "WebACLAssociation[demo-alb]", "RegionalWebACL[demo-regional]"
