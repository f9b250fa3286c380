"""The network tier: a VPC that is gone, the flow log's role changed and deleted by hand, rules that come and go by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stack import Stack, cycle, quiet

ZONES = ["us-east-1a", "us-east-1b"]
BARE: dict[str, Any] = {
    "availability_zones": ZONES,
    "nat_gateways": "none",
    "gateway_endpoints": [],
    "interface_endpoints": [],
    "flow_log_destination": "none",
}
LOGGED: dict[str, Any] = {**BARE, "flow_log_destination": "cloudwatch"}
ROLE, NAME = "Role[demo-us-east-1-flow-log]", "demo-us-east-1-flow-log"
GROUP, LOG = "LogGroup[demo-flow-log]", "FlowLog[demo]"


@pytest.fixture
def ec2(stack: Stack) -> Any:
    return stack.lab.client("ec2")


def tear_down(ec2: Any) -> None:
    """Somebody deletes the whole VPC, part after part, as the console does."""
    vpc = ec2.describe_vpcs(Filters=[{"Name": "tag:webstack:stack", "Values": ["demo"]}])["Vpcs"][0]["VpcId"]
    inside = [{"Name": "vpc-id", "Values": [vpc]}]
    for group in ec2.describe_security_groups(Filters=inside)["SecurityGroups"]:
        for direction, rules in (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress")):
            if group[rules]:
                revoke = getattr(ec2, f"revoke_security_group_{direction}")
                revoke(GroupId=group["GroupId"], IpPermissions=group[rules])
    for group in ec2.describe_security_groups(Filters=inside)["SecurityGroups"]:
        if group["GroupName"] != "default":
            ec2.delete_security_group(GroupId=group["GroupId"])
    for table in ec2.describe_route_tables(Filters=inside)["RouteTables"]:
        parts = [one for one in table["Associations"] if not one.get("Main")]
        for one in parts:
            ec2.disassociate_route_table(AssociationId=one["RouteTableAssociationId"])
        if not any(one.get("Main") for one in table["Associations"]):
            ec2.delete_route_table(RouteTableId=table["RouteTableId"])
    for subnet in ec2.describe_subnets(Filters=inside)["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    for gateway in ec2.describe_internet_gateways(Filters=attached)["InternetGateways"]:
        ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
        ec2.delete_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"])
    ec2.delete_vpc(VpcId=vpc)


def test_a_vpc_that_is_gone_is_made_again_with_everything_in_it(stack: Stack, ec2: Any) -> None:
    everything = {address for _verb, address in stack.converge("network", check=True, **BARE).plan}
    assert "Vpc[demo]" in everything and "InternetGateway[demo]" in everything
    cycle(stack, "network", BARE, vanishings=[(lambda: tear_down(ec2), everything)])


def test_the_life_of_the_flow_log_s_role(stack: Stack) -> None:
    iam, logs = stack.lab.client("iam"), stack.lab.client("logs")

    def meddle() -> None:
        other = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [other]})
        iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=document)
        (name,) = iam.list_role_policies(RoleName=NAME)["PolicyNames"]
        nothing = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
        iam.put_role_policy(RoleName=NAME, PolicyName=name, PolicyDocument=json.dumps(nothing))
        iam.untag_role(RoleName=NAME, TagKeys=["Name"])

    def widen() -> None:
        iam.attach_role_policy(RoleName=NAME, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")

    def lose() -> None:
        for name in iam.list_role_policies(RoleName=NAME)["PolicyNames"]:
            iam.delete_role_policy(RoleName=NAME, PolicyName=name)
        iam.delete_role(RoleName=NAME)

    def untag() -> None:
        arn = logs.describe_log_groups(logGroupNamePrefix="demo-flow-log")["logGroups"][0]["arn"].removesuffix(":*")
        logs.untag_resource(resourceArn=arn, tagKeys=["Name"])

    cycle(
        stack,
        "network",
        LOGGED,
        drifts=[
            (ROLE, meddle, {"trust", "inline_policies", "tags"}),
            (ROLE, widen, {"managed_policy_arns"}),
            (
                GROUP,
                lambda: logs.put_retention_policy(logGroupName="demo-flow-log", retentionInDays=3),
                {"retention_days"},
            ),
            (GROUP, untag, {"tags"}),
        ],
        vanishings=[
            (lose, {ROLE}),
            (lambda: logs.delete_log_group(logGroupName="demo-flow-log"), {GROUP}),
        ],
    )


def test_another_format_makes_another_flow_log(stack: Stack) -> None:
    stack.converge("network", **LOGGED)
    other = {**LOGGED, "flow_log_format": "${srcaddr} ${dstaddr} ${action}"}
    result = stack.converge("network", **other)
    assert result.changes == {LOG: {"log_format"}}
    assert result.sent("CreateFlowLogs")[0]["LogFormat"] == other["flow_log_format"] and result.sent("DeleteFlowLogs")
    quiet(stack, "network", other)


def rule(group: str, port: int) -> dict[str, Any]:
    return {"group": group, "peer": "10.0.0.0/8", "from_port": port, "to_port": port}


def test_the_first_rule_and_the_first_endpoint_go_alone(stack: Stack) -> None:
    options = {
        **BARE,
        "interface_endpoints": ["ssm", "logs"],
        "security_group_rules": [rule("app", 9000), rule("app", 9001)],
    }
    stack.converge("network", **options)
    fewer = stack.converge("network", **{**options, "security_group_rules": [rule("app", 9001)]})
    assert fewer.plan == {("update", "SecurityGroupRules[demo-app]")}
    (revoked,) = fewer.writes
    assert "Revoke" in revoked["operation"]
    more = stack.converge("network", **{**options, "security_group_rules": [rule("app", 9002), rule("app", 9001)]})
    (added,) = more.writes
    assert added["operation"] == "AuthorizeSecurityGroupIngress" and len(added["params"]["IpPermissions"]) == 1
    rules = [rule("app", 9002), rule("app", 9001)]
    one = stack.converge("network", **{**options, "security_group_rules": rules, "interface_endpoints": ["logs"]})
    assert one.plan == {("delete", "VpcEndpoint[demo-endpoint-ssm]")}
