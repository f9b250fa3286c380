"""The EC2 things that other tiers refer to: VPC, subnet, security group. https://docs.aws.amazon.com/vpc/latest/userguide/"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..engine.resource import NAME_TAG, OWNER_TAG, Resource, Scope, as_dict, as_list, changed_tags
from ..engine.sdk import SDK_ERRORS, error_code


def owned_or_named(scope: Scope, prefix: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The filter for what the stack owns, and those wished-for names that are ids of the user's own things."""
    return ours(scope), sorted(name for name in scope.names if name.startswith(prefix))


def ours(scope: Scope) -> list[dict[str, Any]]:
    """The filter for what the stack owns."""
    return [{"Name": f"tag:{OWNER_TAG}", "Values": [scope.stack]}]


def described(client: Any, operation: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
    """All pages of an EC2 Describe call."""
    pages = client.get_paginator(operation).paginate(**arguments)
    return [item for page in pages for item in page[key]]


def names_of(item: dict[str, Any], id_key: str) -> tuple[str, ...]:
    """Our name of an EC2 item, then its id: both may be wished for."""
    tags = as_dict(item.get("Tags"))
    return tuple(name for name in (tags.get(NAME_TAG), item[id_key]) if name)


def specification(kind: str, want: dict[str, Any]) -> list[dict[str, Any]]:
    """Tags for the create call itself: tagging afterwards races with eventual consistency (trap 3)."""
    return [{"ResourceType": kind, "Tags": as_list(want["tags"])}]


def set_tags(client: Any, resource: Resource, want: dict[str, str]) -> None:
    """Make an EC2 resource's tags what is wanted."""
    to_set, to_remove = changed_tags((resource.have or {}).get("tags") or {}, want)
    if to_set:
        client.create_tags(Resources=[resource.id], Tags=as_list(to_set))
    if to_remove:
        client.delete_tags(Resources=[resource.id], Tags=[{"Key": key} for key in to_remove])


def name_holders(client: Any, error: Exception, **condition: str) -> None:
    """Add to a DependencyViolation which network interfaces still hold the thing: AWS itself does not tell (trap 31)."""
    if error_code(error) != "DependencyViolation":
        return
    filters = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in condition.items()]
    interfaces = described(client, "describe_network_interfaces", "NetworkInterfaces", Filters=filters)
    holders = [
        f"{one['NetworkInterfaceId']} ({one.get('Description') or one.get('RequesterId') or one.get('InterfaceType', '')})"
        for one in interfaces
    ]
    if holders:
        details = error.response["Error"]  # type: ignore[attr-defined]  # an error with a code is a ClientError
        details["Message"] = (
            f"{details.get('Message', '')} Still in use by network interface {', '.join(sorted(holders))}"
        )


@dataclass(eq=False)
class Vpc(Resource):
    """A VPC, found by our name or by its id."""

    service = "ec2"
    missing = ("InvalidVpcID.NotFound",)
    sent_once = ("CreateVpc",)
    busy = ("DependencyViolation",)
    immutable = {"cidr_block": "A VPC keeps its primary CIDR: build a second stack beside it and move over"}
    pending = ("pending",)
    ready = ("available",)
    timeout = 1200

    cidr_block: str | None = None
    enable_dns_support: bool = True
    enable_dns_hostnames: bool = True
    read_dns: bool = False  # also of the user's own VPC, for whatever needs its DNS

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        filters, ids = owned_or_named(scope, "vpc-")
        found = (
            [] if ids and len(ids) == len(scope.names) else described(client, "describe_vpcs", "Vpcs", Filters=filters)
        )
        return found + (described(client, "describe_vpcs", "Vpcs", VpcIds=ids) if ids else [])

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return names_of(item, "VpcId")

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        vpc_id = item["VpcId"]
        have = {
            "id": vpc_id,
            "cidr_block": item["CidrBlock"],
            "state": item["State"],
            "tags": as_dict(item.get("Tags")),
        }
        if (self.owned and self.cidr_block) or self.read_dns:
            support, hostnames = self.scope.gather(
                lambda: client.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsSupport"),
                lambda: client.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsHostnames"),
            )
            have["enable_dns_support"] = support["EnableDnsSupport"]["Value"]
            have["enable_dns_hostnames"] = hostnames["EnableDnsHostnames"]["Value"]
        return have

    def want(self) -> dict[str, Any]:
        return {
            "cidr_block": self.cidr_block,
            "enable_dns_support": self.enable_dns_support,
            "enable_dns_hostnames": self.enable_dns_hostnames,
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.create_vpc(CidrBlock=want["cidr_block"], TagSpecifications=specification("vpc", want))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        # One attribute a call, and host names only work once DNS support is on (trap 42).
        if "enable_dns_support" in change:
            client.modify_vpc_attribute(VpcId=self.id, EnableDnsSupport={"Value": change["enable_dns_support"]})
        if "enable_dns_hostnames" in change:
            client.modify_vpc_attribute(VpcId=self.id, EnableDnsHostnames={"Value": change["enable_dns_hostnames"]})
        if "tags" in change:
            set_tags(client, self, change["tags"])

    def delete(self, client: Any) -> None:
        try:
            client.delete_vpc(VpcId=self.id)
        except SDK_ERRORS as error:
            name_holders(client, error, vpc_id=self.id)
            raise


@dataclass(eq=False)
class Subnet(Resource):
    """A subnet, found by our name or by its id; its zone is part of the name, so a new zone moves no other subnet (trap 47)."""

    service = "ec2"
    missing = ("InvalidSubnetID.NotFound",)
    retry = ("InvalidVpcID.NotFound",)
    busy = ("DependencyViolation",)
    immutable = {
        "cidr_block": "A subnet keeps its CIDR: add a subnet under another name, move over, then remove this one",
        "availability_zone": "A subnet stays in its zone: add a subnet under another name",
    }
    pending = ("pending",)
    ready = ("available",)
    timeout = 1200

    vpc: Vpc | None = None
    cidr_block: str | None = None
    availability_zone: str | None = None
    map_public_ip_on_launch: bool | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        filters, ids = owned_or_named(scope, "subnet-")
        found = (
            []
            if ids and len(ids) == len(scope.names)
            else described(client, "describe_subnets", "Subnets", Filters=filters)
        )
        return found + (described(client, "describe_subnets", "Subnets", SubnetIds=ids) if ids else [])

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return names_of(item, "SubnetId")

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {
            "id": item["SubnetId"],
            "vpc_id": item["VpcId"],
            "cidr_block": item["CidrBlock"],
            "availability_zone": item["AvailabilityZone"],
            "map_public_ip_on_launch": item["MapPublicIpOnLaunch"],
            "state": item["State"],
            "tags": as_dict(item.get("Tags")),
        }

    def want(self) -> dict[str, Any]:
        return {
            "cidr_block": self.cidr_block,
            "availability_zone": self.availability_zone,
            "map_public_ip_on_launch": self.map_public_ip_on_launch,
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        if self.vpc is None:
            raise TypeError("an owned subnet is built with its VPC")
        client.create_subnet(
            VpcId=self.vpc.id,
            CidrBlock=want["cidr_block"],
            AvailabilityZone=want["availability_zone"],
            TagSpecifications=specification("subnet", want),
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "map_public_ip_on_launch" in change:
            client.modify_subnet_attribute(
                SubnetId=self.id, MapPublicIpOnLaunch={"Value": change["map_public_ip_on_launch"]}
            )
        if "tags" in change:
            set_tags(client, self, change["tags"])

    def delete(self, client: Any) -> None:
        try:
            client.delete_subnet(SubnetId=self.id)
        except SDK_ERRORS as error:
            name_holders(client, error, subnet_id=self.id)
            raise


def stack_groups(client: Any, scope: Scope) -> list[dict[str, Any]]:
    """Every security group that carries the stack's tag, with its rules: one call for all kinds that look at groups."""
    return scope.once(
        "security groups of the stack",
        lambda: described(client, "describe_security_groups", "SecurityGroups", Filters=ours(scope)),
    )


@dataclass(eq=False)
class SecurityGroup(Resource):
    """A security group without its rules, found by our name or by its id. Name, description and VPC never change (trap 40)."""

    service = "ec2"
    missing = ("InvalidGroup.NotFound", "InvalidGroupId.NotFound")
    retry = ("InvalidVpcID.NotFound",)
    busy = ("DependencyViolation",)
    immutable = {
        "description": "A security group keeps its description: use another name for a new group",
        "vpc_id": "A security group stays in its VPC: remove the stack from the old VPC first, or name another stack",
    }
    timeout = 1200

    vpc: Vpc | None = None
    description: str | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        ids = sorted(name for name in scope.names if name.startswith("sg-"))
        groups = [] if ids and len(ids) == len(scope.names) else stack_groups(client, scope)
        # The VPC's default group is another kind: it can't be deleted (trap 40).
        found = [group for group in groups if group["GroupName"] != "default"]
        return found + (described(client, "describe_security_groups", "SecurityGroups", GroupIds=ids) if ids else [])

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return names_of(item, "GroupId")

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {
            "id": item["GroupId"],
            "vpc_id": item["VpcId"],
            "description": item["Description"],
            "tags": as_dict(item.get("Tags")),
        }

    def want(self) -> dict[str, Any]:
        return {
            "description": self.description,
            "vpc_id": self.vpc.id if self.vpc and self.exists and self.vpc.exists else None,
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        if self.vpc is None:
            raise TypeError("an owned security group is built with its VPC")
        client.create_security_group(
            GroupName=self.name,
            Description=want["description"],
            VpcId=self.vpc.id,
            TagSpecifications=specification("security-group", want),
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        set_tags(client, self, change["tags"])

    def delete(self, client: Any) -> None:
        try:
            client.delete_security_group(GroupId=self.id)
        except SDK_ERRORS as error:
            name_holders(client, error, group_id=self.id)
            raise
