"""EC2's answers as real AWS gives them, where the lab is not as rich, and what we make of them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.resources.ec2_access import (
    Allow,
    PrefixList,
    SecurityGroupRules,
    permission,
    rules_of,
)
from ansible_collections.webstack.aws.plugins.module_utils.resources.ec2_endpoints import FULL_ACCESS, VpcEndpoint
from ansible_collections.webstack.aws.plugins.module_utils.resources.ec2_flow_logs import DEFAULT_FORMAT, FlowLog
from ansible_collections.webstack.aws.plugins.module_utils.resources.ec2_routes import (
    NatRoute,
    RouteTable,
    route_arguments,
)
from ansible_collections.webstack.aws.plugins.module_utils.resources.ec2_routing import InternetGateway, NatGateway

TAGS = [{"Key": "webstack:stack", "Value": "demo"}, {"Key": "webstack:name", "Value": "demo-app-us-east-1a"}]


class Pages:
    """A client that answers every listing with one page."""

    def __init__(self, key: str, *items: dict[str, Any]) -> None:
        self.key, self.items = key, items

    def get_paginator(self, _operation: str) -> Pages:
        return self

    def paginate(self, **_arguments: Any) -> list[dict[str, Any]]:
        return [{self.key: list(self.items)}]


class Scope:
    """As much of a scope as listing needs."""

    stack = "demo"
    names: frozenset[str] = frozenset()
    members: tuple[Any, ...] = ()

    def __init__(self, fresh: bool = False) -> None:
        self.fresh = fresh

    def once(self, _key: str, compute: Any) -> Any:
        return compute()


ROUTES = [
    {"DestinationCidrBlock": "10.20.0.0/16", "GatewayId": "local", "Origin": "CreateRouteTable", "State": "active"},
    {"DestinationPrefixListId": "pl-63a5400a", "GatewayId": "vpce-0e1", "Origin": "CreateRoute", "State": "active"},
    {
        "DestinationCidrBlock": "10.9.0.0/16",
        "GatewayId": "vgw-1",
        "Origin": "EnableVgwRoutePropagation",
        "State": "active",
    },
    {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-0a1", "Origin": "CreateRoute", "State": "blackhole"},
    {"DestinationCidrBlock": "10.8.0.0/16", "GatewayId": "vpce-0gwlb", "Origin": "CreateRoute", "State": "active"},
    {
        "DestinationCidrBlock": "10.7.0.0/16",
        "InstanceId": "i-1",
        "InstanceOwnerId": "123456789012",
        "NetworkInterfaceId": "eni-1",
        "Origin": "CreateRoute",
        "State": "active",
    },
    {
        "DestinationIpv6CidrBlock": "::/0",
        "EgressOnlyInternetGatewayId": "eigw-1",
        "Origin": "CreateRoute",
        "State": "active",
    },
    {"DestinationCidrBlock": "10.6.0.0/16", "TransitGatewayId": "tgw-1", "Origin": "CreateRoute", "State": "blackhole"},
]
TABLE = {
    "RouteTableId": "rtb-1",
    "VpcId": "vpc-1",
    "PropagatingVgws": [{"GatewayId": "vgw-1"}],
    "Routes": ROUTES,
    "Associations": [
        {"Main": True, "RouteTableAssociationId": "rtbassoc-0", "AssociationState": {"State": "associated"}},
        {
            "Main": False,
            "RouteTableAssociationId": "rtbassoc-1",
            "SubnetId": "subnet-1",
            "AssociationState": {"State": "associated"},
        },
        {
            "Main": False,
            "RouteTableAssociationId": "rtbassoc-2",
            "SubnetId": "subnet-2",
            "AssociationState": {"State": "disassociating"},
        },
    ],
    "Tags": TAGS,
}


def test_routes_that_aws_keeps_itself_are_none_of_ours_and_black_holes_differ_from_every_wish() -> None:
    """trap 44"""
    have = RouteTable("demo-app-us-east-1a").read(None, TABLE)
    assert have["routes"] == {
        "10.8.0.0/16": "vpce-0gwlb",
        "10.7.0.0/16": "eni-1",
        "::/0": "eigw-1",
        "10.6.0.0/16": "tgw-1 (blackhole)",
    }
    assert have["subnet_ids"] == {"subnet-1"}, "the main association is no subnet's own"
    [item] = NatRoute.list_all(Pages("RouteTables", TABLE), Scope())  # type: ignore[arg-type]  # stand-ins
    assert NatRoute.identify(item) == ("demo-app-us-east-1a",)
    assert NatRoute("x").read(None, item) == {"id": "rtb-1", "nat_gateway_id": "nat-0a1 (blackhole)"}


def test_a_route_is_asked_for_with_the_parameter_of_its_target_and_destination() -> None:
    assert route_arguments("rtb-1", "10.0.0.0/8", "tgw-1") == {
        "RouteTableId": "rtb-1",
        "DestinationCidrBlock": "10.0.0.0/8",
        "TransitGatewayId": "tgw-1",
    }
    assert route_arguments("rtb-1", "::/0", "eigw-1")["EgressOnlyInternetGatewayId"] == "eigw-1"
    assert route_arguments("rtb-1", "pl-1", "pcx-1")["DestinationPrefixListId"] == "pl-1"


def test_a_deleted_nat_gateway_is_gone_and_a_failed_one_is_seen_only_by_who_waits_for_it() -> None:
    """trap 33"""
    failed = {
        "NatGatewayId": "nat-2",
        "State": "failed",
        "SubnetId": "subnet-1",
        "FailureCode": "Resource.AlreadyAssociated",
        "FailureMessage": "Elastic IP address [eipalloc-1] is already associated",
        "NatGatewayAddresses": [{"AllocationId": "eipalloc-1", "IsPrimary": True, "Status": "failed"}],
        "Tags": TAGS,
    }
    alive = {
        "NatGatewayId": "nat-3",
        "State": "available",
        "SubnetId": "subnet-1",
        "ConnectivityType": "public",
        "NatGatewayAddresses": [
            {"AllocationId": "eipalloc-9", "PublicIp": "203.0.113.9", "IsPrimary": False, "Status": "succeeded"},
            {"AllocationId": "eipalloc-1", "PublicIp": "203.0.113.1", "IsPrimary": True, "Status": "succeeded"},
        ],
        "Tags": TAGS,
    }
    client = Pages("NatGateways", {**alive, "State": "deleted"}, failed, alive)
    assert list(NatGateway.list_all(client, Scope())) == [alive]  # type: ignore[arg-type]  # stand-ins
    assert list(NatGateway.list_all(client, Scope(fresh=True))) == [alive, failed]  # type: ignore[arg-type]  # stand-ins
    assert NatGateway("x").read(None, failed)["state_reason"] == failed["FailureMessage"]
    have = NatGateway("x").read(None, alive)
    assert (have["allocation_id"], have["endpoint"]) == ("eipalloc-1", "203.0.113.1"), (
        "secondary addresses are somebody else's"
    )


def test_an_internet_gateway_on_its_way_out_is_not_attached() -> None:
    gateway = {"InternetGatewayId": "igw-1", "Attachments": [{"State": "detaching", "VpcId": "vpc-1"}]}
    assert InternetGateway("x").read(None, gateway)["vpc_id"] == ""


def test_rules_are_taken_apart_whatever_aws_fills_in() -> None:
    group = {
        "GroupId": "sg-1",
        "SecurityGroupArn": "arn:aws:ec2:us-east-1:123456789012:security-group/sg-1",
        "IpPermissions": [
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}, {"CidrIp": "10.0.0.0/8", "Description": "Inside"}],
                "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
                "PrefixListIds": [{"PrefixListId": "pl-1", "Description": "CloudFront"}],
                "UserIdGroupPairs": [{"UserId": "123456789012", "GroupId": "sg-2"}],
            },
            {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
        ],
        "IpPermissionsEgress": [
            {
                "IpProtocol": "-1",
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                "Ipv6Ranges": [],
                "PrefixListIds": [],
                "UserIdGroupPairs": [],
            }
        ],
    }
    rules = rules_of(group)
    assert rules == {
        ("ingress", "tcp", "443", "0.0.0.0/0"): "",
        ("ingress", "tcp", "443", "10.0.0.0/8"): "Inside",
        ("ingress", "tcp", "443", "::/0"): "",
        ("ingress", "tcp", "443", "pl-1"): "CloudFront",
        ("ingress", "tcp", "443", "sg-2"): "",
        ("ingress", "icmp", "-1", "10.0.0.0/8"): "",
        ("egress", "-1", "all", "0.0.0.0/0"): "",
    }
    for key, note in rules.items():
        member = "IpPermissionsEgress" if key[0] == "egress" else "IpPermissions"
        assert rules_of({member: [permission(key, note)]}) == {key: note}, "a rule asked for is read as the same rule"


def test_a_group_with_too_many_rules_is_refused_by_family() -> None:
    """traps 38, 39"""
    blocks = [Allow(f"10.{number}.0.0/16", 443) for number in range(60)]
    six = [Allow(f"2001:db8:{number}::/48", 443) for number in range(60)]
    assert SecurityGroupRules("x", ingress=[*blocks, *six]).refuse({}) is None
    assert "count as 61 IPv4" in str(SecurityGroupRules("x", ingress=[*blocks, Allow("192.0.2.0/24", 1)]).refuse({}))
    own = PrefixList("pl-1", owned=False)
    own.have = own.read(None, {"PrefixListName": "office", "PrefixListId": "pl-1", "MaxEntries": 5})
    assert "count as 65 IPv4" in str(SecurityGroupRules("x", ingress=[*blocks, Allow(own, 443)]).refuse({}))
    aws = PrefixList("x", owned=False).read(
        None,
        {"PrefixListName": "com.amazonaws.global.cloudfront.origin-facing", "PrefixListId": "pl-2", "OwnerId": "AWS"},
    )
    assert aws["weight"] == 55


def test_an_endpoint_without_a_policy_has_full_access() -> None:
    item = {
        "VpcEndpointId": "vpce-1",
        "VpcEndpointType": "Interface",
        "VpcId": "vpc-1",
        "ServiceName": "com.amazonaws.us-east-1.ssm",
        "State": "available",
        "PolicyDocument": '{"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]}',
        "RouteTableIds": [],
        "SubnetIds": ["subnet-2", "subnet-1"],
        "Groups": [{"GroupId": "sg-1", "GroupName": "demo-endpoints"}],
        "IpAddressType": "ipv4",
        "DnsOptions": {"DnsRecordIpType": "ipv4"},
        "PrivateDnsEnabled": True,
        "RequesterManaged": False,
        "NetworkInterfaceIds": ["eni-1", "eni-2"],
        "Tags": TAGS,
    }
    have = VpcEndpoint("x").read(None, item)
    assert have["policy"] == FULL_ACCESS
    assert have["subnet_ids"] == {"subnet-1", "subnet-2"} and have["security_group_ids"] == {"sg-1"}


def test_of_two_flow_logs_with_one_name_the_newer_counts_and_the_older_is_to_go() -> None:
    """trap 50"""
    first = {
        "CreationTime": datetime(2026, 1, 1, tzinfo=timezone.utc),
        "FlowLogId": "fl-1",
        "ResourceId": "vpc-1",
        "TrafficType": "ALL",
        "LogDestinationType": "s3",
        "LogDestination": "arn:aws:s3:::logs",
        "LogFormat": DEFAULT_FORMAT,
        "MaxAggregationInterval": 600,
        "FlowLogStatus": "ACTIVE",
        "DestinationOptions": {"FileFormat": "parquet", "HiveCompatiblePartitions": True, "PerHourPartition": False},
        "Tags": TAGS,
    }
    second = {**first, "FlowLogId": "fl-0", "CreationTime": datetime(2026, 1, 2, tzinfo=timezone.utc)}
    [item] = FlowLog.list_all(Pages("FlowLogs", second, first), Scope())  # type: ignore[arg-type]  # stand-ins
    have = FlowLog("x").read(None, item)
    assert (have["id"], have["superseded"]) == ("fl-0", {"fl-1"})
    assert (have["file_format"], have["hive_partitions"], have["hourly_partitions"]) == ("parquet", True, False)
