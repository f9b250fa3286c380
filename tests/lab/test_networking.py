"""Where moto's network answers otherwise than AWS."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from webstack_lab.testing import Lab


@pytest.fixture
def ec2(lab: Lab) -> Any:
    return lab.client("ec2")


@pytest.fixture
def vpc(ec2: Any) -> str:
    return str(ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"])


@pytest.fixture
def subnet(ec2: Any, vpc: str) -> str:
    return str(ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24")["Subnet"]["SubnetId"])


def attached(ec2: Any, vpc: str) -> str:
    gateway = str(ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    return gateway


def state_of(ec2: Any, gateway: str) -> dict[str, Any]:
    time.sleep(0.15)
    return dict(ec2.describe_nat_gateways(NatGatewayIds=[gateway])["NatGateways"][0])


def test_a_nat_gateway_needs_an_internet_gateway_and_a_free_address(ec2: Any, vpc: str, subnet: str) -> None:
    """A NAT gateway that cannot be made goes to "failed" by itself, and the reason is in FailureMessage.

    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
    """
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]
    assert made["State"] == "pending"
    assert state_of(ec2, made["NatGatewayId"])["FailureCode"] == "Gateway.NotAttached"
    attached(ec2, vpc)
    good = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    assert state_of(ec2, good)["State"] == "available"
    bad = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    assert state_of(ec2, bad)["FailureCode"] == "Resource.AlreadyAssociated"


def test_what_is_in_use_stays(ec2: Any, vpc: str, subnet: str) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html: DependencyViolation, InvalidIPAddress.InUse"""
    gateway = attached(ec2, vpc)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    for call, arguments in (
        (ec2.detach_internet_gateway, {"InternetGatewayId": gateway, "VpcId": vpc}),
        (ec2.delete_subnet, {"SubnetId": subnet}),
        (ec2.delete_vpc, {"VpcId": vpc}),
    ):
        with pytest.raises(ClientError, match="DependencyViolation"):
            call(**arguments)
    with pytest.raises(ClientError, match=r"InvalidIPAddress\.InUse"):
        ec2.release_address(AllocationId=address)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    assert state_of(ec2, nat)["State"] == "deleted"
    ec2.release_address(AllocationId=address)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def test_a_route_that_leads_nowhere_is_a_black_hole(ec2: Any, vpc: str) -> None:
    """ "The blackhole state indicates that the route's target isn't available (for example, the specified gateway isn't attached to
    the VPC)". https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html
    """
    gateway = attached(ec2, vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    assert [route["State"] for route in routes] == ["active", "blackhole"]
    with pytest.raises(ClientError, match=r"InvalidNatGatewayID\.NotFound"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/8", NatGatewayId="nat-0123456789abcdef0")


def test_a_subnet_uses_one_table(ec2: Any, vpc: str, subnet: str) -> None:
    """Another table needs ReplaceRouteTableAssociation; AssociateRouteTable answers Resource.AlreadyAssociated.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    """
    tables = [ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _number in range(2)]
    ec2.associate_route_table(RouteTableId=tables[0], SubnetId=subnet)
    ec2.associate_route_table(RouteTableId=tables[0], SubnetId=subnet)
    with pytest.raises(ClientError, match=r"Resource\.AlreadyAssociated"):
        ec2.associate_route_table(RouteTableId=tables[1], SubnetId=subnet)


def test_a_description_is_not_part_of_a_rule(ec2: Any, vpc: str) -> None:
    """ "If the security group rule has a description, you do not need to specify the description to revoke the rule."

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html
    """
    group, other = (ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"] for name in "ab")

    def rule(**note: str) -> list[dict[str, Any]]:
        pair = {"GroupId": other, **note}
        return [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [pair]}]

    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule(Description="One"))
    with pytest.raises(ClientError, match=r"InvalidPermission\.Duplicate"):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule(Description="Two"))
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=rule(Description="Two"))
    [found] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    assert found["UserIdGroupPairs"][0]["Description"] == "Two"
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule())


def test_private_names_need_dns_and_belong_to_one_endpoint(ec2: Any, vpc: str, subnet: str) -> None:
    """https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html"""
    wish = {
        "VpcId": vpc,
        "VpcEndpointType": "Interface",
        "ServiceName": "com.amazonaws.us-east-1.ssm",
        "SubnetIds": [subnet],
    }
    with pytest.raises(ClientError, match="requires both enableDnsSupport and enableDnsHostnames"):
        ec2.create_vpc_endpoint(**wish)
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    endpoint = ec2.create_vpc_endpoint(**wish)["VpcEndpoint"]
    assert endpoint["Groups"][0]["GroupName"] == "default"
    with pytest.raises(ClientError, match="conflicting DNS domain"):
        ec2.create_vpc_endpoint(**wish)


def test_a_flow_log_keeps_how_its_files_shall_look(ec2: Any, lab: Lab, vpc: str) -> None:
    lab.client("s3").create_bucket(Bucket="logs")
    wish = {"FileFormat": "parquet", "HiveCompatiblePartitions": True, "PerHourPartition": False}
    ec2.create_flow_logs(
        ResourceType="VPC",
        ResourceIds=[vpc],
        TrafficType="ALL",
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::logs",
        DestinationOptions=wish,
    )
    assert ec2.describe_flow_logs()["FlowLogs"][0]["DestinationOptions"] == wish
