"""Where moto answers otherwise than AWS: EC2, S3, tagging API."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from webstack_lab.services.passing import Pace
from webstack_lab.testing import Lab

TAGS = [{"Key": "webstack:stack", "Value": "demo"}]
STACK = {"Name": "tag:webstack:stack", "Values": ["demo"]}
OTHER = {"Name": "tag:webstack:stack", "Values": ["other"]}


def tagged(kind: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": TAGS}]


@pytest.fixture
def network(lab: Lab) -> dict[str, str]:
    """One of each tagged thing of a network."""
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(
        VpcId=vpc, CidrBlock="10.20.1.0/24", AvailabilityZone="us-east-1a", TagSpecifications=tagged("subnet")
    )["Subnet"]
    group = ec2.create_security_group(
        GroupName="app", Description="d", VpcId=vpc, TagSpecifications=tagged("security-group")
    )["GroupId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    way_out = ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway"))["InternetGateway"]
    ec2.attach_internet_gateway(InternetGatewayId=way_out["InternetGatewayId"], VpcId=vpc)
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip"))["AllocationId"]
    gateway = ec2.create_nat_gateway(
        SubnetId=subnet["SubnetId"], AllocationId=address, TagSpecifications=tagged("natgateway")
    )["NatGateway"]["NatGatewayId"]
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=tagged("route-table"))["RouteTable"]["RouteTableId"]
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName="com.amazonaws.us-east-1.logs",
        VpcEndpointType="Interface",
        SubnetIds=[subnet["SubnetId"]],
        SecurityGroupIds=[group],
        TagSpecifications=tagged("vpc-endpoint"),
    )["VpcEndpoint"]["VpcEndpointId"]
    lab.client("logs").create_log_group(logGroupName="flow")
    ec2.create_flow_logs(
        ResourceType="VPC",
        ResourceIds=[vpc],
        TrafficType="ALL",
        LogGroupName="flow",
        DeliverLogsPermissionArn="arn:aws:iam::123456789012:role/flow",
        TagSpecifications=tagged("vpc-flow-log"),
    )
    ec2.create_launch_template(
        LaunchTemplateName="lt",
        LaunchTemplateData={"InstanceType": "t3.micro"},
        TagSpecifications=tagged("launch-template"),
    )
    ec2.create_network_acl(VpcId=vpc, TagSpecifications=tagged("network-acl"))
    ec2.create_network_interface(SubnetId=subnet["SubnetId"], TagSpecifications=tagged("network-interface"))
    return {
        "vpc": vpc,
        "subnet": subnet["SubnetId"],
        "group": group,
        "address": address,
        "gateway": gateway,
        "table": table,
        "endpoint": endpoint,
    }


@pytest.mark.parametrize(
    ("method", "key", "argument"),
    [
        ("describe_vpcs", "Vpcs", "Filters"),
        ("describe_subnets", "Subnets", "Filters"),
        ("describe_internet_gateways", "InternetGateways", "Filters"),
        ("describe_nat_gateways", "NatGateways", "Filter"),
        ("describe_addresses", "Addresses", "Filters"),
        ("describe_route_tables", "RouteTables", "Filters"),
        ("describe_vpc_endpoints", "VpcEndpoints", "Filters"),
        ("describe_security_groups", "SecurityGroups", "Filters"),
        ("describe_flow_logs", "FlowLogs", "Filter"),
        ("describe_launch_templates", "LaunchTemplates", "Filters"),
        ("describe_network_acls", "NetworkAcls", "Filters"),
        ("describe_network_interfaces", "NetworkInterfaces", "Filters"),
    ],
)
def test_things_are_found_by_the_tag_given_at_creation(lab, network, method, key, argument):
    describe = getattr(lab.client("ec2"), method)
    assert len(describe(**{argument: [STACK]})[key]) == 1
    assert describe(**{argument: [OTHER]})[key] == []
    assert len(describe(**{argument: [{"Name": "tag-key", "Values": ["webstack:stack"]}]})[key]) == 1


def test_rules_keep_their_descriptions(lab):
    ec2 = lab.client("ec2")
    group, other = (ec2.create_security_group(GroupName=name, Description="d")["GroupId"] for name in ("a", "b"))
    permission = {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "v4"}],
        "Ipv6Ranges": [{"CidrIpv6": "::/0", "Description": "v6"}],
        "UserIdGroupPairs": [{"GroupId": other, "Description": "group"}],
        "PrefixListIds": [{"PrefixListId": "pl-1", "Description": "list"}],
    }
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    [got] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    for key in ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds"):
        assert [source["Description"] for source in got[key]] == [permission[key][0]["Description"]]
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    assert {rule.get("Description") for rule in rules if not rule["IsEgress"]} == {"v4", "v6", "group", "list"}


def test_a_group_in_use_is_not_deleted(lab, network):
    ec2 = lab.client("ec2")
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_security_group(GroupId=network["group"])
    ec2.delete_vpc_endpoints(VpcEndpointIds=[network["endpoint"]])
    ec2.delete_security_group(GroupId=network["group"])


def test_a_group_that_a_rule_refers_to_is_not_deleted(lab):
    ec2 = lab.client("ec2")
    group, other = (ec2.create_security_group(GroupName=name, Description="d")["GroupId"] for name in ("a", "b"))
    permission = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": other}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_security_group(GroupId=other)


def test_a_deleted_nat_gateway_frees_its_address_and_its_interface(lab, network, monkeypatch):
    monkeypatch.setattr(Pace, "scale", 1.0)
    ec2 = lab.client("ec2")
    interface = ec2.describe_nat_gateways()["NatGateways"][0]["NatGatewayAddresses"][0]["NetworkInterfaceId"]
    ec2.delete_nat_gateway(NatGatewayId=network["gateway"])
    assert [gateway["State"] for gateway in ec2.describe_nat_gateways()["NatGateways"]] == ["deleting"]
    with pytest.raises(ClientError, match="InUse"):
        ec2.release_address(AllocationId=network["address"])
    monkeypatch.setattr(Pace, "scale", 0.0)
    [address] = ec2.describe_addresses(AllocationIds=[network["address"]])["Addresses"]
    assert not address.get("AssociationId")
    interfaces = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert interface not in {one["NetworkInterfaceId"] for one in interfaces}
    assert [gateway["State"] for gateway in ec2.describe_nat_gateways()["NatGateways"]] == ["deleted"]


def test_an_endpoint_is_modified(lab, network):
    ec2 = lab.client("ec2")
    ec2.modify_vpc_endpoint(
        VpcEndpointId=network["endpoint"], PrivateDnsEnabled=False, PolicyDocument='{"Version": "x"}'
    )
    [endpoint] = ec2.describe_vpc_endpoints(VpcEndpointIds=[network["endpoint"]])["VpcEndpoints"]
    assert endpoint["PrivateDnsEnabled"] is False
    assert endpoint["PolicyDocument"] == '{"Version": "x"}'
    ec2.modify_vpc_endpoint(VpcEndpointId=network["endpoint"], ResetPolicy=True)
    [endpoint] = ec2.describe_vpc_endpoints(VpcEndpointIds=[network["endpoint"]])["VpcEndpoints"]
    assert json.loads(endpoint["PolicyDocument"])["Statement"]
    with pytest.raises(ClientError, match="NotFound"):
        ec2.modify_vpc_endpoint(VpcEndpointId=network["endpoint"], AddSubnetIds=["subnet-1"])


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def deny(condition: dict[str, Any]) -> dict[str, Any]:
    resources = ["arn:aws:s3:::bucket-one", "arn:aws:s3:::bucket-one/*"]
    return {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resources, "Condition": condition}


def test_a_deny_holds_only_when_its_condition_does(lab):
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="bucket-one")
    s3.put_bucket_policy(Bucket="bucket-one", Policy=policy(deny({"Bool": {"aws:SecureTransport": "false"}})))
    s3.put_object(Bucket="bucket-one", Key="k", Body=b"x")
    assert s3.get_object(Bucket="bucket-one", Key="k")["Body"].read() == b"x"
    s3.put_bucket_policy(Bucket="bucket-one", Policy=policy(deny({"Bool": {"aws:SecureTransport": "true"}})))
    with pytest.raises(ClientError, match="403"):
        s3.put_object(Bucket="bucket-one", Key="k", Body=b"x")


@pytest.mark.parametrize(
    "text",
    ["{nope", "[]", '{"Statement": []}', '{"Statement": [{"Effect": "Deny"}]}', policy({"Effect": "Allow"})],
)
def test_a_malformed_policy_is_refused(lab, text):
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="bucket-one")
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_policy(Bucket="bucket-one", Policy=text)
    assert caught.value.response["Error"]["Code"] == "MalformedPolicy"


def test_a_bucket_is_created_with_its_tags(lab):
    s3 = lab.client("s3", "eu-west-1")
    configuration = {"LocationConstraint": "eu-west-1", "Tags": TAGS}
    s3.create_bucket(Bucket="bucket-one", CreateBucketConfiguration=configuration)
    assert s3.get_bucket_tagging(Bucket="bucket-one")["TagSet"] == TAGS


def test_the_tagging_api_lists_what_the_stack_has(lab, network):
    lab.client("elasticache").create_cache_subnet_group(
        CacheSubnetGroupName="c", CacheSubnetGroupDescription="d", SubnetIds=[network["subnet"]], Tags=TAGS
    )
    other = {"VpcId": network["vpc"], "CidrBlock": "10.20.99.0/24", "AvailabilityZone": "us-east-1f"}
    second = lab.client("ec2").create_subnet(**other)["Subnet"]["SubnetId"]
    lab.client("rds").create_db_subnet_group(
        DBSubnetGroupName="d", DBSubnetGroupDescription="d", SubnetIds=[network["subnet"], second], Tags=TAGS
    )
    lab.client("rds").create_db_parameter_group(
        DBParameterGroupName="p", DBParameterGroupFamily="postgres16", Description="d", Tags=TAGS
    )
    lab.client("sns").create_topic(Name="t", Tags=TAGS)
    lab.client("sns").create_topic(Name="other")
    lab.client("kms").create_key(Tags=[{"TagKey": "webstack:stack", "TagValue": "demo"}])
    files = lab.client("efs").create_file_system(CreationToken="c", Tags=TAGS)["FileSystemId"]
    while lab.client("efs").describe_file_systems()["FileSystems"][0]["LifeCycleState"] == "creating":
        time.sleep(0.05)
    lab.client("efs").create_access_point(FileSystemId=files, Tags=TAGS)
    zone = lab.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    lab.client("route53").change_tags_for_resource(
        ResourceType="hostedzone", ResourceId=zone.split("/")[-1], AddTags=TAGS
    )
    client = lab.client("resourcegroupstaggingapi")
    wanted = {"TagFilters": [{"Key": "webstack:stack", "Values": ["demo"]}]}
    found = client.get_resources(**wanted)["ResourceTagMappingList"]
    kinds = {":".join([arn.split(":")[2], arn.split(":", 5)[5].split("/")[0].split(":")[0]]) for arn in arns(found)}
    assert kinds >= {
        "ec2:elastic-ip",
        "ec2:vpc-endpoint",
        "ec2:network-acl",
        "ec2:launch-template",
        "ec2:security-group",
        "elasticache:subnetgroup",
        "rds:subgrp",
        "rds:pg",
        "sns:t",
        "kms:key",
        "elasticfilesystem:file-system",
        "elasticfilesystem:access-point",
        "route53:hostedzone",
    }
    assert "sns:other" not in kinds
    assert {
        arn.split(":")[2]
        for arn in arns(client.get_resources(**wanted, ResourceTypeFilters=["rds"])["ResourceTagMappingList"])
    } == {"rds"}
    pages = list(client.get_paginator("get_resources").paginate(**wanted, ResourcesPerPage=3))
    assert [arn for page in pages for arn in arns(page["ResourceTagMappingList"])] == arns(found)


def arns(resources: list[dict[str, Any]]) -> list[str]:
    return [resource["ResourceARN"] for resource in resources]
