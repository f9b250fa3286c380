"""The network tier: what it promises to whoever runs it, against the lab."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from stack import Stack, cycle, quiet, refusal

from ansible_collections.webstack.aws.plugins.module_utils.engine.sdk import explain

ZONES = ["us-east-1a", "us-east-1b"]
LOGS = "demo-logs-123456789012-us-east-1"
BARE = {"availability_zones": ZONES, "nat_gateways": "none", "interface_endpoints": [], "flow_log_destination": "none"}
CLOUDFRONT = "com.amazonaws.global.cloudfront.origin-facing"


@pytest.fixture
def ec2(stack: Stack) -> Any:
    stack.lab.client("s3").create_bucket(Bucket=LOGS)
    return stack.lab.client("ec2")


class Found:
    """What the account has, by our names."""

    def __init__(self, ec2: Any) -> None:
        self.ec2 = ec2

    def _one(self, operation: str, key: str, name: str, filters: str = "Filters") -> dict[str, Any]:
        answer = getattr(self.ec2, operation)(**{filters: [{"Name": "tag:webstack:name", "Values": [name]}]})[key]
        alive = [item for item in answer if item.get("State") not in ("deleted", "failed", "deleting")]
        assert len(alive) == 1, (name, alive)
        return dict(alive[0])

    def vpc(self) -> str:
        return str(self._one("describe_vpcs", "Vpcs", "demo")["VpcId"])

    def subnet(self, name: str) -> str:
        return str(self._one("describe_subnets", "Subnets", f"demo-{name}")["SubnetId"])

    def group(self, name: str) -> str:
        return str(self._one("describe_security_groups", "SecurityGroups", f"demo-{name}")["GroupId"])

    def rules(self, name: str) -> dict[str, Any]:
        return self._one("describe_security_groups", "SecurityGroups", f"demo-{name}")

    def table(self, name: str) -> dict[str, Any]:
        return self._one("describe_route_tables", "RouteTables", f"demo-{name}")

    def nat(self, zone: str) -> dict[str, Any]:
        return self._one("describe_nat_gateways", "NatGateways", f"demo-nat-{zone}", "Filter")

    def address(self, zone: str) -> dict[str, Any]:
        return self._one("describe_addresses", "Addresses", f"demo-nat-{zone}")

    def gateway(self) -> str:
        return str(self._one("describe_internet_gateways", "InternetGateways", "demo")["InternetGatewayId"])

    def endpoint(self, service: str) -> dict[str, Any]:
        return self._one("describe_vpc_endpoints", "VpcEndpoints", f"demo-endpoint-{service}")

    def flow_log(self) -> dict[str, Any]:
        return self._one("describe_flow_logs", "FlowLogs", "demo", "Filter")

    def delete_nat(self, zone: str) -> None:
        """Delete a NAT gateway for good."""
        gateway = self.nat(zone)["NatGatewayId"]
        self.ec2.delete_nat_gateway(NatGatewayId=gateway)
        while self.ec2.describe_nat_gateways(NatGatewayIds=[gateway])["NatGateways"][0]["State"] != "deleted":
            time.sleep(0.02)

    def delete_table(self, name: str) -> None:
        table = self.table(name)
        for one in table["Associations"]:
            self.ec2.disassociate_route_table(AssociationId=one["RouteTableAssociationId"])
        self.ec2.delete_route_table(RouteTableId=table["RouteTableId"])


@pytest.fixture
def found(ec2: Any) -> Found:
    return Found(ec2)


def port(number: int, **peers: Any) -> list[dict[str, Any]]:
    return [{"IpProtocol": "tcp", "FromPort": number, "ToPort": number, **peers}]


def anywhere(block: str = "0.0.0.0/0", **note: str) -> dict[str, Any]:
    return {"IpRanges": [{"CidrIp": block, **note}]}


def untag(ec2: Any, identity: str, *keys: str) -> None:
    ec2.delete_tags(Resources=[identity], Tags=[{"Key": key} for key in keys or ("Name",)])


def test_life_of_access_endpoints_and_flow_log(stack: Stack, ec2: Any, found: Found) -> None:
    options = {**BARE, "interface_endpoints": ["ssm"], "flow_log_destination": "s3"}

    def again_with_another_traffic_type() -> None:
        old = found.flow_log()
        ec2.delete_flow_logs(FlowLogIds=[old["FlowLogId"]])
        ec2.create_flow_logs(
            ResourceType="VPC",
            ResourceIds=[old["ResourceId"]],
            TrafficType="REJECT",
            LogDestinationType="s3",
            LogDestination=old["LogDestination"],
            MaxAggregationInterval=60,
            TagSpecifications=[{"ResourceType": "vpc-flow-log", "Tags": old["Tags"]}],
        )

    def change(service: str, **values: Any) -> None:
        ec2.modify_vpc_endpoint(VpcEndpointId=found.endpoint(service)["VpcEndpointId"], **values)

    def revoke_all(name: str) -> None:
        group = found.rules(name)
        for direction, rules in (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress")):
            if group[rules]:
                revoke = getattr(ec2, f"revoke_security_group_{direction}")
                revoke(GroupId=group["GroupId"], IpPermissions=group[rules])

    def delete_group(name: str) -> None:
        revoke_all(name)
        ec2.delete_security_group(GroupId=found.group(name))

    def default_group() -> str:
        return found.group("default")

    none = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}],
    }
    app = {"UserIdGroupPairs": [{"GroupId": "", "Description": "Changed"}]}

    def note_on_cache() -> None:
        app["UserIdGroupPairs"][0]["GroupId"] = found.group("app")
        ec2.update_security_group_rule_descriptions_ingress(
            GroupId=found.group("cache"), IpPermissions=port(6379, **app)
        )

    ssm, s3, logs = "VpcEndpoint[demo-endpoint-ssm]", "VpcEndpoint[demo-endpoint-s3]", "FlowLog[demo]"
    cycle(
        stack,
        "network",
        options,
        drifts=[
            ("SecurityGroup[demo-app]", lambda: untag(ec2, found.group("app")), {"tags"}),
            (
                "SecurityGroupRules[demo-alb]",
                lambda: ec2.revoke_security_group_ingress(
                    GroupId=found.group("alb"), IpPermissions=port(443, **anywhere())
                ),
                {"rules"},
            ),
            (
                "SecurityGroupRules[demo-db]",
                lambda: ec2.authorize_security_group_ingress(
                    GroupId=found.group("db"), IpPermissions=port(5432, **anywhere())
                ),
                {"rules"},
            ),
            ("SecurityGroupRules[demo-cache]", note_on_cache, {"rules"}),
            (
                "DefaultSecurityGroup[demo-default]",
                lambda: ec2.authorize_security_group_egress(
                    GroupId=default_group(), IpPermissions=port(25, **anywhere())
                ),
                {"rules"},
            ),
            ("DefaultSecurityGroup[demo-default]", lambda: untag(ec2, default_group()), {"tags"}),
            (ssm, lambda: change("ssm", RemoveSubnetIds=[found.subnet("app-us-east-1b")]), {"subnet_ids"}),
            (ssm, lambda: change("ssm", AddSecurityGroupIds=[default_group()]), {"security_group_ids"}),
            (ssm, lambda: change("ssm", PrivateDnsEnabled=False), {"private_dns"}),
            (ssm, lambda: change("ssm", PolicyDocument=json.dumps(none)), {"policy"}),
            (ssm, lambda: untag(ec2, found.endpoint("ssm")["VpcEndpointId"]), {"tags"}),
            (s3, lambda: change("s3", RemoveRouteTableIds=[found.table("data")["RouteTableId"]]), {"route_table_ids"}),
            (logs, again_with_another_traffic_type, {"traffic_type", "aggregation_interval"}),
            (logs, lambda: untag(ec2, found.flow_log()["FlowLogId"]), {"tags"}),
        ],
        vanishings=[
            (lambda: delete_group("cache"), {"SecurityGroup[demo-cache]", "SecurityGroupRules[demo-cache]"}),
            (lambda: revoke_all("app"), {"SecurityGroupRules[demo-app]"}),
            (
                lambda: untag(ec2, default_group(), "webstack:stack", "webstack:tier", "webstack:name"),
                {"DefaultSecurityGroup[demo-default]"},
            ),
            (lambda: ec2.delete_vpc_endpoints(VpcEndpointIds=[found.endpoint("ssm")["VpcEndpointId"]]), {ssm}),
            (lambda: ec2.delete_vpc_endpoints(VpcEndpointIds=[found.endpoint("s3")["VpcEndpointId"]]), {s3}),
            (lambda: ec2.delete_flow_logs(FlowLogIds=[found.flow_log()["FlowLogId"]]), {logs}),
        ],
    )


def test_life_of_vpc_subnets_and_routes(stack: Stack, ec2: Any, found: Found) -> None:
    options = {**BARE, "nat_gateways": "per_zone", "gateway_endpoints": []}
    igw = "InternetGateway[demo]"

    def dns(**value: bool) -> None:
        ec2.modify_vpc_attribute(VpcId=found.vpc(), **{key: {"Value": wish} for key, wish in value.items()})

    def hijack() -> None:
        table = found.table("app-us-east-1b")["RouteTableId"]
        nat = found.nat("us-east-1a")["NatGatewayId"]
        ec2.replace_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)

    def lead(destination: str, name: str) -> None:
        ec2.create_route(
            RouteTableId=found.table(name)["RouteTableId"], DestinationCidrBlock=destination, GatewayId=found.gateway()
        )

    def unroute(name: str) -> None:
        ec2.delete_route(RouteTableId=found.table(name)["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")

    def disassociate(name: str) -> None:
        ec2.disassociate_route_table(AssociationId=found.table(name)["Associations"][0]["RouteTableAssociationId"])

    def map_addresses() -> None:
        ec2.modify_subnet_attribute(SubnetId=found.subnet("app-us-east-1a"), MapPublicIpOnLaunch={"Value": True})

    def release(zone: str) -> None:
        found.delete_nat(zone)
        ec2.release_address(AllocationId=found.address(zone)["AllocationId"])

    nat, app = "demo-nat-us-east-1a", "demo-app-us-east-1a"
    cycle(
        stack,
        "network",
        options,
        drifts=[
            ("Vpc[demo]", lambda: dns(EnableDnsHostnames=False), {"enable_dns_hostnames"}),
            ("Vpc[demo]", lambda: dns(EnableDnsSupport=False), {"enable_dns_support"}),
            ("Vpc[demo]", lambda: untag(ec2, found.vpc()), {"tags"}),
            ("Subnet[demo-app-us-east-1a]", map_addresses, {"map_public_ip_on_launch"}),
            ("Subnet[demo-app-us-east-1a]", lambda: untag(ec2, found.subnet("app-us-east-1a")), {"tags"}),
            (igw, lambda: untag(ec2, found.gateway()), {"tags"}),
            (f"ElasticIp[{nat}]", lambda: untag(ec2, found.address("us-east-1a")["AllocationId"]), {"tags"}),
            (f"NatGateway[{nat}]", lambda: untag(ec2, found.nat("us-east-1a")["NatGatewayId"]), {"tags"}),
            ("RouteTable[demo-public]", lambda: untag(ec2, found.table("public")["RouteTableId"]), {"tags"}),
            ("RouteTable[demo-data]", lambda: lead("10.99.0.0/16", "data"), {"routes"}),
            ("RouteTable[demo-public]", lambda: unroute("public"), {"routes"}),
            ("RouteTable[demo-data]", lambda: disassociate("data"), {"subnet_ids"}),
            ("NatRoute[demo-app-us-east-1b]", hijack, {"nat_gateway_id"}),
        ],
        vanishings=[
            (lambda: unroute("app-us-east-1a"), {f"NatRoute[{app}]"}),
            (lambda: found.delete_nat("us-east-1a"), {f"NatGateway[{nat}]"}),
            (lambda: release("us-east-1a"), {f"NatGateway[{nat}]", f"ElasticIp[{nat}]"}),
            (lambda: found.delete_table("app-us-east-1a"), {f"RouteTable[{app}]", f"NatRoute[{app}]"}),
            (lambda: ec2.delete_subnet(SubnetId=found.subnet("data-us-east-1a")), {"Subnet[demo-data-us-east-1a]"}),
        ],
    )
    assert stack.lab.snapshot() == {"s3": {"aws": {"buckets": stack.lab.snapshot()["s3"]["aws"]["buckets"]}}}


def test_a_detached_or_deleted_internet_gateway_comes_back_and_its_black_hole_route_is_repaired(
    stack: Stack, ec2: Any, found: Found
) -> None:
    stack.converge("network", **BARE)
    ec2.detach_internet_gateway(InternetGatewayId=found.gateway(), VpcId=found.vpc())
    repaired = stack.converge("network", **BARE)
    assert repaired.changes == {"InternetGateway[demo]": {"vpc_id"}, "RouteTable[demo-public]": {"routes"}}
    assert repaired.sent("ReplaceRoute")
    quiet(stack, "network", BARE)
    old = found.gateway()
    ec2.detach_internet_gateway(InternetGatewayId=old, VpcId=found.vpc())
    ec2.delete_internet_gateway(InternetGatewayId=old)
    again = stack.converge("network", **BARE)
    assert ("create", "InternetGateway[demo]") in again.plan
    assert again.sent("ReplaceRoute")[0]["GatewayId"] == found.gateway() != old
    quiet(stack, "network", BARE)


def test_the_reference_stack_has_everything_and_a_quiet_run_costs_eleven_reads(
    stack: Stack, ec2: Any, found: Found
) -> None:
    zones = [*ZONES, "us-east-1c"]
    made = stack.converge("network", availability_zones=zones)
    kinds = [row["address"].split("[")[0] for row in made.resources]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "Vpc": 1,
        "InternetGateway": 1,
        "Subnet": 9,
        "RouteTable": 5,
        "ElasticIp": 3,
        "NatGateway": 3,
        "NatRoute": 3,
        "SecurityGroup": 7,
        "SecurityGroupRules": 7,
        "DefaultSecurityGroup": 1,
        "VpcEndpoint": 4,
        "FlowLog": 1,
    }
    assert len(quiet(stack, "network", {"availability_zones": zones}).reads) == 11
    blocks = {
        item["CidrBlock"]
        for item in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [found.vpc()]}])["Subnets"]
    }
    assert blocks == {f"10.20.{8 * (8 * layer + zone)}.0/21" for layer in range(3) for zone in range(3)}
    assert found.flow_log()["LogDestination"] == f"arn:aws:s3:::{LOGS}"
    public, app, data = found.table("public"), found.table("app-us-east-1b"), found.table("data")
    assert [len(table["Associations"]) for table in (public, app, data)] == [3, 1, 3]
    ways = [
        {route.get("GatewayId", "")[:4] or route["NatGatewayId"] for route in table["Routes"]}
        for table in (public, app, data)
    ]
    nat = found.nat("us-east-1b")["NatGatewayId"]
    assert ways == [{"loca", "igw-", "vpce"}, {"loca", nat, "vpce"}, {"loca", "vpce"}]
    assert found.rules("default")["IpPermissions"] == found.rules("default")["IpPermissionsEgress"] == []
    for call in made.writes:
        if call["operation"].startswith(("Create", "Allocate")) and call["operation"] not in (
            "CreateRoute",
            "CreateTags",
        ):
            tags = {tag["Key"]: tag["Value"] for tag in call["params"]["TagSpecifications"][0]["Tags"]}
            assert tags["webstack:stack"] == "demo", "tags go with the create call (trap 3)"
            assert tags["webstack:tier"] == "network"


def test_a_preview_of_an_empty_account_shows_everything_and_writes_nothing(stack: Stack) -> None:
    preview = stack.converge(
        "network", check=True, availability_zones=ZONES, alb_ingress_prefix_lists=["cloudfront"], alb_ports=[443]
    )
    assert len(preview.plan) == 38
    assert not preview.writes
    assert any("(known after apply)" in str(entry["after"]) for entry in preview.diff)


def test_each_zone_keeps_its_subnets_and_addresses_when_zones_come_and_go_in_any_order(
    stack: Stack, found: Found
) -> None:
    stack.converge("network", availability_zones=["us-east-1c", "us-east-1b"])
    address = found.address("us-east-1c")["PublicIp"]
    assert quiet(stack, "network", {"availability_zones": ["us-east-1b", "us-east-1c"]})
    more = stack.converge("network", availability_zones=["us-east-1a", "us-east-1b", "us-east-1c"])
    touched = {address for verb, address in more.plan if verb != "create"}
    assert touched == {
        "RouteTable[demo-public]",
        "RouteTable[demo-data]",
        *(f"VpcEndpoint[demo-endpoint-{name}]" for name in ("s3", "ssm", "logs", "secretsmanager")),
    }
    assert all("us-east-1a" in address for verb, address in more.plan if verb == "create")
    less = stack.converge("network", availability_zones=["us-east-1a", "us-east-1c"])
    gone = {address for verb, address in less.plan if verb == "delete"}
    assert gone and all("us-east-1b" in address for address in gone)
    order = [call["operation"] for call in less.writes]
    assert order.index("DeleteRoute") < order.index("DeleteNatGateway") < order.index("ReleaseAddress"), "trap 33"
    assert found.address("us-east-1c")["PublicIp"] == address
    quiet(stack, "network", {"availability_zones": ["us-east-1a", "us-east-1c"]})


NAT = {**BARE, "gateway_endpoints": []}


def test_one_nat_gateway_serves_all_zones_and_keeps_its_address_when_each_zone_gets_one(
    stack: Stack, found: Found
) -> None:
    stack.converge("network", **{**NAT, "nat_gateways": "single"})
    first = found.nat("us-east-1a")["NatGatewayId"]
    for zone in ZONES:
        assert first in [route.get("NatGatewayId") for route in found.table(f"app-{zone}")["Routes"]]
    more = stack.converge("network", **{**NAT, "nat_gateways": "per_zone"})
    assert more.changes == {"NatRoute[demo-app-us-east-1b]": {"nat_gateway_id"}}
    assert found.nat("us-east-1a")["NatGatewayId"] == first
    stack.converge("network", **{**NAT, "nat_gateways": "single"})
    assert found.nat("us-east-1a")["NatGatewayId"] == first
    none = stack.converge("network", **NAT)
    assert not none.changes and {verb for verb, _address in none.plan} == {"delete"}
    quiet(stack, "network", NAT)


def test_the_only_nat_gateway_never_moves_by_itself(stack: Stack, found: Found) -> None:
    """trap 34: another gateway is another public address."""
    single = {**NAT, "nat_gateways": "single"}
    stack.converge("network", **{**single, "availability_zones": ["us-east-1b"]})
    before = found.nat("us-east-1b")["NatGatewayId"]
    text = refusal(lambda: stack.converge("network", **single))
    assert "would be replaced, and with it the public address. Set nat_zone" in text
    assert found.nat("us-east-1b")["NatGatewayId"] == before
    stack.converge("network", **{**single, "nat_zone": "us-east-1b"})
    assert found.nat("us-east-1b")["NatGatewayId"] == before
    moved = stack.converge("network", **{**single, "nat_zone": "us-east-1a"})
    assert {("create", "NatGateway[demo-nat-us-east-1a]"), ("delete", "NatGateway[demo-nat-us-east-1b]")} <= moved.plan
    order = [call["operation"] for call in moved.writes]
    assert order.index("CreateNatGateway") < order.index("ReplaceRoute") < order.index("DeleteNatGateway")
    quiet(stack, "network", {**single, "nat_zone": "us-east-1a"})


def test_own_addresses_are_used_and_never_released(stack: Stack, ec2: Any, found: Found) -> None:
    mine = ec2.allocate_address(Domain="vpc")["AllocationId"]
    options = {**NAT, "nat_gateways": "per_zone", "nat_eip_allocation_ids": {"us-east-1a": mine}}
    made = stack.converge("network", **options)
    assert len(made.sent("AllocateAddress")) == 1
    assert found.nat("us-east-1a")["NatGatewayAddresses"][0]["AllocationId"] == mine
    text = refusal(lambda: stack.converge("network", **{**options, "nat_eip_allocation_ids": {}}))
    assert "AWS cannot change allocation_id in place" in text and "delete it by hand" in text
    gone = stack.remove("network", **options)
    assert mine not in str(gone.sent("ReleaseAddress"))
    assert [address["AllocationId"] for address in ec2.describe_addresses()["Addresses"]] == [mine]


def test_too_few_addresses_are_known_before_the_first_write(stack: Stack, ec2: Any) -> None:
    """trap 35"""
    for _number in range(4):
        ec2.allocate_address(Domain="vpc")
    text = refusal(lambda: stack.converge("network", **{**NAT, "nat_gateways": "per_zone"}))
    assert "4 of the 5 Elastic IP addresses that this region may have are taken, 2 more are needed" in text
    assert not [call for call in stack.lab.calls("write") if call["operation"] != "AllocateAddress"][1:]


def test_without_waiting_the_rest_is_made_and_the_routes_through_nat_follow_later(
    stack: Stack, found: Found, slow: None
) -> None:
    options = {**NAT, "nat_gateways": "per_zone", "gateway_endpoints": ["s3"]}
    started = stack.converge("network", wait=False, **options)
    assert started.report.pending == [
        "NatGateway[demo-nat-us-east-1a]",
        "NatGateway[demo-nat-us-east-1b]",
        "NatRoute[demo-app-us-east-1a]",
        "NatRoute[demo-app-us-east-1b]",
    ]
    assert found.endpoint("s3") and found.table("app-us-east-1a")["Associations"]
    settled = stack.converge("network", **options)
    assert settled.plan == {("create", f"NatRoute[demo-app-{zone}]") for zone in ZONES}
    quiet(stack, "network", options)


@pytest.fixture
def slow() -> Any:
    from webstack_lab.services.passing import Pace

    before, Pace.scale = Pace.scale, 0.02
    yield
    Pace.scale = before


def test_a_nat_gateway_that_fails_says_why_and_the_next_run_makes_another(stack: Stack, ec2: Any, found: Found) -> None:
    mine = ec2.allocate_address(Domain="vpc")["AllocationId"]
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    taken = ec2.associate_address(AllocationId=mine, NetworkInterfaceId=interface)["AssociationId"]
    options = {**NAT, "nat_gateways": "single", "nat_eip_allocation_ids": {"us-east-1a": mine}}
    text = refusal(lambda: stack.converge("network", **options))
    assert "it ended in state failed: Elastic IP address" in text and "already associated" in text
    ec2.disassociate_address(AssociationId=taken)
    stack.converge("network", **options)
    quiet(stack, "network", options)


def test_rules_follow_the_ports_and_are_made_before_others_are_broken(stack: Stack, found: Found) -> None:
    stack.converge("network", **BARE)
    changed = stack.converge("network", **{**BARE, "app_port": 9000})
    assert changed.changes == {f"SecurityGroupRules[demo-{name}]": {"rules"} for name in ("alb", "nlb", "app")}
    order = [call["operation"] for call in changed.writes if call["params"].get("GroupId") == found.group("app")]
    assert order == ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"]
    [sent] = [one for one in changed.sent("AuthorizeSecurityGroupIngress") if one["GroupId"] == found.group("app")]
    assert sent["IpPermissions"] == [
        *port(9000, UserIdGroupPairs=[{"GroupId": found.group("alb"), "Description": "From the ALB"}]),
        *port(9000, UserIdGroupPairs=[{"GroupId": found.group("nlb"), "Description": "From the NLB"}]),
    ]
    quiet(stack, "network", {**BARE, "app_port": 9000})
    assert found.rules("cache")["IpPermissionsEgress"] == [], "the egress rule of a new group is taken away"
    assert found.rules("app")["IpPermissionsEgress"][0]["IpProtocol"] == "-1"


def test_a_rule_that_somebody_was_quicker_to_add_or_revoke_does_not_stop_the_others(
    stack: Stack, ec2: Any, found: Found
) -> None:
    """trap 36"""
    from ansible_collections.webstack.aws.plugins.module_utils.resources.ec2_access import authorize, revoke, rules_of

    stack.converge("network", **BARE)
    group = found.group("efs")
    first = ("ingress", "tcp", "22", "10.0.0.0/8")
    second = ("ingress", "tcp", "23", "10.0.0.0/8")
    authorize(ec2, group, {first: ""})
    authorize(ec2, group, {first: "", second: "Two"})
    assert rules_of(found.rules("efs"))[second] == "Two"
    revoke(ec2, group, [first])
    revoke(ec2, group, [first, second])
    assert not {first, second} & rules_of(found.rules("efs")).keys()


def test_own_rules_name_blocks_groups_and_prefix_lists(stack: Stack, ec2: Any, found: Found) -> None:
    prefixes = ec2.create_managed_prefix_list(
        PrefixListName="office", MaxEntries=3, AddressFamily="IPv4", Entries=[{"Cidr": "192.0.2.0/24"}]
    )["PrefixList"]["PrefixListId"]
    rules = [
        {"group": "app", "from_port": 9100, "peer": "10.30.0.0/16", "description": "Metrics"},
        {"group": "app", "protocol": "icmp", "peer": "alb"},
        {"group": "db", "from_port": 5432, "peer": prefixes, "description": "Office"},
        {"group": "db", "from_port": 7000, "to_port": 7010, "peer": "2001:db8::/32"},
        {"group": "cache", "direction": "egress", "protocol": "all", "peer": "app", "description": "Back"},
    ]
    options = {**BARE, "security_group_rules": rules}
    stack.converge("network", **options)
    quiet(stack, "network", options)
    rules[2]["description"] = "The office"
    changed = stack.converge("network", **options)
    assert changed.changes == {"SecurityGroupRules[demo-db]": {"rules"}}
    assert [call["operation"] for call in changed.writes] == ["UpdateSecurityGroupRuleDescriptionsIngress"]
    quiet(stack, "network", options)
    gone = stack.remove("network", **options)
    deleted = [call for call in gone.writes if call["operation"] == "DeleteSecurityGroup"]
    assert len(deleted) == 7 and not any(call["error"] for call in deleted), "trap 37"


def test_the_alb_may_be_reached_through_cloudfront_alone(stack: Stack, found: Found) -> None:
    closed = {**BARE, "alb_ingress_cidr_blocks": [], "alb_ingress_prefix_lists": ["cloudfront"]}
    text = refusal(lambda: stack.converge("network", **closed))
    assert "ingress rules count as 110 IPv4 rules, AWS allows 60" in text, "traps 38, 39"
    options = {**closed, "alb_ports": [443]}
    stack.converge("network", **options)
    [permission] = found.rules("alb")["IpPermissions"]
    assert permission["PrefixListIds"][0]["PrefixListId"].startswith("pl-") and not permission["IpRanges"]
    quiet(stack, "network", options)
    stack.converge("network", **{**closed, "security_group_rule_quota": 200})


def test_the_default_group_is_let_go_when_it_shall_not_be_locked(stack: Stack, ec2: Any, found: Found) -> None:
    stack.converge("network", **BARE)
    free = {**BARE, "lock_default_security_group": False}
    result = stack.converge("network", **free)
    assert result.plan == {("delete", "DefaultSecurityGroup[demo-default]")}
    assert not result.sent("DeleteSecurityGroup")
    quiet(stack, "network", free)


def test_a_subnet_moves_over_from_a_table_of_somebody_else(stack: Stack, ec2: Any, found: Found) -> None:
    """trap 45"""
    stack.converge("network", **BARE)
    other = ec2.create_route_table(VpcId=found.vpc())["RouteTable"]["RouteTableId"]
    [association] = [
        one["RouteTableAssociationId"]
        for one in found.table("data")["Associations"]
        if one["SubnetId"] == found.subnet("data-us-east-1a")
    ]
    ec2.replace_route_table_association(AssociationId=association, RouteTableId=other)
    moved = stack.converge("network", **BARE)
    assert moved.changes == {"RouteTable[demo-data]": {"subnet_ids"}} and moved.sent("ReplaceRouteTableAssociation")
    quiet(stack, "network", BARE)


def test_extra_routes_are_added_changed_and_taken_away(stack: Stack, ec2: Any, found: Found) -> None:
    stack.converge("network", **BARE)
    gateways = [ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"] for _number in range(2)]
    for target in gateways:
        options = {**BARE, "extra_routes": [{"layer": "data", "destination": "10.30.0.0/16", "target": target}]}
        stack.converge("network", **options)
        assert target in [route.get("GatewayId") for route in found.table("data")["Routes"]]
        quiet(stack, "network", options)
    back = stack.converge("network", **BARE)
    assert back.changes == {"RouteTable[demo-data]": {"routes"}} and back.sent("DeleteRoute")


def test_endpoints_change_in_place(stack: Stack, found: Found) -> None:
    options = {**BARE, "interface_endpoints": ["ssm", "ecr.api"], "gateway_endpoints": ["s3", "dynamodb"]}
    made = stack.converge("network", **options)
    assert {sent["ServiceName"] for sent in made.sent("CreateVpcEndpoint")} == {
        f"com.amazonaws.us-east-1.{name}" for name in ("ssm", "ecr.api", "s3", "dynamodb")
    }
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ssm:Get*", "Resource": "*"}],
    }
    narrow = {**options, "endpoint_policies": {"ssm": policy}, "interface_endpoint_private_dns": False}
    before = found.endpoint("ssm")["VpcEndpointId"]
    changed = stack.converge("network", **narrow)
    assert changed.changes["VpcEndpoint[demo-endpoint-ssm]"] == {"policy", "private_dns"}
    assert len(changed.sent("ModifyVpcEndpoint")) == 2, "one call an endpoint"
    quiet(stack, "network", narrow)
    back = stack.converge("network", **options)
    assert {"VpcEndpointId": before, "PrivateDnsEnabled": True, "ResetPolicy": True} in back.sent("ModifyVpcEndpoint")
    less = stack.converge("network", **{**options, "interface_endpoints": ["ecr.api"]})
    assert less.plan == {("delete", "VpcEndpoint[demo-endpoint-ssm]")}


def test_a_flow_log_is_replaced_and_a_crash_in_between_leaves_one(stack: Stack, ec2: Any, found: Found) -> None:
    """trap 50"""
    options = {**BARE, "flow_log_destination": "s3"}
    stack.converge("network", **options)
    stack.lab.client("s3").create_bucket(Bucket="other-logs")
    elsewhere = {**options, "flow_log_bucket_name": "other-logs"}
    moved = stack.converge("network", **elsewhere)
    order = [call["operation"] for call in moved.writes]
    assert order == ["CreateFlowLogs", "DeleteFlowLogs"], "made before broken"
    alike = {
        **elsewhere,
        "flow_log_file_format": "parquet",
        "flow_log_hive_partitions": True,
        "flow_log_hourly_partitions": True,
    }
    again = stack.converge("network", **alike)
    assert again.changes == {"FlowLog[demo]": {"file_format", "hive_partitions", "hourly_partitions"}}
    assert [call["operation"] for call in again.writes] == ["CreateFlowLogs", "DeleteFlowLogs", "CreateFlowLogs"], (
        "two alike are refused"
    )
    quiet(stack, "network", alike)
    old = found.flow_log()
    time.sleep(1)  # the lab's times of creation are whole seconds
    ec2.create_flow_logs(
        ResourceType="VPC",
        ResourceIds=[old["ResourceId"]],
        TrafficType="ALL",
        LogDestinationType="s3",
        LogDestination=f"arn:aws:s3:::{LOGS}",
        TagSpecifications=[{"ResourceType": "vpc-flow-log", "Tags": old["Tags"]}],
    )
    mended = stack.converge("network", **options)
    assert mended.changes == {"FlowLog[demo]": {"superseded"}}
    assert mended.sent("DeleteFlowLogs") == [{"FlowLogIds": [old["FlowLogId"]]}]
    quiet(stack, "network", options)


def test_a_flow_log_into_a_bucket_that_is_missing_says_so(stack: Stack) -> None:
    text = refusal(
        lambda: stack.converge(
            "network", **{**BARE, "flow_log_destination": "s3", "vpc_id": own_vpc(stack)["vpc"], **OWN}
        )
    )
    assert "CreateFlowLogs answered" in text and "does not exist" in text


OWN: dict[str, Any] = {"availability_zones": [], "gateway_endpoints": []}


def own_vpc(stack: Stack, **dns: bool) -> dict[str, str]:
    """A VPC that the user made."""
    ec2 = stack.lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="172.16.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": dns.get("hostnames", True)})
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="172.16.0.0/24", AvailabilityZone="us-east-1a")["Subnet"][
        "SubnetId"
    ]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    return {"vpc": vpc, "subnet": subnet, "table": table}


def test_in_the_users_own_vpc_only_groups_endpoints_and_flow_log_are_ours(stack: Stack, ec2: Any, found: Found) -> None:
    own = own_vpc(stack)
    options = {
        "vpc_id": own["vpc"],
        "endpoint_subnet_ids": [own["subnet"]],
        "endpoint_route_table_ids": [own["table"]],
        "interface_endpoints": ["ssm"],
    }
    made = stack.converge("network", **options)
    kinds = {address.split("[")[0] for _verb, address in made.plan}
    assert kinds == {"SecurityGroup", "SecurityGroupRules", "VpcEndpoint", "FlowLog"}
    assert found.endpoint("ssm")["SubnetIds"] == [own["subnet"]]
    quiet(stack, "network", options)
    gone = stack.remove("network", **options)
    assert gone.plan == {("delete", address) for _verb, address in made.plan}
    assert ec2.describe_vpcs(VpcIds=[own["vpc"]])["Vpcs"] and ec2.describe_subnets(SubnetIds=[own["subnet"]])["Subnets"]


def test_private_names_that_cannot_be_had_are_refused_before_any_write(stack: Stack, ec2: Any) -> None:
    """trap 43"""
    own = own_vpc(stack, hostnames=False)
    options = {
        "vpc_id": own["vpc"],
        "endpoint_subnet_ids": [own["subnet"]],
        "gateway_endpoints": [],
        "interface_endpoints": ["ssm"],
        "flow_log_destination": "none",
    }
    assert "private names need DNS support" in refusal(lambda: stack.converge("network", **options))
    ec2.modify_vpc_attribute(VpcId=own["vpc"], EnableDnsHostnames={"Value": True})
    rival = ec2.create_vpc_endpoint(
        VpcId=own["vpc"],
        VpcEndpointType="Interface",
        ServiceName="com.amazonaws.us-east-1.ssm",
        SubnetIds=[own["subnet"]],
    )["VpcEndpoint"]["VpcEndpointId"]
    before = len(stack.lab.calls("write"))
    assert f"{rival} already answers to the private name" in refusal(lambda: stack.converge("network", **options))
    assert len(stack.lab.calls("write")) == before
    stack.converge("network", **{**options, "interface_endpoint_private_dns": False})


def test_flow_logs_go_to_cloudwatch_with_a_role_of_their_own(stack: Stack, found: Found) -> None:
    options = {**BARE, "flow_log_destination": "cloudwatch"}
    made = stack.converge("network", **options)
    assert {
        ("create", "Role[demo-us-east-1-flow-log]"),
        ("create", "LogGroup[demo-flow-log]"),
        ("create", "FlowLog[demo]"),
    } <= made.plan
    log = found.flow_log()
    assert log["LogGroupName"] == "demo-flow-log" and log["DeliverLogsPermissionArn"].endswith(
        "role/webstack/demo/us-east-1/demo-us-east-1-flow-log"
    )
    quiet(stack, "network", options)
    kept = stack.converge("network", **{**options, "flow_log_retention_days": 365})
    assert kept.changes == {"LogGroup[demo-flow-log]": {"retention_days"}}
    logs = stack.lab.client("logs")
    logs.delete_log_group(logGroupName="demo-flow-log")
    again = stack.converge("network", **options)
    assert again.plan == {("create", "LogGroup[demo-flow-log]")}
    logs.put_retention_policy(logGroupName="demo-flow-log", retentionInDays=3)
    logs.untag_resource(
        resourceArn=logs.describe_log_groups()["logGroups"][0]["arn"].removesuffix(":*"), tagKeys=["Name"]
    )
    assert stack.converge("network", **options).changes == {"LogGroup[demo-flow-log]": {"retention_days", "tags"}}
    quiet(stack, "network", options)
    to_s3 = refusal(lambda: stack.converge("network", **{**BARE, "flow_log_destination": "s3"}))
    assert "its log group and its role would be left behind" in to_s3
    off = stack.converge("network", **BARE)
    both = {("delete", "Role[demo-us-east-1-flow-log]"), ("delete", "LogGroup[demo-flow-log]")}
    assert off.plan == {*both, ("delete", "FlowLog[demo]")}
    stack.converge("network", **{**BARE, "flow_log_destination": "s3"})
    back = stack.converge("network", **options)
    assert [call["operation"] for call in back.writes][-2:] == ["CreateFlowLogs", "DeleteFlowLogs"]
    assert both <= stack.remove("network", **options).plan


def test_what_aws_cannot_change_is_refused(stack: Stack) -> None:
    stack.converge("network", **BARE)
    before = len(stack.lab.calls("write"))
    text = refusal(lambda: stack.converge("network", **{**BARE, "cidr_block": "10.21.0.0/16"}))
    assert "updating Vpc[demo]: AWS cannot change cidr_block in place" in text
    text = refusal(lambda: stack.converge("network", **{**BARE, **OWN, "vpc_id": own_vpc(stack)["vpc"]}))
    assert "A security group stays in its VPC" in text
    assert not [call for call in stack.lab.calls("write")[before:] if "Security" in call["operation"]]


def test_what_lingers_is_named_when_a_subnet_or_group_cannot_be_deleted(stack: Stack, ec2: Any, found: Found) -> None:
    """trap 31"""
    from ansible_collections.webstack.aws.plugins.module_utils.resources.ec2 import SecurityGroup, Subnet

    stack.converge("network", **BARE)
    group, subnet = found.group("app"), found.subnet("app-us-east-1a")
    interface = ec2.create_network_interface(SubnetId=subnet, Groups=[group], Description="ELB app/demo-alb/1")
    held = interface["NetworkInterface"]["NetworkInterfaceId"]
    for resource, identity in ((Subnet("x"), subnet), (SecurityGroup("y"), group)):
        resource.have = {"id": identity}
        with pytest.raises(ClientError) as caught:
            resource.delete(ec2)
        assert f"Still in use by network interface {held} (ELB app/demo-alb/1)" in explain(caught.value)


def bad(option: str, text: str, **options: Any) -> Any:
    return pytest.param(option, text, options, id=f"{option}: {text[:30]}")


@pytest.mark.parametrize(
    ("option", "text", "options"),
    [
        bad("availability_zones", "Name the zones of us-east-1 to use", availability_zones=[]),
        bad("availability_zones", "no zone of us-east-1", availability_zones=["eu-west-1a"]),
        bad("availability_zones", "no zone of us-east-1", availability_zones=["us-east-1-bos-1a"]),
        bad("availability_zones", "named twice", availability_zones=["us-east-1a", "us-east-1a"]),
        bad("availability_zones", "Blocks are computed for zones a to h", availability_zones=["us-east-1k"]),
        bad("cidr_block", "/16 to /28", cidr_block="10.0.0.0/8"),
        bad("cidr_block", "/16 to /28", cidr_block="2001:db8::/32"),
        bad("cidr_block", "has host bits set", cidr_block="10.20.0.1/16"),
        bad("cidr_block", "too small to be divided", cidr_block="10.20.0.0/24"),
        bad("subnets", "The layers are public, app, data", subnets={"web": {}}),
        bad("subnets.app", "dictionary of zone: block", subnets={"app": ["10.20.0.0/24"]}),
        bad("subnets.app", "not one of availability_zones", subnets={"app": {"us-east-1f": "10.20.0.0/24"}}),
        bad("subnets.app.us-east-1a", "lies outside the VPC", subnets={"app": {"us-east-1a": "10.30.0.0/24"}}),
        bad("subnets.public.us-east-1a", "overlaps with 10.20.64.0/21, the block of app in us-east-1a", subnets={"public": {"us-east-1a": "10.20.64.0/24"}}),
        bad("nat_zone", "nat_gateways=single only", nat_zone="us-east-1a"),
        bad("nat_zone", "not one of availability_zones", nat_gateways="single", nat_zone="us-east-1f"),
        bad("nat_eip_allocation_ids", "only in us-east-1a", nat_gateways="single", nat_eip_allocation_ids={"us-east-1b": "x"}),
        bad("nat_eip_allocation_ids.us-east-1a", "id like eipalloc-", nat_gateways="single", nat_eip_allocation_ids={"us-east-1a": "eip-1"}),
        bad("extra_routes", "Give a block", extra_routes=[{"layer": "data", "destination": "office", "target": "tgw-1"}]),
        bad("extra_routes", "leads to an id", extra_routes=[{"layer": "data", "destination": "10.0.0.0/8", "target": "i-1"}]),
        bad("extra_routes", "two routes", extra_routes=[{"layer": "data", "destination": "10.0.0.0/8", "target": "tgw-1"}] * 2),
        bad("extra_routes", "already leaves by the internet gateway", extra_routes=[{"layer": "public", "destination": "0.0.0.0/0", "target": "tgw-1"}]),
        bad("gateway_endpoints", "use interface_endpoints", gateway_endpoints=["ssm"]),
        bad("interface_endpoints", "named twice", interface_endpoints=["ssm", "ssm"]),
        bad("interface_endpoints", "one of gateway_endpoints already", interface_endpoints=["s3"]),
        bad("interface_endpoints", "Give a service like ssm", interface_endpoints=["SSM"]),
        bad("interface_endpoint_private_dns", "need enable_dns_support", enable_dns_hostnames=False, interface_endpoints=["ssm"]),
        bad("enable_dns_hostnames", "Host names need DNS", enable_dns_support=False),
        bad("endpoint_policies", "no endpoint of this service", endpoint_policies={"ssm": {}}),
        bad("endpoint_policies.s3", "has a Statement", endpoint_policies={"s3": {}}),
        bad("endpoint_subnet_ids", "goes with vpc_id only", endpoint_subnet_ids=["subnet-1"]),
        bad("vpc_id", "id like vpc-", vpc_id="demo"),
        bad("subnets", "leave it out", vpc_id="vpc-12345678", subnets={"app": {}, "data": {"x": "y"}}),
        bad("endpoint_route_table_ids", "or set gateway_endpoints=[]", vpc_id="vpc-12345678"),
        bad("endpoint_subnet_ids", "id like subnet-", vpc_id="vpc-12345678", gateway_endpoints=[], endpoint_subnet_ids=["a"]),
        bad("alb_ports", "each once", alb_ports=[443, 443]),
        bad("alb_ingress_cidr_blocks", "Give a block", alb_ingress_cidr_blocks=["everywhere"]),
        bad("alb_ingress_cidr_blocks", "named twice", alb_ingress_cidr_blocks=["10.0.0.0/8", "10.0.0.0/8"]),
        bad("alb_ingress_prefix_lists", "Give cloudfront", alb_ingress_prefix_lists=["{fastly}"]),
        bad("app_port", "from 1 to 65535", app_port=70000),
        bad("db_port", "from 1 to 65535", db_port=0),
        bad("security_group_rules", "needs from_port", security_group_rules=[{"group": "app", "peer": "alb"}]),
        bad("security_group_rules", "has no ports", security_group_rules=[{"group": "app", "peer": "alb", "protocol": "all", "from_port": 1}]),
        bad("security_group_rules", "A peer is", security_group_rules=[{"group": "app", "peer": "web", "from_port": 1}]),
        bad("security_group_rules", "up to 255", security_group_rules=[{"group": "app", "peer": "alb", "from_port": 1, "description": "ü"}]),
        bad("flow_log_aggregation_interval", "60 or 600", flow_log_aggregation_interval=300),
        bad("flow_log_retention_days", "0: for ever", flow_log_retention_days=2),
        bad("flow_log_format", "Give fields like", flow_log_format="srcaddr"),
        bad("flow_log_bucket_name", "not its ARN", flow_log_bucket_name="arn:aws:s3:::logs"),
    ],
)  # fmt: skip
def test_a_bad_option_gets_one_clear_sentence_before_any_call(
    stack: Stack, option: str, text: str, options: dict[str, Any]
) -> None:
    said = refusal(lambda: stack.converge("network", **{**BARE, **options}))
    assert said.startswith(f"{option}: ") and text in said
    assert stack.lab.calls() == []
